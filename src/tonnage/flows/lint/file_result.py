"""A file that was read: what it holds, what is found in it, and how that is found in another text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.lint.fixing import with_fixes
from tonnage.lint.same_commands import does_the_same
from tonnage.model.reports.lint import LintedKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.lint.fixing import FixedText
    from tonnage.model.forecast.finding import Finding
    from tonnage.model.reports.lint import LintedFile
    from tonnage.model.stack import Service


class FileResult(Struct, frozen=True, kw_only=True):
    """A file that was read: what it holds, what is found in it, and how that is found in another text."""

    file: LintedFile
    text: str
    findings: tuple[Finding, ...]
    find: Callable[[str], tuple[Finding, ...]]
    services: tuple[Service, ...] = ()

    def with_fixes(self, wanted: Callable[[Finding], bool]) -> FixedText:
        """Return its text with what is wanted fixed."""
        is_dockerfile = self.file.kind is LintedKind.DOCKERFILE
        return with_fixes(self.text, self.find, wanted, same=does_the_same if is_dockerfile else lambda _, __: True)
