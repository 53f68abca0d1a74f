"""What a look for waste of disk found in some files, and by which rules."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.forecast.finding import Finding, Safety


class RuleText(Struct, frozen=True, kw_only=True):
    """What every rule says of itself.

    Args:
        name: As it is printed and typed, such as ``pip-cache``.
        aliases: What other linters call it; they count where something is ignored or fixed by name.
        title: What it finds, in a few words.
        why: What that costs, and what is done about it: the page of the rule.
        before: What it finds, as it is written.
        after: The same without the waste.
        fixes: Whether its fixes are safe or need a decision; None where only a person can fix it.
        least_bytes: It is a choice and no waste: only told where it saves so much, and in no sum; 0 for waste.
        about_peak: What it costs is needed for a moment of the build, and not kept.
    """

    name: str
    title: str
    why: str
    before: str
    after: str
    aliases: tuple[str, ...] = ()
    fixes: Safety | None = None
    least_bytes: int = 0
    about_peak: bool = False

    @property
    def names(self) -> frozenset[str]:
        """All its names, in small letters."""
        return frozenset(each.lower() for each in (self.name, *self.aliases))


class LintedKind(StrEnum):
    """What a file is looked at as."""

    DOCKERFILE = "Dockerfile"
    REQUIREMENTS = "requirement file"
    COMPOSE = "compose file"
    WORKFLOW = "workflow"


class LintedFile(Struct, frozen=True, kw_only=True):
    """A file that was looked at.

    Args:
        path: Where it lies, absolute.
        shown: How it is named: from the working directory on.
        failure: Why it could not be read; empty where it was.
    """

    path: str
    shown: str
    kind: LintedKind
    failure: str = ""


class LintChange(Struct, frozen=True, kw_only=True):
    """A file before and after its fixes."""

    file: LintedFile
    before: str
    after: str
    fixed: tuple[Finding, ...] = ()


class LintReport(Struct, frozen=True, kw_only=True):
    """What was found.

    Args:
        findings: What saves most stands first; what has no price stands at the end, in the order of files and lines.
        removable: What all fixes with a price save together; None where nothing has a price.
        changes: Files as their fixes make them.
        rules: Every rule.
        unpriced: Why nothing has a price; empty where something may have one.
        notes: What else people should know.
    """

    files: tuple[LintedFile, ...] = ()
    findings: tuple[Finding, ...] = ()
    removable: Estimate | None = None
    changes: tuple[LintChange, ...] = ()
    rules: tuple[RuleText, ...] = ()
    unpriced: str = ""
    notes: tuple[str, ...] = ()
