from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from tonnage.errors import EngineLacksError, TonnageError, UsageError
from tonnage.model.deploy.expected_build import ExpectedInstruction
from tonnage.model.deploy.plan import Build, Keep, Plan, Prove, Pull, Purpose, Step, Version
from tonnage.model.deploy.run import BuiltLayer, Measured, MeasuredInstruction, Outcome, Run, StepOutcome
from tonnage.model.forecast.estimate import NOTHING, UNKNOWN, Estimate, Grade
from tonnage.model.forecast.learned import LearnedInstruction
from tonnage.model.stack import BuildSpec
from tonnage.runtime.journal.writer import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator

STARTED_S = 1_700_000_003.5
PLAN = Plan(
    stack="hello",
    directory="/srv/hello",
    purpose=Purpose.DEPLOY,
    engine_id="ABCD",
    endpoint="unix:///run/docker.sock",
    fingerprint="f00d",
    filesystem="/data",
    available_bytes=9_000_000_011,
    reserve_bytes=1_000_000_007,
)
PULL = Step(name="db.pull", action=Pull(reference="postgres:16"), cause="missing", changes="an image", service="db")
BUILD = Step(
    name="web.build",
    action=Build(spec=BuildSpec(context="/srv/hello/web"), reference="localhost/web:candidate"),
    cause="its context changed",
    changes="an image",
    service="web",
    kept=Estimate(701, 811, 907, Grade.LEARNED),
    learn_key="build:web",
)
INSTRUCTION = ExpectedInstruction(
    stage="0",
    line=3,
    text="RUN make",
    key="made:1",
    learn_key="instruction/cafe",
    image=Estimate(503, 601, 701, Grade.UNKNOWN),
    disk=Estimate(503, 4_099, 8_191, Grade.UNKNOWN),
    transient=NOTHING,
)
MEASURED = Measured(
    mount="/data", before_bytes=9_000_000_011, after_bytes=7_000_000_009, lowest_bytes=4_000_000_007, samples=53
)
DONE = StepOutcome(
    name="web.build",
    service="web",
    kind="build",
    outcome=Outcome.DONE,
    seconds=12.25,
    measured=(MEASURED, Measured(mount="/var", before_bytes=17, after_bytes=13, lowest_bytes=11, samples=53)),
    forecast_kept_bytes=811,
    forecast_grade="learned",
    forecast_kept=Estimate(701, 811, 907, Grade.LEARNED),
    forecast_transient=NOTHING,
)


def version(service: str, image_id: str, *, inputs: str = "i1") -> Version:
    return Version(
        service=service,
        image_name=f"hello-{service}",
        project={"services": {}},
        config_digest="c1",
        inputs_digest=inputs,
        prove=Prove(replicas=2, timeout_s=61.0),
        image_id=image_id,
    )


def carry_out(journal: Journal, plan: Plan = PLAN, step: Step = BUILD, outcome: StepOutcome = DONE) -> int:
    """Journal a whole run of one step."""
    run_id = journal.begin_run(plan, STARTED_S)
    step_id = journal.begin_step(run_id, step, undo=outcome.undo, started_s=STARTED_S + 1)
    journal.end_step(step_id, outcome)
    journal.end_run(run_id, outcome.outcome, 13.5, "")
    return run_id


def with_kept(kept_bytes: int, transient_bytes: int = 0) -> StepOutcome:
    after_bytes = 9_000_000_011 - kept_bytes
    measured = Measured(
        mount="/data",
        before_bytes=9_000_000_011,
        after_bytes=after_bytes,
        lowest_bytes=min(after_bytes, 9_000_000_011) - transient_bytes,
    )
    return StepOutcome(
        name="web.build", service="web", kind="build", outcome=Outcome.DONE, seconds=3.5, measured=(measured,)
    )


def test_a_run_is_told_as_it_was_written(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db") as journal:
        run_id = carry_out(journal)

        assert journal.runs(10) == (
            Run(
                run_id=run_id,
                stack="hello",
                engine_id="ABCD",
                purpose=Purpose.DEPLOY,
                started_s=STARTED_S,
                seconds=13.5,
                outcome=Outcome.DONE,
                filesystem="/data",
                reserve_bytes=1_000_000_007,
                steps=(DONE,),
            ),
        )


def test_a_failed_step_keeps_its_message_and_its_log(tmp_path: Path) -> None:
    failed = StepOutcome(
        name="web.build",
        service="web",
        kind="build",
        outcome=Outcome.FAILED,
        seconds=2.5,
        forecast_kept_bytes=811,
        forecast_grade="learned",
        forecast_kept=Estimate(701, 811, 907, Grade.LEARNED),
        forecast_transient=NOTHING,
        message="the build failed",
        log="line 1\nline 2",
    )
    with Journal(tmp_path / "journal.db") as journal:
        run_id = journal.begin_run(PLAN, STARTED_S)
        journal.end_step(journal.begin_step(run_id, BUILD, undo=False, started_s=STARTED_S), failed)
        journal.end_run(run_id, Outcome.FAILED, 2.75, "web.build failed")
        (run,) = journal.runs(1)

    assert run.steps == (failed,)
    assert (run.outcome, run.message) == (Outcome.FAILED, "web.build failed")


def test_a_step_is_written_before_it_happens(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db") as journal:
        run_id = journal.begin_run(PLAN, STARTED_S)
        journal.begin_step(run_id, PULL, undo=False, started_s=STARTED_S)
        reader = Journal.open_existing(tmp_path / "journal.db")
        assert reader is not None
        with reader:
            (run,) = reader.runs(1)

    assert run.outcome is Outcome.RUNNING
    assert run.steps == (
        StepOutcome(
            name="db.pull",
            service="db",
            kind="pull",
            outcome=Outcome.RUNNING,
            seconds=0.0,
            forecast_kept_bytes=0,
            forecast_grade="exact",
            forecast_kept=NOTHING,
            forecast_transient=NOTHING,
        ),
    )


def test_an_unknown_forecast_is_not_a_number(tmp_path: Path) -> None:
    step = Step(name="x", action=Pull(reference="x"), cause="", changes="", kept=UNKNOWN)
    with Journal(tmp_path / "journal.db") as journal:
        journal.begin_step(journal.begin_run(PLAN, STARTED_S), step, undo=False, started_s=STARTED_S)
        (run,) = journal.runs(1)

    assert (run.steps[0].forecast_kept_bytes, run.steps[0].forecast_grade) == (None, "unknown")


def test_an_unknown_forecast_with_a_range_around_nothing_is_not_told_as_no_bytes(tmp_path: Path) -> None:
    doubtful = Estimate(-100_000_007, 0, 50_000_017, Grade.UNKNOWN)
    step = Step(name="x", action=Pull(reference="x"), cause="", changes="", kept=doubtful)
    with Journal(tmp_path / "journal.db") as journal:
        journal.begin_step(journal.begin_run(PLAN, STARTED_S), step, undo=False, started_s=STARTED_S)
        (run,) = journal.runs(1)

    assert run.steps[0].forecast_kept_bytes is None
    assert run.steps[0].forecast_kept == doubtful


def test_steps_and_their_undoing_stay_in_order(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db") as journal:
        run_id = journal.begin_run(PLAN, STARTED_S)
        for undo in (False, False, True):
            journal.begin_step(run_id, BUILD if undo else PULL, undo=undo, started_s=STARTED_S)
        (run,) = journal.runs(1)

    assert [(step.name, step.undo) for step in run.steps] == [
        ("db.pull", False),
        ("db.pull", False),
        ("web.build", True),
    ]


def test_runs_come_newest_first_of_one_stack_or_of_all(tmp_path: Path) -> None:
    other = Plan(**{field: getattr(PLAN, field) for field in PLAN.__struct_fields__ if field != "stack"}, stack="other")
    with Journal(tmp_path / "journal.db") as journal:
        first, second, third = carry_out(journal), carry_out(journal, other), carry_out(journal)

        assert [run.run_id for run in journal.runs(10)] == [third, second, first]
        assert [run.run_id for run in journal.runs(1)] == [third]
        assert [run.run_id for run in journal.runs(10, "hello")] == [third, first]
        assert journal.runs(10, "absent") == ()


def test_one_run_is_told_by_its_number(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.sqlite") as journal:
        first, second = carry_out(journal), carry_out(journal)
        for number in (first, second):
            found = journal.run(number)
            assert found is not None
            assert found.run_id == number
        assert journal.run(second + 1) is None


def test_everything_is_there_when_the_journal_is_opened_again(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db") as journal:
        first = carry_out(journal)
    with Journal(tmp_path / "journal.db") as journal:
        second = carry_out(journal)

        assert [run.run_id for run in journal.runs(10)] == [second, first]


def test_sizes_are_learned_from_the_spread_and_the_latest_run(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db") as journal:
        for kept_bytes, transient_bytes in ((811, 17), (701, 13), (757, 11)):
            carry_out(journal, outcome=with_kept(kept_bytes, transient_bytes))
        learned = journal.history("hello", "ABCD").learned["build:web"]

    assert learned.kept == Estimate(701, 757, 811, Grade.LEARNED)
    assert learned.transient == Estimate(11, 11, 17, Grade.LEARNED)
    assert (learned.seconds, learned.runs) == (3.5, 3)


def test_only_the_last_twenty_runs_teach(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db") as journal:
        for kept_bytes in (999_983, *range(101, 121)):
            carry_out(journal, outcome=with_kept(kept_bytes))
        learned = journal.history("hello", "ABCD").learned["build:web"]

    assert learned.kept == Estimate(101, 120, 120, Grade.LEARNED)
    assert learned.runs == 20


def test_what_failed_what_undid_and_what_has_no_key_teaches_nothing(tmp_path: Path) -> None:
    failed = StepOutcome(
        name="web.build", service="web", kind="build", outcome=Outcome.FAILED, seconds=1.0, measured=(MEASURED,)
    )
    undoing = StepOutcome(
        name="web.build",
        service="web",
        kind="build",
        outcome=Outcome.DONE,
        seconds=1.0,
        measured=(MEASURED,),
        undo=True,
    )
    with Journal(tmp_path / "journal.db") as journal:
        carry_out(journal, outcome=failed)
        carry_out(journal, outcome=undoing)
        carry_out(journal, step=PULL)

        assert journal.history("hello", "ABCD").learned == {}


def test_how_long_steps_took_the_last_time_on_an_engine_is_told(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.sqlite") as journal:
        carry_out(journal, outcome=replace(DONE, seconds=71.0))
        carry_out(journal, outcome=replace(DONE, seconds=73.0))
        carry_out(journal, outcome=replace(DONE, seconds=79.0, outcome=Outcome.FAILED))
        assert journal.history("hello", PLAN.engine_id).seconds == {("web.build", "build"): 73.0}
        assert journal.history("hello", "ANOTHER").seconds == {}
        assert journal.history("other", PLAN.engine_id).seconds == {}


def test_what_was_measured_while_another_step_ran_teaches_nothing(tmp_path: Path) -> None:
    alone = with_kept(811)
    (measured,) = alone.measured
    with Journal(tmp_path / "journal.db") as journal:
        carry_out(journal, outcome=replace(alone, measured=(replace(measured, shared=True),)))
        assert journal.history("hello", "ABCD").learned == {}
        assert [each.shared for each in journal.runs(1)[0].steps[0].measured] == [True]

        carry_out(journal, outcome=alone)
        assert journal.history("hello", "ABCD").learned["build:web"].runs == 1


def test_a_rehearsal_teaches_sizes_but_gives_no_version_to_the_real_engine(tmp_path: Path) -> None:
    rehearsal = Plan(
        **{field: getattr(PLAN, field) for field in PLAN.__struct_fields__ if field != "engine_id"}, engine_id="LOOP"
    )
    with Journal(tmp_path / "journal.db") as journal:
        carry_out(journal, rehearsal)
        journal.record_version("hello", "LOOP", version("web", "sha256:1"), STARTED_S)

        assert journal.history("hello", "ABCD").learned["build:web"].kept.likely_bytes == 2_000_000_002
        assert journal.history("hello", "ABCD").versions == ()
        assert journal.history("hello", "LOOP").versions == (version("web", "sha256:1"),)
        assert journal.history("other", "LOOP").learned == {}


def test_versions_come_oldest_first_and_withdrawn_ones_apart(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db") as journal:
        for image_id in ("sha256:1", "sha256:2", "sha256:3"):
            journal.record_version("hello", "ABCD", version("web", image_id), STARTED_S)
        journal.withdraw_version("hello", "ABCD", version("web", "sha256:2"), STARTED_S)
        journal.withdraw_version("hello", "ABCD", version("web", "sha256:9"), STARTED_S)

        history = journal.history("hello", "ABCD")
        assert [gone.image_id for gone in history.withdrawn] == ["sha256:2", "sha256:9"]
        assert [good.image_id for good in journal.history("hello", "ABCD").versions] == ["sha256:1", "sha256:3"]


def test_what_rollbacks_had_reached_that_did_not_end_well_is_told_until_another_run_ends_or_is_of_another_kind(
    tmp_path: Path,
) -> None:
    back = replace(PLAN, purpose=Purpose.ROLLBACK)
    keep = replace(BUILD, action=Keep(reference="localhost/tonnage/hello/web:v2", record="localhost/r"))
    with Journal(tmp_path / "j.sqlite") as journal:

        def gone_back() -> frozenset[str]:
            return journal.history("hello", "ABCD").gone_back

        killed = journal.begin_run(back, STARTED_S)
        journal.begin_step(killed, PULL, undo=False, started_s=STARTED_S)
        assert gone_back() == frozenset()
        journal.begin_step(killed, keep, undo=False, started_s=STARTED_S)
        assert gone_back() == {"web"}
        journal.begin_run(back, STARTED_S)
        journal.begin_run(replace(PLAN, purpose=Purpose.RECLAIM), STARTED_S)
        assert gone_back() == {"web"}
        assert journal.history("hello", "ANOTHER").gone_back == frozenset()
        journal.end_run(journal.begin_run(back, STARTED_S), Outcome.DONE, 1.0, "")
        assert gone_back() == frozenset()
        failed = journal.begin_run(back, STARTED_S)
        journal.begin_step(failed, keep, undo=False, started_s=STARTED_S)
        assert gone_back() == {"web"}
        journal.end_run(failed, Outcome.FAILED, 1.0, "the engine ended while the name was given")
        assert gone_back() == {"web"}
        journal.begin_run(PLAN, STARTED_S)
        assert gone_back() == frozenset()


def test_a_version_recorded_again_is_the_newest_and_is_there_once(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db") as journal:
        for image_id in ("sha256:1", "sha256:2", "sha256:1"):
            journal.record_version("hello", "ABCD", version("web", image_id), STARTED_S)

        assert [good.image_id for good in journal.history("hello", "ABCD").versions] == ["sha256:2", "sha256:1"]


def test_a_withdrawn_version_that_proves_good_again_comes_back(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db") as journal:
        journal.record_version("hello", "ABCD", version("web", "sha256:1"), STARTED_S)
        journal.withdraw_version("hello", "ABCD", version("web", "sha256:1"), STARTED_S)
        journal.record_version("hello", "ABCD", version("web", "sha256:1", inputs="i2"), STARTED_S)

        assert journal.history("hello", "ABCD").versions == (version("web", "sha256:1", inputs="i2"),)


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "tonnage" / "journal.db"
    previous = os.umask(0)
    try:
        with Journal(path) as journal:
            carry_out(journal)
    finally:
        os.umask(previous)

    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


def test_a_journal_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal(path):
        pass
    path.chmod(0o644)
    with Journal(path):
        pass

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_looking_creates_nothing(tmp_path: Path) -> None:
    assert Journal.open_existing(tmp_path / "state" / "journal.db") is None
    assert list(tmp_path.iterdir()) == []


def test_looking_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal(path) as journal:
        carry_out(journal)
    before = path.read_bytes()
    reader = Journal.open_existing(path)
    assert reader is not None
    with reader:
        assert len(reader.runs(10)) == 1
        assert reader.history("hello", "ABCD").learned
        with pytest.raises(TonnageError):
            reader.begin_run(PLAN, STARTED_S)

    assert path.read_bytes() == before


def test_an_empty_file_is_no_journal_to_look_at_and_becomes_one_when_written(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.touch()

    assert Journal.open_existing(path) is None
    with Journal(path) as journal:
        carry_out(journal)
        assert len(journal.runs(10)) == 1


def test_a_damaged_file_is_told_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "my journal.db"
    path.write_bytes(b"not a database, surely" * 997)

    for opening in (Journal, Journal.open_existing):
        with pytest.raises(TonnageError, match="is damaged") as caught:
            opening(path)
        assert f"\n  mv '{path}' '{path}.damaged'" in caught.value.todo


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (x)")
    other.commit()
    other.close()

    with pytest.raises(TonnageError, match="is not a journal of Tonnage"):
        Journal(path)


def test_a_journal_of_a_newer_tonnage_is_told(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal(path):
        pass
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 8")
    newer.close()

    for opening in (Journal, Journal.open_existing):
        with pytest.raises(EngineLacksError, match="written by a newer Tonnage") as caught:
            opening(path)
        assert caught.value.why == "Its format is 8; this Tonnage knows formats up to 7."


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UsageError, match="cannot be opened"):
        Journal(tmp_path / "file" / "journal.db")


def test_a_killed_run_is_told_as_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    program = f"""
    import pathlib, sys, time
    from tonnage.model.deploy.plan import Plan, Pull, Purpose, Step
    from tonnage.runtime.journal.writer import Journal
    plan = Plan(stack="hello", directory="/", purpose=Purpose.DEPLOY, engine_id="ABCD", endpoint="", fingerprint="",
        filesystem="/data", available_bytes=3, reserve_bytes=2)
    step = Step(name="db.pull", action=Pull(reference="x"), cause="", changes="")
    with Journal(pathlib.Path({str(path)!r})) as journal:
        run_id = journal.begin_run(plan, 1000.0)
        journal.begin_step(run_id, step, False, 1007.0)
        print("began", flush=True)
        sys.stdin.read()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "began\n"
        with Journal(path) as journal:
            (living,) = journal.runs(1)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    with Journal(path) as journal:
        (dead,) = journal.runs(1)

    assert (living.outcome, living.steps[0].outcome) == (Outcome.RUNNING, Outcome.RUNNING)
    assert (dead.outcome, dead.steps[0].outcome) == (Outcome.INTERRUPTED, Outcome.INTERRUPTED)
    assert dead.message == "The process died in the middle of this run."
    assert dead.seconds == 7.0


def test_a_process_killed_while_it_writes_leaves_whole_entries_only(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal(path):
        pass
    program = f"""
    import pathlib, sys
    from tonnage.runtime.journal.writer import Journal
    sys.path.insert(0, {str(Path(__file__).parent)!r})
    from test_writer import BUILD, DONE, PLAN
    with Journal(pathlib.Path({str(path)!r})) as journal:
        run_id = journal.begin_run(PLAN, 1000.0)
        print("began", flush=True)
        while True:
            journal.end_step(journal.begin_step(run_id, BUILD, False, 1001.0), DONE)
    """
    for delay_s in (0.011, 0.037, 0.053):
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "began\n"
            threading.Event().wait(delay_s)
            process.send_signal(signal.SIGKILL)
            process.wait(10)
        reader = Journal.open_existing(path)
        assert reader is not None
        with reader:
            (run,) = reader.runs(1)
        assert run.outcome is Outcome.INTERRUPTED
        assert all(len(step.measured) == 2 for step in run.steps if step.outcome is Outcome.DONE)
        assert [step.outcome for step in run.steps[:-1]] == [Outcome.DONE] * (len(run.steps) - 1)


def test_two_stacks_write_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    failures: list[BaseException] = []

    def write() -> None:
        try:
            with Journal(path) as journal:
                for _ in range(20):
                    carry_out(journal)
                assert journal.take_notices() == ()
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            failures.append(error)

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert failures == []
    with Journal(path) as journal:
        runs = journal.runs(1000)
    assert len({run.run_id for run in runs}) == 60
    assert all(len(run.steps) == 1 and run.outcome is Outcome.DONE for run in runs)


@pytest.fixture(params=["tmpfs", "ext4"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Mount a real filesystem of 8 MB."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a filesystem")
    mount = tmp_path / "disk"
    mount.mkdir()
    if request.param == "tmpfs":
        command = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", str(mount)]
    else:
        image = tmp_path / "disk.img"
        with image.open("wb") as file:
            file.truncate(8 * 2**20)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
        command = ["mount", "-o", "loop", str(image), str(mount)]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("this machine does not let root mount")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def fill(mount: Path) -> Path:
    """Write until not one byte more can be written, and return the file."""
    filling = mount / "filling"
    with filling.open("wb", buffering=0) as file:
        for count_bytes in (65536, 4096, 512, 1):
            try:
                while file.write(b"x" * count_bytes):
                    pass
            except OSError:
                continue
    return filling


def test_a_run_goes_on_being_journaled_on_a_disk_that_fills(small_disk: Path) -> None:
    path = small_disk / "state" / "journal.db"
    with Journal(path) as journal:
        run_id = journal.begin_run(PLAN, STARTED_S)
        fill(small_disk)
        for _ in range(150):
            journal.end_step(journal.begin_step(run_id, BUILD, undo=False, started_s=STARTED_S), DONE)
        journal.record_version("hello", "ABCD", version("web", "sha256:1"), STARTED_S)
        journal.record_version("hello", "ABCD", version("db", "sha256:2", inputs="x" * 50_021), STARTED_S)
        journal.end_run(run_id, Outcome.FAILED, 3.5, "No space left on device")

        assert journal.take_notices() == ()
    reader = Journal.open_existing(path)
    assert reader is not None
    with reader:
        (run,) = reader.runs(1)
        assert [step.outcome for step in run.steps] == [Outcome.DONE] * 150
        assert run.outcome is Outcome.FAILED
        assert len(reader.history("hello", "ABCD").versions) == 2


def test_a_run_can_begin_on_a_disk_that_is_full(small_disk: Path) -> None:
    path = small_disk / "journal.db"
    with Journal(path):
        pass
    fill(small_disk)
    with Journal(path) as journal:
        carry_out(journal)

        assert journal.take_notices() == ()
        assert journal.runs(1)[0].steps == (DONE,)


def test_what_finds_no_room_at_all_is_told_once_kept_and_written_later(small_disk: Path) -> None:
    long_log = StepOutcome(
        name="web.build", service="web", kind="build", outcome=Outcome.FAILED, seconds=1.0, log="x" * 700_001
    )
    with Journal(small_disk / "journal.db") as journal:
        run_id = journal.begin_run(PLAN, STARTED_S)
        filling = fill(small_disk)
        journal.end_step(journal.begin_step(run_id, BUILD, undo=False, started_s=STARTED_S), long_log)
        journal.begin_step(run_id, PULL, undo=False, started_s=STARTED_S)
        (notice,) = journal.take_notices()
        assert "its disk is full" in notice.text
        assert notice.level == "warning"
        (run,) = journal.runs(1)
        assert [step.outcome for step in run.steps] == [Outcome.RUNNING]

        filling.unlink()
        journal.end_run(run_id, Outcome.FAILED, 3.5, "")
        (run,) = journal.runs(1)

    assert [(step.outcome, len(step.log)) for step in run.steps] == [
        (Outcome.FAILED, 700_001),
        (Outcome.INTERRUPTED, 0),
    ]
    assert run.outcome is Outcome.FAILED


def test_a_journal_that_cannot_be_created_on_a_full_disk_says_so(small_disk: Path) -> None:
    fill(small_disk)

    with pytest.raises(TonnageError, match=r"journal\.db cannot be") as caught:
        Journal(small_disk / "journal.db")

    assert "no space left" in caught.value.why.lower()


def test_a_journal_of_the_first_format_is_read_and_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal(path) as journal:
        run_id = journal.begin_run(PLAN, STARTED_S)
        journal.end_step(journal.begin_step(run_id, BUILD, undo=False, started_s=STARTED_S), DONE)
        journal.end_run(run_id, Outcome.DONE, 13.5, "")
    older = sqlite3.connect(path)
    older.executescript(
        "DROP TABLE instruction; ALTER TABLE step DROP COLUMN forecast_json;"
        "ALTER TABLE measured DROP COLUMN shared; PRAGMA user_version = 1;"
    )
    older.close()

    reader = Journal.open_existing(path)
    assert reader is not None
    with reader:
        assert reader.runs(1)[0].steps[0].forecast_kept_bytes == 811
        assert reader.history("hello", "ABCD").taught == {}
        assert reader.instructions(7) == ()
    with Journal(path) as journal:
        assert journal.runs(1)[0].steps[0].forecast_kept is None
        step_id = journal.begin_step(journal.begin_run(PLAN, STARTED_S), BUILD, undo=False, started_s=STARTED_S)
        journal.record_instructions(step_id, (INSTRUCTION,), (MeasuredInstruction(image_bytes=601),), "sha256:beef")
        history = journal.history("hello", "ABCD")
        assert history.taught["instruction/cafe"].image == Estimate(601, 601, 601, Grade.LEARNED)
        assert history.built == (BuiltLayer("made:1", "sha256:beef", INSTRUCTION.text),)
        assert journal.history("hello", "OTHER").built == ()


def test_versions_that_were_written_before_format_4_are_read_and_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    good = replace(version("web", "sha256:1"), project={"services": {"web": {"environment": {"PRICE": '5$ "a"'}}}})
    with Journal(path) as journal:
        journal.record_version("hello", "ABCD", good, STARTED_S)
    written = to_builtins(good)
    written["project_json"] = json.dumps(written.pop("project")).replace("$", "$$")
    older = sqlite3.connect(path)
    older.execute("UPDATE version SET version_json = ?", (json.dumps(written),))
    older.execute("ALTER TABLE measured DROP COLUMN shared")
    older.execute("ALTER TABLE instruction DROP COLUMN blob_bytes")
    older.execute("ALTER TABLE instruction DROP COLUMN in_image")
    older.execute("ALTER TABLE instruction DROP COLUMN parts_json")
    older.execute("PRAGMA user_version = 3")
    older.commit()
    older.close()

    reader = Journal.open_existing(path)
    assert reader is not None
    with reader:
        assert reader.history("hello", "ABCD").versions == (good,)
    with Journal(path) as journal:
        assert journal.history("hello", "ABCD").versions == (good,)
        assert journal.engine_records("ABCD").versions == (("hello", good),)


def test_what_instructions_did_stands_beside_what_was_forecast_of_them(tmp_path: Path) -> None:
    seen = MeasuredInstruction(image_bytes=601, kept_bytes=4_099, transient_bytes=17)
    with Journal(tmp_path / "journal.db") as journal:
        for run in range(3):
            run_id = journal.begin_run(PLAN, STARTED_S + run)
            step_id = journal.begin_step(run_id, BUILD, undo=False, started_s=STARTED_S)
            journal.record_instructions(step_id, (INSTRUCTION,), (replace(seen, image_bytes=601 + run),), "sha256:beef")
        outcomes = journal.instructions(2, "hello")
        taught = journal.history("elsewhere", "ABCD").taught["instruction/cafe"]

    assert [outcome.image_bytes for outcome in outcomes] == [603, 602]
    assert outcomes[0].forecast_image == INSTRUCTION.image
    assert (outcomes[0].service, outcomes[0].kept_bytes, outcomes[0].transient_bytes) == ("web", 4_099, 17)
    assert taught == LearnedInstruction(
        image=Estimate(601, 603, 603, Grade.LEARNED),
        disk=Estimate(4_099, 4_099, 4_099, Grade.LEARNED),
        transient=Estimate(17, 17, 17, Grade.LEARNED),
        runs=3,
    )


def test_how_far_a_layer_compressed_is_learned_apart_from_what_it_takes_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal(path) as journal:
        step_id = journal.begin_step(journal.begin_run(PLAN, STARTED_S), BUILD, undo=False, started_s=STARTED_S)
        seen = MeasuredInstruction(image_bytes=1_009, blob_bytes=211)
        journal.record_instructions(step_id, (INSTRUCTION,), (seen,), "sha256:beef")
        taught = journal.history("hello", "ABCD").taught["instruction/cafe"]
        [outcome] = journal.instructions(1, "hello")

    assert taught.compressed == Estimate(211, 211, 211, Grade.LEARNED)
    assert taught.image == Estimate(798, 798, 798, Grade.LEARNED)
    assert outcome.image_bytes == 1_009
    older = sqlite3.connect(path)
    older.executescript(
        "ALTER TABLE instruction DROP COLUMN blob_bytes; ALTER TABLE instruction DROP COLUMN in_image;"
        "PRAGMA user_version = 4;"
    )
    older.close()
    reader = Journal.open_existing(path)
    assert reader is not None
    with reader:
        history = reader.history("hello", "ABCD")
        assert not history.taught["instruction/cafe"].compressed.known
        assert history.built == (BuiltLayer("made:1", "sha256:beef", INSTRUCTION.text),)


def test_what_came_from_the_cache_teaches_nothing(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db") as journal:
        step_id = journal.begin_step(journal.begin_run(PLAN, STARTED_S), BUILD, undo=False, started_s=STARTED_S)
        cached = MeasuredInstruction(image_bytes=601, kept_bytes=0, cached=True)
        journal.record_instructions(step_id, (INSTRUCTION,), (cached,), "sha256:beef")

        assert journal.history("hello", "ABCD").taught == {}


def test_a_build_is_known_by_the_instructions_that_were_carried_out(tmp_path: Path) -> None:
    other = replace(INSTRUCTION, text="RUN true")
    with Journal(tmp_path / "journal.db") as journal:
        for cached in (False, True):
            step_id = journal.begin_step(journal.begin_run(PLAN, STARTED_S), BUILD, undo=False, started_s=STARTED_S)
            seen = (MeasuredInstruction(cached=cached), MeasuredInstruction(cached=True))
            journal.record_instructions(step_id, (INSTRUCTION, other), seen, "sha256:beef")
            journal.end_step(step_id, DONE)
        assert journal.history("hello", "ABCD").learned[BUILD.learn_key].ran == frozenset({INSTRUCTION.text})


def test_of_a_build_whose_instructions_were_not_written_down_nothing_is_said_of_them(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db") as journal:
        step_id = journal.begin_step(journal.begin_run(PLAN, STARTED_S), BUILD, undo=False, started_s=STARTED_S)
        journal.end_step(step_id, DONE)
        assert journal.history("hello", "ABCD").learned[BUILD.learn_key].ran is None
