from __future__ import annotations

import io
import json

from tests.unit.views.samples import EVENTS, PLAN, RUN, SECRET

from tonnage.errors import StepFailedError
from tonnage.model.forecast.estimate import UNKNOWN
from tonnage.views.json.forms import estimate_form, event_form, json_text, plan_form, run_form
from tonnage.views.live.lines import JsonLinesView
from tonnage.views.text.error import failure_form


class GoneStream(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError(text)


def test_an_unknown_forecast_has_no_numbers() -> None:
    assert estimate_form(UNKNOWN) == {
        "low_bytes": None,
        "likely_bytes": None,
        "high_bytes": None,
        "grade": "unknown",
    }


def test_a_shown_plan_holds_no_configuration() -> None:
    shown = json.dumps([plan_form(PLAN), *(event_form(event) for event in EVENTS)])

    assert SECRET not in shown
    assert "project" not in shown


def test_a_step_is_shown_with_the_names_its_action_has() -> None:
    steps = plan_form(PLAN)["steps"]

    assert isinstance(steps, list)
    assert (steps[0]["kind"], steps[0]["reference"]) == ("build", "web:candidate")
    assert (steps[1]["kind"], steps[1]["image_name"]) == ("switch", "web:latest")


def test_a_run_is_shown_with_forecast_and_measured_bytes() -> None:
    steps = run_form(RUN)["steps"]

    assert isinstance(steps, list)
    assert steps[0]["forecast_kept_bytes"] == 213_000_007
    assert steps[0]["measured"][0]["kept_bytes"] == 217_000_003
    assert steps[0]["measured"][0]["transient_bytes"] == 32_000_014


def test_each_event_is_one_line() -> None:
    stream = io.StringIO()
    with JsonLinesView(stream, monotonic=iter(range(17, 99)).__next__) as view:
        for event in EVENTS:
            view.show(event)

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines][:3] == ["run-started", "step-started", "step-progress"]
    assert lines[-1]["event"] == "run-finished"
    assert {line["format"] for line in lines} == {1}
    assert [line["at_s"] for line in lines] == list(range(len(lines)))


def test_a_reader_that_is_gone_ends_nothing_else() -> None:
    with JsonLinesView(GoneStream(), monotonic=lambda: 0.0) as view:
        view.show(EVENTS[0])


def test_a_failure_is_shown_with_everything_it_says() -> None:
    form = failure_form(StepFailedError("it failed", why="so", todo="do", place="a:1", log="line"))

    assert form == {
        "exit_code": 10,
        "title": "a step failed",
        "what": "it failed",
        "why": "so",
        "todo": "do",
        "place": "a:1",
        "log": "line",
    }


def test_text_of_any_language_stays_as_it_is() -> None:
    assert json_text({"what": "\u00fc\U0001f600"}) == '{"what":"\u00fc\U0001f600"}'


def test_bytes_that_are_no_text_are_shown_as_such_and_the_rest_stays() -> None:
    told = json.loads(json_text({"what": "x\udcffy", "list": ["\u00fc", {"\udc80": 104_729}]}))
    assert told == {"what": "x\ufffdy", "list": ["\u00fc", {"\ufffd": 104_729}]}
