"""What ``tonnage doctor`` finds: the checks, in the order in which a deploy would meet them, and the checklist.

Changes nothing. What the checklist is verified from asks no server.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.decide.deploy.able_engines import refuse_unable
from tonnage.decide.deploy.needed import check_needed
from tonnage.decide.deploy.orphans import check_ports
from tonnage.decide.deploy.planning import asked_for
from tonnage.decide.reports.checklist import checklist
from tonnage.decide.reports.torch import found_torch
from tonnage.errors import TonnageError
from tonnage.flows.ci_files import repository
from tonnage.flows.forecast import gather
from tonnage.flows.garbage_collection import collection_report
from tonnage.flows.guard.ability import held_checks, inode_checks, pauses_builds
from tonnage.flows.left_behind import left_behind
from tonnage.flows.looks import look
from tonnage.flows.machine.platforms import platform_check
from tonnage.flows.needed import with_needs
from tonnage.flows.requests import ForecastRequest
from tonnage.flows.stack import build_environment_of, read_if_there, read_inputs, stack_request
from tonnage.flows.state import journal_path, opened_journal, read_history, runs_if_readable
from tonnage.flows.weights import check_weights
from tonnage.lint.dockerfile_rules import installer_cache, pip_cache, uv_cache
from tonnage.lint.dockerfiles import dockerfile_findings
from tonnage.model.orphans import REMOVE_ORPHANS, orphans_of
from tonnage.model.reports.checklist import Evidence
from tonnage.model.unknowns import unknowns
from tonnage.runtime.deploy.observe import observe
from tonnage.runtime.load_stack import differing
from tonnage.small_files import DOCUMENT, WRITTEN_FOR_CI, read_text
from tonnage.units import format_bytes
from tonnage.views.text.checks import FAILED, OK, WARNING, Check
from tonnage.views.text.garbage_collection import collection_check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tonnage.adapters.interface import EngineFacts
    from tonnage.flows.looks import Snapshot
    from tonnage.flows.ports import Process, RehearsalPorts
    from tonnage.flows.requests import StackFlags
    from tonnage.flows.stack import DesiredState
    from tonnage.model.forecast.estimate import ServiceForecast
    from tonnage.model.inventory import Inventory
    from tonnage.model.reclaim.garbage_collection import CollectionReport
    from tonnage.model.reports.checklist import FoundTorch, Item
    from tonnage.model.stack import Stack

_CACHE_RULES = frozenset({pip_cache.NAME, uv_cache.NAME, installer_cache.NAME})
_RUNS = 200
_WITHIN_S = 6.0
_WITHOUT_ROOT = (
    "rootless: what only root may read or remove (SDKs of a runner, package caches, logs of the machine, files that"
    " containers wrote as other users) is neither counted nor freed without sudo, and only root can rehearse"
)
_SAYS_SO = ("tonnage reclaim", "--cleanup-disk")
_READING = "reading"
_MOST_DIFFERENCES = 10


class Examination(Struct, frozen=True, kw_only=True):
    """What was found.

    Args:
        failure: Of the first check that failed.
        stack: The stack whose checklist was verified; empty where there is none.
        collection: The engine's garbage collection; None where the engine or the stack cannot be read.
        seen: What was seen of the engine; None where it does not answer.
    """

    checks: tuple[Check, ...]
    failure: TonnageError | None
    stack: str
    items: tuple[Item, ...]
    collection: CollectionReport | None
    seen: Snapshot | None = None


class _Looked(Struct, frozen=True, kw_only=True):
    """What several checks stand on: the stack, the engine where it answers, and forecasts from what is known here."""

    wanted: DesiredState
    seen: Snapshot | None
    forecasts: tuple[ServiceForecast, ...] | None


def examine(ports: RehearsalPorts, flags: StackFlags) -> Examination:
    """Carry every check out, and verify the checklist of the stack of this directory."""
    looked = None
    with contextlib.suppress(TonnageError):
        looked = _look(ports, flags)
    collection = None
    if looked is not None and looked.seen is not None:
        with contextlib.suppress(TonnageError):
            collection = collection_report(ports, flags.host, looked.seen, looked.wanted.stack, looked.forecasts)
    left: list[Check] = []
    if looked is not None and looked.seen is not None:
        left += _orphan_checks(looked.wanted.stack, looked.seen.inventory)
        with contextlib.suppress(TonnageError):
            left += left_behind(ports, flags.host, looked.seen.inventory)
    checks, failure = _check_all(ports, flags, collection, left)
    items: tuple[Item, ...] = ()
    if looked is not None and looked.wanted.stack.services:
        with contextlib.suppress(TonnageError):
            items = checklist(_evidence(ports, looked))
    stack = looked.wanted.stack.name if looked is not None and items else ""
    seen = looked.seen if looked is not None else None
    return Examination(
        checks=tuple(checks), failure=failure, stack=stack, items=items, collection=collection, seen=seen
    )


def _look(ports: RehearsalPorts, flags: StackFlags) -> _Looked:
    wanted = read_if_there(ports, flags)
    with contextlib.ExitStack() as opened:
        facts = seen = None
        with contextlib.suppress(TonnageError):
            facts = opened.enter_context(ports.engines.facts(flags.host))
            seen = look(facts, wanted)
        forecasts = None
        if wanted.stack.built:
            with contextlib.suppress(TonnageError):
                forecasts = _forecasts(ports, wanted, facts if seen else None, seen.inventory if seen else None)
    return _Looked(wanted=wanted, seen=seen, forecasts=forecasts)


def _check_all(
    ports: RehearsalPorts, flags: StackFlags, collection: CollectionReport | None, left: Sequence[Check]
) -> tuple[list[Check], TonnageError | None]:
    """Carry every check out; none depends on another one's success more than it must."""
    failures: list[TonnageError] = []

    def checked(name: str, look_at: Callable[[], str], *, needed: bool = True) -> Check:
        try:
            return Check(name=name, state=OK, found=look_at())
        except TonnageError as error:
            if needed:
                failures.append(error)
            found = f"{error.place}: {error.what}" if error.place else error.what
            return Check(name=name, state=FAILED if needed else WARNING, found=found, todo=error.todo or error.why)

    checks = [
        checked("stack", lambda: _stack(ports, flags)),
        *_reading_checks(ports, flags),
        *_weights_checks(ports, flags, checked),
        *_needed_checks(ports, flags, checked),
        checked("engine", lambda: _engine(ports, flags)),
        platform_check(ports, flags.host),
        checked("disk", lambda: _disk(ports, flags)),
        checked("guard", lambda: pauses_builds(ports.engines, flags.host), needed=False),
        *inode_checks(ports, flags.host),
        *held_checks(ports, flags.host),
        *([collection_check(collection)] if collection is not None else []),
        *left,
        checked("builder", ports.programs.builder_found),
        checked("compose", ports.programs.compose_found),
        checked("journal", lambda: _journal(ports)),
        checked("rehearse", ports.rehearsals.check, needed=False),
    ]
    return checks, failures[0] if failures else None


def _stack(ports: RehearsalPorts, flags: StackFlags) -> str:
    wanted = read_if_there(ports, flags)
    if not wanted.stack.name:
        return "no compose file here"
    inputs = read_inputs(ports, wanted.stack)
    count = len(wanted.stack.services)
    return f"{wanted.stack.name}: {count} service{'' if count == 1 else 's'}, {len(inputs)} of them built"


def _reading_checks(ports: RehearsalPorts, flags: StackFlags) -> list[Check]:
    """Say where the built-in reader differs from Compose; a stack that cannot be read was told already."""
    compose = ports.programs.compose()
    try:
        if compose is None or not read_if_there(ports, flags).stack.name:
            return []
    except TonnageError:
        return []
    try:
        found = differing(stack_request(ports, flags), environment=ports.environment, compose=compose)
    except TonnageError as error:
        place = f"{error.place}: " if error.place else ""
        return [Check(name=_READING, state=WARNING, found=f"only Compose follows these files: {place}{error.what}")]
    if not found:
        return []
    lines = [
        f"{place}: {'.'.join(each.path)}: Compose reads {each.compose}, the built-in reader {each.own}"
        for place, each in found[:_MOST_DIFFERENCES]
    ]
    lines += [f"and {len(found) - len(lines)} more"] if len(found) > len(lines) else []
    values = f"{len(found)} value{'s' if len(found) > 1 else ''}"
    what = f"the built-in reader differs from Compose in {values}; Compose is followed"
    return [Check(name=_READING, state=WARNING, found=what, todo="\n".join(lines))]


def _weights_checks(
    ports: RehearsalPorts, flags: StackFlags, checked: Callable[[str, Callable[[], str]], Check]
) -> list[Check]:
    """Check weights where there are any; a stack that cannot be read was told already."""
    try:
        wanted = read_if_there(ports, flags)
    except TonnageError:
        return []
    names = asked_for(wanted.stack, wanted.services)
    if not any(service.settings.weights for service in wanted.stack.services if service.name in names):
        return []

    unknown: list[str] = []

    def look_at() -> str:
        count, notes = check_weights(
            ports.weights, wanted.stack, names, local=_is_here(ports, flags), tell=lambda _text: None
        )
        unknown.extend(notes)
        return "; ".join([*([f"{count} files are there, as described"] if count else []), *notes])

    check = checked("weights", look_at)
    return [replace(check, state=WARNING) if unknown else check]


def _needed_checks(
    ports: RehearsalPorts, flags: StackFlags, checked: Callable[[str, Callable[[], str]], Check]
) -> list[Check]:
    """Check what a deploy of the stack needs and does not make; without a stack or an engine others said so already."""
    try:
        wanted = read_if_there(ports, flags)
        with ports.engines.facts(flags.host) as facts:
            inventory = observe(facts)
    except TonnageError:
        return []
    names = {service.name for service in wanted.stack.services}
    if not names:
        return []

    def look_at() -> str:
        seen = with_needs(ports, wanted.stack, inventory)
        check_ports(wanted.stack, seen, names)
        notes = check_needed(wanted.stack, seen, names, names)
        return "; ".join(notes) or "networks, volumes, files and devices exist; names and ports are free"

    return [checked("needed", look_at)]


def _orphan_checks(stack: Stack, inventory: Inventory) -> Iterator[Check]:
    """Name the containers of services that are in no file any more."""
    found = orphans_of(stack, inventory) if stack.name else {}
    if found:
        names = ", ".join(f"{each.name} of {service}" for service, some in found.items() for each in some)
        todo = f"To remove:\n  {REMOVE_ORPHANS}"
        yield Check(name="orphans", state=WARNING, found=f"no longer in any file of the stack: {names}", todo=todo)


def _is_here(ports: RehearsalPorts, flags: StackFlags) -> bool:
    """Return whether the engine is this machine's own, as far as that can be known while it does not answer."""
    try:
        with ports.engines.facts(flags.host) as facts:
            endpoint = facts.engine().endpoint
    except TonnageError:
        endpoint = flags.host or ports.environment.get("DOCKER_HOST", "")
    return not endpoint or endpoint.startswith("unix://")


def _engine(ports: RehearsalPorts, flags: StackFlags) -> str:
    with ports.engines.facts(flags.host) as facts:
        engine = facts.engine()
    refuse_unable(engine)
    rootless = f"; {_WITHOUT_ROOT}" if engine.rootless else ""
    return f"{engine.version} at {engine.endpoint}, {engine.storage_driver}, {engine.image_store} image store{rootless}"


def _disk(ports: RehearsalPorts, flags: StackFlags) -> str:
    wanted = read_if_there(ports, flags)
    with ports.engines.facts(flags.host) as facts:
        seen = look(facts, wanted)
    disk = seen.inventory.filesystems[0]
    return (
        f"{disk.mount}: {format_bytes(disk.available_bytes)} available of {format_bytes(disk.size_bytes)},"
        f" reserve {format_bytes(seen.reserves[disk.mount])}"
        f"{f', ballast {format_bytes(disk.ballast_bytes)}' if disk.ballast_bytes else ''}"
        f"{''.join(f'; {each}' for each in unknowns(seen.inventory))}"
    )


def _journal(ports: Process) -> str:
    path = journal_path(ports.environment)
    with opened_journal(ports.environment) as journal:
        if journal is None:
            return f"{path}: none yet"
        last = journal.runs(1)
    size = format_bytes(path.stat().st_size)
    count = last[0].run_id if last else 0
    return f"{path}: {count} run{'' if count == 1 else 's'}, {size}"


def _evidence(ports: RehearsalPorts, looked: _Looked) -> Evidence:
    """Look at a stack, its repository and the journal."""
    wanted = looked.wanted
    directory = Path(wanted.stack.directory)
    root = repository(directory)
    return Evidence(
        workflows=tuple(_workflows(root)),
        caches=_caches(ports, build_environment_of(ports, wanted.stack, ports.environment)),
        torch=_torch(wanted.stack, looked.forecasts),
        runs=runs_if_readable(ports, _RUNS, wanted.stack.name),
        documents=tuple(_documents({directory, root})),
        rehearsals=ports.rehearsals.root(),
        disk_bytes=looked.seen.inventory.filesystems[0].size_bytes if looked.seen is not None else 0,
    )


def _workflows(root: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((root / ".github" / "workflows").glob("*.y*ml")):
        with contextlib.suppress(OSError):
            yield path.name, read_text(path, WRITTEN_FOR_CI, errors="replace", within=str(root.resolve()))


def _documents(directories: set[Path]) -> Iterator[str]:
    for directory in sorted(directories):
        for path in sorted((*directory.glob("*.md"), *directory.glob("*.sh"), *directory.glob("docs/*.md"))):
            with contextlib.suppress(OSError):
                text = read_text(path, DOCUMENT, errors="replace", within=str(directory.resolve()))
                if any(words in text for words in _SAYS_SO):
                    yield path.name


def _caches(ports: RehearsalPorts, stack: Stack) -> tuple[str, ...] | None:
    """Return where Dockerfiles leave the cache of an installer in the image; None where one cannot be read."""
    found: list[str] = []
    for service in stack.services:
        spec = service.build
        if spec is None:
            continue
        named = Path(spec.dockerfile or "Dockerfile")
        try:
            findings = dockerfile_findings(
                ports.files.dockerfile(spec),
                f"{named.parent.name}/{named.name}",
                build_args=dict(spec.args),
                target=spec.target,
            )
        except (OSError, TonnageError):
            return None
        found += [str(each.place) for each in findings if each.rule in _CACHE_RULES]
    return tuple(dict.fromkeys(found))


def _torch(stack: Stack, forecasts: Sequence[ServiceForecast] | None) -> tuple[FoundTorch, ...] | None:
    """Return what services install of PyTorch; None where their forecasts do not tell."""
    built = stack.built
    known = forecasts or ()
    if len(known) != len(built) or any(each.failures or not each.found_out for each in known):
        return None
    return found_torch(built, known)


def _forecasts(
    ports: RehearsalPorts, wanted: DesiredState, facts: EngineFacts | None, inventory: Inventory | None
) -> tuple[ServiceForecast, ...]:
    """Forecast builds from what was looked up before, also those that are built already."""
    built = build_environment_of(ports, wanted.stack, ports.environment).built
    engine = inventory.engine if inventory is not None else None
    asked = ForecastRequest(
        assume_bytes=wanted.policy.assume_unknown_bytes,
        offline=True,
        within_s=_WITHIN_S,
        stack=wanted.stack.name,
        builders=built,
        directory=wanted.stack.directory,
    )
    return gather(
        ports,
        built,
        ports.engines.kind(engine),
        asked,
        facts=facts,
        inventory=inventory,
        history=read_history(ports, wanted.stack.name, engine.engine_id) if engine is not None else None,
    )
