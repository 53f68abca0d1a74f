"""What each command can do by platform. The one source of ``docs/platforms.md`` and of what ``tonnage doctor`` says.

The platform is that of the engine: where it runs, and whose it is.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Platform(StrEnum):
    """Where the engine is."""

    LINUX = "Linux"
    ROOTLESS = "Linux, rootless engine"
    WSL = "WSL 2"
    ELSEWHERE = "Docker Desktop or tcp://"
    REMOTE = "another machine by ssh://"
    NONE = "no engine"


class Ability(Struct, frozen=True):
    """Whether a command works, and what limits it; empty for nothing."""

    works: bool
    but: str = ""

    def __str__(self) -> str:
        """Return it as a cell of a table."""
        return ("yes" if self.works else "no") + (f": {self.but}" if self.but else "")


_YES, _NO = Ability(works=True), Ability(works=False)
_DISK = Ability(works=True, but="name a disk with --disk")
_NO_DISK = Ability(works=True, but="without figures of a disk")
_LOCAL = Ability(works=True, but="cache and journal of this machine")


def _row(
    *,
    rootless: Ability = _YES,
    wsl: Ability = _YES,
    elsewhere: Ability,
    remote: Ability = _YES,
    none: Ability,
    linux: Ability = _YES,
) -> dict[Platform, Ability]:
    return {
        Platform.LINUX: linux,
        Platform.ROOTLESS: rootless,
        Platform.WSL: wsl,
        Platform.ELSEWHERE: elsewhere,
        Platform.REMOTE: remote,
        Platform.NONE: none,
    }


def _everywhere(ability: Ability = _YES) -> dict[Platform, Ability]:
    return dict.fromkeys(Platform, ability)


_NEEDS_A_DISK = _row(elsewhere=_NO, none=_NO)

ABILITIES: dict[str, dict[Platform, Ability]] = {
    "forecast": _row(elsewhere=_DISK, none=_DISK),
    "lint": _everywhere(),
    "torch": _everywhere(),
    "plan": _NEEDS_A_DISK,
    "build": _NEEDS_A_DISK,
    "deploy": _row(
        elsewhere=_NO,
        none=_NO,
        remote=Ability(works=True, but="--to ssh://user@host/DIR also sends files that services mount"),
    ),
    "ship": _row(
        linux=Ability(works=True, but="layers of the classic store as root, else by docker save"),
        rootless=Ability(works=True, but="layers of the classic store by docker save"),
        elsewhere=_NO,
        none=_NO,
    ),
    "verify": _row(elsewhere=Ability(works=True, but="health checks, no HTTP probes"), none=_NO),
    "rollback": _NEEDS_A_DISK,
    "reclaim": _row(
        linux=Ability(works=True, but="files of other users as root"),
        rootless=Ability(works=True, but="files of other users with sudo"),
        wsl=Ability(works=True, but="the virtual disk of WSL does not get smaller by itself"),
        elsewhere=_NO,
        remote=Ability(works=True, but="what the engine has, no files of its machine"),
        none=Ability(works=True, but="files of this machine, with --mount"),
    ),
    "status": _NEEDS_A_DISK,
    "watch": _NEEDS_A_DISK,
    "guard": _row(
        linux=Ability(works=True, but="the ballast and --install as root"),
        rootless=Ability(works=True, but="no ballast, no --install"),
        elsewhere=_NO,
        remote=_NO,
        none=_NO,
    ),
    "report": _everywhere(),
    "rehearse": _everywhere(Ability(works=True, but="on Linux as root, with an engine of its own")),
    "ci": _everywhere(),
    "explain": _row(elsewhere=_NO_DISK, none=_NO_DISK),
    "doctor": _everywhere(),
    "uninstall": _row(elsewhere=_LOCAL, none=_LOCAL),
    "completion": _everywhere(),
}
"""By command, in the order in which ``--help`` names them."""


def limits(platform: Platform) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Return the commands that do not work on a platform, and those that do with a limit, with that."""
    here = [(command, found[platform]) for command, found in ABILITIES.items()]
    return (
        tuple(command for command, ability in here if not ability.works),
        tuple((command, ability.but) for command, ability in here if ability.works and ability.but),
    )
