"""Which pulls go on, by the command lines of programs and by what the engine downloads.

Somebody who pulls several images runs them when the last one is there, however long that takes. Until then nothing but
the program that asked tells that the first ones are needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.reclaim.pulls import Asked, Pulling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.reclaim.pulls import Client, Traffic

PROGRAMS = frozenset({"docker", "docker-compose", "tonnage"})
"""Names of programs whose processes are looked at."""
UNSEEN_PULL_S = 3600.0
"""How long a pull may have been going on of which only the download is seen, and not who asked for it."""
_ENDS_WITH_PULL = frozenset({"pull"})
_GOES_ON = frozenset({"run", "create", "up", "watch", "deploy", "build"})
_OF_GROUPS = {"image": _ENDS_WITH_PULL, "container": frozenset({"run", "create"})}
_VALUED = frozenset(
    {
        "-H", "--host", "-c", "--context", "--config", "-l", "--log-level", "--tlscacert", "--tlscert", "--tlskey",
        "-f", "--file", "-p", "--project-name", "--project-directory", "--workdir", "--env-file", "--profile",
        "--ansi", "--progress", "--parallel", "--to", "--platform", "--pull",
    }
)  # fmt: skip
_INTERPRETERS = ("python", "sh", "bash", "dash")


def asked_by(client: Client) -> Asked | None:
    """Return what a program asked for; None when it is none that pulls."""
    program, words = _program(client.arguments)
    if not program:
        return None
    flags, rest = _split(words)
    hosts = _values(flags, "-H", "--host")
    if program == "docker-compose" and rest[:1] == ["compose"]:
        # The plugin is given the name by which it was called.
        flags, rest = _split(rest[1:])
    compose = program != "docker"
    if program == "docker" and rest[:1] == ["compose"]:
        compose = True
        flags, rest = _split(rest[1:])
    elif program == "docker" and rest[:1] and rest[0] in _OF_GROUPS:
        rest = rest[1:] if rest[1:2] and rest[1] in _OF_GROUPS[rest[0]] else []
    verb = rest[0] if rest else ""
    known = {"deploy", "build"} if program == "tonnage" else _ENDS_WITH_PULL | _GOES_ON
    if verb not in known or (not compose and verb not in {"pull", "run", "create"}):
        return None
    if program == "tonnage":
        flags, _ = _split(rest[1:])
    hosts += _values(flags, "-H", "--host")
    name = program if program != "docker" or not compose else "docker compose"
    return Asked(
        client=client,
        who=f"{name} {verb} ({client.pid})",
        host=(*hosts, client.host)[0],
        only_pulls=verb in _ENDS_WITH_PULL,
        words=() if compose else tuple(word for word in rest[1:] if not word.startswith("-")),
        compose=compose,
        files=_values(flags, "-f", "--file"),
        project_directory=(*_values(flags, "--project-directory", "--workdir"), "")[0],
        project_name=(*_values(flags, "-p", "--project-name"), "")[0],
        env_files=_values(flags, "--env-file"),
    )


def is_asked(endpoint: str, asked: Asked) -> bool:
    """Return whether a program may be asking an engine: another one is not meant when it names one."""
    return not asked.host or _spelled(asked.host) == _spelled(endpoint)


def _spelled(endpoint: str) -> str:
    return endpoint.rstrip("/").replace("unix:///var/run/", "unix:///run/")


def going_on(traffic: Traffic, asked: Sequence[Asked], now_s: float) -> Pulling | None:
    """Return the pull that has been going on longest; None when none goes on.

    What goes on to run what it pulled, as ``docker run`` does, counts only while the engine may be downloading.
    """
    counted = [each for each in asked if each.only_pulls or traffic.downloading is not False]
    if counted:
        first = min(counted, key=lambda each: each.client.began_s)
        return Pulling(first.client.began_s, first.who)
    return Pulling(now_s - UNSEEN_PULL_S, "somebody") if traffic.downloading else None


def _program(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """Return the program's name and its arguments; some are scripts, which an interpreter was given."""
    names = [each.rpartition("/")[2] for each in arguments[:2]]
    place = 1 if names and names[0].startswith(_INTERPRETERS) else 0
    if names[place:] and names[place] in PROGRAMS:
        return names[place], list(arguments[place + 1 :])
    return "", []


def _split(words: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the flags before the first other word, with their values, and that word with what follows it."""
    flags: list[tuple[str, str]] = []
    place = 0
    while place < len(words) and words[place].startswith("-"):
        name, joined, value = words[place].partition("=")
        if not joined and name in _VALUED and place + 1 < len(words):
            place += 1
            value = words[place]
        flags.append((name, value))
        place += 1
    return flags, list(words[place:])


def _values(flags: Sequence[tuple[str, str]], *names: str) -> tuple[str, ...]:
    return tuple(value for name, value in flags if name in names and value)
