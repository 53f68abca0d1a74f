"""Where the bytes come from that a command prints: the files that it names, an address, the commands before it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.lazily import regex
from tonnage.model.forecast.effects import Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.forecast.commands.context import Context
    from tonnage.model.forecast.shell_script import Word

# What these print is a line or a page: they tell of the machine, or what stands in the script.
_SHORT = frozenset({
    "", ":", "[", "arch", "basename", "cksum", "date", "df", "dirname", "du", "echo", "env", "expr", "false", "file",
    "free", "getent", "hostname", "id", "ldd", "ls", "lsb_release", "md5sum", "nproc", "printenv", "printf", "ps",
    "pwd", "readlink", "realpath", "sha1sum", "sha256sum", "sha512sum", "stat", "test", "tput", "true", "uname", "wc",
    "which", "whoami",
})  # fmt: skip
# Which options of a program that reads files take a value, and how many words stand before the files.
_READERS = {
    "awk": ("-v -F -f", 1), "base64": ("-w", 0), "bzip2": ("", 0), "cat": ("", 0), "column": ("-t -s -c", 0),
    "comm": ("", 0), "cut": ("-d -f -c -b", 0), "diff": ("-U -C", 0), "egrep": ("-e -f -m -A -B -C", 1),
    "envsubst": ("", 1), "fgrep": ("-e -f -m -A -B -C", 1), "gawk": ("-v -F -f", 1),
    "gpg": ("-o --output --homedir --keyring -u -r", 0), "grep": ("-e -f -m -A -B -C", 1), "gzip": ("", 0),
    "head": ("-n -c", 0), "hexdump": ("-n -s", 0), "jq": ("", 1), "mawk": ("-v -F -f", 1), "od": ("-N -A -t -j", 0),
    "paste": ("-d", 0), "rev": ("", 0), "sed": ("-e -f -l", 1), "sort": ("-k -t -o -S -T", 0), "tac": ("-s", 0),
    "tail": ("-n -c", 0), "tee": ("", None), "tr": ("", None), "uniq": ("-f -s -w", 0), "xxd": ("-s -l -c", 0),
    "xz": ("", 0), "yq": ("", 1), "zstd": ("-o", 0),
}  # fmt: skip
# With one of these the first word is a file, too.
_SCRIPTED = frozenset({"-e", "-f"})
_WHOLE = frozenset({"cat", "rev", "tac", "tee"})
_DEVICES = frozenset({"/dev/null"})
_INPUTS = frozenset({"/dev/stdin", "/proc/self/fd/0"})
_INSIDE = regex(r"\$\(\s*(?:<|cat\s)\s*(?P<paths>[^;|&$()`<>*?\[\]]+)\)")
_STREAMING = regex(
    r"(?:\$\(|`|\|)\s*(?:sudo\s+)?(?:curl|wget|base64|zcat|gunzip|gzip|xzcat|bzcat|openssl|tar|find|seq|yes)\b"
)


def printed(context: Context) -> Source | None:
    """Return where what a command prints comes from, for the command that reads it.

    Returns:
        None where it is short, or stands in the script.
    """
    found = read_by(context)
    changes = context.command.program not in _WHOLE
    return replace(found, changed=True) if found is not None and changes else found


def read_by(context: Context) -> Source | None:
    """Return what a command prints something of: None where that is short, or stands in the script."""
    program, words = context.command.program, context.command.words[1:]
    if program in {"echo", "printf"}:
        return _in_words(context)
    if program in _SHORT:
        return None
    if program in _READERS:
        return _read(context, *_READERS[program], words)
    return Source(known=False)


def given(context: Context) -> Source | None:
    """Return where a command's standard input comes from; None where it is short or nothing."""
    for each in reversed(context.command.redirections):
        if each.operator in {"<<", "<<<"} and each.descriptor in {None, 0}:
            return None
        if each.operator == "<" and each.descriptor in {None, 0}:
            return _files(context, (each.path,))
    if context.standard_input is not None or not context.fed_by:
        return None
    return context.piped


def _read(context: Context, valued: str, leading: int | None, words: Sequence[Word]) -> Source | None:
    options = frozenset(valued.split())
    plain: list[Word] = []
    skipped = False
    for word in words:
        if skipped:
            skipped = False
        elif word.text.startswith("-") and word.text != "-":
            skipped = word.text in options
        else:
            plain.append(word)
    if leading is None:
        plain = []
    elif leading and not any(word.text[:2] in _SCRIPTED for word in words):
        plain = plain[leading:]
    if context.command.program in {"uniq", "xxd"}:
        plain = plain[:1]
    if not plain:
        # A program of awk needs no input to print as much as it likes.
        makes = context.command.program in {"awk", "gawk", "mawk"} and context.standard_input is None
        return given(context) or (Source(known=False) if makes else None)
    if not all(word.known for word in plain):
        return Source(known=False)
    named = _files(context, [context.absolute(word.text) for word in plain if word.text != "-"])
    piped = given(context) if any(word.text in {"-", *_INPUTS} for word in plain) else None
    return both(named, piped)


def _files(context: Context, paths: Sequence[str]) -> Source | None:
    found = tuple(path for path in paths if path and path not in _DEVICES | _INPUTS)
    if not found:
        return None
    if any(path.startswith("/dev/") or "$" in path for path in found):
        return Source(known=False)
    return Source(paths=tuple(context.absolute(path) for path in found))


def _in_words(context: Context) -> Source | None:
    """Return what ``echo`` and ``printf`` print that commands in their words put there."""
    if context.command.known:
        return None
    if _STREAMING.search(context.text):
        return Source(known=False)
    found = [path for match in _INSIDE.finditer(context.text) for path in re.split(r"\s+", match["paths"].strip())]
    return _files(context, [context.absolute(path.strip("\"'")) for path in found])


def both(one: Source | None, other: Source | None) -> Source | None:
    """Return two sources as one; where one is an address, the other is not known any more."""
    if one is None or other is None:
        return one or other
    if one.address or other.address:
        return Source(known=False)
    return Source(
        paths=(*one.paths, *other.paths), known=one.known and other.known, changed=one.changed or other.changed
    )
