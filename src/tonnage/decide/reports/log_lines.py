"""A log as lines: without colours, times and what tools put in front of each line, and what that says. Pure."""

from __future__ import annotations

import re
from calendar import timegm
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.decide.reports.raw_progress import RawProgress
from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LONGEST_END = 2_000
_COLOUR = regex(r"\x1b\[[0-9;?]*[A-Za-z]")
_SCRIPT_COLOUR = "\x1b[36;1m"
"""GitHub prints the script of a step in this colour before it runs."""
_JOB_AND_STEP = regex(r"^[^\t\n]{1,200}\t[^\t\n]{1,200}\t(?=\ufeff?\d{4}-\d\d-\d\dT)")
"""Source: ``gh run view --log``."""
_TIME = regex(
    r"^\ufeff?\[?(?P<when>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?\ ?(?:Z|[+-]\d\d:?\d\d)?)\]?"
    r"(?:\ \d\d[OE][+ ]?)?\s+",
    re.VERBOSE,
)
_MOMENT = regex(
    r"(?P<y>\d{4})-(?P<mo>\d\d)-(?P<d>\d\d)[T ](?P<h>\d\d):(?P<mi>\d\d):(?P<s>\d\d)(?:[.,](?P<part>\d{1,9})\d*)?"
    r" ?(?P<zone>Z|[+-]\d\d:?\d\d)?"
)
_MONTHS, _DAYS = 12, 31
_LOGFMT = regex(r'^time="(?P<when>\d{4}-\d\d-\d\dT[^"]{8,30})" ')
_SYSLOG = regex(
    r"^(?:(?P<when>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) )?"
    r"(?P<host>[A-Za-z0-9][\w.-]{0,62}) (?P<program>[\w./@-]{1,60}(?:\[\d+\])?): "
)
_KERNEL = regex(r"^(?:<\d{1,2}>)?\[\s{0,6}\d+\.\d+\] ")
_CONTAINER = regex(r"^(?P<service>[a-z0-9][\w.-]{0,62}) +\| ")
_BUILDKIT = regex(r"^(?:\[[^\]]*\] )?(?:#\d+\s+(?P<at>\d+\.\d+)\s|=> => # | > \[|------$|#\d+ (?:ERROR|\[))")
_OUTPUT = regex(r"^(?:\[[^\]]{0,80}\] )?(?:#\d{1,6} \d+\.\d+ |=> => # )|^ {5,8}> ")
"""Source: BuildKit, and the last lines of a build's log as Nix quotes them."""
_SCRIPT_BEGINS = "##[group]Run "
_SCRIPT_ENDS = ("##[endgroup]", "##[error]", "##[group]")
_LONGEST_SCRIPT, _PRINTED_IN_S = 500, 0.5
"""GitHub prints what a step runs, and its environment, in a group before it runs it."""
_STEP = regex(r"^(?:\[[^\]]*\] )?#(?P<step>\d{1,6}) ")
_CLASSIC_STEP = regex(r"^Step \d+/\d+ : ")
_END_OF_BUILD = regex(r"^(?:Successfully (?:built|tagged) |#\d+ DONE |Removing intermediate container )")


class LogLine(Struct, kw_only=True):
    """One line.

    Args:
        number: From 1.
        text: What stands in the line.
        said: What a program said: without what a builder puts in front of it.
        when: The time in front of it, as it is written there.
        at_s: That in seconds since the epoch; None where there is no whole one.
        host: The machine that is named in front of it.
        container: The service whose container said it, in front of a bar.
        step: The number of the builder's step that it belongs to; empty for none.
        into_step: Seconds into that step, as it is written there.
        in_build: Whether it comes out of a build.
        is_script: Whether it is the text of a script, which GitHub prints before it runs.
    """

    number: int
    text: str
    said: str = ""
    when: str = ""
    at_s: float | None = None
    host: str = ""
    container: str = ""
    step: str = ""
    into_step: str = ""
    in_build: bool = False
    is_script: bool = False


SAYS_NOTHING = 1
"""A line of so many signs says nothing of what is looked for; logs may have a million empty ones."""


def read_lines(lines: Iterable[str]) -> Iterator[LogLine]:
    """Read lines one after the other."""
    in_build, script = False, _Script()
    for number, whole in _numbered(lines):
        if len(whole) <= SAYS_NOTHING:
            text = whole.rstrip()
            yield LogLine(number=number, text=text, said=text, in_build=in_build)
            continue
        # A complaint stands at one of the ends; patterns would look for long in what is between them.
        raw = whole if len(whole) <= 2 * _LONGEST_END else f"{whole[:_LONGEST_END]} ... {whole[-_LONGEST_END:]}"
        line = LogLine(number=number, text="")
        text = raw
        if "\t" in text and (named := _JOB_AND_STEP.match(text)):
            text = text[named.end() :]
        if "\x1b" in text:
            line.is_script = _SCRIPT_COLOUR in text[:100]
            text = _COLOUR.sub("", text)
        text = text.rstrip()
        time = _TIME.match(text)
        if time:
            line.when, line.at_s = time["when"].rstrip(), _seconds(time["when"].rstrip())
            text = text[time.end() :]
        text = _without_machine(line, text)
        told = _LOGFMT.match(text)
        if told and line.at_s is None:
            line.when, line.at_s = told["when"], _seconds(told["when"])
        building = _BUILDKIT.match(text)
        if building or _CLASSIC_STEP.match(text):
            in_build = True
        elif _END_OF_BUILD.match(text):
            in_build = False
        step = _STEP.match(text)
        line.is_script = script.has(text, line.at_s) or line.is_script
        line.text = text
        output = _OUTPUT.match(text)
        line.said = text[output.end() :] if output else text
        line.step = step["step"] if step else ""
        line.into_step = building["at"] or "" if building else ""
        line.in_build = in_build
        yield line


def _numbered(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield lines with their number, from 1; one of raw progress may tell several."""
    raw = RawProgress()
    for number, line in enumerate(lines, 1):
        if raw.is_it(line):
            for text in raw.plain(line):
                yield number, text
        else:
            yield number, line


class _Script:
    """Knows whether a script is being printed.

    It is printed at once: where its end is missing, in a part of a log, the first later line is no more of it.
    """

    def __init__(self) -> None:
        self._left = 0
        self._begin_s: float | None = None

    def has(self, text: str, at_s: float | None) -> bool:
        """Return whether a line belongs to the script."""
        if text.startswith("##[") and text.startswith((_SCRIPT_BEGINS, *_SCRIPT_ENDS)):
            self._left = _LONGEST_SCRIPT if text.startswith(_SCRIPT_BEGINS) else 0
            self._begin_s = at_s
        elif self._left:
            late = self._begin_s is not None and at_s is not None and at_s > self._begin_s + _PRINTED_IN_S
            self._left = 0 if late else self._left - 1
        return self._left > 0


def _without_machine(line: LogLine, text: str) -> str:
    """Take off what journals, the kernel and Compose put in front of a line."""
    system = _SYSLOG.match(text)
    # After a time of another form two words may be anything: a journal has the number of the process there.
    if system and (system["when"] or (line.when and system["program"].endswith(("]", "kernel")))):
        line.host = system["host"]
        line.when = line.when or system["when"]
        text = text[system.end() :]
    kernel = _KERNEL.match(text)
    if kernel:
        text = text[kernel.end() :]
    container = _CONTAINER.match(text)
    if container:
        line.container = container["service"]
        text = text[container.end() :]
    return text


def _seconds(when: str) -> float | None:
    """Return a time with a zone in seconds since the epoch; one without a zone may be of any."""
    found = _MOMENT.match(when)
    if found is None or not found["zone"]:
        return None
    year, month, day, hour, minute, second = map(int, found.group("y", "mo", "d", "h", "mi", "s"))
    if not (1 <= month <= _MONTHS and 1 <= day <= _DAYS):
        return None
    zone, offset_s = found["zone"], 0
    if zone != "Z":
        hours, minutes = int(zone[1:3]), int(zone[-2:])
        offset_s = (hours * 60 + minutes) * 60 * (1 if zone[0] == "+" else -1)
    part_s = float(f"0.{found['part']}") if found["part"] else 0.0
    return timegm((year, month, day, hour, minute, second)) - offset_s + part_s
