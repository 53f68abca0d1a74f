"""The words by which lines of logs are told apart: what kind of sign a line is. Knows words only.

A line counts when a program complains in it, not when it merely has the words in it: advice, commands that are
printed before they run, names of tests, what a search found. Limits of the kernel that are told with the words of a
full disk are told apart from it by ``log_limits``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.decide.reports.localized_messages import (
    DISK_ERROR_ABROAD,
    KILLED_ABROAD,
    NO_MEMORY_ABROAD,
    NO_SPACE_ABROAD,
    OVER_QUOTA_ABROAD,
    READ_ONLY_ABROAD,
)
from tonnage.decide.reports.log_kinds import CAUSES, KINDS, THIN_POOL
from tonnage.decide.reports.log_limits import SHARED_MEMORY, limit_in, other_limit_in, tells_of_shared_memory
from tonnage.lazily import regex
from tonnage.model.reports.symptom import SymptomKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SPACE = r"(?:no\ space\ left|enospc|disk\ (?:is\ )?full|disk\ quota\ exceeded|read-only\ file\ ?system)"
_NOT_A_COMPLAINT = regex(
    rf"""
    \b(?:if|when|whenever|in\ case|to\ avoid|avoids?|prevents?|troubleshoot\w*|see\ also|how\ to|handles?|handling
      |fix(?:es|ed)?|retry\ on|retries\ on|catch(?:es)?|instead\ of|without|recovers?\ from|survives?)\b
      [^:]{{0,60}}{_SPACE}
    | \bno\ (?:disk\ quota|enospc|read-only)\b
    | \b(?:simulat\w+|mock\w*|fake[ds]?|inject\w*|pretend\w*|expect(?:s|ing)|expected\ (?:error|failure|message)
      |as\ expected|(?<!28\.\ )(?:search|look|check|test|grep)(?:s|ed|ing|ping)?\ (?:for|that|whether|of)
      |warns?\ (?:of|if|when)|occurrences?\ of|match(?:es|ing)?\ (?:of|for)|no\ (?:match|sign
         |trace)\w*)\b.{{0,80}}{_SPACE}
    | {_SPACE}[^.:;]{{0,40}}(?:(?<!disk\ full)\?|["'`]?\ (?:is|was|are)\ (?:handled|retried|reported|caught|expected
       |not\ found|absent))
    | ^\s*\#\s*define\b | /\*[^*]{{0,200}}\*/\s*$ | \bto\ avoid\ [^:]{{0,60}}out\ of\ memory
    | ^\s*(?:\++\s|\$\s|>\s(?!(?-i:[A-Z])|[\w.]{{1,200}}(?:error|exception):)
       |\#+\s(?!(?:there\ is\ insufficient|native)\ memory)|//|(?<!\t)\*|--\s|<!--|\d+\s*\|\s|[CD]:\\>)
    | ^\s*(?-i:RUN|ENV|ARG|LABEL|CMD|COPY|ENTRYPOINT|HEALTHCHECK|USER|WORKDIR)\s(?!failed)
    | ^\s*(?:echo|printf|grep|egrep|rg|sed|awk|if|elif|assert\w*|expect|except|raises?|throws?|return|def|func|fn|case
       |journalctl
      |test)\b(?!:)
    | ^(?:[\#]\d+\ \[|\ ?=>\ (?:ERROR\ |CACHED\ )?\[|Step\ \d+/\d+\ :|\ >\ \[)
    | ^\s*(?:===\ (?:RUN|CONT|PAUSE)|---\ (?:PASS|SKIP)|\[\ (?:RUN|\ +OK)|ok\ \d+|PASS(?:ED)?\b|SKIP(?:PED)?\b|[✓✔√]
       |not\ ok\ \d+.*\#\ TODO)
    | ^(?:[0-9a-f]{{7,12}}\ (?!\w+:\ write)|HEAD\ is\ now|commit\ [0-9a-f]{{7}}|[-+*]\s+(?:fix|handle|add|document
       |improve|support|do\ not|avoid|feat|chore|docs)\b|[+-]\s*["'])
    | ^(?:\./)?[\w./-]+\.(?:py|js|ts|tsx|go|rs|c|cc|cpp|h|md|rst|sh|ya?ml|toml|java|rb|php|txt
       |json)[:-]\d+[:-](?!.{{0,300}}(?:\berror\b|warning:))
    | ^(?:\./)?[\w./-]+\.(?:py|js|ts|go|rs|c|cc|h|md|sh|ya?ml|java|rb):.{{0,200}}["'`]{_SPACE}
    | \b(?:PASSED|passed|ok|OK|SKIPPED|XFAIL)\s*(?:\[|\(|$)
    | \b\d+\ (?:passed|matches|occurrences|hits)\b
    | \b(?:class|const|let|var|enum|message|msg|pattern|regex|string)\s+\w+\s*[:=]
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Quoted and nothing around it: what somebody looks for. What programs say has its error before it, or a number.
_QUOTED = regex(r"""(?<![:=,(\[>\d] )(?<![:=,(\[>])["'`](?:no space left on device|enospc)["'`]""", re.IGNORECASE)
# Every pattern needs one of these; most lines of a log have none, and are done with.
_WORDS = (
    *("space", "inodes", "enospc", "errno", "os error", "disk", "sqlite_full", "quota", "edquot", "storage"),
    *("signal", "sigbus", "sigkill", "bus error", "exit code", "code 137", "status 137", "status: 137", "error 13"),
    *("returned 137", "register layer", "runner", "stopped hearing", "error 28", "full", "kill"),
    # Not the word alone: it stands in "nothing".
    *("thin p", "thin-p", "thin_p", "thin:"),
    *("cannot allocate", "memory", "bad_alloc", "pull access", "toomanyrequests", "unauthorized", "denied"),
    *("satisfies the requirement", "matching distribution", "resolutionimpossible", "the hashes", "timeout"),
    *("timed out", "failed", "could not install", "no solution", "such image", "unable to find", "not found"),
    *("non-zero", "parse error", "read-only", "erofs", "input/output", "i/o error", "ext4-fs error", "xfs ("),
    *("btrfs", "critical ", "watermark", "diskpressure", "invalid", "splitting up", "couldn't create", "(23)"),
    *("failure writing", "wrote only", "short write", "written", "incomplete write", "end of ", "end-of-"),
    *("badzipfile", "zlib", "errorcode", "cannot write to", "unable to persist", "write error", "insufficient"),
    *("unexpected ", "layer does not", "snapshot", "content digest", "drivername", "transport", "unavailable"),
    *("cannot connect", "eof", "cublas", "cuda", "shm", "oom", "mvcc", "pressure", "too many open", "emfile"),
    *("enfile", "temporarily unavailable", "thread", "fork", "no more processes", "conntrack", "loop device"),
    *("inline_container", "allocation problem", "temporary directory", "max_map_count", "depth exceeded"),
    *("address pool", "addresses", "table overflow", "inotify", "storage", "jbd2", "journal", "out of disk"),
    *(
        "filesystem",
        "zip file",
        "all bytes",
        "output stream",
        "cannot create temp",
        "http 507",
        "too large",
        "limit of ",
        "ora-00845",
        "lower than",
    ),
)
_ABROAD: tuple[tuple[SymptomKind, Sequence[str]], ...] = (
    (SymptomKind.QUOTA, OVER_QUOTA_ABROAD),
    (SymptomKind.DISK_FULL, NO_SPACE_ABROAD),
    (SymptomKind.READ_ONLY, READ_ONLY_ABROAD),
    (SymptomKind.DISK_ERROR, DISK_ERROR_ABROAD),
    (SymptomKind.MEMORY, NO_MEMORY_ABROAD),
)
_WORDS_ABROAD = (*(each for _, messages in _ABROAD for each in messages), *KILLED_ABROAD)
_WORDS_IN_ASCII = tuple(each for each in _WORDS_ABROAD if each.isascii())
# All of a line, or what a shell says of a program that it started: the words are those of every day.
_KILLED_WORDS = "|".join(map(re.escape, KILLED_ABROAD))
_KILLED = regex(rf"^\s*(?:{_KILLED_WORDS})\s*$|: +\d+ (?:{_KILLED_WORDS}) {{2,}}\S")
# "If", "to avoid", in front of the words: advice.
_ADVICE_ABROAD = regex(r"(?:如果|若|當|当|避免|防止|以免|もし|만약|если |wenn |falls |si |se |jeśli )[^:\uff1a]{0,40}$")
_QUOTES = frozenset("'\"`«»„“”")
_OF_KERNEL_MEMORY = frozenset({"cgroup", "netfilter"})
"""What the kernel has memory of its own for, and refuses with the words of memory that ran out."""
_LIKE_A_DISK = frozenset({SymptomKind.DISK_FULL, SymptomKind.QUOTA})
_ALL_WORDS = (*_WORDS, *_WORDS_ABROAD)


class FoundWords(Struct, frozen=True, kw_only=True):
    """What a line says.

    Args:
        cause: Which of several causes of that kind; empty where it has one.
        subject: What it is about.
        begin: Where the complaint begins in the line.
    """

    kind: SymptomKind
    cause: str = ""
    subject: str = ""
    begin: int = 0


def words_of(lines: Iterable[str]) -> tuple[str, ...]:
    """Return the words in some lines without which no line is a sign: hundreds of lines have few of them together."""
    small = "\n".join(lines).lower()
    abroad = _WORDS_IN_ASCII if small.isascii() else _WORDS_ABROAD
    return tuple(word for words in (_WORDS, abroad) for word in words if word in small)


def words_in(line: str, above: Iterable[str] = (), words: Iterable[str] = _ALL_WORDS) -> FoundWords | None:
    """Return what kind of sign a line is; None for none.

    Args:
        above: The few lines above it.
        words: Among which those of ``words_of`` are that the line has.
    """
    small = line.lower()
    if not any(word in small for word in words):
        return None
    limit = SHARED_MEMORY if tells_of_shared_memory(line) else other_limit_in(line)
    if limit:
        return None if _is_no_complaint(line) else FoundWords(kind=SymptomKind.KERNEL_LIMIT, cause=limit)
    pool = THIN_POOL.search(line)
    if pool is not None:
        return FoundWords(kind=SymptomKind.DISK_FULL, cause="thin-pool", begin=pool.start())
    for kind, pattern in KINDS:
        match = pattern.search(line)
        if match is None:
            continue
        if _is_no_complaint(line):
            return None
        if (told := _of_a_limit(kind, match, line, above)) is not None:
            return told
        groups = match.groupdict()
        cause = next((name.replace("_", "-") for name in CAUSES if groups.get(name)), "")
        subject = next((value for name, value in groups.items() if value and name not in CAUSES), "")
        if kind is SymptomKind.IMAGE_MISSING and groups.get("f"):
            cause = "layer"
        return FoundWords(kind=kind, cause=cause, subject=subject.strip("'\"`,"), begin=match.start())
    return _abroad(small, above)


def _of_a_limit(kind: SymptomKind, match: re.Match[str], line: str, above: Iterable[str]) -> FoundWords | None:
    """Return what a line about missing space or memory says where neither a disk nor the machine's memory is meant."""
    if kind in _LIKE_A_DISK and (limit := limit_in(line, "\n".join(above))):
        return FoundWords(kind=SymptomKind.KERNEL_LIMIT, cause=limit, begin=match.start())
    if kind is SymptomKind.MEMORY and match.lastgroup == "refused":
        limit = limit_in(line)
        if limit == SHARED_MEMORY:
            return FoundWords(kind=kind, cause=SHARED_MEMORY, begin=match.start())
        if limit in _OF_KERNEL_MEMORY:
            return FoundWords(kind=SymptomKind.KERNEL_LIMIT, cause=limit, begin=match.start())
    return None


def _is_no_complaint(line: str) -> bool:
    return _NOT_A_COMPLAINT.search(line) is not None or _QUOTED.search(line) is not None


def _abroad(small: str, above: Iterable[str]) -> FoundWords | None:
    for kind, messages in _ABROAD:
        found = next((each for each in messages if each in small), None)
        if found is None:
            continue
        if _is_no_complaint(small):
            return None
        begin = small.index(found)
        if _ADVICE_ABROAD.search(small[:begin]):
            return None
        if small[begin - 1 : begin] in _QUOTES and small[begin + len(found) :][:1] in _QUOTES:
            return None
        if kind in _LIKE_A_DISK and (limit := limit_in(small, "\n".join(above))):
            return FoundWords(kind=SymptomKind.KERNEL_LIMIT, cause=limit, begin=begin)
        return FoundWords(kind=kind, begin=begin)
    return FoundWords(kind=SymptomKind.MEMORY) if _KILLED.search(small) else None
