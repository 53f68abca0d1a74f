"""What every reader of commands is given, and how it reads options."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, TypedDict

from msgspec import Struct, field

from tonnage.addresses import redacted
from tonnage.forecast.commands.pipes import shown_pipe
from tonnage.model.forecast.effects import Opaque
from tonnage.model.forecast.shell_script import Word

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tonnage.model.forecast.effects import Source
    from tonnage.model.forecast.recipe import RunMount
    from tonnage.model.forecast.shell_script import ShellCommand
    from tonnage.model.stack import Place

_TRUE = frozenset({"1", "true", "yes", "on", "t", "y"})


class Shared(TypedDict):
    """What every effect has."""

    command: str
    place: Place
    conditional: bool
    forgiven: bool


class Context(Struct, frozen=True, kw_only=True):
    """One command and what is around it.

    Args:
        standard_input: What is piped or given to it as a text; None where that is not known or nothing is given.
        piped_to: The words of the command that reads its output; empty without one.
        piped_from: The address that the command before it in a pipeline fetches; empty without one.
        piped: Where what it is piped comes from; None where that is short, or stands in the script.
        pipe: The file that stands for what it pipes to the next one; empty where that is not followed.
        fed_from: The file that its standard input comes from; empty where that is not known.
        user: Who runs it; empty for root.
        remembered: Settings that earlier commands of the stage have written, as environment variables. Commands that
            write settings add to it.
        text_of: Returns the text of a file of the image as the command sees it; None where that is not known.
    """

    command: ShellCommand
    place: Place
    mounts: tuple[RunMount, ...] = ()
    standard_input: str | None = None
    piped_to: tuple[str, ...] = ()
    fed_by: str = ""
    piped_from: str = ""
    piped: Source | None = None
    pipe: str = ""
    fed_from: str = ""
    user: str = ""
    remembered: dict[str, str] = field(default_factory=dict)
    text_of: Callable[[str], str | None] | None = None

    @property
    def shared(self) -> Shared:
        """What every effect of the command has."""
        return {
            "command": self.text,
            "place": self.place,
            "conditional": self.command.conditional,
            "forgiven": self.command.forgiven,
        }

    @property
    def text(self) -> str:
        """The command in one line, variables put in; without names and passwords in addresses."""
        return redacted(" ".join(shown_pipe(word.text) for word in self.command.words))

    def opaque(self, reason: str) -> Opaque:
        """Return the effect of a command of which nobody can tell what it writes."""
        return Opaque(**self.shared, key=" ".join(self.text.split()), reason=reason)

    def setting(self, name: str) -> str:
        """Return an environment variable, or what was remembered under its name; empty without a value."""
        return self.command.environment.get(name, self.remembered.get(name, ""))

    def on(self, name: str) -> bool:
        """Return whether an environment variable that is on or off is on."""
        return self.setting(name).strip().lower() in _TRUE

    @property
    def user_base(self) -> str:
        """Where Python keeps what is installed for one user."""
        named = self.setting("PYTHONUSERBASE")
        return self.absolute(named) if named else f"{self.setting('HOME').rstrip('/') or '/root'}/.local"

    def absolute(self, path: str) -> str:
        """Return a path as an absolute one where the directory is known."""
        home = self.setting("HOME")
        if path.startswith("~/") and home:
            path = home + path[1:]
        if path.startswith("/") or not self.command.working_directory:
            return posixpath.normpath(path) + ("/" if path.endswith("/") and path != "/" else "")
        return posixpath.normpath(posixpath.join(self.command.working_directory, path))

    def mount_over(self, path: str) -> RunMount | None:
        """Return the mount that a path lies on; None when it is of the image."""
        found = [mount for mount in self.mounts if mount.target and _within(path, mount.target)]
        return max(found, key=lambda mount: len(mount.target), default=None)

    def secrets(self, name: str, variable: str) -> tuple[str, ...]:
        """Return secrets that are mounted as a file of settings: of this name, or the one that a variable names."""
        mounted = (mount.target for mount in self.mounts if mount.kind == "secret" and mount.target)
        return tuple(each for each in mounted if each.endswith(f"/{name}") or each == self.setting(variable))

    def output(self) -> str:
        """Return the file that standard output is written to; empty without one."""
        for each in reversed(self.command.redirections):
            if each.operator in {">", ">>", "&>", ">|", "&>>"} and each.descriptor in {None, 1}:
                return "" if each.path.startswith("/dev/") else each.path
        return ""


def _within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory.rstrip('/')}/")


class Options(Struct, frozen=True, kw_only=True):
    """The options of one command.

    Args:
        values: By name without value the empty text, else every value in order.
    """

    values: Mapping[str, tuple[Word, ...]]
    positional: tuple[Word, ...]
    unknown: tuple[str, ...] = ()

    def has(self, *names: str) -> bool:
        """Return whether one of these options is given."""
        return any(name in self.values for name in names)

    def last(self, *names: str) -> str:
        """Return the last value of these options; empty without one."""
        found = [word.text for name in names for word in self.values.get(name, ())]
        return found[-1] if found else ""

    def all(self, *names: str) -> tuple[str, ...]:
        """Return every value of these options."""
        return tuple(word.text for name in names for word in self.values.get(name, ()))


class Table(Struct, frozen=True):
    """Which options a command has."""

    values: frozenset[str]
    flags: frozenset[str]
    aliases: Mapping[str, str] = field(default_factory=dict)

    def read(self, words: Sequence[Word]) -> Options:
        """Read the words after the command's name."""
        values: dict[str, list[Word]] = {}
        positional: list[Word] = []
        unknown: list[str] = []
        waiting = iter(words)
        for word in waiting:
            if word.text == "--":
                positional += waiting
            elif not word.text.startswith("-") or word.text == "-":
                positional.append(word)
            else:
                for name, value in self._parts(word.text, unknown):
                    found = values.setdefault(name, [])
                    if name in self.values and value is None:
                        found.append(next(waiting, Word("", known=False)))
                    elif name in self.values:
                        found.append(Word(value or "", word.known, word.quoted))
        return Options(
            values={name: tuple(each) for name, each in values.items()},
            positional=tuple(positional),
            unknown=tuple(unknown),
        )

    def _parts(self, text: str, unknown: list[str]) -> list[tuple[str, str | None]]:
        """Take one written option apart: ``--name=value``, ``-xyz``, ``-ovalue``."""
        if text.startswith("--"):
            name, equals, value = text.partition("=")
            name = self.aliases.get(name, name)
            if name not in self.values and name not in self.flags:
                unknown.append(name)
            return [(name, value if equals else None)]
        found: list[tuple[str, str | None]] = []
        whole = self.aliases.get(text, text)
        if whole in self.values or whole in self.flags:
            return [(whole, None)]
        for at, letter in enumerate(text[1:], 1):
            name = self.aliases.get(f"-{letter}", f"-{letter}")
            if name in self.values:
                rest = text[at + 1 :].removeprefix("=")
                return [*found, (name, rest or None)]
            if name not in self.flags:
                unknown.append(name)
            found.append((name, None))
        return found


def table(values: str, flags: str = "", **aliases: str) -> Table:
    """Make a table from options with blanks between them; ``r="--requirement"`` makes ``-r`` another name."""
    return Table(
        frozenset(values.split()), frozenset(flags.split()), {f"-{short}": long for short, long in aliases.items()}
    )
