"""The compose file of ours that gives builds an index of PyTorch; a file of the user's is never changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.flows.lint.files import linted
from tonnage.lint.torch.override_text import FILE_NAME, lines_to_add, override_text, read_override
from tonnage.model.reports.lint import LintChange, LintedKind
from tonnage.small_files import COMPOSE_FILE, read_bytes
from tonnage.sources.compose.file_selection import OVERRIDE_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.model.stack import Stack


class OverrideFile:
    """The file of a stack, as it is and as it becomes.

    Args:
        path: Where it lies.
        text: What it says; empty where there is none.
        services: Build arguments by service.
        other: A file of the user's that Compose reads in its place; empty where there is none.
        read: Whether Compose reads it by itself.
    """

    def __init__(
        self, path: Path, text: str, services: Mapping[str, Mapping[str, str]] | None, other: str, *, read: bool
    ) -> None:
        self._path = path
        self._text = text
        self._services = {name: dict(args) for name, args in (services or {}).items()}
        self._of_user = services is None
        self._other = other
        self._given: dict[str, Mapping[str, str]] = {}
        self.shown = path.name
        self.notes: tuple[str, ...] = (
            ()
            if read
            else (
                f"this stack names its files, so Compose reads {path.name} only where it is named too: -f {path.name}",
            )
        )

    @classmethod
    def of(cls, stack: Stack) -> OverrideFile:
        """Return the file of a stack.

        Raises:
            UsageError: It is there and cannot be read.
        """
        directory = Path(stack.directory)
        path = directory / FILE_NAME
        text = ""
        if path.is_symlink() or path.exists():
            try:
                text = read_bytes(str(path), COMPOSE_FILE).decode("utf-8", errors="surrogateescape")
            except OSError as error:
                raise UsageError(f"{path.name} cannot be read", why=f"{error.strerror}.") from error
        ours = read_override(text) if text else {}
        others = (name for name in OVERRIDE_NAMES if name != FILE_NAME and (directory / name).exists())
        names = {Path(each).name for each in stack.files}
        first = Path(stack.files[0]) if stack.files else path
        usual = first.parent == directory and len(names - {*OVERRIDE_NAMES}) == 1
        return cls(path, text, ours, next(others, ""), read=usual)

    def give(self, service: str, args: Mapping[str, str]) -> None:
        """Give a service build arguments."""
        self._given[service] = args
        self._services[service] = dict(args)

    def without(self, service: str) -> bool:
        """Take a service out, and return whether it was in."""
        return not self._of_user and self._services.pop(service, None) is not None

    def change(self) -> LintChange | None:
        """Return the file as it becomes; None where nothing changes.

        Raises:
            UsageError: The file is the user's, or Compose reads one of theirs in its place.
        """
        if self._given and (self._of_user or self._other):
            name = self._path.name if self._of_user else self._other
            raise UsageError(
                f"{name} is not changed",
                why="It was written or changed by hand: Tonnage overwrites only its own files."
                if self._of_user
                else f"Compose reads it in place of {self._path.name}.",
                todo="Add this to it:\n" + "\n".join(lines_to_add(self._given)),
            )
        new = override_text(self._services) if not self._of_user else self._text
        if new == self._text:
            return None
        file = linted(str(self._path), self._path.parent.as_posix(), LintedKind.COMPOSE)
        return LintChange(file=file, before=self._text, after=new)

    @staticmethod
    def remove(change: LintChange) -> None:
        """Remove a file of ours in which nothing is left.

        Raises:
            UsageError: It cannot be removed.
        """
        try:
            Path(change.file.path).unlink(missing_ok=True)
        except OSError as error:
            raise UsageError(f"{change.file.shown} cannot be removed", why=f"{error.strerror}.") from error
