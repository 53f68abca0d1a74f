"""Which reader a command goes to, by its program."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.commands.apt_and_others import apt, dpkg, manages, other_manager
from tonnage.forecast.commands.cheap_commands import CHEAP, cheap_effects, page, sized
from tonnage.forecast.commands.downloads import aria2c, curl, git, tar, unpack, wget
from tonnage.forecast.commands.file_commands import (
    change,
    find,
    make_directory,
    remove,
    sed,
    transfer,
)
from tonnage.forecast.commands.python_commands import python_effects
from tonnage.lazily import regex
from tonnage.model.forecast.effects import AnyEffect, Nothing, WriteFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.forecast.commands.context import Context
    from tonnage.model.forecast.effects import AnyEffect
    from tonnage.model.forecast.shell_script import Word

_ASKS = frozenset({"--version", "-V", "--help", "-h", "-version", "version", "--list", "help"})
# What ``find`` pipes into these through xargs is told as its own effect.
_FOUND_FIRST = frozenset({"rm", "rmdir", "chmod", "chown", "chgrp", "touch", "strip"})
_RECOMMENDS_OFF = regex(r"APT::Install-Recommends\s+\"?(?:0|false|no)\"?", re.IGNORECASE)


def effects_of_command(context: Context) -> tuple[AnyEffect, ...]:
    """Return what a command does."""
    command = context.command
    if command.words and not command.words[0].known:
        return (context.opaque("the program is not known"),)
    program, words = command.program, command.words[1:]
    if len(words) == 1 and words[0].text in _ASKS and program not in CHEAP:
        return (page(context),)
    found = python_effects(context, program, words) or _by_program(context, program, words) or cheap_effects(context)
    _remember(context, found)
    return found or (context.opaque(f"what {program} writes is not known"),)


def _by_program(context: Context, program: str, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    if manages(program):
        return (other_manager(context, program, words),)
    if program in _SEVERAL:
        return _SEVERAL[program](context, words)
    if program in _ONE:
        return (_ONE[program](context, words),)
    if program in _SIZED:
        return sized(context)
    return (_BY_NAME[program](context, program, words),) if program in _BY_NAME else ()


def _xargs(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Read ``xargs``: with known input the command with those words, else one whose words are not known."""
    at = 0
    while at < len(words) and words[at].text.startswith("-"):
        at += 2 if words[at].text in {"-n", "-L", "-P", "-I", "-d", "-s", "-a"} else 1
    inner = tuple(words[at:])
    if not inner:
        return (Nothing(**context.shared),)
    given = context.standard_input
    if given is None:
        seen = context.fed_by == "find" and inner[0].text in _FOUND_FIRST
        quiet = seen or inner[0].text in {"grep", "echo", "ls"}
        reason = f"what xargs gives to {inner[0].text} is not known"
        return (Nothing(**context.shared) if quiet else context.opaque(reason),)
    added = tuple(replace(inner[0], text=text, known=True) for text in given.split())
    command = replace(context.command, words=(*inner, *added))
    return effects_of_command(replace(context, command=command))


def _remember(context: Context, found: tuple[AnyEffect, ...]) -> None:
    """Remember settings that are written into configuration files."""
    for each in found:
        if not isinstance(each, WriteFile) or not each.path.startswith("/etc/apt/"):
            continue
        written = f"{context.text} {context.standard_input or ''}"
        if _RECOMMENDS_OFF.search(written):
            context.remembered["APT_INSTALL_RECOMMENDS"] = "0"


_SIZED = frozenset({"dd", "fallocate", "truncate"})
_SEVERAL = {
    "rm": remove,
    "rmdir": remove,
    "unlink": remove,
    "find": find,
    "sed": sed,
    "xargs": _xargs,
    "curl": curl,
    "wget": wget,
    "aria2c": aria2c,
}
_ONE = {
    "mkdir": make_directory,
    "tar": tar,
    "git": git,
    "dpkg": dpkg,
    "apt": apt,
    "apt-get": apt,
    "aptitude": apt,
}
_BY_NAME = {
    **dict.fromkeys(("chmod", "chown", "chgrp", "touch", "setcap", "strip"), change),
    **dict.fromkeys(("cp", "mv", "ln", "install", "rsync"), transfer),
    **dict.fromkeys(
        ("unzip", "gunzip", "bunzip2", "unxz", "unzstd", "gzip", "xz", "bzip2", "zstd", "7z", "7za", "zcat"), unpack
    ),
}
