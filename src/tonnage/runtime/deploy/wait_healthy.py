"""Proves that a service is healthy: looks a few times in a second, and lets the judge decide.

What healthy means is decided in :mod:`tonnage.decide.deploy.health`; here is only the looking and the waiting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.deploy.health import ContainerObservation, HealthResult, Proof, ServiceObservation, advance
from tonnage.decide.deploy.joined import what_is_gone
from tonnage.errors import NotHealthyError, StepFailedError, TonnageError
from tonnage.model.replacement import of_service

if TYPE_CHECKING:
    from tonnage.adapters.interface import Cancel, EngineFacts, Progress
    from tonnage.model.deploy.plan import Prove
    from tonnage.model.inventory import Container
    from tonnage.runtime.clock import Clock

LOOK_EVERY_S = 0.25
ANSWER_WITHIN_S = 5.0
LOG_LINES = 20


def prove(
    facts: EngineFacts,
    *,
    project: str,
    service: str,
    action: Prove,
    progress: Progress,
    cancel: Cancel,
    clock: Clock,
) -> None:
    """Return when the service is healthy.

    Raises:
        NotHealthyError: It is not healthy; with the last lines of the container that is to blame.
        StepFailedError: The waiting was ended by ``cancel``.
        EngineUnreachableError: The engine stopped answering.
    """
    proof = Proof()
    while True:
        if cancel.is_set():
            raise StepFailedError(
                f"the proof that {service} is healthy was stopped", why=f"Until then: {proof.reason}."
            )
        seen = _look(facts, project, service, action)
        told = proof.progress
        proof = advance(action, proof, ServiceObservation(at_s=clock.monotonic(), seen=seen))
        if proof.progress != told:
            progress.at(proof.progress)
        if proof.health is HealthResult.HEALTHY:
            return
        if proof.health is HealthResult.UNHEALTHY:
            raise NotHealthyError(
                f"{service} is not healthy",
                why=_sentence(proof),
                todo=proof.todo,
                log=_last_lines(facts, proof.culprit),
            )
        clock.wait(cancel, LOOK_EVERY_S)


def _look(facts: EngineFacts, project: str, service: str, action: Prove) -> tuple[ContainerObservation, ...]:
    return tuple(
        ContainerObservation(
            container=container,
            answer=_ask(facts, container, action),
            gone=what_is_gone(container, facts.container) if container.joined and not action.one_shot else "",
        )
        for container in _meant(facts, project, service, action)
    )


def _meant(facts: EngineFacts, project: str, service: str, action: Prove) -> tuple[Container, ...]:
    if action.container_name:
        container = facts.container(action.container_name)
        return () if container is None else (container,)
    mine = of_service(facts.containers(project), service)
    return tuple(each for each in mine if each.container_id not in action.but)


def _ask(facts: EngineFacts, container: Container, action: Prove) -> int | str | None:
    if action.probe is None or action.one_shot or container.state != "running":
        return None
    return facts.http_status(container, action.probe.port, action.probe.path, ANSWER_WITHIN_S)


def _sentence(proof: Proof) -> str:
    """Return the reason as a sentence; the name of a container stays as it is written."""
    named = bool(proof.culprit) and proof.reason.startswith(proof.culprit)
    return f"{proof.reason if named else proof.reason[:1].upper() + proof.reason[1:]}."


def _last_lines(facts: EngineFacts, container: str) -> str:
    if not container:
        return ""
    try:
        return facts.logs(container, LOG_LINES)
    except TonnageError:
        # That it is not healthy is the news; its log is a help that may be missing.
        return ""
