from __future__ import annotations

import msgspec
from tests.unit.views.samples import PLAN, SECRET

from tonnage.model.deploy.plan import CleanCache, Refusal, Step, Unchanged
from tonnage.model.forecast.estimate import exactly
from tonnage.model.forecast.fit import DeployNeed
from tonnage.views.text.plan import plan_text, unchanged_text
from tonnage.views.text.plan_summary import summary_line

LINES = """\
deploy hello
  /var/lib/docker: 9.12 GB available, reserve 1.00 GB, usable 8.12 GB

 1. web.build: builds web:candidate | why: its Dockerfile changed | after 8.91 GB (learned) | lowest 8.88 GB (learned)
      below the reserve web.give-back: removes build cache
      undo web.undo-build: removes the image web:candidate
 2. web.switch: replaces the containers of web | why: its image is new | after unknown | lowest unknown
 3. web.prove: changes nothing | why: a version is good only when it is healthy | after unknown | lowest unknown

unchanged:
  db: nothing changed

notes:
  the profile dev hides the service mail"""


def test_each_step_is_one_line_with_its_cause_and_what_is_expected() -> None:
    assert plan_text(PLAN) == LINES


def test_for_people_lines_are_broken_between_words_and_unknown_figures_are_left_out() -> None:
    lines = plan_text(PLAN, width=60).splitlines()

    assert max(map(len, lines)) <= 60
    assert " 2. web.switch: replaces the containers of web" in lines
    assert "    why: its image is new" in lines
    assert not any("unknown" in line for line in lines)
    assert "    +213 MB (learned), lowest 8.88 GB available" in lines
    assert "Steps without figures are measured when they first run." in lines


def test_for_people_the_same_undo_is_written_once() -> None:
    build, switch, prove = PLAN.steps
    twice = msgspec.structs.replace(
        PLAN, steps=(build, *(msgspec.structs.replace(each, on_failure=build.on_failure) for each in (switch, prove)))
    )

    assert plan_text(twice, width=60, everything=True).count("undo as above") == 1
    assert "undo" not in plan_text(twice, width=60)
    assert plan_text(twice).count("undo web.undo-build") == 3


def test_a_plan_without_steps_has_nothing_to_do() -> None:
    empty = msgspec.structs.replace(PLAN, steps=())

    assert "\n\nnothing to do\n\n" in plan_text(empty)


def test_a_refused_plan_says_why_and_what_would_make_it_fit() -> None:
    refusal = Refusal(what="it cannot fit", why="113 MB are missing.", todo="Free them:\n  tonnage reclaim")
    refused = msgspec.structs.replace(PLAN, steps=(), unchanged=(), notes=(), refusal=refusal)

    assert plan_text(refused).split("\n\n")[1] == (
        "refused: it cannot fit\n  113 MB are missing.\n  Free them:\n    tonnage reclaim"
    )


def test_for_people_a_refused_plan_says_its_reason_once_and_no_step() -> None:
    refused = msgspec.structs.replace(PLAN, refusal=Refusal(what="it cannot fit", why="113 MB are missing.", todo="x"))

    assert plan_text(refused, width=80).count("113 MB are missing") == 1
    assert "web.build" not in plan_text(refused, width=80)
    assert "web.build" in plan_text(refused, width=80, everything=True)


def test_for_people_steps_that_only_tidy_up_are_counted_unless_they_matter() -> None:
    clean = Step(name="web.clean", action=CleanCache(), cause="left over", changes="removes build cache")
    heavy = msgspec.structs.replace(clean, name="web.heavy", kept=exactly(-1_000_000_007))
    plan = msgspec.structs.replace(PLAN, steps=(*PLAN.steps, clean, heavy))

    text = plan_text(plan, width=80)
    assert "web.clean" not in text
    assert " 5. web.heavy: removes build cache | why: left over | -1.00 GB (exact)" in text
    assert "1 bookkeeping step left out; --all shows them" in text
    assert "web.clean" in plan_text(plan, width=80, everything=True)


def test_for_people_the_first_line_says_what_is_done_what_it_needs_and_how_long_it_takes() -> None:
    need = DeployNeed(
        purpose="deploy", mount="/", peak=exactly(8_200_000_011), kept=exactly(5_400_000_003), step="web.build"
    )
    timed = msgspec.structs.replace(PLAN, need=need, seconds=353.0)

    assert plan_text(timed, width=120).splitlines()[0] == (
        "deploy hello: 1 to build, 1 to switch, 1 unchanged; needs 8.20 GB at its peak, 5.40 GB stay, ~6 min"
    )
    frees = msgspec.structs.replace(
        timed, need=msgspec.structs.replace(need, kept=exactly(-3_000_000_001)), seconds=None
    )
    assert summary_line(frees).endswith("needs 8.20 GB at its peak, frees 3.00 GB")
    assert summary_line(msgspec.structs.replace(PLAN, steps=(), unchanged=())) == "nothing to do"


def test_for_people_it_says_what_has_to_run_once_before_the_time_is_known() -> None:
    times = (("web.switch", 1.0), ("web.prove", 3.0))
    text = plan_text(msgspec.structs.replace(PLAN, times=times), width=100)
    assert "  how long it takes is known after the first run of web.build" in text


def test_no_value_of_the_configuration_is_printed() -> None:
    assert SECRET not in plan_text(PLAN)


def test_what_is_left_alone_is_broken_between_words() -> None:
    reason = "it runs its image; it was not deployed by tonnage, so its configuration is not compared"
    plan = msgspec.structs.replace(PLAN, unchanged=(Unchanged(service="database", reason=reason),))

    assert unchanged_text(plan) == f"database unchanged: {reason}"
    lines = unchanged_text(plan, width=60).splitlines()
    assert max(len(line) for line in lines) <= 60
    assert " ".join(lines).split() == f"database unchanged: {reason}".split()
