"""What ``status`` shows, as samples. Labels of filesystems are those of node_exporter, so that both can be joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tonnage.views.metrics.exposition import Family, Sample
from tonnage.views.text.status import status_form

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.deploy.run import Run
    from tonnage.model.inventory import Inventory
    from tonnage.model.stack import Stack

STATES = ("absent", "created", "running", "paused", "restarting", "removing", "exited", "dead", "mixed")
_FILESYSTEM = (
    ("size_bytes", "size_bytes", "Size of the filesystem."),
    ("avail_bytes", "available_bytes", "Bytes that programs other than root's can still write."),
    ("reserve_bytes", "reserve_bytes", "Bytes that must remain available."),
    ("headroom_bytes", "headroom_bytes", "Available bytes minus the reserve; below 0 when the reserve is used."),
    ("files", "inodes", "Inodes of the filesystem."),
    ("files_free", "available_inodes", "Inodes that are free."),
)
_Labels = tuple[tuple[str, str], ...]


def status_families(
    inventory: Inventory,
    *,
    reserves: Mapping[str, int],
    stack: Stack,
    services: Sequence[str] = (),
    runs: Sequence[Run] = (),
    now_s: float,
) -> list[Family]:
    """Return the samples of one look.

    Args:
        services: Names of the services to tell about; empty for all.
        runs: The last runs, the newest first.
        now_s: When the look was taken, in seconds since the epoch.
    """
    form: Any = status_form(inventory, reserves=reserves, stack=stack, services=services)
    engine = form["engine"]
    told: _Labels = tuple((name, engine[name]) for name in ("engine_id", "version", "storage_driver", "image_store"))
    return [
        Family("tonnage_up", "Whether the engine answered.", (Sample(1),)),
        Family("tonnage_last_look_timestamp_seconds", "When the engine was looked at.", (Sample(now_s),)),
        Family("tonnage_engine_info", "The engine.", (Sample(1, told),)),
        *_filesystems(form["filesystems"]),
        *_kept(form["use"]),
        *_services(form["stack"], form["services"]),
        *_runs(runs),
    ]


def silent_families(last_s: float | None) -> list[Family]:
    """Return the samples while no engine answers.

    Args:
        last_s: When it last did; None for never.
    """
    known = () if last_s is None else (Sample(last_s),)
    return [
        Family("tonnage_up", "Whether the engine answered.", (Sample(0),)),
        Family("tonnage_last_look_timestamp_seconds", "When the engine was looked at.", known),
    ]


def _filesystems(disks: Sequence[Mapping[str, Any]]) -> list[Family]:
    roles = tuple(
        Sample(1, (("mountpoint", disk["mount"]), ("role", role))) for disk in disks for role in disk["roles"]
    )
    return [
        *(
            Family(
                f"tonnage_filesystem_{name}",
                about,
                tuple(Sample(disk[field], (("mountpoint", disk["mount"]),)) for disk in disks),
            )
            for name, field, about in _FILESYSTEM
        ),
        Family("tonnage_filesystem_role", "What is kept on the filesystem.", roles),
    ]


def _kept(use: Mapping[str, Mapping[str, int | None]]) -> list[Family]:
    sizes = ((kind, each["bytes"]) for kind, each in use.items())
    return [
        Family(
            "tonnage_engine_objects",
            "How many images, containers, volumes and records of build cache the engine has.",
            tuple(Sample(each["count"] or 0, (("kind", kind),)) for kind, each in use.items()),
        ),
        Family(
            "tonnage_engine_used_bytes",
            "Bytes that the engine keeps, by kind; missing where it does not tell.",
            tuple(Sample(size, (("kind", kind),)) for kind, size in sizes if size is not None),
        ),
    ]


def _services(project: str, services: Sequence[Mapping[str, Any]]) -> list[Family]:
    named = [((("project", project), ("service", each["service"])), each) for each in services]
    states = tuple(
        Sample(int(each["state"] == state), (*labels, ("state", state))) for labels, each in named for state in STATES
    )
    healthy = tuple(Sample(int(each["health"] == "healthy"), labels) for labels, each in named if each["health"])
    ended = tuple(Sample(each["exit_code"], labels) for labels, each in named if each["exit_code"] is not None)
    return [
        Family("tonnage_service_state", "1 for the state that all containers of the service have.", states),
        Family("tonnage_service_healthy", "Whether all health checks pass; missing without one.", healthy),
        *(
            Family(f"tonnage_service_{name}", about, tuple(Sample(int(each[field]), labels) for labels, each in named))
            for name, field, about in (
                ("replicas", "replicas", "Containers that the service should have."),
                ("running", "running", "Containers of the service that run."),
                ("done", "done", "1 when a service that runs once has ended with 0."),
            )
        ),
        Family("tonnage_service_exit_code", "Exit code of a container that ended.", ended),
    ]


def _runs(runs: Sequence[Run]) -> list[Family]:
    newest: dict[tuple[str, str], Run] = {}
    for run in runs:
        newest.setdefault((run.stack, str(run.purpose)), run)
    named = [((("project", run.stack), ("purpose", purpose)), run) for (_, purpose), run in newest.items()]
    return [
        Family(
            "tonnage_last_run_timestamp_seconds",
            "When the last run began.",
            tuple(Sample(run.started_s, labels) for labels, run in named),
        ),
        Family(
            "tonnage_last_run_duration_seconds",
            "How long the last run took.",
            tuple(Sample(run.seconds, labels) for labels, run in named),
        ),
        Family(
            "tonnage_last_run_success",
            "Whether the last run was done.",
            tuple(Sample(int(run.outcome == "done"), labels) for labels, run in named if run.outcome != "running"),
        ),
    ]
