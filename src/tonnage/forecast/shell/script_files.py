"""Script files that a script runs or sources: what they hold is followed where the build's own files tell it.

What the same script may have changed before is not followed, nor what no shell would read.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.forecast.shell.state import TooMuchError
from tonnage.model.forecast.shell_script import Word
from tonnage.sources.dockerfile.shell_wrappers import SHELLS, program

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tonnage.forecast.shell.state import ShellState
    from tonnage.model.forecast.shell_script import Redirection, ShellCommand
    from tonnage.sources.dockerfile.shell_wrappers import ShellCall

SOURCING = frozenset({".", "source"})
_LONGEST, _MOST_READ, _MOST_FILES = 200_000, 1_000_000, 100
# What names a file before it is run, and leaves what it does as it is.
_KEEPING = frozenset({"chmod", "chown", "ls", "cat", "echo", "printf", "test", "[", "dos2unix", "stat", "head", "set"})
_LINE_ENDS = r"\r"
_MOST_LINES = 64


class ScriptFile(Struct, frozen=True):
    """A script file that is run.

    Args:
        words: Its name and its arguments, as it is called.
        sourced: It is read by the shell itself.
        shell: The shell that reads it; empty for the same one.
    """

    text: str
    path: str
    words: tuple[Word, ...]
    sourced: bool
    shell: str = ""

    @property
    def answers(self) -> dict[str, str]:
        """What commands print inside of it that ask where it lies."""
        directory = posixpath.dirname(self.path)
        names = ("${BASH_SOURCE[0]}", "${BASH_SOURCE}", "$BASH_SOURCE", *(() if self.sourced else ("$0", "${0}")))
        asked = [f'dirname "{name}"' for name in names] + [f"dirname {name}" for name in names]
        found = dict.fromkeys(asked, directory)
        for each in asked:
            found |= {f'cd "$({each})" && pwd': directory, f"cd $({each}) && pwd": directory}
            found |= {f'cd -- "$({each})" && pwd': directory, f'cd "$({each})" >/dev/null 2>&1 && pwd': directory}
        return found


class ScriptFiles:
    """The script files of a build while one script is read.

    Args:
        text: Returns what a file of the image holds by its path; None where that is not known.
    """

    def __init__(self, text: Callable[[str], str | None]) -> None:
        self._text = text
        self._files = self._read = 0

    def find(
        self, words: Sequence[Word], call: ShellCall | None, now: ShellState, earlier: Sequence[ShellCommand]
    ) -> ScriptFile | None:
        """Return the script file that a command runs; None for none, or where nobody knows what it holds.

        Args:
            earlier: The commands before it, which may have changed the file.

        Raises:
            TooMuchError: More is read than scripts hold that people write.
        """
        called = _called(words, call)
        if not called or not called[0].known or not called[0].text or "*" in called[0].text:
            return None
        path = now.absolute(called[0])
        if not path.startswith("/") or self._files >= _MOST_FILES:
            return None
        text = self._text(path)
        own = call is None and words[0] is called[0]
        shell = _own_shell(text or "", path) if own else program(words) if call is not None else ""
        if text is None or len(text) > _LONGEST or "\0" in text or (own and not shell):
            return None
        if any(_may_change(each, posixpath.basename(path)) for each in earlier):
            return None
        self._files += 1
        self._read += len(text)
        if self._read > _MOST_READ:
            raise TooMuchError
        return ScriptFile(text, path, tuple(called), sourced=call is None and not own, shell=shell)

    def lines(self, name: str, now: ShellState, earlier: Sequence[ShellCommand]) -> list[str] | None:
        """Return the lines of a file over which a loop goes, but comments; None where they are not known, or many."""
        path = now.absolute(Word(name)) if name else ""
        text = self._text(path) if path.startswith("/") else None
        if text is None or len(text) > _LONGEST or any(_may_change(each, posixpath.basename(path)) for each in earlier):
            return None
        found = [line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
        # An option is for who reads the whole file.
        told = len(found) <= _MOST_LINES and not any(line.strip().startswith("-") for line in found)
        return found if told else None


def written_script(call: ShellCall | None, redirections: Sequence[Redirection]) -> str | None:
    """Return the script that a shell is given in words or by its input; None where it is not known."""
    if call is None:
        return None
    if call.script is not None:
        return call.script.text if call.script.known else None
    inline = next((each.text for each in reversed(redirections) if each.text is not None), None)
    return inline if call.file in {"", "-"} else None


def _called(words: Sequence[Word], call: ShellCall | None) -> Sequence[Word]:
    """Return the name of a script file and its arguments; nothing for a command that runs none."""
    if call is not None:
        return words[len(words) - len(call.arguments) - 1 :] if call.file not in {"", "-"} else ()
    if not words or not words[0].known:
        return ()
    if words[0].text in SOURCING:
        return words[1:]
    return words if "/" in words[0].text else ()


def _own_shell(text: str, path: str) -> str:
    """Return the shell that reads a file which is started by its name; empty where none does."""
    if not text.startswith("#!"):
        return "sh" if path.endswith(".sh") else ""
    names = [posixpath.basename(each) for each in text.partition("\n")[0][2:].split()]
    found = next((each for each in names if each != "env" and not each.startswith("-")), "")
    return found if found in SHELLS else ""


def _may_change(command: ShellCommand, name: str) -> bool:
    """Return whether a command may write a file of this name."""
    if any(each.operator.startswith((">", "&>")) and each.path.endswith(name) for each in command.redirections):
        return True
    if command.program in _KEEPING or command.program in SOURCING:
        return False
    words = [word.text for word in command.words[1:]]
    if command.program == "sed" and any(_LINE_ENDS in word for word in words):
        return False
    return any(name in word for word in words)
