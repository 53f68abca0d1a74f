from __future__ import annotations

import msgspec
from tests.unit.views.samples import PLAN, SECRET

from tonnage.model.deploy.plan import Refusal, Unchanged
from tonnage.views.text.plan import plan_text, unchanged_text

LINES = """\
deploy hello
  /var/lib/docker: 9.12 GB available, reserve 1.00 GB, headroom 8.12 GB

 1. web.build: adds the image web:candidate | why: its Dockerfile changed | after 8.91 GB (learned) | lowest 8.88 GB (learned)
      below the reserve web.give-back: removes build cache
      undo web.undo-build: removes the image web:candidate
 2. web.switch: replaces the containers of web | why: its image is new | after unknown | lowest unknown
 3. web.prove: changes nothing | why: a version is good only when it is healthy | after unknown | lowest unknown

unchanged:
  db: nothing changed

notes:
  the profile dev hides the service mail"""  # noqa: E501 - a step is one line, whatever its length


def test_each_step_is_one_line_with_its_cause_and_what_is_expected() -> None:
    assert plan_text(PLAN) == LINES


def test_for_people_lines_are_broken_between_words_and_unknown_figures_are_left_out() -> None:
    lines = plan_text(PLAN, width=60).splitlines()

    assert max(map(len, lines)) <= 60
    assert " 2. web.switch: replaces the containers of web" in lines
    assert "    why: its image is new" in lines
    assert not any("unknown" in line for line in lines)
    assert "    after 8.91 GB (learned), lowest 8.88 GB (learned)" in lines
    assert "A step without figures is measured when it runs; from then\non they are known." in "\n".join(lines)


def test_for_people_the_same_undo_is_written_once() -> None:
    build, switch, prove = PLAN.steps
    twice = msgspec.structs.replace(
        PLAN, steps=(build, *(msgspec.structs.replace(each, on_failure=build.on_failure) for each in (switch, prove)))
    )

    assert plan_text(twice, width=60).count("undo as above") == 1
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


def test_no_value_of_the_configuration_is_printed() -> None:
    assert SECRET not in plan_text(PLAN)


def test_what_is_left_alone_is_broken_between_words() -> None:
    reason = "it runs its image; it was not deployed by tonnage, so its configuration is not compared"
    plan = msgspec.structs.replace(PLAN, unchanged=(Unchanged(service="database", reason=reason),))

    assert unchanged_text(plan) == f"database unchanged: {reason}"
    lines = unchanged_text(plan, width=60).splitlines()
    assert max(len(line) for line in lines) <= 60
    assert " ".join(lines).split() == f"database unchanged: {reason}".split()
