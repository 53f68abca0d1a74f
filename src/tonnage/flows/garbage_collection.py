"""What an engine's garbage collection would take from a stack, and the limits that suit the stack, as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.decide.deploy.changes import in_order
from tonnage.decide.reclaim.garbage_collection import (
    THREE_LIMITS,
    losses,
    modelled_policy,
    suited_settings,
)
from tonnage.decide.reports.known_engines import version_of
from tonnage.errors import TonnageError, UsageError
from tonnage.flows.forecast import forecast_now
from tonnage.flows.looks import look
from tonnage.flows.stack import read_wanted
from tonnage.forecast.costs.totals import expected_builds
from tonnage.model.forecast.estimate import DATA_ROOT
from tonnage.model.inventory import CONTAINERD
from tonnage.model.reclaim.garbage_collection import (
    CacheOfBuild,
    CollectionPolicy,
    CollectionReport,
    CollectionSettings,
)
from tonnage.own_files import write_whole
from tonnage.small_files import SETTINGS, read_text
from tonnage.sources.daemon_settings import collection_block, collection_settings, with_collection

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tonnage.flows.looks import Snapshot
    from tonnage.flows.ports import EnginePorts, ForecastPorts
    from tonnage.flows.requests import StackFlags
    from tonnage.model.forecast.estimate import ServiceForecast
    from tonnage.model.inventory import Engine, Filesystem, Inventory
    from tonnage.model.stack import Stack

_MODE = 0o644


class SuitedSettings(Struct, frozen=True, kw_only=True):
    """Limits of garbage collection that suit a stack.

    Args:
        block: ``builder.gc`` as it is written.
        path: The file that it belongs in; None for an engine on another machine.
        text: What that file would hold.
        current: Whether it holds that already.
    """

    block: dict[str, object]
    path: Path | None
    text: str
    current: bool


def collection_report(
    ports: EnginePorts, host: str, seen: Snapshot, stack: Stack, forecasts: Sequence[ServiceForecast] | None
) -> CollectionReport:
    """Return what is known of the garbage collection of an engine, and what it would take from a stack.

    Args:
        host: The engine's address, as typed.
        seen: The engine, looked at just now.
        forecasts: Of services of the stack that are built; None where there are none.
    """
    inventory = seen.inventory
    disk = _measured(inventory)
    policy = _policy(ports, host, inventory.engine, disk)
    builder = inventory.engine.builder.name if inventory.engine.builder else ""
    # What a builder in a container keeps lies in a volume, below the data root on every store.
    elsewhere = [
        each.mount for each in inventory.filesystems if CONTAINERD in each.roles and each is not disk and not builder
    ]
    cache_bytes = sum(
        record.size_bytes for record in inventory.cache if record.builder == builder and not record.shared
    )
    names = [service.name for service in in_order(stack, [each.name for each in stack.built])]
    builds = builds_for(forecasts or (), inventory, names)
    known = {build.service for build in builds}
    return CollectionReport(
        version=inventory.engine.version,
        policy=policy,
        filesystem=disk,
        reserve_bytes=seen.reserves[disk.mount],
        cache_bytes=cache_bytes,
        cache_mount=elsewhere[0] if elsewhere else "",
        builder=builder,
        losses=losses(policy, builds, disk, cache_bytes),
        unknown=tuple(name for name in names if name not in known),
    )


def builds_for(
    forecasts: Sequence[ServiceForecast], inventory: Inventory, names: Sequence[str]
) -> tuple[CacheOfBuild, ...]:
    """Return what builds do to the cache, in the order of their names; those that are not forecast are left out."""
    disk = _measured(inventory)
    known = {each.service: each for each in forecasts if each.found_out and not each.failures and each.peak.known}
    ordered = [known[name] for name in names if name in known]
    expected = expected_builds(
        ordered,
        roles=disk.roles,
        elsewhere={role for each in inventory.filesystems for role in each.roles} - set(disk.roles),
        cached_bytes=0,
    )
    found = []
    for each in ordered:
        holdings = [holding for step in each.steps for holding in step.holdings if not holding.in_image]
        build = expected[each.service]
        found.append(
            CacheOfBuild(
                service=each.service,
                kept_bytes=build.kept.likely_bytes,
                peak_bytes=(build.kept + build.transient).high_bytes,
                cache={holding.key: holding.kept.likely_bytes for holding in holdings},
                there=frozenset(holding.key for holding in holdings if holding.present),
            )
        )
    return tuple(found)


def suited(ports: ForecastPorts, flags: StackFlags, path: Path | None) -> SuitedSettings:
    """Return limits that suit the stack of this directory and the engine's disk; builds are forecast for it.

    Args:
        path: The engine's configuration file; None for the usual one.

    Raises:
        UsageError: There is no stack, what it needs is not known, the file cannot be used, or a builder beside the
            engine is selected, which does not read it.
        EngineUnreachableError: The engine does not answer.
        EngineLacksError: Its disk cannot be read from here.
    """
    wanted = read_wanted(ports, flags)
    with ports.engines.facts(flags.host) as facts:
        seen = look(facts, wanted)
        forecast = forecast_now(ports, wanted, facts=facts, inventory=seen.inventory)
    engine = seen.inventory.engine
    if engine.builder is not None:
        raise UsageError(
            f"the builder {engine.builder.name} does not read the engine's configuration",
            why="It is selected, and keeps what it builds in its own volume, with its own limits.",
            todo="Give it limits when it is made (--config before buildx 0.14), or build in the engine itself:\n"
            "  docker buildx create --buildkitd-config FILE\n  docker buildx use default",
        )
    names = [service.name for service in in_order(wanted.stack, [each.name for each in wanted.stack.built])]
    builds = builds_for(forecast.services, seen.inventory, names)
    missing = [name for name in names if name not in {build.service for build in builds}]
    if missing or not names:
        raise UsageError(
            f"what the builds of {', '.join(missing) or wanted.stack.name} need is not known",
            why="Limits are made from what a stack's builds keep and reuse.",
            todo="See why:\n  tonnage forecast",
        )
    disk = _measured(seen.inventory)
    made = suited_settings(engine.version, builds, disk, seen.reserves[disk.mount])
    block = collection_block(made, three_limits=version_of(engine.version) >= THREE_LIMITS)
    path = path or ports.engines.settings_file(engine)
    existing = _settings_text(path) if path is not None else ""
    text = with_collection(existing, block, str(path or ""))
    return SuitedSettings(block=block, path=path, text=text, current=text == existing)


def write_suited(made: SuitedSettings) -> None:
    """Write limits into the engine's configuration file; everything else that it holds stays.

    Raises:
        UsageError: It is on another machine, or cannot be written.
    """
    if made.path is None:
        raise UsageError(
            "the engine's configuration is on another machine",
            todo="Put the block into its file there, as shown without --write.",
        )
    try:
        made.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        write_whole(made.path, made.text.encode(), mode=_MODE, keep_mode=True)
    except OSError as error:
        raise UsageError(
            f"{made.path} cannot be written",
            why=f"{error.strerror}.",
            todo="Call it as the user that the file belongs to, or name another one with --daemon-json.",
        ) from None


def _measured(inventory: Inventory) -> Filesystem:
    """Return the filesystem that garbage collection measures. Source: moby, ``cmd/dockerd``: ``ROOT/buildkit``."""
    return next((each for each in inventory.filesystems if DATA_ROOT in each.roles), inventory.filesystems[0])


def _policy(ports: EnginePorts, host: str, engine: Engine, disk: Filesystem) -> CollectionPolicy:
    if engine.builder is not None:
        rules = ports.engines.collection_rules(host, engine)
        told_by = f"reported by the builder {engine.builder.name}" if rules else ""
        return CollectionPolicy(rules=rules or (), told_by=told_by)
    settings = CollectionSettings()
    path = ports.engines.settings_file(engine)
    if path is not None:
        try:
            settings = collection_settings(_settings_text(path), str(path))
        except TonnageError:
            settings = CollectionSettings()
    told = ports.engines.collection_rules(host, engine)
    # A buildx before 0.11 tells no rules at all.
    if told is None or (not told and settings.enabled):
        return modelled_policy(engine.version, disk.size_bytes, settings)
    return CollectionPolicy(rules=told, told_by=f"reported by the builder of Docker {engine.version}")


def _settings_text(path: Path) -> str:
    try:
        return read_text(path, SETTINGS)
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{path} cannot be read", why=f"{why}.") from None
