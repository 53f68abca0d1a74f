"""What commands do to files that are there: remove, change, copy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tonnage.forecast.commands.context import table
from tonnage.forecast.commands.outputs import text_output
from tonnage.lazily import regex
from tonnage.model.forecast.effects import (
    AptClean,
    ChangeMode,
    MakeDirectory,
    Nothing,
    Remove,
    Transfer,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.forecast.commands.context import Context
    from tonnage.model.forecast.effects import (
        AnyEffect,
    )
    from tonnage.model.forecast.shell_script import Word

_LISTS = regex(r"/var/lib/apt(?:/lists)?(?:/\*|/)?")
_ARCHIVES = regex(r"/var/cache/apt(?:/archives)?(?:/\*|/|/\*\.deb)?|/var/cache/\*")
_REMOTE = regex(r"(?:\S+@)?[\w.-]+:|rsync://")
_COPYING = table(
    "--target-directory --mode --owner --group --suffix",
    "",
    t="--target-directory", m="--mode", o="--owner", g="--group", S="--suffix",
)  # fmt: skip
_RSYNC = table("--exclude --include --exclude-from --chown --chmod --rsh", "", e="--rsh")


def remove(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Read ``rm``, ``rmdir`` or ``unlink``; ``words`` are those after the program."""
    unknown = [word.text for word in words if not word.known]
    if unknown:
        reason = f"{unknown[0]} is not known"
        return (context.opaque(reason),)
    paths = [context.absolute(word.text) for word in words if not word.text.startswith("-")]
    lists = any(_LISTS.fullmatch(path) for path in paths)
    archives = any(_ARCHIVES.fullmatch(path) for path in paths)
    found: list[AnyEffect] = [Remove(**context.shared, paths=tuple(paths))] if paths else []
    if lists or archives:
        found.append(AptClean(**context.shared, lists=lists, archives=archives))
    return tuple(found) or (Nothing(**context.shared),)


def find(context: Context, words: Sequence[Word]) -> AnyEffect:
    """Read ``find``; what it finds may be removed or changed. ``words`` are those after the program."""
    texts = [word.text for word in words]
    end = next((at for at, text in enumerate(texts) if text.startswith(("-", "(", "!"))), len(texts))
    paths = tuple(context.absolute(text) for text in texts[:end]) or (context.absolute("."),)
    pattern = next((texts[at + 1] for at, text in enumerate(texts[:-1]) if text in {"-name", "-iname"}), "")
    acts = [texts[at + 1] for at, text in enumerate(texts[:-1]) if text in {"-exec", "-execdir", "-ok"}]
    if context.piped_to and context.piped_to[0] == "xargs":
        acts += [word for word in context.piped_to[1:] if not word.startswith("-")][:1]
    if "-delete" in texts or "rm" in acts or "rmdir" in acts:
        return Remove(**context.shared, paths=paths, found=True, pattern=pattern)
    changing = next((act for act in acts if act in {"chmod", "chown", "chgrp", "touch", "strip"}), "")
    if changing:
        return ChangeMode(**context.shared, paths=paths, recursive=True, program=changing)
    if acts and acts[0] not in {"echo", "ls", "grep", "cat", "test", "file", "ldd"}:
        return context.opaque(f"find runs {acts[0]}")
    return Nothing(**context.shared)


def change(context: Context, program: str, words: Sequence[Word]) -> AnyEffect:
    """Read ``chmod``, ``chown``, ``chgrp``, ``touch``, ``setcap``, ``strip`` or ``sed -i``."""
    texts = [word.text for word in words]
    recursive = any(re.fullmatch(r"-[a-zA-Z]*R[a-zA-Z]*|--recursive", text) for text in texts)
    plain = [text for text in texts if not text.startswith("-") or re.fullmatch(r"-[rwxXst]+", text)]
    leading = 1 if program in {"chmod", "chown", "chgrp", "setcap"} else 0
    if any(text.startswith("--reference") for text in texts):
        leading = 0
    paths = tuple(context.absolute(text) for text in plain[leading:])
    if not paths:
        return Nothing(**context.shared)
    if not all(word.known for word in words):
        return context.opaque("its paths are not known")
    return ChangeMode(**context.shared, paths=paths, recursive=recursive, program=program)


def sed(context: Context, words: Sequence[Word]) -> AnyEffect:
    """Read ``sed``; with ``-i`` it writes its files anew."""
    texts = [word.text for word in words]
    if not any(re.match(r"-[nErs]*i|--in-place", text) for text in texts):
        return text_output(context)
    scripted = any(text in {"-e", "-f"} or text.startswith(("--expression", "--file")) for text in texts)
    plain = [
        text
        for at, text in enumerate(texts)
        if not text.startswith("-") and (at == 0 or texts[at - 1] not in {"-e", "-f"})
    ]
    paths = tuple(context.absolute(text) for text in (plain if scripted else plain[1:]))
    return ChangeMode(**context.shared, paths=paths, program="sed") if paths else Nothing(**context.shared)


def transfer(context: Context, program: str, words: Sequence[Word]) -> AnyEffect:
    """Read ``cp``, ``mv``, ``ln``, ``install`` or ``rsync``; ``words`` are those after the program."""
    options = (_RSYNC if program == "rsync" else _COPYING).read(words)
    plain = [word.text for word in options.positional]
    if program == "install" and options.has("-d", "--directory"):
        return MakeDirectory(**context.shared, paths=tuple(context.absolute(text) for text in plain))
    if not all(word.known for word in words):
        return context.opaque("its paths are not known")
    if program == "rsync" and any(_REMOTE.match(text) for text in plain):
        return context.opaque("it copies from another machine")
    folder = options.last("--target-directory")
    if not folder and len(plain) > 1:
        *plain, folder = plain
    if not folder or not plain:
        return Nothing(**context.shared) if program == "ln" else context.opaque("its paths cannot be told")
    links = program == "ln" or (program == "cp" and options.has("-l", "-s", "--link", "--symbolic-link"))
    return Transfer(
        **context.shared,
        sources=tuple(context.absolute(text) for text in plain),
        destination=context.absolute(folder),
        moves=program == "mv",
        recursive=program not in {"cp", "install"} or _is_recursive(words),
        links=links,
        hard=links and not options.has("-s", "--symbolic", "--symbolic-link"),
    )


def _is_recursive(words: Sequence[Word]) -> bool:
    return any(re.fullmatch(r"-[a-zA-Z]*[rRa][a-zA-Z]*|--recursive|--archive", word.text) for word in words)


def make_directory(context: Context, words: Sequence[Word]) -> AnyEffect:
    """Read ``mkdir``."""
    texts = [word.text for word in words]
    plain = [
        text
        for at, text in enumerate(texts)
        if not text.startswith("-") and (at == 0 or texts[at - 1] not in {"-m", "--mode"})
    ]
    return MakeDirectory(**context.shared, paths=tuple(context.absolute(text) for text in plain))
