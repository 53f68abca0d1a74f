from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tonnage.decide.deploy.health import (
    MORE_TIME,
    OTHER_STATUS,
    ContainerObservation,
    HealthResult,
    Proof,
    ServiceObservation,
    advance,
)
from tonnage.model.deploy.plan import Prove
from tonnage.model.inventory import Container
from tonnage.model.stack import ProbeSpec

if TYPE_CHECKING:
    from collections.abc import Iterable

PLAIN = Prove(stability_s=3.0, timeout_s=61.0)
PROBED = Prove(stability_s=3.0, timeout_s=61.0, probe=ProbeSpec(port=8080, path="/health"))
TWO = Prove(replicas=2, stability_s=3.0, timeout_s=61.0)
ONE_SHOT = Prove(one_shot=True, stability_s=3.0, timeout_s=61.0)

WEB = Container(container_id="c1", name="hello-web-1", image_id="sha256:1", service="web", number=1)
WEB_2 = replace(WEB, container_id="c2", name="hello-web-2", number=2)


def at(at_s: float, *containers: Container, answer: int | str | None = None) -> ServiceObservation:
    return ServiceObservation(
        at_s=at_s, seen=tuple(ContainerObservation(container=container, answer=answer) for container in containers)
    )


def judge(prove: Prove, history: Iterable[ServiceObservation]) -> Proof:
    """Return what a whole history of observations comes to."""
    proof = Proof()
    for observation in history:
        proof = advance(prove, proof, observation)
    return proof


def ended(exit_code: int | None, *, oom_killed: bool = False, state: str = "exited") -> Container:
    return replace(WEB, state=state, exit_code=exit_code, oom_killed=oom_killed)


def test_nothing_was_seen_yet() -> None:
    assert judge(PLAIN, []).health is HealthResult.PENDING


def test_it_is_healthy_when_it_stayed_up_through_the_window() -> None:
    early = judge(PLAIN, [at(100.0, WEB), at(102.9, WEB)])
    assert (early.health, early.reason) == (HealthResult.PENDING, "stayed up for 2.9 s of 3.0 s")
    assert early.progress == "healthy, stays up"

    assert judge(PLAIN, [at(100.0, WEB), at(102.9, WEB), at(103.0, WEB)]).health is HealthResult.HEALTHY


def test_without_a_window_it_is_healthy_at_once() -> None:
    assert judge(Prove(stability_s=0.0), [at(100.0, WEB)]).health is HealthResult.HEALTHY


def test_a_container_that_is_not_there_is_waited_for() -> None:
    proof = judge(PLAIN, [at(100.0)])

    assert (proof.health, proof.reason) == (HealthResult.PENDING, "0 of 1 containers are there")
    assert proof.progress == "not there yet"


def test_where_no_container_comes_the_proof_does_not_wait_for_its_whole_time() -> None:
    assert judge(PLAIN, [at(100.0), at(109.9)]).health is HealthResult.PENDING

    proof = judge(PLAIN, [at(100.0), at(110.0)])
    assert proof.health is HealthResult.UNHEALTHY
    assert proof.reason == "after 10.0 s: 0 of 1 containers are there"


def test_a_replica_that_never_comes_fails_when_the_time_is_up() -> None:
    assert judge(TWO, [at(100.0, WEB), at(160.0, WEB)]).health is HealthResult.PENDING

    proof = judge(TWO, [at(100.0, WEB), at(161.0, WEB)])
    assert proof.health is HealthResult.UNHEALTHY
    assert proof.reason == "after 1 min 01 s: 1 of 2 containers is there"


@pytest.mark.parametrize(("status", "todo"), [(404, OTHER_STATUS), (401, OTHER_STATUS), (503, MORE_TIME)])
def test_a_probe_that_asks_for_the_wrong_thing_is_not_advised_to_wait(status: int, todo: str) -> None:
    assert judge(PROBED, [at(100.0, WEB, answer=status), at(161.0, WEB, answer=status)]).todo == todo


def test_every_replica_counts() -> None:
    proof = judge(TWO, [at(100.0, WEB), at(110.0, WEB)])
    assert (proof.health, proof.reason) == (HealthResult.PENDING, "1 of 2 containers is there")
    assert proof.progress == "healthy 1/2, not there yet"

    starting = replace(WEB_2, health="starting")
    proof = judge(TWO, [at(100.0, WEB, starting), at(110.0, WEB, starting)])
    assert proof.progress == "healthy 1/2, healthcheck: starting"
    assert proof.culprit == "hello-web-2"

    assert judge(TWO, [at(100.0, WEB, WEB_2), at(103.0, WEB, WEB_2)]).health is HealthResult.HEALTHY


def test_one_more_container_than_wanted_has_to_be_healthy_too() -> None:
    sick = replace(WEB_2, health="unhealthy")

    assert judge(PLAIN, [at(100.0, WEB, sick)]).health is HealthResult.UNHEALTHY


def test_a_service_without_replicas_is_healthy_with_nothing() -> None:
    assert judge(Prove(replicas=0), [at(100.0)]).health is HealthResult.HEALTHY


def test_a_healthcheck_that_is_starting_is_waited_for() -> None:
    proof = judge(PLAIN, [at(100.0, replace(WEB, health="starting"))])

    assert (proof.health, proof.reason) == (HealthResult.PENDING, "the healthcheck of hello-web-1 says starting")


def test_a_healthcheck_that_fails_ends_the_proof() -> None:
    proof = judge(PLAIN, [at(100.0, replace(WEB, health="unhealthy"))])

    assert (proof.health, proof.reason) == (HealthResult.UNHEALTHY, "the healthcheck of hello-web-1 fails")
    assert proof.culprit == "hello-web-1"
    assert "start_period" in proof.todo


def test_within_its_start_period_a_failing_healthcheck_does_not_count() -> None:
    prove = Prove(stability_s=3.0, timeout_s=61.0, start_period_s=20.0)
    sick, well = replace(WEB, health="unhealthy"), replace(WEB, health="healthy")

    assert judge(prove, [at(100.0, sick), at(119.9, sick)]).health is HealthResult.PENDING
    assert judge(prove, [at(100.0, sick), at(119.9, well), at(123.0, well)]).health is HealthResult.HEALTHY
    late = judge(prove, [at(100.0, sick), at(120.0, sick)])
    assert late.health is HealthResult.UNHEALTHY
    assert late.reason == "the healthcheck of hello-web-1 fails after its start period of 20.0 s"


def test_what_a_failing_healthcheck_printed_is_told() -> None:
    sick = replace(WEB, health="unhealthy", health_said="connection refused")

    proof = judge(Prove(stability_s=3.0, timeout_s=61.0), [at(100.0, sick)])

    assert proof.reason == "the healthcheck of hello-web-1 fails: connection refused"


def test_the_probe_must_answer_the_wanted_status() -> None:
    refused = judge(PROBED, [at(100.0, WEB, answer="connection refused")])
    assert refused.health is HealthResult.PENDING
    assert refused.reason == "the probe of hello-web-1 on port 8080, /health, has no answer: connection refused"
    assert refused.progress == "probe: connection refused"

    busy = judge(PROBED, [at(100.0, WEB, answer=503)])
    assert busy.health is HealthResult.PENDING
    assert busy.reason == "the probe of hello-web-1 on port 8080, /health, answers status 503 instead of 200"
    assert busy.progress == "probe: status 503"

    assert judge(PROBED, [at(100.0, WEB, answer=200), at(103.0, WEB, answer=200)]).health is HealthResult.HEALTHY


def test_another_status_can_be_the_wanted_one() -> None:
    prove = Prove(stability_s=0.0, probe=ProbeSpec(port=8080, status=401))

    assert judge(prove, [at(100.0, WEB, answer=401)]).health is HealthResult.HEALTHY
    assert judge(prove, [at(100.0, WEB, answer=200)]).health is HealthResult.PENDING


def test_a_probe_that_was_not_asked_has_not_answered() -> None:
    assert judge(PROBED, [at(100.0, WEB), at(110.0, WEB)]).health is HealthResult.PENDING


def test_the_healthcheck_comes_before_the_probe() -> None:
    starting = replace(WEB, health="starting")

    assert (
        judge(PROBED, [at(100.0, starting, answer=200), at(110.0, starting, answer=200)]).health is HealthResult.PENDING
    )


def test_the_window_begins_again_when_something_stops_holding() -> None:
    history = [
        at(100.0, WEB, answer=200),
        at(102.0, WEB, answer=500),
        at(102.5, WEB, answer=200),
        at(105.4, WEB, answer=200),
    ]
    assert judge(PROBED, history).health is HealthResult.PENDING
    assert judge(PROBED, [*history, at(105.5, WEB, answer=200)]).health is HealthResult.HEALTHY


def test_the_window_begins_again_with_a_new_container() -> None:
    replaced = replace(WEB, container_id="c9")

    assert judge(PLAIN, [at(100.0, WEB), at(102.9, replaced), at(105.8, replaced)]).health is HealthResult.PENDING
    assert judge(PLAIN, [at(100.0, WEB), at(102.9, replaced), at(105.9, replaced)]).health is HealthResult.HEALTHY


def test_a_window_that_has_begun_may_be_completed_after_the_time_is_up() -> None:
    history = [at(100.0, WEB, answer="no"), at(160.0, WEB, answer=200), at(161.5, WEB, answer=200)]

    assert judge(PROBED, history).health is HealthResult.PENDING
    assert judge(PROBED, [*history, at(163.0, WEB, answer=200)]).health is HealthResult.HEALTHY
    assert judge(PROBED, [*history, at(162.0, WEB, answer=503)]).health is HealthResult.UNHEALTHY


def test_when_the_time_is_up_everything_that_is_missing_is_named() -> None:
    prove = Prove(replicas=3, timeout_s=61.0, probe=ProbeSpec(port=8080))
    starting = replace(WEB, health="starting")
    history = [at(at_s, starting, WEB_2, answer="connection refused") for at_s in (100.0, 161.0)]

    proof = judge(prove, history)

    assert proof.health is HealthResult.UNHEALTHY
    assert proof.reason == (
        "after 1 min 01 s: 2 of 3 containers are there; the healthcheck of hello-web-1 says starting; "
        "the probe of hello-web-2 on port 8080, /, has no answer: connection refused"
    )
    assert proof.culprit == "hello-web-1"


def test_a_container_that_ended_fails_at_once_with_its_exit_code() -> None:
    proof = judge(PLAIN, [at(100.0, WEB), at(100.5, ended(3))])

    assert (proof.health, proof.reason) == (HealthResult.UNHEALTHY, "hello-web-1 ended with exit code 3")
    assert proof.culprit == "hello-web-1"


def test_a_container_that_is_dead_fails_at_once() -> None:
    assert judge(PLAIN, [at(100.0, ended(None, state="dead"))]).health is HealthResult.UNHEALTHY


def test_a_container_without_memory_is_told_so() -> None:
    proof = judge(PLAIN, [at(100.0, ended(137, oom_killed=True))])

    assert proof.reason == "hello-web-1 ended with exit code 137: the kernel killed it because memory ran out"
    assert "memory limit" in proof.todo


def test_a_container_that_ended_well_although_it_should_stay_is_given_a_hint() -> None:
    proof = judge(PLAIN, [at(100.0, ended(0))])

    assert (proof.health, proof.reason) == (HealthResult.UNHEALTHY, "hello-web-1 ended with exit code 0")
    assert "x-tonnage.one-shot: true" in proof.todo


def test_a_restart_that_was_seen_fails_at_once() -> None:
    proof = judge(PLAIN, [at(100.0, WEB), at(102.0, replace(WEB, restart_count=2, exit_code=1))])

    assert proof.health is HealthResult.UNHEALTHY
    assert proof.reason == (
        "hello-web-1 does not stay up: it was restarted 2 times within 2.0 s; it ended with exit code 1"
    )


def test_a_container_that_is_being_restarted_fails_at_once() -> None:
    proof = judge(PLAIN, [at(100.0, replace(WEB, state="restarting", exit_code=7))])

    assert proof.health is HealthResult.UNHEALTHY
    assert "being restarted" in proof.reason
    assert "exit code 7" in proof.reason


def test_restarts_from_before_the_proof_do_not_count() -> None:
    old = replace(WEB, restart_count=5)

    assert judge(PLAIN, [at(100.0, old), at(103.0, old)]).health is HealthResult.HEALTHY


def test_a_container_that_stays_paused_is_not_waited_for_and_the_message_says_how_it_goes_on() -> None:
    paused = replace(WEB, state="paused")

    assert judge(PLAIN, [at(100.0, paused), at(109.0, paused)]).health is HealthResult.PENDING
    proof = judge(PLAIN, [at(100.0, paused), at(110.0, paused)])
    assert proof.health is HealthResult.UNHEALTHY
    assert proof.reason == "hello-web-1 is paused"
    assert "\n  docker unpause hello-web-1" in proof.todo


def test_a_container_that_is_made_paused_or_removed_is_waited_for() -> None:
    for state in ("created", "paused", "removing"):
        proof = judge(PLAIN, [at(100.0, replace(WEB, state=state)), at(109.0, replace(WEB, state=state))])
        assert (proof.health, proof.progress) == (HealthResult.PENDING, state)


def test_a_one_shot_service_is_healthy_when_it_ended_with_zero() -> None:
    assert judge(ONE_SHOT, [at(100.0, WEB), at(140.0, ended(0))]).health is HealthResult.HEALTHY


def test_a_one_shot_service_that_still_runs_is_waited_for() -> None:
    proof = judge(ONE_SHOT, [at(100.0, WEB), at(140.0, WEB)])

    assert (proof.health, proof.reason) == (HealthResult.PENDING, "hello-web-1 has not ended: it is running")


def test_a_one_shot_service_that_failed_fails_with_its_exit_code() -> None:
    proof = judge(ONE_SHOT, [at(100.0, ended(2))])

    assert (proof.health, proof.reason) == (HealthResult.UNHEALTHY, "hello-web-1 ended with exit code 2")


def test_a_one_shot_service_may_be_tried_again_by_its_restart_policy() -> None:
    again = replace(WEB, state="restarting", restart_count=1, exit_code=1)

    assert judge(ONE_SHOT, [at(100.0, WEB), at(101.0, again)]).health is HealthResult.PENDING


def test_a_one_shot_service_that_does_not_end_in_time_fails() -> None:
    proof = judge(ONE_SHOT, [at(100.0, WEB), at(161.0, WEB)])

    assert proof.health is HealthResult.UNHEALTHY
    assert "has not ended: it is running" in proof.reason


containers = st.builds(
    Container,
    container_id=st.sampled_from(["c1", "c2", "c3"]),
    name=st.just("hello-web"),
    image_id=st.just("sha256:1"),
    state=st.sampled_from(["created", "running", "running", "running", "paused", "restarting", "exited", "dead"]),
    health=st.sampled_from(["none", "starting", "healthy", "healthy", "unhealthy"]),
    exit_code=st.sampled_from([None, 0, 1, 137]),
    restart_count=st.sampled_from([0, 0, 0, 1, 2]),
    oom_killed=st.booleans(),
)
seen_at_once = st.lists(
    st.tuples(containers, st.sampled_from([200, 200, 503, "connection refused", None])).map(
        lambda pair: ContainerObservation(container=pair[0], answer=pair[1])
    ),
    max_size=3,
    unique_by=lambda seen: seen.container.container_id,
)
histories = st.lists(st.tuples(st.floats(min_value=0.0, max_value=9.0), seen_at_once), max_size=12).map(
    lambda steps: [
        ServiceObservation(at_s=1000.0 + sum(gap_s for gap_s, _ in steps[: index + 1]), seen=tuple(seen))
        for index, (_, seen) in enumerate(steps)
    ]
)
proves = st.builds(
    Prove,
    replicas=st.integers(min_value=1, max_value=3),
    one_shot=st.booleans(),
    probe=st.none() | st.just(ProbeSpec(port=8080)),
    stability_s=st.sampled_from([0.0, 3.0]),
    timeout_s=st.sampled_from([7.0, 31.0]),
    start_period_s=st.sampled_from([0.0, 5.0]),
)


def is_well(prove: Prove, seen: ContainerObservation) -> bool:
    container = seen.container
    if prove.one_shot:
        return container.state == "exited" and container.exit_code == 0
    return (
        container.state == "running"
        and container.health in {"none", "healthy"}
        and (prove.probe is None or seen.answer == prove.probe.status)
    )


@given(prove=proves, history=histories)
def test_it_is_never_healthy_while_any_replica_is_not(prove: Prove, history: list[ServiceObservation]) -> None:
    proof = Proof()
    for observation in history:
        before, proof = proof, advance(prove, proof, observation)
        if proof.health is HealthResult.HEALTHY and before.health is HealthResult.PENDING:
            assert len(observation.seen) >= prove.replicas
            assert all(is_well(prove, seen) for seen in observation.seen)


@given(prove=proves, history=histories)
def test_it_is_never_healthy_before_the_window_is_over(prove: Prove, history: list[ServiceObservation]) -> None:
    if prove.one_shot or judge(prove, history).health is not HealthResult.HEALTHY:
        return
    decided = next(n for n in range(len(history) + 1) if judge(prove, history[:n]).health is HealthResult.HEALTHY)
    end_s = history[decided - 1].at_s
    # By place, not by time: a clock may tell the same time twice.
    began = max((n for n, o in enumerate(history[:decided]) if end_s - o.at_s >= prove.stability_s), default=None)
    assert began is not None
    window = history[began:decided]
    assert all(is_well(prove, seen) for observation in window for seen in observation.seen)


@given(prove=proves, history=histories, more=histories)
def test_waiting_longer_never_changes_how_a_proof_ended(
    prove: Prove, history: list[ServiceObservation], more: list[ServiceObservation]
) -> None:
    ended_as = judge(prove, history)
    if ended_as.health is not HealthResult.PENDING:
        assert judge(prove, [*history, *more]) == ended_as


@given(prove=proves, history=histories)
def test_a_proof_always_ends_and_says_why(prove: Prove, history: list[ServiceObservation]) -> None:
    at_s = history[-1].at_s if history else 1000.0
    later_s = at_s + prove.timeout_s + prove.stability_s
    proof = judge(
        prove, [*history, ServiceObservation(at_s=later_s), ServiceObservation(at_s=later_s + prove.timeout_s)]
    )

    assert proof.health is not HealthResult.PENDING
    assert proof.reason


def test_a_probe_that_never_answers_fails_after_its_own_timeout_once_all_else_holds() -> None:
    wanted = Prove(probe=ProbeSpec(port=8080, timeout_s=7.0), timeout_s=211.0)
    starting = [at(100.0 + second, replace(WEB, health="starting"), answer=404) for second in range(31)]
    healthy = [at(131.0 + second, replace(WEB, health="healthy"), answer=404) for second in range(9)]

    assert judge(wanted, starting + healthy[:7]).health is HealthResult.PENDING
    proof = judge(wanted, starting + healthy)
    assert proof.health is HealthResult.UNHEALTHY
    assert "answers status 404 instead of 200" in proof.reason
