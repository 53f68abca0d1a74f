"""What is there now: disk and line, what the engine uses, the services. Every figure is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from tonnage.model.deploy.image_names import is_config, repository, version_names
from tonnage.model.inventory import PODMAN
from tonnage.model.orphans import REMOVE_ORPHANS, orphans_of
from tonnage.model.reports.activity import Activity
from tonnage.model.unknowns import unknowns
from tonnage.units import format_bytes, format_instant
from tonnage.views.text.activity import run_forms, run_lines, trend_form, trend_text
from tonnage.views.text.layout import columns, gauge_parts, joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from tonnage.model.builder import BuilderBeside
    from tonnage.model.inventory import CacheRecord, Container, Filesystem, Inventory
    from tonnage.model.reports.activity import Trend
    from tonnage.model.stack import Service, Stack

_ID_LENGTH = 12
_ENDED = frozenset({"exited", "dead"})


def status_form(
    inventory: Inventory,
    *,
    reserves: Mapping[str, int],
    stack: Stack,
    services: Sequence[str] = (),
    activity: Activity | None = None,
) -> dict[str, object]:
    """Return what is there as a JSON-able mapping.

    Args:
        services: Names of the services to tell about; empty for all.
        activity: Runs at work, and how disks change; None where nobody looked.
    """
    activity = activity or Activity()
    engine = inventory.engine
    return {
        "engine": {
            "engine_id": engine.engine_id,
            "endpoint": engine.endpoint,
            "version": engine.version,
            "storage_driver": engine.storage_driver,
            "image_store": engine.image_store,
            "data_root": engine.data_root,
            "builder": engine.builder.name if engine.builder is not None else "",
        },
        "filesystems": filesystem_forms(inventory, reserves, activity.trends),
        "runs": run_forms(activity.runs),
        "use": engine_use(inventory),
        "stack": stack.name,
        "services": _service_forms(inventory, stack, services),
        "orphans": _orphan_forms(inventory, stack, services),
    }


def engine_use(inventory: Inventory) -> dict[str, object]:
    """Return what the engine keeps, by kind, in bytes; null where it does not tell."""
    layers = {layer.chain_id: layer.size_bytes for image in inventory.images for layer in image.layers}
    blobs = {digest: size for image in inventory.images for digest, size in image.blobs.items()}
    blobs |= {one.chain_id: one.blob_bytes for image in inventory.images if not image.blobs for one in image.layers}
    writable = [container.writable_bytes for container in inventory.containers]
    return {
        "images": {"count": len(inventory.images), "bytes": _sum([*layers.values(), *blobs.values()])},
        "containers": {"count": len(writable), "bytes": _sum(writable)},
        "build_cache": {
            "count": len(inventory.cache),
            "bytes": None
            if inventory.engine.image_store == PODMAN
            else sum(record.size_bytes for record in inventory.cache if not record.shared),
        },
        "volumes": {
            "count": len(inventory.volumes),
            "bytes": _sum([volume.size_bytes for volume in inventory.volumes]),
        },
    }


def status_text(
    inventory: Inventory,
    *,
    reserves: Mapping[str, int],
    stack: Stack,
    services: Sequence[str] = (),
    width: int = 80,
    ascii_only: bool = False,
    activity: Activity | None = None,
    unsized: str = "unknown",
) -> str:
    """Write what is there for people.

    Args:
        unsized: What stands for a size that is not told.
        services: Names of the services to tell about; empty for all.
        activity: Runs at work, and how disks change; None where nobody looked.
    """
    engine = inventory.engine
    kept = f"{engine.storage_driver}, {engine.image_store} store"
    blocks = [[f"engine {engine.shown_version} ({kept}) at {engine.endpoint}"]]
    if activity is not None:
        blocks[0] += run_lines(activity.runs)
    trends = activity.trends if activity is not None else {}
    blocks += [
        _filesystem_lines(disk, reserves.get(disk.mount, 0), trends.get(disk.mount), width, ascii_only=ascii_only)
        for disk in inventory.filesystems
    ]
    blocks += [[f"note: {each}"] for each in unknowns(inventory)]
    if engine.builder is not None:
        blocks.append([_builder_line(engine.builder, inventory.build_cache)])
    rows = [
        (kind.replace("_", " "), str(use["count"]), _size(use["bytes"], unsized))
        for kind, use in engine_use(inventory).items()
        if isinstance(use, dict)
    ]
    blocks.append(["the engine keeps", *columns(rows, right=(1, 2), indent="  ")])
    if stack.name:
        forms = _service_forms(inventory, stack, services)
        cells = [_service_row(form, _version(inventory, stack.name, str(form["service"]))) for form in forms]
        heads = ("service", "state", "health", "running", "version")
        blocks.append([f"stack {stack.name}", *columns((heads, *cells), indent="  ")])
        orphans = _orphan_forms(inventory, stack, services)
        if orphans:
            named = columns([(each["service"], each["container"], each["state"]) for each in orphans], indent="  ")
            blocks.append(["in no file of the stack any more", *named, "to remove them:", f"  {REMOVE_ORPHANS}"])
    return "\n\n".join(map(joined, blocks))


def _builder_line(builder: BuilderBeside, records: Sequence[CacheRecord]) -> str:
    kept = f"{format_bytes(sum(record.size_bytes for record in records))} in {len(records)} records"
    if not builder.runs:
        kept = "its container does not run, so what it keeps is not told"
    return f"builder {builder.name}: {kept}, in the volume {builder.volume}"


def filesystem_forms(
    inventory: Inventory, reserves: Mapping[str, int], trends: Mapping[str, Trend] | None = None
) -> list[dict[str, object]]:
    """Return the filesystems that an engine writes to as JSON-able mappings."""
    trends = trends or {}
    return [
        _filesystem_form(disk, reserves.get(disk.mount, 0), trends.get(disk.mount)) for disk in inventory.filesystems
    ]


def _filesystem_form(disk: Filesystem, reserve_bytes: int, trend: Trend | None) -> dict[str, object]:
    return {
        "mount": disk.mount,
        "roles": list(disk.roles),
        "size_bytes": disk.size_bytes,
        "available_bytes": disk.available_bytes,
        "reserved_bytes": disk.reserved_bytes,
        "reserve_bytes": reserve_bytes,
        "headroom_bytes": disk.available_bytes - reserve_bytes,
        "inodes": disk.inodes,
        "available_inodes": disk.available_inodes,
        "ballast_bytes": disk.ballast_bytes,
        "trend": trend_form(trend, available_bytes=disk.available_bytes, reserve_bytes=reserve_bytes),
    }


def _filesystem_lines(
    disk: Filesystem, reserve_bytes: int, trend: Trend | None, width: int, *, ascii_only: bool
) -> list[str]:
    bar = "".join(
        gauge_parts(
            size_bytes=disk.size_bytes,
            available_bytes=disk.available_bytes,
            reserve_bytes=reserve_bytes,
            cells=min(width, 80) - 4,
            ascii_only=ascii_only,
        )
    )
    headroom_bytes = disk.available_bytes - reserve_bytes
    changes = trend_text(trend, available_bytes=disk.available_bytes, reserve_bytes=reserve_bytes)
    return [
        f"{disk.mount} ({', '.join(disk.roles)})",
        f"  {bar}",
        f"  {format_bytes(disk.available_bytes)} available of {format_bytes(disk.size_bytes)}",
        f"  reserve {format_bytes(reserve_bytes)}, usable {format_bytes(headroom_bytes)}",
        *([f"  {changes}"] if changes else []),
        *_inode_lines(disk),
        *_ballast_lines(disk),
    ]


def _inode_lines(disk: Filesystem) -> list[str]:
    """Return a line where inodes are short: most people never meet them."""
    if disk.available_inodes >= disk.reserve_inodes:
        return []
    return [f"  few inodes: {disk.available_inodes} available of {disk.inodes}, reserve {disk.reserve_inodes}"]


def _ballast_lines(disk: Filesystem) -> list[str]:
    held = format_bytes(disk.ballast_bytes)
    return [f"  ballast {held}: given back when the disk is full"] if disk.ballast_bytes else []


def _service_forms(inventory: Inventory, stack: Stack, services: Sequence[str]) -> list[dict[str, object]]:
    chosen = [service for service in stack.services if not services or service.name in services]
    return [_service_form(inventory, stack.name, service) for service in chosen]


def _service_form(inventory: Inventory, project: str, service: Service) -> dict[str, object]:
    containers = inventory.service_containers(project, service.name)
    states = sorted({container.state for container in containers})
    ended = [each.exit_code for each in containers if each.state in _ENDED and each.exit_code is not None]
    return {
        "service": service.name,
        "state": "absent" if not states else "mixed" if len(states) > 1 else states[0],
        "states": states,
        "exit_code": max(ended, key=abs, default=None),
        "done": service.settings.one_shot and bool(ended) and not any(ended) and len(ended) == len(containers),
        "health": _health(containers),
        "running": sum(1 for container in containers if container.state == "running"),
        "replicas": service.replicas,
        "versions": sorted({each.image_id.removeprefix("sha256:")[:_ID_LENGTH] for each in containers}),
        "image": service.image,
    }


def _version(inventory: Inventory, project: str, service: str) -> str:
    """Return the name of the version that the containers of a service run, as rollback lists it; empty for none."""
    mine = repository(project, service)
    found: set[int] = set()
    for container in inventory.service_containers(project, service):
        names = [
            name
            for image in inventory.images
            if inventory.runs(container, image)
            for _, name in version_names(mine, image.references)
            if not (name.withdrawn or name.is_record)
            and (not container.config_digest or is_config(name.config, container.config_digest))
        ]
        found.add(max(names).number if names else 0)
    return f"v{found.pop()} " if len(found) == 1 and any(found) else ""


def _service_row(form: Mapping[str, Any], version: str) -> tuple[str, ...]:
    ended = form["state"] == "exited" and form["exit_code"] is not None
    return (
        form["service"],
        f"exited {form['exit_code']}" if ended else "+".join(form["states"]) or "absent",
        form["health"] or "-",
        "done" if form["done"] else f"{form['running']}/{form['replicas']}",
        version + "+".join(form["versions"]) or "-",
    )


def _orphan_forms(inventory: Inventory, stack: Stack, services: Sequence[str]) -> list[dict[str, str]]:
    """Return the containers of services that are in no file, unless only some services are asked for."""
    found = {} if services or not stack.name else orphans_of(stack, inventory)
    return [
        {"service": service, "container": each.name, "state": each.state}
        for service, containers in found.items()
        for each in containers
    ]


def _health(containers: Sequence[Container]) -> str | None:
    for worst in ("unhealthy", "starting", "healthy"):
        if any(container.health == worst for container in containers):
            return worst
    return None


def _sum(parts: Sequence[int | None]) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _size(count_bytes: object, unsized: str) -> str:
    return format_bytes(count_bytes) if isinstance(count_bytes, int) else unsized


class InPlace:
    """Shows each look in the place of the one before it.

    Args:
        services: Names of the services to tell about; empty for all.
        hint: What is written below each look.
    """

    def __init__(self, console: Console, *, stack: Stack, services: Sequence[str], hint: str = "") -> None:
        from rich.live import Live  # noqa: PLC0415 - only watching draws

        self._console = console
        self._stack = stack
        self._services = services
        self._hint = hint
        self._live = Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last look on the screen."""
        self._live.stop()

    def show(self, inventory: Inventory, reserves: Mapping[str, int], activity: Activity | None = None) -> None:
        """Show one look. Bytes that only a slow question would tell are left out."""
        from rich.text import Text  # noqa: PLC0415 - only watching draws

        text = status_text(
            inventory,
            reserves=reserves,
            stack=self._stack,
            services=self._services,
            width=self._console.width,
            ascii_only=not self._console.encoding.startswith("utf"),
            activity=activity,
            unsized="-",
        )
        text += f"\n\n{self._hint}" if self._hint else ""
        self._live.update(Text(_within(text, self._console.height), no_wrap=True, overflow="ellipsis"), refresh=True)


def _within(text: str, height: int) -> str:
    """Leave the blank lines out where there is no room for them; the last row is the cursor's."""
    lines = text.split("\n")
    return text if len(lines) < height else "\n".join(line for line in lines if line)


def watch_lines(
    inventory: Inventory, reserves: Mapping[str, int], *, now_s: float = 0.0, activity: Activity | None = None
) -> list[str]:
    """Write one look for a log: when, and for each filesystem what is available and how that changes."""
    lines = []
    activity = activity or Activity()
    at_work = "; ".join(run_lines(activity.runs)) if activity.runs else ""
    for disk in inventory.filesystems:
        reserve_bytes = reserves[disk.mount]
        trend = activity.trends.get(disk.mount)
        parts = [
            f"{format_instant(now_s)} {disk.mount}: {format_bytes(disk.available_bytes)} available",
            f"reserve {format_bytes(reserve_bytes)}, usable {format_bytes(disk.available_bytes - reserve_bytes)}",
            trend_text(trend, available_bytes=disk.available_bytes, reserve_bytes=reserve_bytes),
            at_work,
        ]
        lines.append(", ".join(part for part in parts if part))
    return lines
