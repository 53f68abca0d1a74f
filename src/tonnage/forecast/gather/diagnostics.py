"""What a forecast says beside its figures: why some are missing, what is wrong, what there is to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from tonnage.errors import CannotResolveError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tonnage.errors import TonnageError
    from tonnage.model.forecast.finding import Finding
    from tonnage.model.forecast.installs import PythonInstall
    from tonnage.model.forecast.requirements import Requirement


class Diagnostics(Struct):
    """What was found out beside figures.

    Args:
        failures: Why figures are missing.
        findings: What does not do what it says.
        notes: What there is to know.
        targets: The Pythons that packages were chosen for, in words.
        broken: What the user wrote cannot be built.
    """

    failures: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    targets: dict[str, None] = field(default_factory=dict)
    broken: bool = False


def failure_of(error: TonnageError, effect: PythonInstall, lines: Iterable[Requirement]) -> str:
    """Return why an install is not known, and where that is written."""
    names = error.packages if isinstance(error, CannotResolveError) else ()
    places = dict.fromkeys(str(each.place) for each in lines if each.name and each.name in names)
    where = error.place or ", ".join(places)
    command = f"{effect.place}: {effect.command[:80]}"
    told = in_one_line("\n".join(part for part in (error.what, error.why, error.todo) if part))
    return f"{where}: {told} [{command}]" if where and where != str(effect.place) else f"{command}: {told}"


def in_one_line(text: str) -> str:
    """Return what a failure says, sentence after sentence."""
    told = ""
    for line in text.splitlines():
        between = " " if told.endswith((".", ":", "?", "!")) else ". "
        told = f"{told}{between if told else ''}{' '.join(line.split())}"
    return told
