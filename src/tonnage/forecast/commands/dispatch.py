"""Which reader a command goes to, by its program."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.commands.apt_and_others import apt, dpkg, manages, other_manager
from tonnage.forecast.commands.downloads import aria2c, curl, git, tar, unpack, wget
from tonnage.forecast.commands.file_commands import (
    change,
    find,
    make_directory,
    remove,
    sed,
    transfer,
)
from tonnage.forecast.commands.outputs import sized, tee, text_output
from tonnage.forecast.commands.python_commands import python_effects
from tonnage.forecast.commands.system_records import RECORDS, records
from tonnage.lazily import regex
from tonnage.model.forecast.effects import AnyEffect, Nothing, WriteFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.forecast.commands.context import Context
    from tonnage.model.forecast.effects import AnyEffect
    from tonnage.model.forecast.shell_script import Word

_ASKS = frozenset({"--version", "-V", "--help", "-h", "-version", "version", "--list", "help"})
_TEXT = frozenset({
    ":", "[", "awk", "base64", "basename", "cat", "cut", "date", "diff", "dirname", "echo", "egrep", "env", "expr",
    "fgrep", "file", "gawk", "getent", "grep", "head", "hostname", "id", "jq", "ldd", "ls", "mawk", "md5sum", "nproc",
    "openssl", "printenv", "printf", "pwd", "readlink", "realpath", "rev", "seq", "sha1sum", "sha256sum", "sha512sum",
    "sort", "stat", "tac", "tail", "tr", "uname", "uniq", "wc", "which", "whoami", "yq", "yes", "lsb_release", "gpg",
    "envsubst", "comm", "paste", "od", "hexdump", "xxd", "cksum", "tput", "free", "df", "du", "ps", "arch", "column",
})  # fmt: skip
_QUIET = frozenset({
    ".", "alias", "apt-cache", "apt-key", "apt-mark", "break", "cd", "cmp", "command", "continue", "declare", "dirs",
    "dpkg-query", "exit", "export", "false", "gpgconf", "hash", "hostnamectl", "kill", "killall", "let", "local",
    "mkfifo", "mknod", "mount", "mountpoint", "newgrp", "popd", "pushd", "read", "readonly", "return", "set", "shift",
    "shopt", "sleep", "source", "ssh-keyscan", "stty", "sync", "test", "timedatectl", "trap", "true", "type", "ulimit",
    "umask", "umount", "unalias", "unset", "visudo", "wait",
})  # fmt: skip
# What ``find`` pipes into these through xargs is told as its own effect.
_FOUND_FIRST = frozenset({"rm", "rmdir", "chmod", "chown", "chgrp", "touch", "strip"})
_RECOMMENDS_OFF = regex(r"APT::Install-Recommends\s+\"?(?:0|false|no)\"?", re.IGNORECASE)


def effects_of_command(context: Context) -> tuple[AnyEffect, ...]:
    """Return what a command does."""
    command = context.command
    if not command.words:
        return (text_output(context),)
    if not command.words[0].known:
        return (context.opaque("the program is not known"),)
    program, words = command.program, command.words[1:]
    texts = [word.text for word in words]
    if texts and texts[0] in _ASKS and len(texts) == 1 and program not in _TEXT:
        return (Nothing(**context.shared),)
    found = (
        python_effects(context, program, words) or _system(context, program, words) or _files(context, program, words)
    )
    if found:
        _remember(context, found)
        return found
    if program in _TEXT:
        found = (text_output(context),)
        _remember(context, found)
        return found
    if program in _QUIET or not program:
        return (Nothing(**context.shared),)
    return (context.opaque(f"what {program} writes is not known"),)


def _system(context: Context, program: str, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    return (other_manager(context, program, words),) if manages(program) else ()


def _files(context: Context, program: str, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    several = _SEVERAL.get(program)
    if several is not None:
        return several(context, words)
    one = _ONE.get(program)
    if one is not None:
        return (one(context, words),)
    if program in _SIZED:
        return sized(context, program, words)
    named = _BY_NAME.get(program)
    return () if named is None else (named(context, program, words),)


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


_SIZED = frozenset({"dd", "fallocate", "truncate", "head"})
_SEVERAL = {
    "rm": remove,
    "rmdir": remove,
    "unlink": remove,
    "tee": tee,
    "xargs": _xargs,
    "curl": curl,
    "wget": wget,
    "aria2c": aria2c,
}
_ONE = {
    "find": find,
    "sed": sed,
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
    **dict.fromkeys(RECORDS, records),
    **dict.fromkeys(
        ("unzip", "gunzip", "bunzip2", "unxz", "unzstd", "gzip", "xz", "bzip2", "zstd", "7z", "7za", "zcat"), unpack
    ),
}
