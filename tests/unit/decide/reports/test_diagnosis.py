from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.reports.diagnosis import explain
from tonnage.decide.reports.log_patterns import find_symptoms
from tonnage.decide.reports.machine_figures import Machine
from tonnage.model.deploy.plan import Purpose
from tonnage.model.deploy.run import Measured, Outcome, Run, StepOutcome
from tonnage.model.forecast.estimate import EngineKind, ServiceForecast, exactly
from tonnage.model.forecast.fit import FilesystemFit, FitVerdict, Room
from tonnage.model.forecast.stack_forecast import StackForecast
from tonnage.model.inventory import Filesystem
from tonnage.model.reports.symptom import SymptomKind

if TYPE_CHECKING:
    from tonnage.model.reports.symptom import Explanation

FULL = Filesystem(
    mount="/var/lib/docker",
    roles=("data-root",),
    size_bytes=14_000_000_003,
    available_bytes=61_000_007,
    inodes=907,
    available_inodes=401,
)
ROOMY = replace(FULL, available_bytes=9_000_000_011)
TEMPORARY = Filesystem(mount="/tmp", roles=("temporary",), size_bytes=2_000_000_011, available_bytes=0)
LINES = ((FULL.mount, 1_000_000_007),)
PIP = "#12 88.73 ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n"
STEP = StepOutcome(
    name="web.build",
    service="web",
    kind="build",
    outcome=Outcome.FAILED,
    seconds=89.0,
    measured=(Measured(mount=FULL.mount, before_bytes=8_000_000_009, after_bytes=7_000_000_001, lowest_bytes=4099),),
)
RUN = Run(
    run_id=7,
    stack="shop",
    engine_id="E",
    purpose=Purpose.DEPLOY,
    started_s=1.0,
    seconds=90.0,
    outcome=Outcome.FAILED,
    filesystem=FULL.mount,
    reserve_bytes=1_000_000_007,
    steps=(STEP,),
)
THREE = tuple(
    ServiceForecast(service=name, disk=exactly(5_200_000_000), transient=exactly(2_900_000_000)) for name in "abc"
)


def forecast(services: tuple[ServiceForecast, ...], one_after_the_other_bytes: int, all_at_once_bytes: int) -> Machine:
    """A machine with room on its disk, and the forecast of a stack for it."""
    room = Room(
        mount=ROOMY.mount,
        roles=ROOMY.roles,
        available_bytes=ROOMY.available_bytes,
        reserve_bytes=dict(LINES)[ROOMY.mount],
        size_bytes=ROOMY.size_bytes,
    )
    fit = FilesystemFit(
        room=room,
        fit=FitVerdict.NOT,
        missing_bytes=17,
        kept=exactly(19),
        one_after_the_other=exactly(one_after_the_other_bytes),
        all_at_once=exactly(all_at_once_bytes),
    )
    whole = StackForecast(stack="shop", engine=EngineKind.BUILDKIT, services=services)
    return Machine(filesystems=(ROOMY,), reserves=LINES, forecast=whole, fits=(fit,))


def only(log: str, machine: Machine) -> Explanation:
    (found,) = explain(find_symptoms(log), machine)
    return found


def test_a_full_disk_is_told_with_the_filesystem_and_the_figures_of_now() -> None:
    found = only(PIP, Machine(filesystems=(FULL,), reserves=LINES))

    assert found.what == "/var/lib/docker was full: pip could not write"
    assert "Now on /var/lib/docker: 61.0 MB available of 14.0 GB, reserve 1.00 GB." in found.why


def test_inodes_are_told_where_few_are_left() -> None:
    found = only(PIP, Machine(filesystems=(replace(FULL, available_inodes=41),), reserves=LINES))

    left = "61.0 MB available of 14.0 GB, reserve 1.00 GB, 41 of 907 inodes available"
    assert f"Now on /var/lib/docker: {left}." in found.why
    assert "Neither the log nor earlier runs tell how much was missing." in found.why


def test_a_run_tells_how_much_there_was_and_when_it_ended() -> None:
    found = only(PIP, Machine(filesystems=(ROOMY,), reserves=LINES, run=RUN))

    told = next(each for each in found.why if each.startswith("Run 7"))
    assert "8.00 GB were available on /var/lib/docker when it began, 4.10 kB at the lowest" in told
    assert "failed after 1 min 29 s, having taken 8.00 GB (measured)" in told


def test_what_would_have_fitted_is_forecast_for_one_after_the_other_and_all_at_once() -> None:
    found = only(PIP, forecast(THREE, 18_500_000_000, 24_300_000_000))

    assert "Forecast: a needs 8.10 GB at its worst moment (exact)." in found.why
    assert any("All 3 at once need 24.3 GB: 16.3 GB too much." in each for each in found.why)
    assert any("One after the other they need 18.5 GB: 10.5 GB too much." in each for each in found.why)
    assert found.forecast_missing_bytes == 18_500_000_000 - (9_000_000_011 - 1_000_000_007)
    assert "  tonnage reclaim --free 10500MB" in found.todo.splitlines()


def test_a_single_build_that_fits_says_so() -> None:
    found = only(PIP, forecast(THREE[:1], 3_000_000_000, 3_000_000_000))

    assert "There is room for 8.00 GB above the reserve: that fits." in found.why
    assert found.forecast_missing_bytes is None


def test_a_path_of_this_machine_names_its_filesystem_and_one_of_a_build_does_not() -> None:
    machine = Machine(filesystems=(ROOMY, TEMPORARY))

    assert only("cc1: fatal error: error writing to /tmp/ccQ7.s: No space left on device", machine).mount == "/tmp"
    inside = "#9 1.0 cc1: fatal error: error writing to /tmp/ccQ7.s: No space left on device"
    assert only(inside, machine).mount == FULL.mount


def test_inodes_that_ran_out_are_told_apart_from_bytes() -> None:
    found = only(PIP, Machine(filesystems=(replace(ROOMY, available_inodes=0),)))

    assert found.what == "/var/lib/docker has no inodes left: pip could not write"
    assert "mkfs.ext4 -N" in found.todo


def test_no_space_while_the_disk_had_room_is_not_put_down_to_the_disk() -> None:
    step = replace(STEP, measured=(replace(STEP.measured[0], lowest_bytes=6_000_000_007),))
    found = only(PIP, Machine(filesystems=(ROOMY,), run=replace(RUN, steps=(step,))))

    assert found.what == "pip was told that there is no space, but /var/lib/docker had room"


def test_what_may_have_another_cause_is_put_down_to_a_full_disk_only_with_a_reason() -> None:
    sigbus = "collect2: fatal error: ld terminated with signal 7 [Bus error], core dumped"
    missing = "Error response from daemon: No such image: app:candidate"
    for log in (sigbus, missing, "The runner has received a shutdown signal."):
        assert only(log, Machine(filesystems=(ROOMY,))).kind is not SymptomKind.DISK_FULL
        assert only(log, Machine(filesystems=(FULL,))).kind is SymptomKind.DISK_FULL
        assert only(log, Machine(filesystems=(ROOMY,), run=RUN)).kind is SymptomKind.DISK_FULL
        assert only(f"{log}\n{PIP}", Machine()).kind is SymptomKind.DISK_FULL


def test_what_follows_from_a_full_disk_is_no_cause_of_its_own() -> None:
    log = f"{PIP}ERROR: failed to solve: process did not complete successfully: exit code: 1\n"

    assert [each.kind for each in explain(find_symptoms(log), Machine())] == [SymptomKind.DISK_FULL]


def test_a_failed_install_without_a_full_disk_says_that_the_disk_is_not_the_cause() -> None:
    log = "ERROR: No matching distribution found for torch==2.3.1+cpu\nERROR: failed to solve: exit code: 1\n"
    found = explain(find_symptoms(log), Machine(filesystems=(ROOMY,)))

    assert [each.kind for each in found] == [SymptomKind.PIP, SymptomKind.BUILD]
    assert found[0].what == "pip could not install: torch==2.3.1+cpu"


def test_nothing_found_is_nothing_explained() -> None:
    assert explain((), Machine(filesystems=(FULL,))) == ()


def test_the_directory_of_running_programs_is_a_place_of_its_own() -> None:
    found = only("mkdir /run/containerd/moby: no space left on device", Machine(filesystems=(ROOMY,)))

    assert found.what.startswith("/run was full: ")
    assert any("/run is a tmpfs on most machines" in sentence for sentence in found.why)
