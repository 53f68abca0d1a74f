"""What commands do to files that are there: remove, change, copy."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.commands.cheap_commands import cheap_effects
from tonnage.forecast.commands.context import table
from tonnage.forecast.commands.sed_sizes import ANYTHING, percent_of
from tonnage.lazily import regex
from tonnage.model.forecast.effects import AptClean, ChangeMode, MakeDirectory, Nothing, Remove, Transfer
from tonnage.model.forecast.shell_script import Word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.forecast.commands.context import Context
    from tonnage.model.forecast.effects import AnyEffect

_LISTS = regex(r"/var/lib/apt(?:/lists)?(?:/\*(?:_\*)*|/)?")
_ARCHIVES = regex(r"/var/cache/apt(?:/archives)?(?:/\*|/|/\*\.deb)?|/var/cache/\*")
_REMOTE = regex(r"(?:\S+@)?[\w.-]+:|rsync://")
_COPYING = table(
    "--target-directory --mode --owner --group --suffix --sparse", "",
    t="--target-directory", m="--mode", o="--owner", g="--group", S="--suffix",
)  # fmt: skip
_RSYNC = table("--exclude --include --exclude-from --chown --chmod --rsh", "", e="--rsh")
_CHANGING = table("--reference --from", "", R="--recursive")
_IN_PLACE = regex(r"(?:-[nErsuz]*i|--in-place(?:=|$))(?P<suffix>.*)")
_SED = table("--expression --file --line-length", "-i", e="--expression", f="--file", l="--line-length")
# What does not narrow down what is found, or is understood.
_FIND_SAYS = frozenset({
    "-name", "-iname", "-type", "-delete", "-exec", "-execdir", "-ok", "-o", "-a", "-or", "-and", "-depth", "-print",
    "-print0", "-xdev", "-mount", "-f", "-rf", "-fr", "-r", "-v", "-rfv", "-R", "-fv",
})  # fmt: skip
# Directories, and links as links.
_FOLLOWS = ("-L", "--dereference", "--copy-links")
_AS_IT_IS = ("-r", "-R", "-a", "--recursive", "--archive", "-d", "-P", "--no-dereference")
_PARTLY = ("-n", "-u", "--no-clobber", "--update", "--exclude", "--exclude-from", "--include", "--filter")
# Options of rsync that take nothing from what is copied.
_WHOLLY = frozenset({
    "--archive", "--recursive", "--verbose", "--progress", "--links", "--perms", "--times", "--owner", "--group",
    "--human-readable", "--stats", "--quiet", "--compress", "--acls", "--xattrs", "--info", "--no-perms", "--no-owner",
    "--no-group", "--mkpath", "--partial", "--copy-links", *(f"-{letter}" for letter in "aADghHiKlLopPqrtvXz"),
})  # fmt: skip
# What stands for what is found, in ``find`` and usually behind ``xargs -I``.
_FOUND = frozenset({"{}", "%", "@"})
_CHANGES = frozenset({"chmod", "chown", "chgrp", "touch", "strip"})
_READING = frozenset({"echo", "ls", "grep", "cat", "test", "file", "ldd"})


def remove(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Read ``rm``, ``rmdir`` or ``unlink``; ``words`` are those after the program."""
    if not all(word.known for word in words):
        return (anything_gone(context),)
    # A quoted pattern names a file that hardly ever is there: ``rm -rf "/var/lib/apt/lists/*"`` removes nothing.
    paths = tuple(context.absolute(word.text) for word in words if not (word.text.startswith("-") or word.literal))
    lists, archives = any(map(_LISTS.fullmatch, paths)), any(map(_ARCHIVES.fullmatch, paths))
    found: list[AnyEffect] = [Remove(**context.shared, paths=paths)] if paths else []
    if lists or archives:
        found.append(AptClean(**context.shared, lists=lists, archives=archives, archives_alone=True))
    return tuple(found) or (Nothing(**context.shared),)


def anything_gone(context: Context) -> AnyEffect:
    """Return what a command does that removes something that is not known: it writes nothing."""
    return Remove(**context.shared, paths=("/",), found=True, sure=False)


def find(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Read ``find``; what it finds may be removed, changed or listed. ``words`` are those after the program."""
    texts = [word.text for word in words]
    end = next((at for at, text in enumerate(texts) if text.startswith(("-", "(", "!"))), len(texts))
    paths = tuple(context.absolute(text) for text in texts[:end]) or (context.absolute("."),)
    names = tuple(texts[at + 1] for at, text in enumerate(texts[:-1]) if text in {"-name", "-iname"})
    asked = {text for text in texts[end:] if re.match(r"-[a-z]|!", text)} - _FIND_SAYS
    if ("-mindepth", "1") in pairwise(texts):
        # All but the directory itself, which has no bytes.
        asked -= {"-mindepth"}
    kinds = {texts[at + 1] for at, text in enumerate(texts[:-1]) if text == "-type"}
    known = all(word.known for word in words)
    told = known and not asked and len(kinds) < 2  # noqa: PLR2004 - one kind
    # Without names, directories that are removed leave the files beside them.
    sure = told and (bool(names) or kinds <= {"f"})
    kind = next(iter(kinds), "")
    paths = paths if known else ("/",)
    acts = [texts[at + 1] for at, text in enumerate(texts[:-1]) if text in {"-exec", "-execdir", "-ok"}]
    if context.piped_to and context.piped_to[0] == "xargs":
        acts += [word for word in context.piped_to[1:] if not word.startswith("-")][:1]
    writes = [act for act in acts if act not in {*_READING, *_CHANGES, "rm", "rmdir"}]
    if writes:
        copied = _copied(context, paths, texts) if known and {*writes} <= {"cp", "mv"} else None
        return (copied or context.opaque(f"find runs {writes[0]}"),)
    if "-delete" in texts or "rm" in acts or "rmdir" in acts:
        whole = "rm" in acts and any(re.fullmatch(r"-\w*[rR]\w*|--recursive", text) for text in _of_rm(context, texts))
        return (Remove(**context.shared, paths=paths, found=True, names=names, sure=sure, kind=kind, whole=whole),)
    if _CHANGES & set(acts):
        deep = {"-R", "--recursive"} & {*texts, *context.piped_to}
        found = ChangeMode(**context.shared, paths=paths, recursive=True, found=True, names=names, kind=kind)
        changed = replace(found, sure=told and not deep)
        return (changed, *_stripped(context, paths, names)) if "strip" in acts else (changed,)
    return cheap_effects(context)


def _copied(context: Context, paths: tuple[str, ...], texts: Sequence[str]) -> AnyEffect | None:
    """Return what ``find`` copies or moves: from nothing to all that lies there; None where that is not known."""
    run = [*context.piped_to] if context.piped_to else [*texts]
    program = next(text for text in run if text in {"cp", "mv"})
    after = run[run.index(program) + 1 :]
    end = next((at for at, text in enumerate(after) if text in {";", "\\;", "+"}), len(after))
    options = _COPYING.read([Word(text) for text in after[:end]])
    named = [word.text for word in options.positional if word.text not in _FOUND]
    into = options.last("--target-directory") or (named[-1] if len(named) == 1 else "")
    acts = [text for text in texts if text in {"-exec", "-execdir", "-ok", "-delete"}]
    follows = {"-L", "-H", "-follow"} & set(texts) or options.has("--parents", "-b", "--backup")
    if not into or follows or len(acts) + bool(context.piped_to) > 1 or any(sign in into for sign in "{}%"):
        return None
    shared = context.shared | {"conditional": True}
    target = f"{context.absolute(into).rstrip('/')}/"
    return Transfer(**shared, sources=paths, destination=target, moves=program == "mv")


def _of_rm(context: Context, texts: Sequence[str]) -> Sequence[str]:
    """Return the words of ``rm`` in a ``find``, or behind its pipe."""
    return [*texts[texts.index("rm") :]] if "rm" in texts else context.piped_to


def _stripped(context: Context, paths: Sequence[str], names: Sequence[str] = ()) -> tuple[AnyEffect, ...]:
    """Return that files become smaller; by how much nobody can tell."""
    return (Remove(**context.shared, paths=tuple(paths), found=True, names=tuple(names), sure=False),)


def change(context: Context, program: str, words: Sequence[Word]) -> AnyEffect | tuple[AnyEffect, ...]:
    """Read ``chmod``, ``chown``, ``chgrp``, ``touch``, ``setcap`` or ``strip``."""
    if program == "touch":
        # What these options are given is no file that is changed.
        before = ["", *(word.text for word in words)]
        words = [word for option, word in zip(before, words, strict=False) if option not in {"-r", "-d", "-t"}]
    plain = [word for word in words if not re.fullmatch(r"-[rwxXst]+", word.text)]
    options = _CHANGING.read(plain)
    says_first = program in {"chmod", "chown", "chgrp", "setcap"} and not options.has("--reference")
    leading = 1 if says_first and len(plain) == len(words) else 0
    paths = tuple(context.absolute(word.text) for word in options.positional[leading:])
    if not all(word.known for word in words):
        return context.opaque("its paths are not known")
    if not paths:
        return Nothing(**context.shared)
    changed = ChangeMode(**context.shared, paths=paths, recursive=options.has("--recursive"))
    return (changed, *_stripped(context, paths)) if program == "strip" else changed


def sed(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Read ``sed``; with ``-i`` it writes its files anew, and may leave what they were."""
    in_place = [match for word in words if (match := _IN_PLACE.fullmatch(word.text))]
    if not in_place:
        return cheap_effects(context)
    suffix = in_place[-1]["suffix"] or ""
    options = _SED.read([replace(word, text="-i") if _IN_PLACE.fullmatch(word.text) else word for word in words])
    told = options.has("--expression", "--file")
    plain = options.positional if told else options.positional[1:]
    if not all(word.known for word in plain):
        return (context.opaque("its paths are not known"),)
    paths = tuple(context.absolute(word.text) for word in plain)
    program = tuple(word.text for word in context.command.words if word not in plain)
    if not paths:
        return (Nothing(**context.shared),)
    scripts = [*options.all("--expression"), *([] if told else [word.text for word in options.positional[:1]])]
    known = context.command.known and not options.has("--file")
    changed = ChangeMode(
        **context.shared,
        paths=paths,
        program=program if context.command.known else ("sed", ""),
        percent=percent_of(scripts) if known else ANYTHING,
    )
    names = [f"{path.rpartition('/')[0]}/{suffix.replace('*', path.rpartition('/')[2])}" for path in paths]
    if "*" not in suffix:
        names = [f"{path}{suffix}" for path in paths]
    kept = tuple(
        Transfer(**context.shared, sources=(path,), destination=name)
        for path, name in zip(paths, names, strict=True)
        if suffix
    )
    return (*kept, changed)


def transfer(context: Context, program: str, words: Sequence[Word]) -> AnyEffect | tuple[AnyEffect, ...]:
    """Read ``cp``, ``mv``, ``ln``, ``install`` or ``rsync``; ``words`` are those after the program."""
    options = (_RSYNC if program == "rsync" else _COPYING).read(words)
    plain = [word.text for word in options.positional]
    if program == "install" and options.has("-d", "--directory"):
        return MakeDirectory(**context.shared, paths=tuple(map(context.absolute, plain)))
    if not all(word.known for word in words):
        return context.opaque("its paths are not known")
    if program == "rsync" and any(map(_REMOTE.match, plain)):
        return context.opaque("it copies from another machine")
    folder = options.last("--target-directory")
    if not folder and len(plain) > 1:
        *plain, folder = plain
    if options.has("-b", "--backup"):
        return context.opaque("it keeps what was there")
    if folder == "/dev/null":
        return Nothing(**context.shared)
    if not folder or not plain:
        return Nothing(**context.shared) if program == "ln" else context.opaque("its paths are unknown")
    links = program == "ln" or (program == "cp" and options.has("-l", "-s", "--link", "--symbolic-link"))
    hard = links and not options.has("-s", "--symbolic", "--symbolic-link")
    # What is there already stays, or not all is taken.
    partly = options.has(*_PARTLY) or (program == "rsync" and bool(set(options.unknown) - _WHOLLY))
    found = Transfer(
        **context.shared | {"conditional": context.command.conditional or partly},
        sources=tuple(_source(context, program, text, symbolic=links and not hard) for text in plain),
        destination=context.absolute(folder),
        moves=program == "mv",
        recursive=program not in {"cp", "install"} or options.has(*_AS_IT_IS),
        links=links,
        hard=hard,
        follows=options.has(*_FOLLOWS),
        holes=options.last("--sparse") == "always" or (program == "rsync" and options.has("-S", "--sparse")),
    )
    if not links and any(_lies_in_cache(context, source) for source in found.sources):
        return (found, context.opaque("it copies from a cache, whose files are not known"))
    if program == "cp" and options.has("--parents"):
        # Each keeps the directories that are named with it.
        below = [f"{found.destination.rstrip('/')}/{text.strip('/').rpartition('/')[0]}/" for text in plain]
        pairs = zip(found.sources, below, strict=True)
        return tuple(replace(found, sources=(source,), destination=into) for source, into in pairs)
    return found


def _lies_in_cache(context: Context, path: str) -> bool:
    """Return whether a file may be one that earlier builds left."""
    mount = context.mount_over(path)
    return mount is not None and mount.kind == "cache"


def _source(context: Context, program: str, text: str, *, symbolic: bool) -> str:
    """Return a path that is copied; of one that means what is in a directory, a pattern of that.

    What a symbolic link points to stays as it is told.
    """
    if program == "ln" and symbolic:
        return text
    path = context.absolute(text)
    inside = (program == "cp" and text.endswith("/.")) or (program == "rsync" and text.endswith("/"))
    return f"{path.rstrip('/')}/*" if inside else path


def make_directory(context: Context, words: Sequence[Word]) -> AnyEffect:
    """Read ``mkdir``."""
    plain = _COPYING.read(words).positional
    return MakeDirectory(**context.shared, paths=tuple(context.absolute(word.text) for word in plain))
