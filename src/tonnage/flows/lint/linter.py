"""Looking for waste of disk in what users wrote, with what fixing it saves, and fixing it.

A file that cannot be read is a result; the others are looked at all the same. Nothing is written that was not asked
for, and nothing outside of the project.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.errors import TonnageError, UsageError
from tonnage.flows.lint.file_result import FileResult
from tonnage.flows.lint.files import files_of, settings_in, written_text
from tonnage.flows.lint.pricing import by_bytes, priced, without_prices
from tonnage.flows.lint.stack_findings import stack_findings
from tonnage.flows.lint.writing import roots_of, write_change
from tonnage.flows.stack import read_if_there
from tonnage.lint.dockerfiles import dockerfile_findings
from tonnage.lint.inline_dockerfiles import inline_findings
from tonnage.lint.requirement_rules import torch_cuda
from tonnage.lint.rules import CHOICES, DOCKERFILE_RULES, REQUIREMENT_RULES, RULES, WORKFLOW_RULES, rules_named
from tonnage.lint.text_files import is_prose, refuse_no_requirements, text_findings
from tonnage.lint.workflow_rules.jobs import refuse_no_workflow
from tonnage.model.forecast.finding import Safety
from tonnage.model.reports.lint import LintChange, LintedKind, LintReport
from tonnage.small_files import UnfitFileError
from tonnage.sources.outside import NOT_SHOWN, is_shown, project_root

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from tonnage.flows.ports import DeployPorts
    from tonnage.flows.requests import StackFlags
    from tonnage.flows.stack import DesiredState
    from tonnage.forecast.gather.single_flight import SingleFlight
    from tonnage.lint.rule import DockerfileRule, StackFinding
    from tonnage.model.forecast.finding import Finding
    from tonnage.model.reports.lint import LintedFile
    from tonnage.model.stack import Service, Stack

_SAFE = "safe"


class LintRequest(Struct, frozen=True, kw_only=True):
    """What is looked for, and what is fixed.

    Args:
        named: Files, directories and services; empty for all.
        fix: What is fixed: ``safe``, and names of rules; empty for nothing.
        writes: Fixes are written; else they are only shown.
        prices: Forecast what each fix saves.
        offline: Ask no server for that.
        since: Only what a commit had not is told, and files that it had as they are are not; empty for everything.
        of_stack: Only files of the services of the stack are looked at.
        prices_within_s: After so many seconds what has no price yet gets none; None for no limit.
        priced_first: Services whose findings get their prices before those of others, in this order.
        priced_at_most: So many findings of single files get a price; None for all.
        priced_together: Forecast also what all fixes save together.
        answers: What a forecast of the stack found out before; None for nothing.
    """

    named: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()
    writes: bool = True
    prices: bool = True
    offline: bool = False
    since: str = ""
    prices_within_s: float | None = None
    priced_first: tuple[str, ...] = ()
    priced_at_most: int | None = None
    priced_together: bool = True
    of_stack: bool = False
    answers: SingleFlight | None = None


def lint(
    ports: DeployPorts, flags: StackFlags, request: LintRequest, *, show: Callable[[LintReport], None] = lambda _: None
) -> LintReport:
    """Look at files, and fix what was asked for.

    Args:
        show: Is given what is changed before anything is written.

    Returns:
        What was found, and what was changed or would be.

    Raises:
        UsageError: What was typed names nothing, or a file cannot be written.
    """
    here = ports.working_directory
    wanted, unread = _stack(ports, flags)
    notes: tuple[str, ...] = ()
    stack = wanted.stack if wanted is not None else None
    request = _with_paths_apart(request, here, {each.name for each in stack.services} if stack is not None else set())
    chosen = frozenset(name for each in request.fix if each != _SAFE for name in rules_named(each))
    choices = tuple(each for each in CHOICES if request.prices or each.name in chosen)
    looked: list[FileResult] = []
    files: list[LintedFile] = []
    built = tuple(each.name for each in stack.built) if stack is not None else ()
    if request.of_stack and not built:
        return LintReport(rules=RULES)
    services = _ByPath(stack.services if stack is not None else ())
    typed = {os.path.normpath(Path(here, name)) for name in request.named}
    for file in files_of(built if request.of_stack else request.named, stack, here):
        found = _look(
            file, services.of(file), project_root(stack.directory if stack is not None else here), choices=choices
        )
        if found.file.failure and found.file.path not in typed and _is_prose(found):
            notes = (*notes, f"{file.shown} is left out: most of its lines are no requirements")
            continue
        files.append(found.file)
        if not found.file.failure:
            looked.append(found)
    notes = (*_without_stack(unread, files), *notes)
    if request.since:
        looked = _since(ports, looked, request.since, here)
    changes = _changes(looked, request, chosen)
    seen = {each.file.shown for each in looked}
    together = _together(looked, stack, here) if stack is not None and not request.named else ()
    if request.since:
        together = tuple(each for each in together if each.finding.place.file in seen)
    removable, unpriced = None, ""
    if request.prices:
        told, removable, unpriced = priced(
            ports,
            wanted,
            looked,
            together,
            chosen=chosen,
            offline=request.offline,
            within_s=request.prices_within_s,
            first=request.priced_first,
            at_most=request.priced_at_most,
            sums=request.priced_together,
            answers=request.answers,
        )
    else:
        told = without_prices(looked, together, chosen)
    report = LintReport(
        files=tuple(files),
        findings=tuple(sorted(told, key=by_bytes)),
        removable=removable,
        changes=changes,
        rules=RULES,
        unpriced=unpriced,
        notes=notes,
    )
    show(report)
    if request.writes:
        roots = roots_of(here, wanted, request.named)
        for change in changes:
            write_change(change, roots, command="tonnage lint --fix")
    return report


def _since(ports: DeployPorts, looked: Sequence[FileResult], commit: str, here: str) -> list[FileResult]:
    """Return the files that a commit had otherwise, each with what is found now and was not then."""
    earlier = ports.files.earlier(here, commit, [each.file.path for each in looked], ports.environment)
    found = []
    for each in looked:
        text = earlier.get(each.file.path)
        if text == each.text:
            continue
        known: Counter[tuple[str, str]] = Counter()
        with contextlib.suppress(TonnageError):
            known = Counter((one.rule, one.text) for one in (each.find(text) if text is not None else ()))
        fresh = []
        for finding in each.findings:
            key = (finding.rule, finding.text)
            if known[key]:
                known[key] -= 1
            else:
                fresh.append(finding)
        found.append(replace(each, findings=tuple(fresh)))
    return found


def _together(looked: Sequence[FileResult], stack: Stack, here: str) -> tuple[StackFinding, ...]:
    texts = {each.file.path: (each.file, each.text) for each in looked}
    return stack_findings(stack.built, texts, here)


def _with_paths_apart(request: LintRequest, here: str, services: Collection[str]) -> LintRequest:
    """Return what was asked, with a file or service behind ``--fix`` as what is meant, and not as a rule."""
    names = {name for rule in RULES for name in rule.names}
    typed = [each for each in request.fix if each != _SAFE and each.lower() not in names]
    meant = [each for each in typed if each in services or Path(here, each).exists()]
    if not meant:
        return request
    fix = tuple(_SAFE if each in meant else each for each in request.fix)
    return replace(request, fix=fix, named=(*request.named, *meant))


def _is_prose(found: FileResult) -> bool:
    return found.file.kind is LintedKind.REQUIREMENTS and is_prose(found.text, found.file.shown)


def _stack(ports: DeployPorts, flags: StackFlags) -> tuple[DesiredState | None, UsageError | None]:
    """Read the stack, or return why it cannot be read: then files are looked at without it."""
    try:
        found = read_if_there(ports, flags, runs=False)
    except UsageError as error:
        if flags.files or flags.project_directory:
            raise
        return None, error
    return (found if found.stack.name else None), None


def _without_stack(error: UsageError | None, files: Sequence[LintedFile]) -> tuple[str, ...]:
    """Return what it means that the stack cannot be read, and why, where that is not told of one of the files."""
    if error is None:
        return ()
    file = error.place.rpartition(":")[0]
    if file and any(each.failure and os.path.normpath(each.path) == os.path.normpath(file) for each in files):
        return ("savings are unknown, because the stack cannot be read",)
    return (f"savings are unknown, because the stack cannot be read: {str(error).splitlines()[0]}",)


def _look(
    file: LintedFile, services: tuple[Service, ...], root: str, *, choices: Sequence[DockerfileRule] = ()
) -> FileResult:
    build = services[0].build if services else None
    args: Mapping[str, str] = dict(build.args) if build is not None else {}
    target = build.target if build is not None else ""

    beside = build.context if build is not None else str(Path(file.path).parent)
    context_text = settings_in(beside if beside.startswith("/") else "")

    # A choice is told for what it saves, which nobody knows without a service.
    rules = (*DOCKERFILE_RULES, *choices)

    # What a device is asked for by is told by services alone.
    without_device = services and not any(each.devices for each in services)
    requirement_rules = [each for each in REQUIREMENT_RULES if without_device or each is not torch_cuda.RULE]

    @cache
    def find(text: str) -> tuple[Finding, ...]:
        if file.kind is LintedKind.DOCKERFILE:
            return dockerfile_findings(
                text, file.shown, build_args=args, target=target, rules=rules, context_text=context_text
            )
        if file.kind is LintedKind.WORKFLOW:
            refuse_no_workflow(text, file.shown)
            return text_findings(text, file.shown, WORKFLOW_RULES)
        if file.kind is LintedKind.COMPOSE:
            return inline_findings(text, file.shown, rules, context_text)
        refuse_no_requirements(text, file.shown)
        return text_findings(text, file.shown, requirement_rules)

    text = ""

    def failed(why: str) -> FileResult:
        return FileResult(file=replace(file, failure=why), text=text, findings=(), find=find)

    try:
        text = written_text(file)
        findings = find(text)
    except UnfitFileError as error:
        return failed(f"{error.strerror}.")
    except OSError as error:
        return failed(f"it cannot be read: {error.strerror}")
    except TonnageError as error:
        if not is_shown(file.path, root):
            return failed(f"it is no {file.kind}. {NOT_SHOWN}")
        said = str(error).splitlines()[0].removeprefix(f"{file.shown}: ")
        place = f"{file.shown}:"
        return failed(f"line {said.removeprefix(place)}" if said.startswith(place) else said)
    return FileResult(file=file, text=text, findings=findings, find=find, services=services)


class _ByPath:
    """Services by what their images are made from."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._by_dockerfile: dict[str, list[int]] = {}
        self._by_context: dict[str, list[int]] = {}
        self._services = services
        for number, service in enumerate(services):
            if service.build is not None:
                self._by_dockerfile.setdefault(service.build.dockerfile, []).append(number)
                if service.build.context.startswith("/"):
                    self._by_context.setdefault(service.build.context.rstrip("/"), []).append(number)

    def of(self, file: LintedFile) -> tuple[Service, ...]:
        """Return the services whose images a file goes into."""
        if file.kind is LintedKind.DOCKERFILE:
            found = self._by_dockerfile.get(file.path, [])
        elif file.kind is LintedKind.REQUIREMENTS:
            ends = [at for at, sign in enumerate(file.path) if sign == "/"]
            found = sorted(number for end in ends for number in self._by_context.get(file.path[:end], ()))
        else:
            found = []
        return tuple(self._services[number] for number in found)


def _changes(looked: list[FileResult], request: LintRequest, chosen: frozenset[str]) -> tuple[LintChange, ...]:
    if not request.fix:
        return ()

    def wanted(finding: Finding) -> bool:
        safe = finding.fix is not None and finding.fix.safety is Safety.SAFE
        return finding.rule in chosen or (safe and _SAFE in request.fix)

    found = []
    for each in looked:
        done = each.with_fixes(wanted)
        if done.text != each.text:
            found.append(LintChange(file=each.file, before=each.text, after=done.text, fixed=done.fixed))
    return tuple(found)
