"""Reads a log: what went wrong in it, line by line, and where and when it was written.

Knows words only: no machine, no engine, no figures. What a step of a builder says that was done in the end, and what
is said in a job that succeeded, went wrong nowhere: it is left out.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from tonnage.decide.reports.log_lines import SAYS_NOTHING, read_lines
from tonnage.decide.reports.log_origin import OriginReader
from tonnage.decide.reports.log_words import words_in, words_of
from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.model.reports.symptom import ReadLog, Symptom, SymptomKind
from tonnage.units import parse_bytes

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Sequence

    from tonnage.decide.reports.log_lines import LogLine
    from tonnage.decide.reports.log_words import FoundWords

_ABOVE, _AT_ONCE = 5, 500
_FIRST_SYMPTOMS, _LAST_LINES = 1_000, 9_000
"""Behind so many symptoms only the last lines are looked at: those between say the same, and would take minutes."""
_ADDRESS = regex(r"\b[a-z][a-z0-9+.-]{1,20}://\S+", 2)
_SOURCE_LINE = regex(r"^\S+\.py:\d+: ")
_PATH = regex(
    r"(?<![\w.:/<-])(?P<path>/(?:[\w.@+,%~=-]|(?<=sha256):)+(?:/(?:[\w.@+,%~=-]|(?<=sha256):)+)*)(?!\w*\s*->)"
)
# A program that tells its own path before what it complains of.
_PROGRAM = regex(
    r"^\s*(?:= note: )?/(?:(?:usr/|opt/[\w.-]+/)?(?:local/)?s?bin|[\w./-]{1,200}/(?:libexec|pkg/tool/\w+))/[\w.+-]+:\s"
)
# What builders quote of the command that failed: the paths in it are not what the complaint is about.
_COMMAND = regex(r"""\bprocess "(?:[^"\\]|\\.)*"|\bThe command '.*' returned""")
# Engines name the file of a layer as it is called in the image.
_IN_IMAGE = regex(r"register layer|ApplyLayer|processing tar file|committing container|^COPY failed")
_SIZE = regex(r"(?<![\d.,])(?P<number>\d[\d.,]{0,30})\s?(?P<unit>[kKMGT]i?B|B|bytes)\b")
# Programs that break their message into lines have the path on the one above.
_ALONE = regex(r"^\s{2,}no space left on device\.?$", 2)
_HUB = regex(
    r"expected file size is: (?P<wanted>[\d.]+ \w?B)\b.{0,80}?location (?P<path>/\S+) only has (?P<left>[\d.]+ \w?B)",
)
_STEP_DONE = regex(r"^(?:\[[^\]]*\] )?#(?P<step>\d{1,6}) (?P<end>DONE|CACHED|ERROR|CANCELED)\b")
_STEP_BEGINS = regex(r"^(?:\[[^\]]*\] )?#(?P<step>\d{1,6}) \[(?P<title>[^\]]{1,200})\]")
# The lines of a step that failed, told once more at the end of a build.
_TOLD_AGAIN = regex(r"^\s?> \[(?P<title>[^\]]{1,200})\] ")
_END_OF_TELLING = "------"
_CLASSIC_BEGINS = regex(r"^ ---> Running in [0-9a-f]{6,}")
_CLASSIC_DONE = regex(r"^(?:Removing intermediate container | ---> [0-9a-f]{6,}$)")
_SUCCESS = regex(
    r"^(?:Successfully (?:built|tagged|installed) |Finished: SUCCESS|Job succeeded|Cleaning up orphan processes"
    r"|BUILD SUCCESSFUL|\[INFO\] BUILD SUCCESS|Build succeeded|#\d+ DONE "
    r"|={3,} .{0,200}\b\d+ passed\b(?!.{0,200}\bfailed\b)"
    r"|\d+ examples?, 0 failures|(?:\[INFO\] )?Tests run: \d+, Failures: 0, Errors: 0|100% tests passed"
    r"|Passed! +- Failed: +0"
    r"|ok\s+\S+\s+\d|Tests:\s+\d+ passed|PASS$|OK$|[^\n]{0,200}\bexit(?:ed with)? code:? 0\b)"
)
_SUCCESS_WORDS = (
    " 0 failures",
    "Failures: 0",
    "Passed!",
    "uccess",
    "succeeded",
    "leaning up",
    "SUCCESS",
    "DONE",
    "passed",
    "ok",
    "PASS",
    "OK",
    "exit",
)
_JOB_SUCCEEDED = regex(r"^(?:Finished: SUCCESS|Job succeeded|Cleaning up orphan processes)")
_FAILURE = regex(
    r"^(?:\[[^\]]{0,80}\] )?(?:#\d+ (?:\d+\.\d+ )?)?(?:ERROR|[Ee]rror|fatal|FATAL|panic|PANIC)\b(?! rate)[: \[]"
    r"|##\[error\]|::error|^E: "
    r"|^npm (?:ERR!|error)|exit(?:ed with)? (?:code|status):? [1-9]|non-zero code|failed to solve"
    r"|Error response from daemon"
    r"|^\S{1,80}: (?:fatal )?error:|^(?:make|gmake).{0,40}\*\*\*|^Finished: FAILURE|^FAILED\b|^=+ .*\b\d+ failed\b"
    r"|level=(?:error|fatal)|failed to register layer"
)
_FAILURE_WORDS = (
    *("rror", "RROR", "atal", "FATAL", "panic", "PANIC", "E: ", "exit", "non-zero", "failed", "***", "FAIL"),
)
_GITHUB_ERROR = "##[error]"
# What goes on after a full disk: a step that is done although the disk was full ends another one.
_TOLERATED = regex(r"^(?:\[[^\]]*\] )?#\d+ \d+\.\d+ (?:W: |E: |Err:|npm warn|WARNING: )")
_LATER = frozenset({SymptomKind.BUILD, SymptomKind.PIP, SymptomKind.IMAGE_MISSING})
_TOLD_BY: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("pip", regex(r"Could not install packages")),
    (
        "the engine",
        regex(
            r"register layer|Error response from daemon|failed to (?:copy:|solve|export|extract layer)"
            r"|processing tar file|dockerd|ApplyLayer"
            r"|/var/lib/(?:docker|containerd|desktop-containerd)|containerd|overlay2|buildkit|rwlayer"
            r"|extracting layer|mount callback failed"
            r"|(?i:thin.pool|dm\.min_free_space)|docker: |^\{\"errorDetail|exporting to|failed to push"
        ),
    ),
    ("podman", regex(r"committing container|\bpodman\b|\bbuildah\b")),
    ("SQLite", regex(r"sqlite|database or disk is full", 2)),
    ("Ruby", regex(r"\bErrno::E[A-Z]+|\bbundler?\b|\bgem install\b")),
    ("yarn", regex(r"\byarn\b|\bYN\d{4}\b", 2)),
    ("npm", regex(r"\bnpm\b|nospc|ERR_PNPM", 2)),
    (
        "apt",
        regex(
            r"unable to install new version of|^E: |^W: |\bdpkg\b|\bapt\b|/var/cache/apt|/var/lib/apt"
            r"|invalid signature was",
            2,
        ),
    ),
    ("uv", regex(r"\buv\b|Failed to (?:download|install|extract)")),
    ("tar", regex(r"\btar: ")),
    ("gzip", regex(r"\bgzip: ")),
    ("xz", regex(r"\bxz: ")),
    ("curl", regex(r"\bcurl: ")),
    ("huggingface_hub", regex(r"huggingface_hub|[Ff]ree disk space to download the file")),
    ("pip", regex(r"\bpip\d?\b|site-packages")),
    ("Python", regex(r"\b(?:OS|IO|Environment)Error: \[Errno|\[Errno 28\]")),
    ("the linker", regex(r"\bld\b|collect2|final link failed|linker")),
    ("git", regex(r"\bgit\b|^error: unable to write file|fatal: (?:write|unable to write|cannot)")),
    ("conda", regex(r"\bconda\b|\bConda\w*Error|NoSpaceLeft")),
    ("yum", regex(r"space needed on the|\bdnf\b|\byum\b")),
    ("the runner", regex(r"runner|/_diag/", 2)),
    (".NET", regex(r"System\.IO\.IOException|\bNuGet\b|\berror NU\d{4}\b")),
    ("Elasticsearch", regex(r"watermark|o\.e\.c\.", 2)),
    ("the kernel", regex(r"EXT4-fs|XFS \(|BTRFS|I/O error, dev|device-mapper:|Out of memory: Killed|oom-kill:")),
    ("the engine", regex(r"daemon|layer")),
)


def find_symptoms(text: str) -> tuple[Symptom, ...]:
    """Return what a log shows, in its order."""
    return read_log(text.splitlines()).symptoms


def read_log(lines: Iterable[str]) -> ReadLog:
    """Read a log once, line by line."""
    reader, origin = _SymptomReader(), OriginReader()
    read = read_lines(lines)
    while some := list(islice(read, _AT_ONCE)):
        words = words_of(line.said for line in some)
        for line in some:
            origin.read(line)
            reader.read(line, words)
    return ReadLog(symptoms=reader.found(), origin=origin.found())


class _SymptomReader:
    """Collects symptoms, and knows which belong to what was done in the end."""

    def __init__(self) -> None:
        self._symptoms: dict[int, Symptom] = {}
        self._pending: dict[str, list[Symptom]] = {}
        self._titles: dict[str, str] = {}
        self._tolerated: list[Symptom] = []
        self._above: deque[str] = deque(maxlen=_ABOVE)
        self._classic = False
        self._told_again = ""
        self._last_success = 0
        self._failures = 0
        self._github_errors = False
        self._job_succeeded = False
        self._looked_at = 0
        self._later: deque[LogLine] = deque(maxlen=_LAST_LINES)
        self._done: set[str] = set()

    def read(self, line: LogLine, words: Sequence[str]) -> None:
        """Take a line in, with words among which those are that it has."""
        text = line.text
        if len(text) > SAYS_NOTHING:
            self._judge(text, line)
        if line.is_script or not text:
            return
        if self._looked_at >= _FIRST_SYMPTOMS:
            self._later.append(line)
        else:
            self._look_at(line, words)

    def _look_at(self, line: LogLine, words: Sequence[str] | None = None) -> None:
        found = words_in(line.said, self._above) if words is None else words_in(line.said, self._above, words)
        self._above.append(line.said)
        if found is None:
            return
        self._looked_at += 1
        symptom = self._symptom(line, found)
        # A line of raw progress tells several: the first cause counts.
        if self._symptoms.setdefault(line.number, symptom) is not symptom:
            return
        step = line.step or ("classic" if self._classic else "")
        if step:
            self._pending.setdefault(step, []).append(symptom)

    def found(self) -> tuple[Symptom, ...]:
        """Return what went wrong."""
        succeeded = self._job_succeeded and not self._github_errors
        if succeeded:
            return ()
        for line in self._later:
            # A step whose end was read already takes nothing away any more.
            if line.step not in self._done:
                self._look_at(line)
        kept = self._symptoms
        if not self._failures:
            kept = {number: each for number, each in kept.items() if number > self._last_success}
        if kept and all(each.kind in _LATER for each in kept.values()):
            kept = {**{each.line: each for each in self._tolerated}, **kept}
        return tuple(kept[number] for number in sorted(kept))

    def _judge(self, text: str, line: LogLine) -> None:
        """See what a line says of the outcome of a step, or of all."""
        if text.startswith(_END_OF_TELLING):
            self._told_again = ""
        elif text.startswith((" > [", "> [")) and (again := _TOLD_AGAIN.match(text)):
            self._told_again = again["title"]
        elif text.startswith(("#", "[")):
            self._follow_step(text)
        elif text.startswith((" ---> ", "Removing intermediate ", "Step ")):
            self._follow_classic(text)
        if any(word in text for word in _SUCCESS_WORDS) and _SUCCESS.match(text):
            self._last_success = line.number
        elif any(word in text for word in _FAILURE_WORDS) and _FAILURE.search(text) and not line.is_script:
            self._failures += 1
        self._github_errors = self._github_errors or _GITHUB_ERROR in text[:40]
        self._job_succeeded = self._job_succeeded or _JOB_SUCCEEDED.match(text) is not None

    def _follow_step(self, text: str) -> None:
        begins = _STEP_BEGINS.match(text)
        if begins:
            self._titles[begins["step"]] = begins["title"]
            self._pending.pop(begins["step"], None)
            self._done.discard(begins["step"])
        ends = _STEP_DONE.match(text)
        if ends:
            pending = self._pending.pop(ends["step"], ())
            if ends["end"] in {"DONE", "CACHED"}:
                self._drop(pending)
                self._done.add(ends["step"])

    def _follow_classic(self, text: str) -> None:
        if _CLASSIC_BEGINS.match(text):
            self._classic = True
            return
        if not _CLASSIC_DONE.match(text) and not text.startswith("Step "):
            return
        self._classic = False
        pending = self._pending.pop("classic", ())
        if not text.startswith("Step "):
            self._drop(pending)

    def _drop(self, symptoms: Iterable[Symptom]) -> None:
        for each in symptoms:
            self._symptoms.pop(each.line, None)
            if _TOLERATED.match(each.text):
                self._tolerated.append(each)

    def _symptom(self, line: LogLine, found: FoundWords) -> Symptom:
        text = line.said
        hub = _HUB.search(text)
        path = hub["path"] if hub else _path(text, found.begin)
        if not path and found.kind is SymptomKind.DISK_FULL and _ALONE.match(text) and len(self._above) > 1:
            path = _path(self._above[-2], len(self._above[-2]))
        named = None
        if hub:
            wanted, left = _bytes(hub["wanted"]), _bytes(hub["left"])
            named = wanted - left if wanted is not None and left is not None and wanted > left else None
        elif found.kind in {SymptomKind.DISK_FULL, SymptomKind.LOW_DISK}:
            named = _size(text)
        at = line.into_step
        title = self._titles.get(line.step, "") if line.step else self._told_again
        return Symptom(
            kind=found.kind,
            cause=found.cause,
            line=line.number,
            text=line.text.strip(),
            told_by=_told_by(text),
            path="" if found.kind is SymptomKind.KERNEL_LIMIT else path,
            when=line.when or (f"{at} s into its step" if at else ""),
            in_build=line.in_build or bool(line.container or self._told_again) or _IN_IMAGE.search(text) is not None,
            named_bytes=named,
            subject=found.subject,
            service=line.container or (title.split(" ")[0] if title and "/" not in title.split(" ")[0] else ""),
        )


def _told_by(line: str) -> str:
    line = _COMMAND.sub("", line)
    return next((name for name, pattern in _TOLD_BY if pattern.search(line)), "")


def _path(line: str, begin: int) -> str:
    """Return the path that stands nearest before the complaint; otherwise the first one on the line."""
    before = _PROGRAM.sub("", _without_other_paths(line[:begin]))
    paths = list(_PATH.finditer(before))
    if paths:
        return paths[-1]["path"].rstrip("/.")
    after = _PATH.search(_without_other_paths(line[begin:]))
    return after["path"].rstrip("/.") if after else ""


def _without_other_paths(text: str) -> str:
    return _SOURCE_LINE.sub("", _ADDRESS.sub(" ", _COMMAND.sub("", text)))


def _size(line: str) -> int | None:
    found = _SIZE.search(line)
    return None if found is None else _bytes(f"{found['number']}{found['unit']}")


def _bytes(text: str) -> int | None:
    text = text.replace(" ", "").replace(",", "")
    number = text.rstrip("kKMGTiBbytes").rstrip(".")
    unit = text[len(text.rstrip("kKMGTiBbytes")) :]
    try:
        return parse_bytes(number + ("B" if unit == "bytes" else unit))
    except UsageError:
        return None
