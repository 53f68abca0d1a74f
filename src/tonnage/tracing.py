"""What is run and what is asked, told to whoever listens: nobody, unless ``--verbose`` was typed.

A command line is told without the values of build arguments and variables. Names and passwords of addresses are cut
out where it is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_WITH_VALUES = frozenset({"--build-arg", "--env", "-e"})
_HIDDEN = "***"
_MOST_ARGUMENTS = 60
_listeners: list[Callable[[str], None]] = []


def listen(listener: Callable[[str], None] | None) -> None:
    """Tell this listener alone from now on; nobody with None."""
    _listeners[:] = [] if listener is None else [listener]


def trace_command(arguments: Sequence[str], directory: str | None = None) -> None:
    """Tell that a program is started."""
    if _listeners:
        import shlex  # noqa: PLC0415 - only for who listens

        there = "" if directory is None else f" (in {directory})"
        _tell(f"run: {shlex.join(_without_values(arguments))}{there}")


def trace_request(method: str, address: str, answer: object = "") -> None:
    """Tell what was asked of a server or the engine, and how it answered."""
    if _listeners:
        _tell(f"ask: {method} {address}{f' -> {answer}' if answer else ''}")


def _tell(text: str) -> None:
    for listener in _listeners:
        listener(text)


def _without_values(arguments: Sequence[str]) -> list[str]:
    shown: list[str] = []
    before = ""
    for argument in arguments[:_MOST_ARGUMENTS]:
        option, equals, rest = argument.partition("=")
        name, has_value, _ = argument.partition("=") if before in _WITH_VALUES else rest.partition("=")
        if before in _WITH_VALUES and has_value:
            shown.append(f"{name}={_HIDDEN}")
        elif equals and option in _WITH_VALUES and has_value:
            shown.append(f"{option}={name}={_HIDDEN}")
        else:
            shown.append(argument)
        before = argument
    left = len(arguments) - len(shown)
    return [*shown, *([f"... {left} more"] if left > 0 else [])]
