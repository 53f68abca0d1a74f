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
    from collections.abc import Mapping, Sequence

    from tonnage.adapters.interface import Cancel, EngineFacts, Progress
    from tonnage.model.deploy.plan import Prove
    from tonnage.model.inventory import Container
    from tonnage.runtime.clock import Clock

LOOK_EVERY_S = 0.25
ANSWER_WITHIN_S = 5.0
LOG_LINES = 20
MOST_ASKED_AT_ONCE = 8


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
    found = prove_together(
        facts, project=project, actions={service: action}, progress=progress, cancel=cancel, clock=clock
    )
    if (unhealthy := found[service]) is not None:
        raise unhealthy


def prove_together(
    facts: EngineFacts,
    *,
    project: str,
    actions: Mapping[str, Prove],
    progress: Progress,
    cancel: Cancel,
    clock: Clock,
) -> dict[str, NotHealthyError | None]:
    """Return of each service why it is not healthy, None where it is, when that is known of all.

    The engine is looked at once for all of them, and as many as it answers at a time are asked at the same time.

    Args:
        actions: What to look for, by service.

    Raises:
        StepFailedError: The waiting was ended by ``cancel``.
        EngineUnreachableError: The engine stopped answering.
    """
    proofs = dict.fromkeys(actions, Proof())
    found: dict[str, NotHealthyError | None] = {}
    while True:
        waiting = [service for service in actions if service not in found]
        if cancel.is_set():
            raise StepFailedError(
                f"the proof that {waiting[0]} is healthy was stopped", why=f"Until then: {proofs[waiting[0]].reason}."
            )
        for service, seen in _look(facts, project, {service: actions[service] for service in waiting}).items():
            told = proofs[service].progress
            observed = ServiceObservation(at_s=clock.monotonic(), seen=seen)
            proof = proofs[service] = advance(actions[service], proofs[service], observed)
            if proof.progress != told:
                progress.at(proof.progress)
            if proof.health is HealthResult.HEALTHY:
                found[service] = None
            elif proof.health is HealthResult.UNHEALTHY:
                found[service] = NotHealthyError(
                    f"{service} is not healthy",
                    why=_sentence(proof),
                    todo=proof.todo,
                    log=_last_lines(facts, proof.culprit),
                )
        if len(found) == len(actions):
            return found
        clock.wait(cancel, LOOK_EVERY_S)


def _look(
    facts: EngineFacts, project: str, actions: Mapping[str, Prove]
) -> dict[str, tuple[ContainerObservation, ...]]:
    """Look at all services once."""
    named = all(action.container_name for action in actions.values())
    containers = () if named else facts.containers(project)
    meant = {service: _meant(facts, containers, service, action) for service, action in actions.items()}
    asked = [(actions[service], container) for service, its in meant.items() for container in its]
    answers = iter(_answers(facts, asked))
    return {
        service: tuple(
            ContainerObservation(
                container=container,
                answer=next(answers),
                gone=what_is_gone(container, facts.container)
                if container.joined and not actions[service].one_shot
                else "",
            )
            for container in its
        )
        for service, its in meant.items()
    }


def _answers(facts: EngineFacts, asked: Sequence[tuple[Prove, Container]]) -> list[int | str | None]:
    """Return what containers answer; several are asked at the same time."""
    if sum(action.probe is not None for action, _ in asked) < 2:  # noqa: PLR2004 - one needs no threads
        return [_ask(facts, container, action) for action, container in asked]
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - only where it is of use

    with ThreadPoolExecutor(MOST_ASKED_AT_ONCE) as pool:
        return list(pool.map(lambda each: _ask(facts, each[1], each[0]), asked))


def _meant(facts: EngineFacts, containers: Sequence[Container], service: str, action: Prove) -> tuple[Container, ...]:
    if action.container_name:
        container = facts.container(action.container_name)
        return () if container is None else (container,)
    return tuple(each for each in of_service(containers, service) if each.container_id not in action.but)


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
