"""Where this very program came from, as its installer wrote it down."""

from __future__ import annotations

import shlex
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec

from tonnage.adapters.process import run
from tonnage.errors import TonnageError
from tonnage.lazily import learned, regex

if TYPE_CHECKING:
    from collections.abc import Mapping

_WITHIN_S = 10.0
_NAME = "tonnage"
_SSH = regex(r"(?:ssh://)?(?:[\w.-]+@)?(?P<host>[\w.-]+)(?::\d+/|[:/])(?P<path>[^:]+)")


class _Repository(msgspec.Struct, frozen=True):
    vcs: str
    commit_id: str


class _Origin(msgspec.Struct, frozen=True):
    url: str
    vcs_info: _Repository | None = None
    dir_info: dict[str, object] | None = None


def install_command(environment: Mapping[str, str]) -> str:
    """Return the command that installs this very Tonnage on another machine.

    Args:
        environment: That of ``git``.

    Returns:
        A command of one line; empty when it came from files that no other machine has.

    Source: PEP 610: an installer writes ``direct_url.json`` when it installed from anything but an index.
    """
    try:
        mine = distribution(_NAME)
    except PackageNotFoundError:
        return ""
    text = mine.read_text("direct_url.json")
    return command_from(text, mine.version, environment)


def command_from(text: str | None, version: str, environment: Mapping[str, str]) -> str:
    """Return the command for what an installer wrote down.

    Args:
        text: ``direct_url.json``; None where there is none, as after an installation from an index.

    Returns:
        A command of one line; empty when it came from files that no other machine has.
    """
    if text is None:
        return f"pipx install {_NAME}=={version}"
    try:
        origin = msgspec.json.decode(text, type=learned(_Origin))
    except msgspec.MsgspecError:
        return ""
    if origin.vcs_info is not None:
        return _from_repository(origin.url, origin.vcs_info.commit_id) if origin.vcs_info.vcs == "git" else ""
    if origin.dir_info is None or not origin.url.startswith("file:"):
        return ""
    directory = unquote(urlsplit(origin.url).path)
    return _from_repository(
        _git(directory, ["remote", "get-url", "origin"], environment),
        _git(directory, ["rev-parse", "HEAD"], environment),
    )


def _from_repository(url: str, commit: str) -> str:
    """Return the command, without a name and a password that may stand in the address."""
    parts = urlsplit(url)
    if parts.scheme in {"http", "https"} and parts.hostname:
        host, path = parts.hostname + (f":{parts.port}" if parts.port else ""), parts.path
    elif parts.scheme in {"", "ssh"} and (found := _SSH.fullmatch(url)) and not url.startswith(("/", ".")):
        host, path = found["host"], f"/{found['path'].lstrip('/')}"
    else:
        return ""
    return f"pipx install {shlex.quote(f'git+https://{host}{path}@{commit}')}" if commit else ""


def _git(directory: str, arguments: list[str], environment: Mapping[str, str]) -> str:
    try:
        done = run(["git", "-C", directory, *arguments], environment=environment, timeout_s=_WITHIN_S)
    except TonnageError:
        return ""
    return "" if done.exit_code else done.stdout.strip()
