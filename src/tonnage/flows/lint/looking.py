"""Looking for waste of disk in what users wrote, with what mending it saves, and mending it.

A file that cannot be read is a result; the others are looked at all the same. Nothing is written that was not asked
for, and nothing outside of the project.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.errors import TonnageError, UsageError
from tonnage.flows.lint.files import files_of, written_text
from tonnage.flows.lint.stack_findings import stack_findings
from tonnage.flows.lint.writing import roots_of, write_change
from tonnage.flows.stack import read_if_there
from tonnage.lint.dockerfiles import dockerfile_findings
from tonnage.lint.fixing import mended, with_edits
from tonnage.lint.requirement_rules import torch_cuda
from tonnage.lint.rules import REQUIREMENT_RULES, RULES, WORKFLOW_RULES, rules_named
from tonnage.lint.same_commands import does_the_same
from tonnage.lint.text_files import text_findings
from tonnage.model.forecast.estimate import Grade, spread
from tonnage.model.forecast.finding import Safety
from tonnage.model.reports.lint import LintChange, LintedKind, LintReport
from tonnage.small_files import UnfitFileError
from tonnage.sources.outside import NOT_SHOWN, is_shown, project_root

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from tonnage.flows.ports import DeployPorts
    from tonnage.flows.requests import StackFlags
    from tonnage.flows.stack import DesiredState
    from tonnage.lint.fixing import Mended
    from tonnage.lint.rule import StackFinding
    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.forecast.finding import Finding
    from tonnage.model.reports.lint import LintedFile
    from tonnage.model.stack import Service, Stack

_SAFE = "safe"


class LintRequest(Struct, frozen=True, kw_only=True):
    """What is looked for, and what is mended.

    Args:
        named: Files, directories and services; empty for all.
        fix: What is mended: ``safe``, and names of rules; empty for nothing.
        writes: Fixes are written; else they are only shown.
        prices: Forecast what each fix saves.
        offline: Ask no server for that.
        since: Only what a commit had not is told, and files that it had as they are are not; empty for everything.
        of_stack: Only files of the services of the stack are looked at.
        prices_within_s: After so many seconds what has no price yet gets none; None for no limit.
    """

    named: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()
    writes: bool = True
    prices: bool = True
    offline: bool = False
    since: str = ""
    prices_within_s: float | None = None
    of_stack: bool = False


class _LookedAt(Struct, frozen=True, kw_only=True):
    """A file that was read: what it holds, what is found in it, and how that is found in another text."""

    file: LintedFile
    text: str
    findings: tuple[Finding, ...]
    find: Callable[[str], tuple[Finding, ...]]
    services: tuple[Service, ...] = ()

    def mended(self, wanted: Callable[[Finding], bool]) -> Mended:
        """Return its text with what is wanted mended."""
        is_dockerfile = self.file.kind is LintedKind.DOCKERFILE
        return mended(self.text, self.find, wanted, same=does_the_same if is_dockerfile else lambda _, __: True)


def lint(
    ports: DeployPorts, flags: StackFlags, request: LintRequest, *, show: Callable[[LintReport], None] = lambda _: None
) -> LintReport:
    """Look at files, and mend what was asked for.

    Args:
        show: Is given what is changed before anything is written.

    Returns:
        What was found, and what was changed or would be.

    Raises:
        UsageError: What was typed names nothing, or a file cannot be written.
    """
    here = ports.working_directory
    wanted, notes = _stack(ports, flags)
    stack = wanted.stack if wanted is not None else None
    request = _with_paths_apart(request, here, {each.name for each in stack.services} if stack is not None else set())
    chosen = frozenset(name for each in request.fix if each != _SAFE for name in rules_named(each))
    looked: list[_LookedAt] = []
    files: list[LintedFile] = []
    built = tuple(each.name for each in stack.built) if stack is not None else ()
    if request.of_stack and not built:
        return LintReport(rules=RULES)
    for file in files_of(built if request.of_stack else request.named, stack, here):
        found = _look(file, wanted, project_root(stack.directory if stack is not None else here))
        files.append(found.file)
        if not found.file.failure:
            looked.append(found)
    if request.since:
        looked = _since(ports, looked, request.since, here)
    changes = _changes(looked, request, chosen)
    seen = {each.file.shown for each in looked}
    together = _together(looked, stack, here) if stack is not None and not request.named else ()
    if request.since:
        together = tuple(each for each in together if each.finding.place.file in seen)
    priced, removable, unpriced = _priced(ports, wanted, looked, together, request)
    report = LintReport(
        files=tuple(files),
        findings=tuple(sorted(priced, key=_by_bytes)),
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


def _since(ports: DeployPorts, looked: Sequence[_LookedAt], commit: str, here: str) -> list[_LookedAt]:
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


def _together(looked: Sequence[_LookedAt], stack: Stack, here: str) -> tuple[StackFinding, ...]:
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


def _stack(ports: DeployPorts, flags: StackFlags) -> tuple[DesiredState | None, tuple[str, ...]]:
    """Read the stack; where it cannot be read, files are looked at without it."""
    try:
        found = read_if_there(ports, flags)
    except UsageError as error:
        if flags.files or flags.project_directory:
            raise
        return None, (f"the stack cannot be read, so nothing has a price: {str(error).splitlines()[0]}",)
    return (found if found.stack.name else None), ()


def _look(file: LintedFile, wanted: DesiredState | None, root: str) -> _LookedAt:
    services = _services_of(file, wanted)
    build = services[0].build if services else None
    args: Mapping[str, str] = dict(build.args) if build is not None else {}
    target = build.target if build is not None else ""

    # What a device is asked for by is told by services alone.
    without_device = services and not any(each.devices for each in services)
    requirement_rules = [each for each in REQUIREMENT_RULES if without_device or each is not torch_cuda.RULE]

    def find(text: str) -> tuple[Finding, ...]:
        if file.kind is LintedKind.DOCKERFILE:
            return dockerfile_findings(text, file.shown, build_args=args, target=target)
        if file.kind is LintedKind.WORKFLOW:
            return text_findings(text, file.shown, WORKFLOW_RULES)
        return text_findings(text, file.shown, requirement_rules) if file.kind is LintedKind.REQUIREMENTS else ()

    def failed(why: str) -> _LookedAt:
        return _LookedAt(file=replace(file, failure=why), text="", findings=(), find=find)

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
        return failed(str(error).splitlines()[0].removeprefix(f"{file.shown}: "))
    return _LookedAt(file=file, text=text, findings=findings, find=find, services=services)


def _services_of(file: LintedFile, wanted: DesiredState | None) -> tuple[Service, ...]:
    """Return the services whose images a file goes into."""
    found = []
    for service in wanted.stack.services if wanted is not None else ():
        build = service.build
        if build is None:
            continue
        is_dockerfile = file.kind is LintedKind.DOCKERFILE and build.dockerfile == file.path
        in_context = build.context.startswith("/") and file.path.startswith(f"{build.context.rstrip('/')}/")
        if is_dockerfile or (file.kind is LintedKind.REQUIREMENTS and in_context):
            found.append(service)
    return tuple(found)


def _by_bytes(finding: Finding) -> tuple[bool, int]:
    """Order findings by what they save; what has no price stays in its order behind them."""
    price = finding.price
    known = price is not None and price.told_bytes is not None
    return not known, -price.likely_bytes if price is not None and known else 0


def _priced(
    ports: DeployPorts,
    wanted: DesiredState | None,
    looked: Sequence[_LookedAt],
    together: Sequence[StackFinding],
    request: LintRequest,
) -> tuple[list[Finding], Estimate | None, str]:
    """Return all findings with their prices, what all fixes save together, and why nothing has a price."""
    found = [
        (each, replace(finding, services=tuple(service.name for service in each.services)))
        for each in looked
        for finding in each.findings
    ]
    plain = [finding for _, finding in found]
    of_stack = [
        replace(each.finding, services=each.services, price=_of_copies(each.unneeded_bytes)) for each in together
    ]
    if not request.prices:
        return [*plain, *(replace(each, price=None) for each in of_stack)], None, ""
    with_price = [each for each in found if each[1].fix is not None and each[0].services]
    files = {each.file.path: each for each in looked}
    changing = [index for index, each in enumerate(together) if each.edits and each.path in files]
    if wanted is None or not (with_price or changing):
        why = "" if with_price or not plain else "no service of a stack is built from these files"
        return [*plain, *of_stack], None, why
    from tonnage.flows.lint.prices import ChangedText, prices  # noqa: PLC0415 - --no-prices does without it

    def changed(each: _LookedAt, text: str) -> ChangedText:
        return ChangedText(file=each.file, text=text, services=each.services)

    single = [
        (changed(each, with_edits(each.text, finding.fix.edits)),)
        for each, finding in with_price
        if finding.fix is not None
    ]
    for index in changing:
        each, at = together[index], files[together[index].path]
        text = with_edits(at.text, each.edits)
        single.append((ChangedText(file=at.file, text=text, services=wanted.stack.built),))
    whole = [changed(each, each.mended(lambda _: True).text) for each in looked if each.services]
    told, why = prices(ports, wanted, [*single, whole], offline=request.offline, within_s=request.prices_within_s)
    by_finding = {id(finding): price for (_, finding), price in zip(with_price, told, strict=False)}
    for index, price in zip(changing, told[len(with_price) :], strict=False):
        # What costs bytes in place of saving some is no waste.
        of_stack[index] = replace(of_stack[index], price=price if price and price.likely_bytes > 0 else None)
    priced = [replace(each, price=by_finding.get(id(each))) for each in plain]
    return [*priced, *of_stack], told[-1] if with_price else None, why


def _of_copies(unneeded_bytes: int | None) -> Estimate | None:
    if unneeded_bytes is None:
        return None
    return spread(unneeded_bytes, unneeded_bytes, unneeded_bytes, Grade.DECLARED)


def _changes(looked: list[_LookedAt], request: LintRequest, chosen: frozenset[str]) -> tuple[LintChange, ...]:
    if not request.fix:
        return ()

    def wanted(finding: Finding) -> bool:
        safe = finding.fix is not None and finding.fix.safety is Safety.SAFE
        return finding.rule in chosen or (safe and _SAFE in request.fix)

    found = []
    for each in looked:
        done = each.mended(wanted)
        if done.text != each.text:
            found.append(LintChange(file=each.file, before=each.text, after=done.text, fixed=done.fixed))
    return tuple(found)
