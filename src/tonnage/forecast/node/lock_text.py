"""The indented text of locks of yarn and pnpm: names, values, and blocks of them. No other YAML is read.

Both programs write locks by themselves, in a small part of YAML that older versions of yarn had their own form of. A
reader for the whole of YAML takes a minute for a lock of twenty thousand packages.
"""

from __future__ import annotations

from typing import Any

from tonnage.lazily import regex

_MOST_LINES, _DEEPEST, _LONGEST = 1_000_000, 8, 8192
_WORDS = regex(r"[\[\]{},\"'\s]+")

Block = dict[str, Any]


def read_blocks(text: str) -> Block:
    """Return the blocks of a lock: texts, lists of texts, and blocks in them.

    Raises:
        ValueError: It is none.
    """
    lines = text.splitlines()
    if len(lines) > _MOST_LINES:
        raise ValueError(f"it has more than {_MOST_LINES} lines")
    whole: Block = {}
    open_blocks: list[tuple[int, Block]] = [(-1, whole)]
    last: tuple[Block, str] | None = None
    for line in lines:
        bare = line.strip()
        if not bare or bare.startswith("#") or bare == "---" or len(bare) > _LONGEST:
            continue
        depth = len(line) - len(line.lstrip(" "))
        if bare.startswith("- "):
            if last is not None:
                last[0].setdefault(f"{last[1]}[]", []).append(_plain(bare[2:]))
            continue
        key, value = _named(bare)
        if not key:
            continue
        while open_blocks[-1][0] >= depth:
            open_blocks.pop()
        if len(open_blocks) > _DEEPEST:
            continue
        into = open_blocks[-1][1]
        last = (into, key)
        if value:
            into[key] = _plain(value)
        else:
            inner: Block = {}
            into[key] = inner
            open_blocks.append((depth, inner))
    return whole


def _named(line: str) -> tuple[str, str]:
    """Return the name on a line and its value; a line of several names, as yarn has them, is one name."""
    if line.endswith(":"):
        return _plain(line[:-1]), ""
    if line[0] in "\"'":
        name, _, value = line[1:].partition(line[0])
        return name, value.removeprefix(":").strip()
    name, _, value = line.partition(" ")
    return name.removesuffix(":"), value.strip()


def words(value: object) -> tuple[str, ...]:
    """Return the words of ``[a, b]``, or of one word."""
    return tuple(each for each in _WORDS.split(value) if each) if isinstance(value, str) else ()


def listed(block: Block, key: str) -> tuple[str, ...]:
    """Return the words of a value that is written on its line, or below it with a dash before each."""
    below = block.get(f"{key}[]")
    return tuple(below) if isinstance(below, list) else words(block.get(key))


def inside(block: Block, key: str) -> Block:
    """Return a block in another; an empty one where there is none."""
    found = block.get(key)
    return found if isinstance(found, dict) else {}


def _plain(text: str) -> str:
    """Return a name or value without its quotes; several names of yarn's stay as they are."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and text[0] not in text[1:-1]:
        return text[1:-1]
    return text
