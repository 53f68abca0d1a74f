"""Settings with their origin, and the checks of a machine, as tables and as JSON-able mappings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.escapes import visible_in_line
from tonnage.views.text.layout import columns, fits, folded, joined, wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.deploy.policy import Setting
    from tonnage.model.reports.checklist import Item

OK, WARNING, FAILED = "ok", "warning", "failed"
_TODO = "        "
_NARROWEST = 32


class Check(Struct, frozen=True, kw_only=True):
    """One check: what was looked at, how it is (``ok``, ``warning`` or ``failed``), what was found, what to do."""

    name: str
    state: str
    found: str
    todo: str = ""


def settings_text(settings: Sequence[Setting], *, width: int = 80) -> str:
    """Write settings for people."""
    rows = [(each.key, each.value, each.origin, each.meaning) for each in settings]
    table = columns((("setting", "value", "origin", "meaning"), *rows))
    if fits(table, width):
        return joined(table)
    lines = []
    for key, value, origin, meaning in rows:
        lines += [f"{key} = {value}", f"  from {origin}", f"  {meaning}"]
    return joined(lines)


def settings_form(settings: Sequence[Setting]) -> dict[str, object]:
    """Return settings as a JSON-able mapping."""
    return {
        "settings": [
            {"key": each.key, "value": each.value, "origin": each.origin, "meaning": each.meaning} for each in settings
        ]
    }


def checks_text(checks: Sequence[Check], *, width: int = 0) -> str:
    """Write checks for people. What two of them found alike is written once.

    Args:
        width: Columns of the terminal; 0 to leave lines long.
    """
    lines: list[str] = []
    told: dict[tuple[str, str], str] = {}
    rows = columns([(each.state, each.name, "|") for each in checks])
    for check, row in zip(checks, rows, strict=True):
        before = told.setdefault((check.found, check.todo), check.name) if check.state != OK else check.name
        found = check.found if before == check.name else f"see {before}"
        lines += _below(row.removesuffix("|"), found, width)
        if before == check.name:
            for each in check.todo.splitlines():
                # What is to be typed is not broken.
                lines += [f"{_TODO}{each}"] if each.startswith(" ") else folded([each], width, indent=_TODO)
    return joined(lines)


def _below(head: str, text: str, width: int) -> list[str]:
    """Return a text beside a head, its further lines below its first; below the head where that leaves no room."""
    if not width or len(head) + len(visible_in_line(text)) <= width:
        return [head + text]
    if width - len(head) < _NARROWEST:
        return [head.rstrip(), *folded([text], width, indent=_TODO)]
    parts = wrapped(visible_in_line(text), width - len(head)) or [""]
    return [f"{' ' * len(head) if at else head}{part}" for at, part in enumerate(parts)]


_WORDS = {"passed": OK, "failed": "to do", "unknown": "unknown"}


def items_text(items: Sequence[Item], *, width: int = 0) -> str:
    """Write a checklist for people.

    Args:
        width: Columns of the terminal; 0 to leave lines long.
    """
    checks = [Check(name=each.name, state=_WORDS[each.state], found=each.found, todo=each.todo) for each in items]
    return checks_text(checks, width=width)


def checks_form(
    checks: Sequence[Check],
    items: Sequence[Item] = (),
    collection: Mapping[str, object] | None = None,
    filesystems: Sequence[Mapping[str, object]] = (),
) -> dict[str, object]:
    """Return checks as a JSON-able mapping.

    Args:
        collection: The engine's garbage collection; None where it is not known.
        filesystems: Those that the engine writes to, as ``status`` tells them; none where it does not answer.
    """
    return {
        "checks": [{"name": each.name, "state": each.state, "found": each.found, "todo": each.todo} for each in checks],
        "checklist": [
            {"name": each.name, "state": each.state, "found": each.found, "todo": each.todo} for each in items
        ],
        "filesystems": list(filesystems),
        "garbage_collection": collection,
    }


class Verdict(Struct, frozen=True, kw_only=True):
    """One service: whether it is healthy now, and why not; the log holds the end of what it printed."""

    service: str
    healthy: bool
    reason: str = ""
    log: str = ""


def verification_text(verdicts: Sequence[Verdict]) -> str:
    """Write the verdicts for people."""
    rows = [(each.service, "healthy" if each.healthy else "NOT HEALTHY", each.reason) for each in verdicts]
    return joined(columns(rows))


def verification_form(stack: str, verdicts: Sequence[Verdict]) -> dict[str, object]:
    """Return the verdicts as a JSON-able mapping."""
    services = [
        {"service": each.service, "healthy": each.healthy, "reason": each.reason, "log": each.log} for each in verdicts
    ]
    return {"stack": stack, "healthy": all(each.healthy for each in verdicts), "services": services}
