"""When is a service healthy? Judged from what was seen of its containers, and from nothing else.

A proof goes on from one observation to the next until it ends, healthy or unhealthy; once it has ended, no later
observation changes it. Every container of the service counts, not only the first.

* A container that ended, is being restarted or was restarted since it was first seen fails the proof at once. So does
  one whose network or other namespace went with the container that it belonged to.
* A healthcheck must say healthy. Saying unhealthy fails at once, except within the start period.
* The HTTP probe must answer the wanted status, at the latest its own timeout after everything else holds.
* All that must go on holding through the stability window.
* A one-shot service has to end with exit code 0, nothing else.
* Where there is no container at all, none is waited for longer than a moment.
* What does not hold when the time is up fails the proof. A stability window that has begun may be completed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.model.deploy.plan import Prove
from tonnage.model.stack import HealthSpec
from tonnage.units import format_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.inventory import Container
    from tonnage.model.stack import Service

MORE_TIME = "If it only needs more time, raise the start_period of its healthcheck or the timeout of x-tonnage.probe."
OTHER_STATUS = (
    "It answers, so it runs: give x-tonnage.probe the path and the status that it answers with when it is healthy."
)
FOLLOW = "Recreate it, so that it is shared again:\n  tonnage deploy"
TOO_LONG = "A one-shot service may take an hour. Work that takes longer is better done outside of a deploy."
NOTHING_THERE_S = 10.0
"""Seconds after which a service without any container is not waited for: Compose has made them all before. One with a
paused container is not either."""
_CLIENT_ERROR = 400
_SERVER_ERROR = 500


class HealthResult(StrEnum):
    """What a proof has come to."""

    PENDING = "pending"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class ContainerObservation(Struct, frozen=True, kw_only=True):
    """One container at one moment.

    Args:
        answer: What its probe answered: a status, or in words why there was no answer; None when it was not asked.
        gone: What it shared with another container and has no more, in words; empty when nothing is missing.
    """

    container: Container
    answer: int | str | None = None
    gone: str = ""


class ServiceObservation(Struct, frozen=True, kw_only=True):
    """All the containers of a service at one moment.

    Args:
        at_s: When, in seconds of a clock that only grows.
    """

    at_s: float
    seen: tuple[ContainerObservation, ...] = ()


class Proof(Struct, frozen=True, kw_only=True):
    """How far the proof of one service has come.

    Args:
        health: What it has come to.
        reason: Why, in words with figures; what is missing while it is pending.
        todo: What people can do about it, when it is unhealthy.
        culprit: Name of the container that is to blame for the reason; empty when it is none.
        progress: Short text for people who wait.
        began_s: When the first observation was made; None before that.
        steady_since_s: Since when everything holds; None while it does not.
        probing_since_s: Since when everything but the probe's answer holds; None while more is missing.
        restarts: Restart count of every container when it was first seen, by container id.
    """

    health: HealthResult = HealthResult.PENDING
    reason: str = "not looked at yet"
    todo: str = ""
    culprit: str = ""
    progress: str = "starting"
    began_s: float | None = None
    steady_since_s: float | None = None
    probing_since_s: float | None = None
    restarts: tuple[tuple[str, int], ...] = ()


class _ContainerVerdict(Struct, frozen=True, kw_only=True):
    """What one container does to the proof; ``fatal`` ends it. ``short`` is for people who wait."""

    reason: str
    short: str = ""
    fatal: bool = False
    todo: str = ""
    probe: bool = False


def advance(prove: Prove, proof: Proof, observation: ServiceObservation) -> Proof:
    """Return the proof after one more observation; a proof that has ended is returned as it is."""
    if proof.health is not HealthResult.PENDING:
        return proof
    known = dict(proof.restarts)
    for seen in observation.seen:
        known.setdefault(seen.container.container_id, seen.container.restart_count)
    began_s = observation.at_s if proof.began_s is None else proof.began_s
    if len(known) > len(proof.restarts):
        # A container that was not there before has not stayed up through any of the window.
        proof = replace(proof, steady_since_s=None)
    proof = replace(proof, began_s=began_s, restarts=tuple(known.items()))
    elapsed_s = observation.at_s - began_s

    found = [(seen.container.name, _look(prove, seen, known, elapsed_s)) for seen in observation.seen]
    for name, finding in found:
        if finding is not None and finding.fatal:
            return replace(
                proof,
                health=HealthResult.UNHEALTHY,
                reason=finding.reason,
                todo=finding.todo,
                culprit=name,
                progress="failed",
            )
    missing = prove.replicas - len(found)
    pending = [(name, finding) for name, finding in found if finding is not None]
    if missing <= 0 and not pending:
        return _steady(prove, proof, observation.at_s, containers=len(found))
    only_probe = missing <= 0 and all(finding.probe for _, finding in pending)
    since_s = (proof.probing_since_s or observation.at_s) if only_probe else None
    proof = replace(proof, probing_since_s=since_s)
    probed_s = observation.at_s - since_s if since_s is not None else 0.0
    over = (
        elapsed_s >= prove.timeout_s
        or (prove.probe is not None and only_probe and probed_s >= prove.probe.timeout_s)
        or (not found and elapsed_s >= NOTHING_THERE_S)
    )
    return _unsteady(prove, proof, pending, missing=missing, elapsed_s=elapsed_s, over=over)


def _look(
    prove: Prove, seen: ContainerObservation, known: dict[str, int], elapsed_s: float
) -> _ContainerVerdict | None:
    """Return what is in the way of this container being healthy; None when nothing is."""
    container = seen.container
    if prove.one_shot:
        return _look_at_one_shot(container)
    if container.state in {"exited", "dead"}:
        todo = "" if container.exit_code else "If it is meant to end, set x-tonnage.one-shot: true at the service."
        return _ContainerVerdict(
            reason=f"{container.name} {_how_it_ended(container)}", fatal=True, todo=todo or _memory(container)
        )
    restarts = container.restart_count - known[container.container_id]
    if container.state == "restarting" or restarts > 0:
        times = f"restarted {restarts} time{'s' if restarts > 1 else ''}" if restarts > 0 else "being restarted"
        reason = f"{container.name} does not stay up: it was {times} within {format_seconds(elapsed_s)}"
        if container.exit_code is not None or container.oom_killed:
            reason = f"{reason}; it {_how_it_ended(container)}"
        return _ContainerVerdict(reason=reason, fatal=True, todo=_memory(container))
    if container.state == "paused":
        # For a moment the engine pauses it itself, while it is made an image of.
        return _ContainerVerdict(
            reason=f"{container.name} is paused",
            short="paused",
            fatal=elapsed_s >= NOTHING_THERE_S,
            todo=f"Let it go on:\n  docker unpause {container.name}",
        )
    if container.state != "running":
        return _ContainerVerdict(reason=f"{container.name} is {container.state}", short=container.state)
    if seen.gone:
        return _ContainerVerdict(reason=f"{container.name}: {seen.gone}", fatal=True, todo=FOLLOW)
    return _look_at_health(prove, container, elapsed_s) or _look_at_answer(prove, seen)


def _look_at_one_shot(container: Container) -> _ContainerVerdict | None:
    if container.state in {"exited", "dead"}:
        if container.exit_code == 0 and container.state == "exited":
            return None
        return _ContainerVerdict(
            reason=f"{container.name} {_how_it_ended(container)}", fatal=True, todo=_memory(container)
        )
    return _ContainerVerdict(reason=f"{container.name} has not ended: it is {container.state}", short=container.state)


def _look_at_health(prove: Prove, container: Container, elapsed_s: float) -> _ContainerVerdict | None:
    if container.health in {"none", "healthy", ""}:
        return None
    if container.health == "unhealthy" and elapsed_s >= prove.start_period_s:
        after = f" after its start period of {format_seconds(prove.start_period_s)}" if prove.start_period_s else ""
        said = f": {container.health_said}" if container.health_said else ""
        return _ContainerVerdict(
            reason=f"the healthcheck of {container.name} fails{after}{said}", fatal=True, todo=MORE_TIME
        )
    return _ContainerVerdict(
        reason=f"the healthcheck of {container.name} says {container.health}", short=f"healthcheck: {container.health}"
    )


def _look_at_answer(prove: Prove, seen: ContainerObservation) -> _ContainerVerdict | None:
    if prove.probe is None or seen.answer == prove.probe.status:
        return None
    asked = f"the probe of {seen.container.name} on port {prove.probe.port}, {prove.probe.path},"
    if isinstance(seen.answer, int):
        wanted = f"status {seen.answer} instead of {prove.probe.status}"
        todo = OTHER_STATUS if _CLIENT_ERROR <= seen.answer < _SERVER_ERROR else ""
        return _ContainerVerdict(
            reason=f"{asked} answers {wanted}", short=f"probe: status {seen.answer}", probe=True, todo=todo
        )
    answer = seen.answer or "not asked yet"
    return _ContainerVerdict(reason=f"{asked} has no answer: {answer}", short=f"probe: {answer}", probe=True)


def _steady(prove: Prove, proof: Proof, at_s: float, *, containers: int) -> Proof:
    since_s = at_s if proof.steady_since_s is None else proof.steady_since_s
    window_s = 0.0 if prove.one_shot else prove.stability_s
    if at_s - since_s >= window_s or containers == 0:
        said = "ended with exit code 0" if prove.one_shot else "healthy"
        return replace(
            proof, health=HealthResult.HEALTHY, reason=said, culprit="", progress=said, steady_since_s=since_s
        )
    return replace(
        proof,
        reason=f"stayed up for {format_seconds(at_s - since_s)} of {format_seconds(window_s)}",
        culprit="",
        progress=f"healthy {containers}/{containers}, stays up" if containers > 1 else "healthy, stays up",
        steady_since_s=since_s,
    )


def _unsteady(
    prove: Prove,
    proof: Proof,
    pending: Sequence[tuple[str, _ContainerVerdict]],
    *,
    missing: int,
    elapsed_s: float,
    over: bool,
) -> Proof:
    reasons = [finding.reason for _, finding in pending]
    if missing > 0:
        there = prove.replicas - missing
        reasons.insert(0, f"{there} of {prove.replicas} containers {'is' if there == 1 else 'are'} there")
    reason = "; ".join(reasons)
    culprit = pending[0][0] if pending else ""
    if over:
        known = [finding.todo for _, finding in pending if finding.todo]
        todo = known[0] if known else TOO_LONG if prove.one_shot else MORE_TIME
        return replace(
            proof,
            health=HealthResult.UNHEALTHY,
            reason=f"after {format_seconds(elapsed_s)}: {reason}",
            todo=todo,
            culprit=culprit,
            progress="failed",
            steady_since_s=None,
        )
    short = next((finding.short for _, finding in pending), "not there yet")
    if prove.replicas > 1:
        word = "ended" if prove.one_shot else "healthy"
        short = f"{word} {max(0, prove.replicas - max(missing, 0) - len(pending))}/{prove.replicas}, {short}"
    return replace(proof, reason=reason, culprit=culprit, progress=short, steady_since_s=None)


def _how_it_ended(container: Container) -> str:
    code = (
        "an exit code that the engine does not tell"
        if container.exit_code is None
        else f"exit code {container.exit_code}"
    )
    memory = ": the kernel killed it because memory ran out" if container.oom_killed else ""
    return f"ended with {code}{memory}"


def _memory(container: Container) -> str:
    return "Raise its memory limit, or give the machine more memory." if container.oom_killed else ""


_SLACK_S = 30.0
_ONE_SHOT_S = 3600.0


def prove_action(service: Service, container_name: str = "") -> Prove:
    """Return the proof for a service.

    Args:
        container_name: The single container to look at; empty for all the service's containers.
    """
    health = service.health or HealthSpec()
    start_period_s = 0.0 if health.disabled else health.start_period_s
    checking_s = 0.0 if health.disabled else (health.interval_s + health.timeout_s) * (health.retries + 1)
    probing_s = service.settings.probe.timeout_s if service.settings.probe else 0.0
    timeout_s = start_period_s + checking_s + probing_s + service.settings.stability_s + _SLACK_S
    return Prove(
        replicas=1 if container_name else service.replicas,
        container_name=container_name,
        one_shot=service.settings.one_shot,
        probe=service.settings.probe,
        stability_s=service.settings.stability_s,
        timeout_s=_ONE_SHOT_S if service.settings.one_shot else timeout_s,
        start_period_s=start_period_s,
    )
