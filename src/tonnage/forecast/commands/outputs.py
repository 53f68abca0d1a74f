"""Files that commands write as their output, or of a size that their words name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tonnage.forecast.commands.streams import given, read_by
from tonnage.lazily import regex
from tonnage.model.forecast.effects import Nothing, Source, WriteFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.forecast.commands.context import Context
    from tonnage.model.forecast.effects import AnyEffect
    from tonnage.model.forecast.shell_script import Word

_UNITS = {"": 1, "c": 1, "w": 2, "b": 512, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_SHORT_BYTES = 4096
_SIZE = regex(r"(?P<count>\d+)\s*(?P<unit>[a-z]?)(?:i?b)?", re.IGNORECASE)
_DECIMAL = {"kb": 1000, "mb": 1000**2, "gb": 1000**3, "tb": 1000**4}
_ENDLESS = frozenset({"/dev/zero", "/dev/urandom", "/dev/random"})
# ``printf`` with a width makes more than stands in its words.
_WIDE = regex(r"%[-+ #0]*(?:\d{3,}|\*)|%[^a-zA-Z%]*\.(?:\d{3,}|\*)")
# What a script of awk or sed writes by itself.
_WRITES = regex(r"print[^|;}]*>|inplace|(?:^|[;/}\s])w\s+/\S")
_OUTPUT_OPTIONS = {
    "gpg": ("-o", "--output"), "openssl": ("-out", "--out"), "sort": ("-o", "--output"), "zstd": ("-o", "--output"),
}  # fmt: skip
_SECOND_IS_OUTPUT = frozenset({"uniq", "xxd"})


def text_output(context: Context) -> AnyEffect:
    """Return what a command leaves that only prints: the file that its output is written to."""
    words = context.command.words
    program = context.command.program
    if program in {"awk", "gawk", "mawk", "sed"} and any(_WRITES.search(word.text) for word in words[1:]):
        return context.opaque("its script writes files")
    named = _named_output(context)
    path = named or context.output()
    if not path:
        return Nothing(**context.shared)
    if program in {"echo", "printf"} and context.command.known:
        texts = [word.text for word in words[1:]]
        if program == "printf" and any(_WIDE.search(text) for text in texts):
            return _from(context, path, Source(known=False))
        newline = 0 if program == "printf" or "-n" in texts[:1] else 1
        return _sized(context, path, len(" ".join(texts).encode(errors="surrogateescape")) + newline)
    if not words:
        return _sized(context, path, 0)
    only_input = program == "cat" and all(word.text == "-" for word in words[1:])
    if only_input and context.standard_input is not None:
        return _sized(context, path, len(context.standard_input.encode(errors="surrogateescape")))
    if program == "openssl":
        texts = [word.text for word in words[1:]]
        count = _bytes(texts[-1]) if texts[:1] == ["rand"] else None
        return _from(context, path, None) if count is None else _sized(context, path, 2 * count, at_most=True)
    return _from(context, path, read_by(context))


def tee(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Read ``tee``; what it is given may be known."""
    text = context.standard_input
    appends = any(word.text in {"-a", "--append"} for word in words)
    paths = [word.text for word in words if not word.text.startswith("-") and not word.text.startswith("/dev/")]
    written = [path for path in (*map(context.absolute, paths), context.output()) if path]
    if text is not None:
        size = len(text.encode(errors="surrogateescape"))
        found = [_sized(context, path, size, appends=appends) for path in written]
    else:
        found = [_from(context, path, given(context), appends=appends) for path in written]
    return tuple(found) or (Nothing(**context.shared),)


def sized(context: Context, program: str, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Read ``dd``, ``fallocate``, ``truncate`` and ``head -c``, which name the size of what they write."""
    texts = [word.text for word in words]
    if program == "dd":
        return (_dd(context, texts),)
    if program == "head":
        return (_head(context, texts),)
    size = _option(texts, "-l", "--length") if program == "fallocate" else _option(texts, "-s", "--size")
    count = _bytes(size)
    plain = [
        text
        for at, text in enumerate(texts)
        if not text.startswith("-") and (at == 0 or texts[at - 1] not in {"-l", "-s", "-o", "--length", "--size"})
    ]
    if not plain or count is None:
        return (context.opaque("the size cannot be told"),)
    holes = count if program == "truncate" else 0
    return tuple(_sized(context, context.absolute(path), count, holes=holes, appends=count > 0) for path in plain)


def _head(context: Context, texts: list[str]) -> AnyEffect:
    path = context.output()
    size = _bytes(_option(texts, "-c", "--bytes"))
    if not path or size is None:
        return text_output(context)
    read = next((text for text in texts if text.startswith("/dev/")), _redirected(context))
    return _sized(context, path, size, at_most=read not in _ENDLESS)


def _dd(context: Context, texts: list[str]) -> AnyEffect:
    operands = dict(text.partition("=")[::2] for text in texts if "=" in text)
    path = context.absolute(operands["of"]) if "of" in operands else context.output()
    if not path or path.startswith("/dev/"):
        return Nothing(**context.shared)
    block = _bytes(operands.get("bs") or operands.get("obs") or "512")
    count = _bytes(operands.get("count", ""))
    seek = _bytes(operands.get("seek") or operands.get("oseek") or "0")
    read = operands.get("if") or _redirected(context)
    if count is None and read and not read.startswith("/dev/"):
        return _from(context, path, Source(paths=(context.absolute(read),)))
    if block is None or count is None or seek is None:
        return _from(context, path, Source(known=False))
    return _sized(context, path, block * (seek + count), holes=block * seek, at_most=read not in _ENDLESS)


def _redirected(context: Context) -> str:
    return next((each.path for each in reversed(context.command.redirections) if each.operator == "<"), "")


def _named_output(context: Context) -> str:
    """Return the file that a program writes its output to by an option, or by its second word."""
    texts = [word.text for word in context.command.words[1:]]
    program = context.command.program
    if program in _SECOND_IS_OUTPUT:
        plain = [text for text in texts if not text.startswith("-")]
        return context.absolute(plain[1]) if len(plain) > 1 else ""
    names = _OUTPUT_OPTIONS.get(program)
    found = _option(texts, *names) if names else ""
    return context.absolute(found) if found and found != "-" else ""


def _from(context: Context, path: str, source: Source | None, *, appends: bool = False) -> AnyEffect:
    if context.command.repeated and source is not None:
        return context.opaque("nobody can tell how often it is repeated")
    return WriteFile(
        **context.shared,
        path=path,
        program=context.command.program,
        source=source,
        appends=appends or _appends(context),
    )


def _sized(
    context: Context, path: str, size: int, *, holes: int = 0, at_most: bool = False, appends: bool = False
) -> AnyEffect:
    """Return what writing a file leaves: with each turn of a loop it may grow, or another one be written."""
    if context.command.repeated and size > _SHORT_BYTES:
        return context.opaque("nobody can tell how often it is repeated")
    return WriteFile(
        **context.shared,
        path=path,
        program=context.command.program,
        size_bytes=size,
        holes_bytes=holes,
        at_most=at_most,
        appends=appends or _appends(context),
    )


def _appends(context: Context) -> bool:
    return any(each.operator in {">>", "&>>"} for each in context.command.redirections)


def _option(texts: list[str], short: str, long: str) -> str:
    """Return the value of an option in any of its forms; empty without one."""
    for at, text in enumerate(texts):
        if text in {short, long}:
            return texts[at + 1] if at + 1 < len(texts) else ""
        if text.startswith(f"{long}="):
            return text.partition("=")[2]
        if text.startswith(short) and not text.startswith("--"):
            return text.removeprefix(short)
    return ""


def _bytes(text: str) -> int | None:
    """Return the number of bytes that ``dd`` and its like mean; None where that cannot be told."""
    lowered = text.strip().lower()
    match = _SIZE.fullmatch(lowered)
    if match is None:
        return None
    decimal = next((factor for unit, factor in _DECIMAL.items() if lowered.endswith(unit)), None)
    return int(match["count"]) * (decimal or _UNITS.get(match["unit"], 1))
