"""Whether services are healthy now. Changes nothing and waits for nobody to become healthy."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.adapters.interface import Unwatched
from tonnage.decide.deploy.proof import prove_action
from tonnage.errors import NotHealthyError
from tonnage.flows.stack import read_wanted
from tonnage.runtime.deploy.wait_healthy import prove
from tonnage.views.text.checks import Verdict

if TYPE_CHECKING:
    from tonnage.adapters.interface import EngineFacts
    from tonnage.flows.ports import EnginePorts
    from tonnage.flows.requests import StackFlags
    from tonnage.model.stack import Service, Stack
    from tonnage.runtime.clock import Clock

TIMEOUT_S = 10.0
STABILITY_S = 1.0


def verify(ports: EnginePorts, flags: StackFlags) -> tuple[str, list[Verdict]]:
    """Ask every service that is meant.

    Raises:
        UsageError: The stack cannot be read.
        EngineUnreachableError: The engine does not answer.
    """
    wanted = read_wanted(ports, flags, builds=False)
    services = [each for each in wanted.stack.services if not wanted.services or each.name in wanted.services]
    with ports.engines.facts(flags.host) as facts:
        return wanted.stack.name, [_ask(ports.clock, facts, wanted.stack, service) for service in services]


def _ask(clock: Clock, facts: EngineFacts, stack: Stack, service: Service) -> Verdict:
    action = replace(prove_action(service), timeout_s=TIMEOUT_S, stability_s=STABILITY_S, start_period_s=0.0)
    there = any(each.service == service.name and not each.one_off for each in facts.containers(stack.name))
    if service.replicas and not there:
        # Nothing will come by waiting: verify starts nothing.
        return Verdict(service=service.name, healthy=False, reason="It has no container.")
    try:
        prove(
            facts,
            project=stack.name,
            service=service.name,
            action=action,
            progress=Unwatched(),
            cancel=Event(),
            clock=clock,
        )
    except NotHealthyError as error:
        return Verdict(service=service.name, healthy=False, reason=error.why or error.what, log=error.log)
    return Verdict(service=service.name, healthy=True)
