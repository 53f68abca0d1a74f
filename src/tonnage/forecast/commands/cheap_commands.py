"""Commands that write kilobytes, and how much a command writes by its output: one table.

A command that leaves little is added here, as a row with its bound. One that changes files that are there is read in
``file_commands``, one that fetches or unpacks in ``downloads``, a package manager in ``apt_and_others`` or
``python_commands``; ``effects`` says which is asked. What is in no table is never cheap.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.lazily import regex
from tonnage.model.forecast.compression import Content
from tonnage.model.forecast.effects import LoginLogs, Nothing, Source, WriteFile
from tonnage.model.forecast.estimate import KILOBYTES, NOTHING, Estimate, Grade, at_most, exactly
from tonnage.units import told_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.forecast.commands.context import Context
    from tonnage.model.forecast.effects import AnyEffect
    from tonnage.model.forecast.shell_script import Word


class Cheap(Struct, frozen=True):
    """What a command leaves at most; ``prints`` is None where it prints what it reads, or without an end."""

    writes: Estimate = NOTHING
    prints: Estimate | None = KILOBYTES
    # How many bytes it prints at least and at most for a hundred that it reads; None for without an end.
    percent: tuple[int, int] | None = None
    # How many words stand before the files that it reads; None where it reads its input only.
    leading: int | None = 0


_ROWS: tuple[tuple[str, Cheap | None], ...] = (
    (": true false", Cheap(prints=NOTHING)),
    # The shell's own, and what tells of the machine.
    (
        """. alias arch basename break cd cksum cmp command continue date df dirname dirs dpkg
        dpkg-query du echo env exit expr file free getent gpgconf hash hostname hostnamectl id kill killall ldd
        let ls lsb_release md5sum mkfifo mknod mount mountpoint newgrp nproc openssl popd printenv printf ps
        pushd pwd read readlink realpath return set sha1sum sha256sum sha512sum shift shopt sleep source
        ssh-keyscan stat stty sync test timedatectl tput trap type ulimit umask umount unalias uname visudo
        wait wc which whoami""",
        Cheap(),
    ),
    # What the system keeps of itself: accounts, certificates, where libraries lie.
    (
        """a2dismod a2enmod a2ensite add-shell addgroup adduser apt-key apt-mark chage chpasswd chsh
        debconf-set-selections delgroup deluser dpkg-statoverride gpasswd groupadd groupdel groupmod ldconfig
        newusers passwd ssh-keygen update-alternatives update-ca-certificates useradd userdel usermod""",
        Cheap(writes=KILOBYTES),
    ),
    # One file of the image gets another name.
    ("dpkg-divert", Cheap(writes=Estimate(0, 4_096, 10_000_000, Grade.DECLARED))),
    # A home is copied, moved, or given to another owner with all that is in it.
    (
        """useradd:-k useradd:--skel usermod:-d usermod:--home usermod:-m usermod:--move-home usermod:-md usermod:-u
        usermod:--uid usermod:-g usermod:--gid""",
        None,
    ),
    # Numbers before lines, signs for what cannot be seen.
    (
        " ".join(f"cat:-{letter}" for letter in ("n", "b", "A", "v", "E", "e", "T", "t", "s", "ne", "vet", "An")),
        Cheap(prints=None, percent=(0, 800)),
    ),
    ("cat rev tac", Cheap(prints=None, percent=(100, 100))),
    ("tee", Cheap(prints=None, percent=(100, 100), leading=None)),
    ("comm cut head sort tail uniq", Cheap(prints=None, percent=(0, 100))),
    ("egrep fgrep grep", Cheap(prints=None, percent=(0, 100), leading=1)),
    ("bzip2 gzip xz zstd", Cheap(prints=None, percent=(0, 110))),
    ("base64 column diff paste", Cheap(prints=None, percent=(0, 200))),
    ("gpg", Cheap(writes=KILOBYTES, prints=None, percent=(0, 200))),
    ("envsubst jq sed yq", Cheap(prints=None, percent=(0, 200), leading=1)),
    ("tr", Cheap(prints=None, percent=(0, 200), leading=None)),
    ("hexdump od", Cheap(prints=None, percent=(0, 700))),
    (
        """apt-cache awk find gawk mawk openssl:base64 openssl:cms openssl:enc openssl:rand openssl:smime seq
        yes""",
        Cheap(prints=None),
    ),
)
# By the name of a command, or by its name and one of its words, which then counts. None: it may write anything.
# The empty name is that of a redirection alone.
CHEAP = {"": Cheap(prints=NOTHING)} | {name: row for names, row in _ROWS for name in names.split()}
_UNITS = {"": 1, "c": 1, "w": 2, "b": 512} | {
    f"{unit}{end}": base**power
    for power, unit in enumerate("kmgt", 1)
    for end, base in (("", 1024), ("ib", 1024), ("b", 1000))
}
# ``printf`` with a width makes more than stands in its words.
_WIDE = regex(r"%[-+ #0]*(?:\d{3,}|\*)|%[^a-zA-Z%]*\.(?:\d{3,}|\*)")
# A script of awk or sed that writes files by itself.
_WRITES = regex(r"print[^|;}]*>|inplace|system\s*\(|(?:^|[;/}\s])w\s+/\S")
_OUTPUT_OPTIONS = {"gpg": ("-o", "--output"), "openssl": ("-out", "--out"), "sort": ("-o", "--output")}
_IN_WORDS = regex(r"(?P<before>\$\(|`|\||;|&&)\s*(?:sudo\s+)?(?P<program><|[\w./\[:-]+)")
_FILES_IN_WORDS = regex(r"\$\(\s*(?:<|cat\s)\s*(?P<paths>[^;|&$()`<>*?\[\]]+)\)")
# Of each number up to the highest. Source: struct lastlog and struct faillog of glibc, 292 and 32 bytes.
_LOG_BYTES = 324
# Flags of useradd in one word; those that have a value besides the number end it.
_FLAGS = regex(r"-(?P<flags>[lmMrNoUDSH]*[lu])(?P<number>\d*)")
_ANYTHING = Source(known=False)
_ANYTHING_OF_IT = Source(known=False, least_percent=0)
# An option of ``echo``, or what some shells' ``echo`` turns into other characters.
_SAYS_MORE = regex(r"^-|\\")
_ENDLESS = {
    "/dev/full": Content.ZEROS, "/dev/zero": Content.ZEROS,
    "/dev/random": Content.PACKED, "/dev/urandom": Content.PACKED,
}  # fmt: skip


def cheap_effects(context: Context) -> tuple[AnyEffect, ...]:
    """Return what a command of the table does; nothing for one that is not in it."""
    program, texts = context.command.program, _texts(context)
    row = _row(context)
    if row is None:
        return (context.opaque("it may write the whole of a home"),) if program in CHEAP else ()
    if program in {"awk", "gawk", "mawk", "sed"} and any(map(_WRITES.search, texts)):
        return (context.opaque("its script writes files"),)
    found = [write(context, "/etc", Source(text=row.writes))] if row.writes.high_bytes else []
    if program in {"adduser", "useradd"} and (number := _account(context.command.words[1:])) != 0:
        found.append(LoginLogs(**context.shared, count_bytes=None if number is None else _LOG_BYTES * number))
    appends = program == "tee" and bool({"-a", "--append"} & set(texts))
    found += [write(context, path, printed(context), appends=appends) for path in _outputs(context, texts)]
    return tuple(found) or (Nothing(**context.shared),)


def cheap(context: Context, place: str = "/etc") -> AnyEffect:
    """Return what a command does that notes little somewhere: nobody counts it, so that it is not nothing."""
    return write(context, place, Source(text=KILOBYTES))


def page(context: Context, path: str = "") -> AnyEffect:
    """Return what a command does that prints a page at most, or writes it to a file that its words name."""
    path = context.absolute(path) if path else context.output()
    return write(context, path, Source(text=KILOBYTES)) if path else Nothing(**context.shared)


def write(context: Context, path: str, source: Source, *, appends: bool = False) -> AnyEffect:
    """Return what writing a file leaves; of a loop nobody can tell how often it writes."""
    appends = appends or any(each.operator in {">>", "&>>"} for each in context.command.redirections)
    if context.command.repeated:
        if not source.stands_alone or source.text.high_bytes > KILOBYTES.high_bytes:
            return context.opaque("how often it is repeated is unknown")
        source = _ANYTHING_OF_IT
    words = [word.text for word in context.command.words]
    if words and words[0] == "tee":
        words = ["cat"]
    if words and words[0] == "envsubst":
        words += [f"{name}={value}" for name, value in sorted(context.command.environment.items())]
    return WriteFile(
        **context.shared,
        path=path,
        source=source,
        appends=appends,
        program=tuple(words) if context.command.known else (),
        fed=context.standard_input,
        fed_from="" if context.standard_input is not None else context.fed_from,
        runs_in=context.command.working_directory,
    )


def printed(context: Context) -> Source:
    """Return where what a command prints comes from."""
    if context.command.program in {"echo", "printf"}:
        return _in_words(context)
    row = _row(context)
    if row is not None and row.prints is not None:
        return Source(text=row.prints)
    if context.command.program == "head" and (count := _bytes(option_of(_texts(context), "-c", "--bytes"))) is not None:
        return _counted(context, count, _texts(context))
    return _ANYTHING_OF_IT if row is None or row.percent is None else _read(context, row)


def given(context: Context) -> Source:
    """Return where a command's standard input comes from."""
    for each in reversed(context.command.redirections):
        if each.descriptor in {None, 0} and each.operator in {"<<", "<<<"}:
            return Source(text=KILOBYTES if each.text is None else _length(each.text))
        if each.descriptor in {None, 0} and each.operator == "<":
            return _ANYTHING if "$" in each.path else _files(context, (each.path,))
    return context.piped or Source()


def sized(context: Context) -> tuple[AnyEffect, ...]:
    """Read ``dd``, ``fallocate`` and ``truncate``, which name the size of what they write."""
    texts = _texts(context)
    if context.command.program == "dd":
        operands = dict(text.partition("=")[::2] for text in texts)
        path = context.absolute(operands["of"]) if "of" in operands else context.output()
        if not path or path.startswith("/dev/"):
            return (Nothing(**context.shared),)
        # What is there already stays but for what is written over.
        keeps = "notrunc" in operands.get("conv", "").split(",")
        count, block = _bytes(operands.get("count", "")), _bytes(operands.get("bs", "512"))
        if count is None or block is None or {"seek", "oseek", "obs"} & set(operands):
            return (write(context, path, _ANYTHING, appends=keeps),)
        source = _counted(context, count * block, (operands.get("if", ""),))
        sparse = "sparse" in operands.get("conv", "").split(",") and source.content is Content.ZEROS
        source = replace(source, text=replace(source.text, low_bytes=0, grade=Grade.DECLARED)) if keeps else source
        return (write(context, path, replace(source, holes=sparse), appends=keeps),)
    named = option_of(texts, "-l", "--length") or option_of(texts, "-s", "--size")
    size = _bytes(named)
    paths = [context.absolute(text) for text in texts if not text.startswith("-") and text != named]
    if not paths or size is None:
        return (context.opaque("the size is unknown"),)
    # What truncate adds is a hole.
    text = exactly(size) if context.command.program == "fallocate" else at_most(size)
    source = Source(text=text, content=Content.ZEROS, holes=context.command.program == "truncate")
    # What was longer ends there.
    appends = size > 0 and context.command.program == "fallocate"
    return tuple(write(context, path, source, appends=appends) for path in paths)


def _counted(context: Context, count_bytes: int, names: Sequence[str]) -> Source:
    """Return what a program writes that copies so many bytes: all of them where what it reads has no end."""
    read = next((each.path for each in reversed(context.command.redirections) if each.operator == "<"), "")
    endless = next((each for each in (read, *names) if each in _ENDLESS), "")
    text = exactly(count_bytes) if endless else at_most(count_bytes)
    return Source(text=text, content=_ENDLESS.get(endless, Content.ANY))


def _row(context: Context) -> Cheap | None:
    program = context.command.program
    keys = [f"{program}:{word.text.partition('=')[0]}" for word in context.command.words[1:]]
    return CHEAP.get(next((key for key in keys if key in CHEAP), program))


def _outputs(context: Context, texts: Sequence[str]) -> list[str]:
    program = context.command.program
    plain = [text for text in texts if not text.startswith("-")]
    names = plain if program == "tee" else plain[1:2] if program == "uniq" else []
    if program in _OUTPUT_OPTIONS:
        names = [option_of(texts, *_OUTPUT_OPTIONS[program])]
    paths = [context.absolute(name) for name in names if name and not name.startswith(("-", "/dev/"))]
    return [path for path in (*paths, context.output()) if path]


def _account(words: Sequence[Word]) -> int | None:
    """Return the number of a new account for which logs have a place, 0 for none, None for one that is not known."""
    number, following = 0, (*words[1:], None)
    for word, value in zip(words, following, strict=True):
        flags = _FLAGS.fullmatch(word.text)
        if word.text == "--no-log-init" or (flags and "l" in flags["flags"]):
            return 0
        if flags and flags["flags"].endswith("u"):
            told = flags["number"] or (value.text if value is not None and value.known else "")
        elif word.text == "--uid":
            told = value.text if value is not None and value.known else ""
        elif word.text.startswith("--uid="):
            told = word.text.removeprefix("--uid=") if word.known else ""
        else:
            continue
        count = told_count(told)
        if count is None:
            return None
        number = count
    return number


def _read(context: Context, row: Cheap) -> Source:
    """Return what a program prints that reads files, or its input where it names none."""
    words, texts = context.command.words[1:], _texts(context)
    named = option_of(texts, *_OUTPUT_OPTIONS.get(context.command.program, ("-o", "--output"))) or "-o"
    # A number or a separator behind an option is its value; what else is no file makes the bound a little wider.
    plain = [
        word
        for before, word in zip(["", *texts], words, strict=False)
        if word.text != named and not re.match(r"-.", word.text)
        if word.text == "-" or not (before.startswith("-") and re.fullmatch(r"[\W\d]*", word.text))
    ]
    if row.leading is None:
        plain = []
    elif not any(re.match(r"-[ef].|--(?:expression|file|regexp)=", text) for text in texts):
        plain = plain[row.leading :]
    if not all(word.known for word in plain):
        return _ANYTHING_OF_IT
    # A value taken for a file must not hide what the program is fed.
    found = _files(context, [word.text for word in plain if word.text != "-"]).and_also(given(context))
    return (found if found != Source() else Source(text=KILOBYTES)).through(*(row.percent or (0, 100)))


def _files(context: Context, paths: Sequence[str]) -> Source:
    found = tuple(context.absolute(path) for path in paths if path not in {"", "/dev/null"})
    return _ANYTHING if any(path.startswith(("/dev/", "/proc/self")) for path in found) else Source(paths=found)


def _in_words(context: Context) -> Source:
    """Return what ``echo`` and ``printf`` print: their words, and what cheap commands in them put there."""
    texts = _texts(context)
    if context.command.program == "printf" and any(map(_WIDE.search, texts)):
        return _ANYTHING_OF_IT
    certain = context.command.known and not context.command.conditional
    if certain and context.command.program == "echo" and not _SAYS_MORE.search(" ".join(texts)):
        return Source(text=exactly(len(" ".join(texts).encode(errors="surrogateescape")) + 1))
    if context.command.known:
        # ``printf`` goes through its format once for every other word at most.
        turns = max(1, len(texts) - 1) if context.command.program == "printf" else 1
        return Source(text=_length((" ".join(texts) + "\n") * turns))
    others = _FILES_IN_WORDS.sub("", context.text)
    for match in _IN_WORDS.finditer(others) if "$(" in others or "`" in others else ():
        row = CHEAP.get(match["program"].rpartition("/")[2])
        if row is None or (row.prints is None and (match["before"] != "|" or row.percent is None)):
            return _ANYTHING_OF_IT
    paths = [path for match in _FILES_IN_WORDS.finditer(context.text) for path in match["paths"].split()]
    return _files(context, [path.strip("\"'") for path in paths]).and_also(Source(text=KILOBYTES))


def _texts(context: Context) -> list[str]:
    return [word.text for word in context.command.words[1:]]


def option_of(texts: Sequence[str], short: str, long: str) -> str:
    """Return the value of an option in any of its forms; empty without one."""
    for at, text in enumerate(texts):
        if text in {short, long}:
            return "".join(texts[at + 1 : at + 2])
        if text.startswith(f"{long}=") or (text.startswith(short) and not text.startswith("--")):
            return text.partition("=")[2] if text.startswith("--") else text.removeprefix(short)
    return ""


def _length(text: str) -> Estimate:
    return at_most(len(text.encode(errors="surrogateescape")))


def _bytes(text: str) -> int | None:
    """Return the number of bytes that ``dd`` and its like mean; None where that cannot be told."""
    match = re.fullmatch(r"(\d+)\s*([a-z]*)", text.strip().lower())
    unit = None if match is None else _UNITS.get(match[2])
    count = None if match is None else told_count(match[1])
    return None if count is None or unit is None else count * unit
