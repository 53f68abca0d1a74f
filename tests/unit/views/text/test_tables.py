from __future__ import annotations

from tonnage.errors import NotHealthyError, UsageError
from tonnage.model.deploy.policy import Setting
from tonnage.views.text.checks import Check, Verdict, checks_text, settings_text, verification_text
from tonnage.views.text.error import failure_text
from tonnage.views.text.layout import columns

SETTING = Setting(key="keep-free", value="2GB", origin="flag (--keep-free)", meaning="The line.")


def test_figures_end_at_the_same_place() -> None:
    assert columns([("a", "1"), ("bcd", "113")], right=(1,)) == ["a      1", "bcd  113"]


def test_no_rows_make_no_lines() -> None:
    assert columns([]) == []


def test_settings_are_a_table_where_there_is_room() -> None:
    assert settings_text([SETTING]).splitlines() == [
        "setting    value  origin              meaning",
        "keep-free  2GB    flag (--keep-free)  The line.",
    ]


def test_settings_take_several_lines_where_there_is_none() -> None:
    assert settings_text([SETTING], width=40).splitlines() == [
        "keep-free = 2GB",
        "  from flag (--keep-free)",
        "  The line.",
    ]


def test_what_to_do_stands_below_its_check() -> None:
    checks = [
        Check(name="engine", state="failed", found="there is none", todo="Start it:\n  systemctl start docker"),
        Check(name="disk", state="ok", found="enough"),
    ]

    assert checks_text(checks).splitlines() == [
        "failed  engine  there is none",
        "        Start it:",
        "          systemctl start docker",
        "ok      disk    enough",
    ]


def test_a_verdict_that_is_not_healthy_stands_out() -> None:
    verdicts = [
        Verdict(service="db", healthy=True),
        Verdict(service="web", healthy=False, reason="it restarted 3 times"),
    ]

    assert verification_text(verdicts).splitlines() == [
        "db   healthy",
        "web  NOT HEALTHY  it restarted 3 times",
    ]


def test_a_failure_is_told_as_what_why_log_and_what_to_do() -> None:
    error = NotHealthyError(
        "web is not healthy", why="It ended with exit code 3.", todo="See:\n  docker logs web", log="a\nb"
    )

    assert failure_text(error) == (
        "error: web is not healthy\n"
        "It ended with exit code 3.\n"
        "Last lines of its log:\n    | a\n    | b\n"
        "See:\n  docker logs web\n"
        "(not healthy, exit code 5)"
    )


def test_the_place_of_a_failure_comes_first() -> None:
    first = failure_text(UsageError("it is wrong", place="compose.yaml:7")).splitlines()[0]

    assert first == "error: compose.yaml:7: it is wrong"


def test_on_a_terminal_the_lines_of_a_failure_end_between_words_and_commands_stay_whole() -> None:
    error = UsageError("it is wrong", why="one two three four", todo="Try:\n  tonnage plan --out a-rather-long-name")

    assert failure_text(error, width=11).splitlines()[:6] == [
        "error: it",
        "is wrong",
        "one two",
        "three four",
        "Try:",
        "  tonnage plan --out a-rather-long-name",
    ]
