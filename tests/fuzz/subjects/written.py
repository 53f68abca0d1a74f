"""What was written by us and may have been changed since, what is typed, and what is shown."""

from __future__ import annotations

import gzip
import io
import json
import re
import unicodedata

from tests.fuzz.subject import Subject, as_bytes, as_text, whole_text
from tests.unit.views import samples

from tonnage.decide.reports.generated_files import carried_over, is_unchanged, lost_marks, sealed
from tonnage.decide.reports.log_patterns import read_log
from tonnage.errors import CannotResolveError, TonnageError, UsageError
from tonnage.escapes import visible
from tonnage.flows.ci_runner import directory_in, remembered_options
from tonnage.runtime.log_file import lines_of
from tonnage.units import format_bytes, format_seconds, parse_bytes, parse_seconds
from tonnage.views.ci.markdown import COMMENT_CHARACTERS, LongTable, document, literal
from tonnage.views.json.forms import json_text, plan_form
from tonnage.views.json.saved_plan import read_plan, save_plan
from tonnage.views.text.error import failure_form, failure_text
from tonnage.views.text.plan import plan_text

_COMMAND = re.compile(r"^[^\S\n]*::|##\[", re.MULTILINE)


def assert_shown(text: str) -> None:
    """Nothing in a text moves a cursor, turns a line around, or is a command of a job."""
    assert all(character == "\n" or not is_control(character) for character in set(text)), ascii(text)
    assert not _COMMAND.search(text), ascii(text)


def is_control(character: str) -> bool:
    """Whether a character has no picture of its own; the two joiners belong to letters."""
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and character not in "\u200c\u200d\t"


_STEP = '{"vertexes":[{"digest":"sha256:a","name":"[web 2/3] RUN x","completed":"2026-11-02T09:18:22Z","error":"x"}]}\n'
LOGS = (
    "#7 [web 2/3] RUN x\n#7 1.234 write /srv/a: no space left on device\n#7 ERROR: exit code: 1\n",
    "2026-11-02T09:18:21.5Z ##[group]Run make\n\x1b[31mOSError: [Errno 28]\x1b[0m\r\n##[error]exit code 137.\nKilled\n",
    f'{_STEP}{{"logs":[{{"vertex":"sha256:a","data":"d3JpdGUgL2E6IG5vIHNwYWNl","timestamp":"2026-11-02T09:18:21Z"}}]}}\n',
    "web-1 | write /var/lib/a: disk quota exceeded\nfatal: read-only file system\npip: No space left\n",
)
_PACKED = as_text(gzip.compress(LOGS[0].encode(), mtime=0))


def _log(text: str) -> None:
    for found in read_log(lines_of(io.BytesIO(as_bytes(text)), "log")).symptoms:
        assert found.line >= 1


PLANS = (save_plan(samples.PLAN),)
WORKFLOW = sealed("# written by tonnage ci github\nname: x\n# keep\non: push\n")


def _plan(text: str) -> None:
    plan = read_plan(whole_text(text), place="plan.json")
    visible(plan_text(plan, width=80))
    json_text(plan_form(plan))
    assert read_plan(save_plan(plan)) == plan


def _size(text: str) -> None:
    count_bytes = parse_bytes(text)
    assert count_bytes >= 0
    assert format_bytes(count_bytes)


def _duration(text: str) -> None:
    assert format_seconds(parse_seconds(text))


def _failure(text: str) -> None:
    text = whole_text(text)
    for error in (
        UsageError(text, why=text, todo=f"Do\n  {text}", place=f"{text}:1"),
        TonnageError("x", log=text),
        CannotResolveError(text, "invalid", why=text),
    ):
        for width in (None, 20, 80):
            assert_shown(visible(failure_text(error, width=width)))
        shown = json_text(failure_form(error))
        assert json.loads(shown)["what"] == error.what
        assert not any(map(is_control, set(shown) - {"\n"})), ascii(shown)


def _row(text: str) -> None:
    rows = LongTable(head=("A", "B"), rows=[(literal(whole_text(text)), "1")], count=1, things="things")
    lines = document([], rows, [], characters=COMMENT_CHARACTERS).strip("\n").split("\n")
    assert len(lines) == 3, lines
    assert lines[2].startswith("| "), lines
    assert_shown(lines[2])


def _ours(text: str) -> None:
    text = whole_text(text)
    is_unchanged(text)
    lost_marks(WORKFLOW, text)
    carried_over(WORKFLOW, text)
    remembered_options(text)
    directory_in(text)


_TYPED = ("14GB", "1.5 GiB", "500MB", "7 B")
SUBJECTS = (
    Subject(
        name="log",
        read=_log,
        seeds=(*LOGS, _PACKED, "\ufeff" + LOGS[3]),
        found=("PK\x03\x04",),
        inputs=300,
        words=(
            "No space left on device",
            "ERROR: ",
            "#7 ",
            "exit code: 1",
            "Killed",
            " || true",
            "/dev/shm",
            "\0",
            "\r",
            '{"logs":[',
        ),
    ),
    Subject(name="saved plan", read=_plan, seeds=PLANS, inputs=80),
    Subject(name="size", read=_size, seeds=_TYPED, words=("GB", "G", "GiB", ".", "1"), inputs=800),
    Subject(
        name="duration", read=_duration, seeds=("1m30s", "1.5h", "500ms", "2d3h"), words=("s", "m", "."), inputs=800
    ),
    Subject(name="failure as it is shown", read=_failure, seeds=("a\nb", "x: y", "\x1b[31mred\x1b[0m"), refuses=()),
    Subject(name="row of a summary", read=_row, seeds=("a|b", "`x`", "<b>", "[a](b)"), refuses=(), inputs=500),
    Subject(name="written file", read=_ours, seeds=(WORKFLOW,), inputs=400),
)
