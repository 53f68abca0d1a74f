"""What is fetched from an address: ``curl``, ``wget``, ``git clone``; and what is unpacked.

Source: curl(1) of curl 8, wget(1) of Wget 1.21, tar(1) of GNU tar 1.34, git-clone(1) of Git 2.39.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.commands.cheap_commands import cheap, given, write
from tonnage.forecast.commands.context import table
from tonnage.lazily import regex
from tonnage.model.forecast.effects import Download, GitClone, Nothing, Source, Transfer, Unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.forecast.commands.context import Context
    from tonnage.model.forecast.effects import AnyEffect
    from tonnage.model.forecast.shell_script import ShellCommand, Word

CURL = table(
    "--output --output-dir --header --user --data --data-raw --data-binary --request --retry --retry-delay "
    "--retry-max-time --max-time --connect-timeout --proxy --cacert --cert --key --user-agent --referer --url --range "
    "--proto --proto-redir --tlsv --cookie --cookie-jar --form --write-out --limit-rate --config --resolve --ciphers "
    "--max-redirs --interface --dump-header --continue-at --upload-file",
    "",
    o="--output", H="--header", u="--user", d="--data", X="--request", m="--max-time", x="--proxy", A="--user-agent",
    e="--referer", r="--range", b="--cookie", c="--cookie-jar", F="--form", w="--write-out", K="--config",
    O="--remote-name", L="--location", I="--head", D="--dump-header", C="--continue-at", T="--upload-file",
)  # fmt: skip
WGET = table(
    "--output-document --directory-prefix --header --user --password --tries --timeout --user-agent --input-file "
    "--output-file --append-output --waitretry --wait --execute --post-data --progress --load-cookies --base "
    "--connect-timeout --read-timeout --dns-timeout --ca-certificate --secure-protocol --reject --accept --level",
    "",
    O="--output-document", P="--directory-prefix", t="--tries", T="--timeout", U="--user-agent", i="--input-file",
    o="--output-file", a="--append-output", w="--wait", e="--execute", r="--recursive", m="--mirror", c="--continue",
    A="--accept", R="--reject", l="--level",
)  # fmt: skip
GIT_CLONE = table(
    "--depth --branch --origin --reference --config --jobs --filter --template --upload-pack --shallow-since "
    "--separate-git-dir --server-option",
    "",
    b="--branch", o="--origin", c="--config", j="--jobs",
)  # fmt: skip
ARIA2C = table(
    "--out --dir --max-connection-per-server --split --min-split-size --header --checksum --input-file",
    "",
    o="--out", d="--dir", x="--max-connection-per-server", s="--split", k="--min-split-size", i="--input-file",
)  # fmt: skip
FETCHING = frozenset({"curl", "wget"})
_ADDRESS = regex(r"(?:https?|ftp)://\S+", re.IGNORECASE)
_TAR_VALUES = frozenset("fCTXbIK")
_GIT_VALUES = frozenset({"-c", "-C", "--git-dir", "--work-tree"})
_SMALL_GIT = frozenset({
    "status", "log", "rev-parse", "describe", "diff", "show", "version", "ls-remote", "ls-files", "check-ignore",
    "--version",
})  # fmt: skip
# They write settings and names; ``init`` copies its templates.
_NOTING_GIT = frozenset({"config", "branch", "tag", "remote", "init"})


def curl(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Read ``curl``; ``words`` are those after the program."""
    options = CURL.read(words)
    if options.has("--config"):
        return (context.opaque("a file tells what it fetches"),)
    addresses = [word for word in (*options.positional, *options.values.get("--url", ())) if not _is_local(word)]
    if not addresses or options.has("--head"):
        return (Nothing(**context.shared),)
    outputs = list(options.all("--output"))
    folder = options.last("--output-dir")
    found: list[AnyEffect] = []
    for address in addresses:
        name = ""
        if outputs:
            name = outputs.pop(0)
        elif options.has("--remote-name", "--remote-name-all"):
            name = _file_name(address.text)
        if name == "/dev/null":
            found.append(Nothing(**context.shared))
            continue
        path = "" if name in {"-", "/dev/stdout"} else name
        path = context.absolute(f"{folder}/{path}" if folder and path else path) if path else context.output()
        found.append(_download(context, address, path))
    return tuple(found)


def wget(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Read ``wget``; ``words`` are those after the program."""
    options = WGET.read(words)
    if options.has("--spider"):
        return (Nothing(**context.shared),)
    if options.has("--recursive", "--mirror", "--input-file") or not options.positional:
        return (context.opaque("wget fetches what it finds"),)
    document = options.last("--output-document")
    folder = options.last("--directory-prefix")
    found: list[AnyEffect] = []
    for address in options.positional:
        if document in {"-", "/dev/stdout"}:
            path = context.output()
        elif document == "/dev/null":
            found.append(Nothing(**context.shared))
            continue
        elif document:
            path = context.absolute(document)
        else:
            name = _file_name(address.text) or "index.html"
            path = context.absolute(f"{folder.rstrip('/')}/{name}" if folder else name)
        found.append(_download(context, address, path))
    return tuple(found)


def aria2c(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Read ``aria2c``; ``words`` are those after the program."""
    options = ARIA2C.read(words)
    if not options.positional or options.has("--input-file"):
        return (context.opaque("aria2c fetches what a file names"),)
    folder, name = (options.last("--dir") or ".").rstrip("/"), options.last("--out")
    return tuple(
        _download(context, address, context.absolute(f"{folder}/{name or _file_name(address.text)}"))
        for address in options.positional
    )


def git(context: Context, words: Sequence[Word]) -> AnyEffect:
    """Read ``git``; ``words`` are those after the program."""
    at = 0
    within = ""
    while at < len(words) and words[at].text.startswith("-"):
        if words[at].text == "-C" and at + 1 < len(words):
            within = f"{words[at + 1].text}/"
        at += 2 if words[at].text in _GIT_VALUES else 1
    action = words[at].text if at < len(words) else ""
    installs_lfs = [word.text for word in words[at : at + 2]] == ["lfs", "install"]
    if action in _NOTING_GIT or installs_lfs:
        return cheap(context, context.absolute(f"{within}.git"))
    if action in _SMALL_GIT or not action:
        return Nothing(**context.shared)
    if action != "clone":
        return context.opaque(f"git {action} changes files of the repository")
    options = GIT_CLONE.read(words[at + 1 :])
    if not options.positional or not options.positional[0].known:
        return context.opaque("the repository is not known")
    address, *folders = (word.text for word in options.positional)
    name = re.sub(r"\.git$", "", address.rstrip("/").rpartition("/")[2].rpartition(":")[2])
    folder = folders[0] if folders else name
    directory = context.absolute(folder if folder.startswith("/") else within + folder)
    return GitClone(**context.shared, address=address, directory=directory)


def tar(context: Context, words: Sequence[Word]) -> AnyEffect:
    """Read ``tar``; ``words`` are those after the program."""
    letters, values, plain = _read_tar(words)
    if "x" not in letters:
        if "t" in letters:
            return Nothing(**context.shared)
        if "h" in letters or "--dereference" in {word.text for word in words}:
            return context.opaque("tar puts what links point to into an archive")
        return _packed(context, "tar", values.get("f", ""), values.get("C", ""), plain)
    archive = values.get("f", "-")
    piped = archive in {"-", "/dev/stdin"}
    return Unpack(
        **context.shared,
        archive="" if piped else context.absolute(archive),
        address=context.piped_from if piped else "",
        directory=context.absolute(values.get("C") or "."),
    )


def _read_tar(words: Sequence[Word]) -> tuple[str, dict[str, str], list[str]]:
    """Return the letters of what is asked of tar, the values of options, and the names that it is given."""
    letters = ""
    values: dict[str, str] = {}
    rest = [word.text for word in words]
    old_style = bool(rest) and not rest[0].startswith("-")
    if old_style:
        rest[0] = f"-{rest[0]}"
    at = 0
    plain: list[str] = []
    while at < len(rest):
        text = rest[at]
        at += 1
        if not text.startswith("-"):
            plain.append(text)
        elif text.startswith("--"):
            name, equals, value = text[2:].partition("=")
            short = {"file": "f", "directory": "C", "extract": "x", "get": "x", "create": "c", "list": "t"}.get(name)
            letters += short or ""
            if short in {"f", "C"} and not equals:
                value = rest[at] if at < len(rest) else ""
                at += 1
            if short:
                values[short] = value
        else:
            at = _letters(text[1:], rest, at, values, attached=not (old_style and at == 1))
            letters += text[1:] if old_style and at else _flags_of(text[1:])
    return letters, values, plain


def through_tar(context: Context, packing: ShellCommand) -> tuple[AnyEffect, ...]:
    """Return what a tar copies that unpacks what another one packs, ``tar c DIR | tar x``; nothing for others.

    Args:
        context: The one that unpacks.
    """
    packed, here, names = _read_tar(packing.words[1:])
    unpacked, there, wanted = _read_tar(context.command.words[1:])
    streams = {packed_to.get("f", "-") for packed_to in (here, there)} <= {"-", "/dev/stdin", "/dev/stdout"}
    if (
        "c" not in packed
        or "x" not in unpacked
        or not streams
        # What links point to is not followed.
        or "h" in packed
        or wanted
        or not (packing.known and context.command.known)
    ):
        return ()
    # What it leaves out, or takes from elsewhere, is not followed.
    partly = any(
        word.text.startswith("--") or set(word.text) & set("TX") for word in packing.words[1:] if word.text[:1] == "-"
    )
    source, into = (
        replace(context, command=packing).absolute(here.get("C") or "."),
        context.absolute(there.get("C") or "."),
    )
    shared = context.shared | {"conditional": context.command.conditional or partly}
    found: list[AnyEffect] = []
    for name in names:
        path = name if name.startswith("/") else f"{source.rstrip('/')}/{name}"
        whole = posixpath.normpath(path)
        inside = name in {".", "./"}
        target = into if inside else posixpath.join(into, posixpath.dirname(name.strip("/")))
        sources = (f"{whole.rstrip('/')}/*",) if inside else (whole,)
        found.append(Transfer(**shared, sources=sources, destination=f"{target.rstrip('/')}/"))
    return tuple(found)


def unpack(context: Context, program: str, words: Sequence[Word]) -> AnyEffect:
    """Read ``unzip``, ``gunzip``, ``xz -d`` and the like; ``words`` are those after the program."""
    texts = [word.text for word in words]
    plain = [text for text in texts if not text.startswith("-")]
    if program in {"unzip", "7z", "7za", "7zz", "bsdtar", "unrar"}:
        folder = ""
        for at, text in enumerate(texts):
            if text in {"-d", "-C"} and at + 1 < len(texts):
                folder = texts[at + 1]
            elif text.startswith("-o") and program.startswith("7z") and len(text) > len("-o"):
                folder = text[2:]
        candidates = [text for text in plain if text not in {folder, "x", "e"}]
        archive = context.absolute(candidates[0]) if candidates else ""
        return Unpack(**context.shared, archive=archive, directory=context.absolute(folder or "."))
    opens = program in {"gunzip", "bunzip2", "unxz", "unzstd", "zcat", "xzcat", "bzcat"} or any(
        re.fullmatch(r"-[a-z]*d[a-z]*|--decompress|--uncompress", text) for text in texts
    )
    if not opens:
        printed = any(re.fullmatch(r"-[a-z0-9]*c[a-z0-9]*|--stdout|--to-stdout", text) for text in texts)
        return _packed(context, program, "-" if printed or not plain else f"{plain[0]}.{program}", "", plain)
    target = context.output()
    if not plain and not target:
        return Nothing(**context.shared)
    archive = context.absolute(plain[0]) if plain else ""
    return Unpack(
        **context.shared,
        archive=archive,
        address="" if plain else context.piped_from,
        directory=target or archive.rpartition("/")[0] or "/",
    )


def _packed(context: Context, program: str, archive: str, within: str, plain: Sequence[str]) -> AnyEffect:
    """Return what making an archive writes: it is hardly larger than what goes into it."""
    if not context.command.known or any("@" in text for text in plain):
        return context.opaque(f"{program} makes an archive")
    path = context.output() if archive in {"", "-", "/dev/stdout"} else context.absolute(archive)
    if not path:
        return Nothing(**context.shared)
    folder = f"{context.absolute(within)}/" if within else ""
    paths = tuple(context.absolute(text if text.startswith("/") else f"{folder}{text}") for text in plain)
    source = Source(paths=paths, trees=program == "tar") if paths else given(context)
    return write(context, path, (source if source != Source() else Source(known=False)).through(0, 110))


def _download(context: Context, address: Word, path: str) -> AnyEffect:
    if not address.known:
        return context.opaque(f"the address {address.text} is not known")
    text = address.text if "://" in address.text else f"http://{address.text}"
    into = context.piped_to if not path else ()
    if not path and not into:
        return Nothing(**context.shared)
    return Download(**context.shared, address=text, path=path, into=into)


def _is_local(word: Word) -> bool:
    return bool(re.search(r"^(?:file://|(?:https?://)?(?:localhost|127\.0\.0\.1)\b)", word.text))


def _file_name(address: str) -> str:
    path = re.sub(r"^[a-z]+://[^/]*", "", address.partition("?")[0].partition("#")[0])
    return path.rpartition("/")[2]


def address_of(command: ShellCommand) -> str:
    """Return the address that a ``curl`` or ``wget`` fetches; empty for other commands."""
    words = command.words[1:] if command.program in FETCHING else ()
    return next((word.text for word in words if _ADDRESS.fullmatch(word.text)), "")


def _letters(letters: str, rest: list[str], at: int, values: dict[str, str], *, attached: bool) -> int:
    """Read a group of short options of tar; those with values take the words after it."""
    for place, letter in enumerate(letters):
        if letter in _TAR_VALUES and attached and letters[place + 1 :]:
            values[letter] = letters[place + 1 :]
            return at
        if letter in _TAR_VALUES:
            values[letter] = rest[at] if at < len(rest) else ""
            at += 1
    return at


def _flags_of(letters: str) -> str:
    """Return the letters of a group up to the one that takes the rest as its value."""
    end = next((place for place, letter in enumerate(letters) if letter in _TAR_VALUES), len(letters))
    return letters[: end + 1]
