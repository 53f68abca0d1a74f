"""Recognises in a log what went wrong, line by line. Knows words only: no machine, no engine, no figures.

A line counts when a program complains in it, not when it merely has the words in it: advice, commands that are
printed before they run, names of tests. Limits of the kernel that are told with the words of a full disk (file
watchers, shared memory, control groups) are told apart from it.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.model.reports.symptom import Symptom, SymptomKind
from tonnage.units import parse_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LONGEST_END = 4_000
# Of lines that may be complaints so many are looked at: those between the first and the last say the same again.
_FIRST_LINES, _LAST_LINES = 1_000, 9_000
_PIECE_CHARACTERS = 1 << 20
_COLOUR = regex(r"\x1b\[[0-9;?]*[A-Za-z]")
_TIME = regex(r"^\ufeff?(?P<when>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)\s+")
_BUILDKIT = regex(r"^(?:\[[^\]]*\] )?(?:#\d+\s+(?P<at>\d+\.\d+)\s|=> => # | > \[|------$|#\d+ (?:ERROR|\[))")
_CLASSIC_STEP = regex(r"^Step \d+/\d+ : ")
_END_OF_BUILD = regex(r"^(?:Successfully (?:built|tagged) |#\d+ DONE |Removing intermediate container )")
_PATH = regex(r"(?<![\w.])(?P<path>/(?:[\w.@+,%~=-]+/)*[\w.@+,%~=-]+)")
# What builders quote of the command that failed: the paths in it are not what the complaint is about.
_COMMAND = regex(r"""\bprocess "(?:[^"\\]|\\.)*"|\bThe command '.*' returned""")
_SIZE = regex(r"(?P<number>\d[\d.,]*)\s?(?P<unit>[kKMGT]i?B|B|bytes)\b")

_NOT_A_COMPLAINT = regex(
    r"""
    \b(?:if|when|whenever|in\ case|to\ avoid|avoids?|prevents?|troubleshoot\w*|see\ also|how\ to|handles?|fix(?:es)?
      |retry\ on|retries\ on|catch(?:es)?|instead\ of|without)\b[^:]{0,60}(?:no\ space\ left|enospc|disk\ (?:is\ )?full)
    | ^\s*(?:\+\s|\$\s|>\s(?!(?-i:[A-Z]))|\#+\s|//|\*|--\s|<!--|RUN\s)
    | ^\s*(?:echo|grep|rg|sed|awk|if|elif|assert\w*|expect|except|raise|def)\b
    | \b(?:PASSED|passed|ok|OK)\s*(?:\[|\(|$)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_KERNEL_LIMIT = regex(
    r"""
    file\ watchers | inotify | /dev/shm | semget | shmget | shared\ memory\ segment | semaphore | msgget
    | /sys/fs/cgroup | cpuset | \bbpf\b | netlink | \bipset\b | conntrack | keyring | \bkeyctl | user\ namespace
    """,
    re.VERBOSE | re.IGNORECASE,
)
_FULL = regex(
    r"""
    no\ space\ left\ on\ device
    | \benospc\b(?:\s*[:,)\]]|\s*$)
    | \bcode\ enospc\b
    | \berrno[\ :=]+28\b | \[errno\ 28\] | \(os\ error\ 28\)
    | database\ or\ disk\ is\ full
    | sqlite_full
    | you\ don't\ have\ enough\ free\ space\ in
    | (?:not\ enough|insufficient)\ (?:free\ )?disk\ space\b
    | (?:not\ enough|insufficient)\ (?:free\ )?space\ (?:available|left)
    | (?:not\ enough|insufficient)\ (?:free\ )?space\ (?:on|in|for)\ (?:the\ |your\ )?
      (?:disk|device|drive|partition|file\ ?system|volume|system|target|download|[a-z]:|["'/])
    | there\ is\ not\ enough\ space\ on\ the\ disk
    | more\ space\ needed\ on\ the\ .*\ filesystem
    | nospaceleft(?:error|exception)
    | disk\ (?:is\ )?full\s*(?:$|[.,!;)\]"']|:(?!\s*(?:no\b|false\b|\d))|writing\b)
    | \bout\ of\ inodes\b | \bno\ (?:free\ )?inodes\ (?:left|available)
    | ran\ out\ of\ disk\ space
    | no\ free\ (?:disk\ space|space\ (?:left|on|in|available))
    """,
    re.VERBOSE | re.IGNORECASE,
)
_QUOTA = regex(r"disk quota exceeded|\bedquot\b|\(os error 122\)|\[errno 122\]", re.IGNORECASE)
_SIGBUS = regex(
    r"terminated with signal 7\b|\(signal: 7\b|\bSIGBUS\b(?! handler)|exit code:? 135\b"
    r"|(?:^|[\s:(])Bus error(?:\s*\)?$|\s*\(core dumped\))|: line \d+:\s+\d+ Bus error\b"
)
_LAYER = regex(r"failed to register layer", re.IGNORECASE)
_RUNNER = regex(
    r"""
    the\ runner\ has\ received\ a\ shutdown\ signal
    | the\ (?:hosted|self-hosted)\ runner(?::\ .*|\ )?lost\ communication\ with\ the\ server
    | lost\ communication\ with\ the\ server\.\ (?:verify|anything)
    | we\ stopped\ hearing\ from\ (?:agent|runner)
    | runner\.(?:worker|listener).*(?:unhandled\ exception|ioexception)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_LOW_DISK = regex(
    r"running out of disk space\b.*free space left|low on disk space|disk space is (?:critically )?low", re.IGNORECASE
)
_IMAGE = regex(
    r"""
    no\ such\ image:\ (?P<a>\S+)
    | unable\ to\ find\ image\ '(?P<b>[^']+)'\ locally
    | image\ "?(?P<c>[\w./:@-]+)"?:?\ not\ found
    | manifest\ for\ (?P<e>\S+)\ not\ found
    | (?<!\S)["']?(?P<d>[a-z0-9][\w./-]*(?::[\w.-]+|@sha256:[0-9a-f]+))["']?:\ not\ found$
    | failed\ to\ export\ image:\ .*not\ found
    """,
    re.VERBOSE | re.IGNORECASE,
)
_MEMORY = regex(
    r"exit code:? 137\b|\boom-?kill|out of memory: killed process|\bcannot allocate memory\b|\bKilled\s*$"
    r"|signal: 9, SIGKILL",
    re.IGNORECASE,
)
_PIP = regex(
    r"""
    could\ not\ find\ a\ version\ that\ satisfies\ the\ requirement\ (?P<a>\S+)
    | no\ matching\ distribution\ found\ for\ (?P<b>\S+)
    | resolutionimpossible
    | do\ not\ match\ the\ hashes
    | failed\ (?:building\ wheel\ for|to\ build)\ `?(?P<c>[\w.@=-]+)
    | could\ not\ install\ packages\ due\ to\ an
    | no\ solution\ found\ when\ resolving\ dependencies
    | read\ ?timed\ out\..*pip | readtimeouterror
    """,
    re.VERBOSE | re.IGNORECASE,
)
_ACCESS = regex(
    r"pull access denied for (?P<a>[\w./-]+)|toomanyrequests|unauthorized: authentication required"
    r"|denied: requested access",
    re.IGNORECASE,
)
_BUILD = regex(
    r"""
    failed\ to\ solve:? | executor\ failed\ running
    | the\ command\ '.*'\ returned\ a\ non-zero\ code:\ \d+
    | dockerfile\ parse\ error | failed\ to\ compute\ cache\ key | did\ not\ complete\ successfully:\ exit\ code:\ \d+
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Every pattern above needs one of these; most lines of a log have none, and are done with.
_WORDS = (
    *("space", "inodes", "enospc", "errno", "os error", "disk", "sqlite_full", "quota", "edquot"),
    *("signal", "sigbus", "bus error", "exit code", "register layer", "runner", "stopped hearing"),
    *("kill", "cannot allocate", "pull access", "toomanyrequests", "unauthorized", "denied"),
    *(
        "satisfies the requirement",
        "matching distribution",
        "resolutionimpossible",
        "the hashes",
        "timeout",
        "timed out",
    ),
    *(
        "failed",
        "could not install",
        "no solution",
        "such image",
        "unable to find",
        "not found",
        "non-zero",
        "parse error",
    ),
)
# The first that holds names the line: what a full disk says comes before what follows from it.
_KINDS: tuple[tuple[SymptomKind, re.Pattern[str]], ...] = (
    (SymptomKind.QUOTA, _QUOTA),
    (SymptomKind.DISK_FULL, _FULL),
    (SymptomKind.SIGBUS, _SIGBUS),
    (SymptomKind.LAYER, _LAYER),
    (SymptomKind.LOW_DISK, _LOW_DISK),
    (SymptomKind.RUNNER_LOST, _RUNNER),
    (SymptomKind.MEMORY, _MEMORY),
    (SymptomKind.ACCESS, _ACCESS),
    (SymptomKind.PIP, _PIP),
    (SymptomKind.IMAGE_MISSING, _IMAGE),
    (SymptomKind.BUILD, _BUILD),
)
_TOLD_BY: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("SQLite", regex(r"sqlite|database or disk is full", re.IGNORECASE)),
    ("npm", regex(r"\bnpm\b|nospc", re.IGNORECASE)),
    ("apt", regex(r"^E: |\bdpkg\b|\bapt\b|/var/cache/apt|/var/lib/apt", re.IGNORECASE)),
    ("uv", regex(r"\buv\b|\(os error 28\)|Failed to (?:download|install|extract)")),
    ("tar", regex(r"\btar: |\bgzip: |\bxz: ")),
    ("pip", regex(r"\bpip\b|OSError: \[Errno 28\]|site-packages|Could not install packages")),
    ("the linker", regex(r"\bld\b|collect2|final link failed|linker")),
    ("git", regex(r"\bgit\b|fatal: (?:write|unable to write|cannot)")),
    ("conda", regex(r"\bconda\b|NoSpaceLeft")),
    ("yum", regex(r"space needed on the|\bdnf\b|\byum\b")),
    ("the runner", regex(r"runner|System\.IO\.IOException", re.IGNORECASE)),
    (
        "the engine",
        regex(r"daemon|layer|/var/lib/(?:docker|containerd)|containerd|overlay2|failed to (?:copy|solve|export)"),
    ),
)


def find_symptoms(text: str) -> tuple[Symptom, ...]:
    """Return what a log shows, in its order."""
    return tuple(_in_lines(_lines(text)))


def _lines(text: str) -> Iterator[str]:
    """Return the lines of a text, of which only some are held at once."""
    at = 0
    while at < len(text):
        end = text.find("\n", at + _PIECE_CHARACTERS) + 1 or len(text)
        yield from text[at:end].splitlines()
        at = end


class _Line(Struct, frozen=True):
    """A line that may be a complaint.

    Args:
        when: The time that it begins with.
        at: The seconds into its step that BuildKit tells.
    """

    number: int
    text: str
    when: str
    at: str
    in_build: bool


def _in_lines(lines: Iterable[str]) -> Iterable[Symptom]:
    for line in _worth_a_look(lines):
        found = _kind(line.text)
        if found is None:
            continue
        kind, match = found
        yield Symptom(
            kind=kind,
            line=line.number,
            text=line.text.strip(),
            told_by=next((name for name, pattern in _TOLD_BY if pattern.search(line.text)), ""),
            path=_path(line.text),
            when=line.when or (f"{line.at} s into its step" if line.at else ""),
            in_build=line.in_build,
            named_bytes=_size(line.text) if kind in {SymptomKind.DISK_FULL, SymptomKind.LOW_DISK} else None,
            subject=next((value for value in match.groupdict().values() if value), "").strip("'\"`,"),
        )


def _worth_a_look(lines: Iterable[str]) -> Iterable[_Line]:
    """Return the lines that have a word of a complaint; of very many the first ones and the last ones."""
    first: list[_Line] = []
    last: deque[_Line] = deque(maxlen=_LAST_LINES)
    in_build = False
    for number, whole in enumerate(lines, 1):
        # A complaint stands at one of the ends; patterns would look for long in what is between them.
        raw = whole if len(whole) <= 2 * _LONGEST_END else f"{whole[:_LONGEST_END]} ... {whole[-_LONGEST_END:]}"
        line = (_COLOUR.sub("", raw) if "\x1b" in raw else raw).rstrip()
        time = _TIME.match(line)
        when = time["when"] if time else ""
        line = line[time.end() :] if time else line
        building = _BUILDKIT.match(line)
        if building or _CLASSIC_STEP.match(line):
            in_build = True
        elif _END_OF_BUILD.match(line):
            in_build = False
        small = line.lower()
        if any(word in small for word in _WORDS):
            at = building["at"] if building and building["at"] else ""
            (first if len(first) < _FIRST_LINES else last).append(_Line(number, line, when, at, in_build))
    return (*first, *last)


def _kind(line: str) -> tuple[SymptomKind, re.Match[str]] | None:
    for kind, pattern in _KINDS:
        match = pattern.search(line)
        if match is None:
            continue
        if _NOT_A_COMPLAINT.search(line):
            return None
        if kind is SymptomKind.DISK_FULL and (limit := _KERNEL_LIMIT.search(line)):
            return SymptomKind.KERNEL_LIMIT, limit
        return kind, match
    return None


def _path(line: str) -> str:
    """Return the path that stands nearest before the complaint; otherwise the first one on the line."""
    line = _COMMAND.sub("", line)
    full = _FULL.search(line)
    paths = list(_PATH.finditer(line))
    if not paths:
        return ""
    before = [path for path in paths if full and path.end() <= full.start()]
    return (before[-1] if before else paths[0])["path"].rstrip("/.")


def _size(line: str) -> int | None:
    found = _SIZE.search(line)
    if found is None:
        return None
    unit = "B" if found["unit"] == "bytes" else found["unit"]
    try:
        return parse_bytes(found["number"].replace(",", "").rstrip(".") + unit)
    except UsageError:
        return None
