"""Whether Swarm got where it was told to go, by its services and tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tonnage.decide.swarm.convergence import Convergence, WantedService, progress_of
from tonnage.model.swarm import SwarmService, SwarmTask

if TYPE_CHECKING:
    from tonnage.decide.swarm.convergence import ServiceProgress

SINCE = "2026-11-30T10:00:00Z"
NODES = {"n1": "node1"}


def task(state: str, *, slot: int = 1, image: str = "new", desired: str = "running", **more: Any) -> SwarmTask:  # noqa: ANN401 - fields
    number = more.pop("number", 0)
    return SwarmTask(
        task_id=f"{slot}-{number}", service_id="s", node_id="n1", slot=slot, state=state, desired=desired, image=image,
        created=more.pop("created", f"2026-11-30T10:00:0{number + 1}Z"), **more,
    )  # fmt: skip


def progress(
    *tasks: SwarmTask,
    update: str = "",
    replicas: int | None = 2,
    image: str = "new",
    **more: Any,  # noqa: ANN401 - fields
) -> ServiceProgress:
    service = SwarmService(service_id="s", name="fleet_web", version=7, image=image, replicas=replicas, update=update)
    wanted = WantedService(image="new", replicas=replicas, **more)
    return progress_of(wanted, service, tasks, since=SINCE, nodes=NODES)


def test_it_is_there_when_all_tasks_run_the_image_and_no_update_goes_on() -> None:
    assert progress(task("running"), task("running", slot=2)).state is Convergence.DONE
    assert progress(task("running"), task("running", slot=2), update="completed").state is Convergence.DONE


@pytest.mark.parametrize(
    "tasks",
    [
        (task("running"),),
        (task("running"), task("preparing", slot=2)),
        (task("running"), task("running", slot=2, image="old")),
        (task("running"), task("running", slot=2), task("running", slot=3, image="old")),
    ],
)
def test_it_goes_on_while_a_task_is_missing_or_old(tasks: tuple[SwarmTask, ...]) -> None:
    assert progress(*tasks).state is Convergence.IN_PROGRESS


def test_it_goes_on_during_an_update() -> None:
    assert progress(task("running"), task("running", slot=2), update="updating").state is Convergence.IN_PROGRESS


def test_a_service_that_swarm_took_back_has_failed_although_all_its_tasks_run() -> None:
    failed = task("failed", number=2, desired="shutdown", error="non-zero exit (1)")
    old = [task("running", image="old"), task("running", slot=2, image="old")]
    found = progress(*old, failed, update="rollback_completed", image="old")
    assert (found.state, found.taken_back) == (Convergence.FAILED, True)
    assert found.why == "a task failed on node1: non-zero exit (1)"
    assert progress(*old, failed, update="rollback_started", image="old").state is Convergence.IN_PROGRESS


def test_an_update_that_swarm_paused_has_failed() -> None:
    assert progress(task("running"), update="paused").state is Convergence.FAILED


def test_a_new_service_has_failed_when_one_slot_failed_three_times() -> None:
    failed = [task("failed", number=number, desired="shutdown") for number in range(3)]
    assert progress(*failed[:2], task("starting", number=4)).state is Convergence.IN_PROGRESS
    assert progress(*failed, task("starting", number=4)).state is Convergence.FAILED


def test_an_image_that_a_node_lacks_is_hopeless_at_once() -> None:
    assert progress(task("rejected", error="No such image: x", desired="shutdown")).state is Convergence.FAILED


def test_failures_of_earlier_do_not_count() -> None:
    earlier = [task("failed", slot=1, number=n, desired="shutdown", created="2026-11-29T09:00:00Z") for n in range(5)]
    assert progress(*earlier, task("running"), task("running", slot=2)).state is Convergence.DONE


def test_a_service_that_another_changed_meanwhile_has_failed() -> None:
    assert progress(task("running", image="theirs"), image="theirs").state is Convergence.FAILED


def test_a_one_shot_is_there_when_it_ended_well() -> None:
    assert progress(task("running"), replicas=1, one_shot=True).state is Convergence.IN_PROGRESS
    assert progress(task("complete", desired="shutdown"), replicas=1, one_shot=True).state is Convergence.DONE
    assert progress(task("failed", desired="shutdown"), replicas=1, one_shot=True).state is Convergence.FAILED


def test_a_global_service_is_there_on_every_node_that_may_have_it() -> None:
    assert progress(task("running", slot=0), replicas=None, nodes=2).state is Convergence.IN_PROGRESS
    assert progress(task("running", slot=0), replicas=None, nodes=1).state is Convergence.DONE


def test_a_service_that_is_not_there_has_failed() -> None:
    found = progress_of(WantedService(image="x", replicas=1), None, (), since=SINCE, nodes=NODES)
    assert found.state is Convergence.FAILED
