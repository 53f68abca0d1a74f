"""Findings with their prices: what each saves, what all save together, and why one has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.lint.fixing import with_edits
from tonnage.lint.rules import RULES
from tonnage.model.forecast.estimate import Grade, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.flows.lint.file_result import FileResult
    from tonnage.flows.lint.prices import ChangedText, Saving
    from tonnage.flows.ports import DeployPorts
    from tonnage.flows.stack import DesiredState
    from tonnage.forecast.gather.single_flight import SingleFlight
    from tonnage.lint.rule import StackFinding
    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.forecast.finding import Edit, Finding
    from tonnage.model.stack import Service

_RULES = {rule.name: rule for rule in RULES}
_CHOICES = frozenset(rule.name for rule in RULES if rule.least_bytes)
_NO_SERVICE = "no service of a stack is built from the file"
_NO_FIX = "there is no automatic fix to forecast"
_NOT_FORECAST = "the forecast of this stack has no figure for it"
_SAVES_NOTHING = "frees nothing, by the forecast of this stack"
_KEEPS_NOTHING = "the servers that were asked let pip keep nothing; others, such as the public index, do"


def by_bytes(finding: Finding) -> tuple[bool, int]:
    """Order findings by what they save; what has no price stays in its order behind them."""
    saved_bytes = worth(finding)
    return saved_bytes is None, -(saved_bytes or 0)


def worth(finding: Finding) -> int | None:
    """Return the bytes that a finding is told for; None where none are known."""
    told = [each.likely_bytes for each in (finding.price, finding.peak) if each is not None and each.known]
    if finding.change is not None:
        told.append(finding.change.now.likely_bytes - finding.change.then.likely_bytes)
    return max(told, default=None)


def without_prices(
    looked: Sequence[FileResult], together: Sequence[StackFinding], chosen: frozenset[str]
) -> list[Finding]:
    """Return all findings as they are: what is a choice only where it was named."""
    found = [_of_services(finding, each) for each in looked for finding in each.findings]
    of_stack = [replace(each.finding, services=each.services, changes_at=None) for each in together]
    return [each for each in (*found, *of_stack) if each.rule not in _CHOICES or each.rule in chosen]


def priced(
    ports: DeployPorts,
    wanted: DesiredState | None,
    looked: Sequence[FileResult],
    together: Sequence[StackFinding],
    *,
    chosen: frozenset[str],
    offline: bool,
    within_s: float | None,
    first: Sequence[str] = (),
    at_most: int | None = None,
    sums: bool = True,
    answers: SingleFlight | None = None,
) -> tuple[list[Finding], Estimate | None, str]:
    """Return all findings with their prices, what all fixes save together, and why nothing has a price.

    Args:
        chosen: Rules that were named: what is a choice is told then, whatever it saves.
        first: Services whose findings come first, in this order.
        at_most: How many findings of single files get a price; None for all.
        sums: Forecast what all fixes save together.
        answers: What was found out before; None for nothing.
    """
    found = [(each, _of_services(finding, each)) for each in looked for finding in each.findings]
    of_stack = [
        replace(each.finding, services=each.services, price=_of_copies(each.unneeded_bytes)) for each in together
    ]
    files = {each.file.path: each for each in looked}
    single = [index for index, (each, one) in enumerate(found) if _tried(one) and each.services]
    order = {name: number for number, name in enumerate(first)}
    single.sort(key=lambda index: min(order.get(each.name, len(order)) for each in found[index][0].services))
    single = single[:at_most]
    shared = [index for index, each in enumerate(together) if each.edits and each.path in files]
    if wanted is None or not (single or shared):
        whole = not any(each.services for each in looked) and any(each.findings for each in looked)
        plain = [
            *(each if whole else _explained(each, has_service=bool(at.services)) for at, each in found),
            *(_explained(each, has_service=True) for each in of_stack),
        ]
        why = "no service of a stack is built from these files" if whole else ""
        return [each for each in plain if each.rule not in _CHOICES or each.rule in chosen], None, why
    from tonnage.flows.lint.prices import prices  # noqa: PLC0415 - --no-prices does without it

    changes = [
        *(_change(found[index][0], _tried(found[index][1])) for index in single),
        *(
            _change(files[together[index].path], together[index].edits, _in(wanted, together[index]))
            for index in shared
        ),
        *([_all_mended(looked)] if sums else []),
    ]
    at = [
        *(found[index][1].changes_at for index in single),
        *(of_stack[index].changes_at for index in shared),
        *([None] if sums else []),
    ]
    savings, why = prices(ports, wanted, changes, at=at, offline=offline, within_s=within_s, answers=answers)
    for index, saving in zip(single, savings, strict=False):
        found[index] = (found[index][0], _with(found[index][1], saving))
    for index, saving in zip(shared, savings[len(single) :], strict=False):
        of_stack[index] = _with(of_stack[index], saving)
    all_told = [
        *(_explained(one, has_service=bool(each.services)) for each, one in found),
        *(_explained(each, has_service=True) for each in of_stack),
    ]
    kept = [each for each in all_told if each.rule in chosen or _is_worth_telling(each)]
    return kept, savings[-1].kept if single and sums else None, why


def _tried(finding: Finding) -> tuple[Edit, ...]:
    return finding.fix.edits if finding.fix is not None else finding.tried


def _of_services(finding: Finding, each: FileResult) -> Finding:
    return replace(finding, services=tuple(service.name for service in each.services))


def _in(wanted: DesiredState, found: StackFinding) -> tuple[Service, ...]:
    """Return the services that something is priced for: one by itself, or the whole stack for what is about several."""
    return tuple(each for each in wanted.stack.built if len(found.services) > 1 or each.name in found.services)


def _change(each: FileResult, edits: Sequence[Edit], services: tuple[Service, ...] = ()) -> list[ChangedText]:
    return _text(each, with_edits(each.text, edits), services)


def _text(each: FileResult, text: str, services: tuple[Service, ...] = ()) -> list[ChangedText]:
    from tonnage.flows.lint.prices import ChangedText  # noqa: PLC0415 - as above

    return [ChangedText(file=each.file, text=text, services=services or each.services)]


def _all_mended(looked: Sequence[FileResult]) -> list[ChangedText]:
    """Return all files with all their fixes but those that are a choice."""
    fixed = [(each, each.with_fixes(lambda finding: finding.rule not in _CHOICES)) for each in looked if each.services]
    return [part for each, after in fixed for part in _text(each, after.text)]


def _with(finding: Finding, saving: Saving) -> Finding:
    rule = _RULES[finding.rule]
    if rule.about_peak:
        return replace(finding, peak=saving.peak)
    if finding.changes_at is not None:
        finding = replace(finding, change=saving.change)
    if finding.fix is None and finding.changes_at is not None:
        # What an image weighs stays the same.
        return finding
    return replace(finding, price=saving.kept)


def _is_worth_telling(finding: Finding) -> bool:
    least_bytes = _RULES[finding.rule].least_bytes
    return not least_bytes or (worth(finding) or 0) >= least_bytes


def _explained(finding: Finding, *, has_service: bool) -> Finding:
    """Return a finding without a price of nothing, and with why it has none."""
    price = finding.price
    # What costs bytes in place of saving some is no waste.
    if price is not None and price.known and price.likely_bytes > 0:
        return finding
    if (finding.peak is not None and finding.peak.likely_bytes > 0) or finding.change is not None:
        return replace(finding, price=None)
    if finding.peak is not None:
        return replace(finding, price=None, peak=None, unpriced=_SAVES_NOTHING)
    if price is not None and price.told_bytes is not None:
        nothing = finding.rule == "pip-cache" and not price.high_bytes
        return replace(finding, price=None, unpriced=_KEEPS_NOTHING if nothing else _SAVES_NOTHING)
    why = _NO_SERVICE if not has_service else _NOT_FORECAST if _tried(finding) else _NO_FIX
    return replace(finding, price=None, unpriced=why)


def _of_copies(unneeded_bytes: int | None) -> Estimate | None:
    if unneeded_bytes is None:
        return None
    return spread(unneeded_bytes, unneeded_bytes, unneeded_bytes, Grade.DECLARED)
