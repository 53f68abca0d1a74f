"""Which versions of a stack there are: what ``rollback --list`` tells. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.deploy.changes import in_order
from tonnage.decide.deploy.planning import asked_for, context_of
from tonnage.flows.state import read_history
from tonnage.model.deploy.versions import ServiceVersions
from tonnage.runtime.deploy.observe import as_known, observe

if TYPE_CHECKING:
    from tonnage.adapters.interface import EngineFacts
    from tonnage.flows.ports import DeployPorts
    from tonnage.flows.stack import DesiredState


def list_versions(ports: DeployPorts, facts: EngineFacts, wanted: DesiredState) -> tuple[ServiceVersions, ...]:
    """Return what is known of the versions of a stack, dependencies first.

    Raises:
        UsageError: An unknown service or a dependency cycle.
        EngineUnreachableError: The engine does not answer.
        TonnageError: The journal cannot be read.
    """
    stack, inventory = wanted.stack, observe(facts)
    history = read_history(ports, stack.name, inventory.engine.engine_id)
    inventory = as_known(facts, stack, inventory, history)
    contexts = [
        context_of(stack, service, inventory, wanted.policy, history)
        for service in in_order(stack, asked_for(stack, wanted.services))
    ]
    return tuple(
        ServiceVersions(
            service=context.service.name,
            known=context.versions,
            runs=context.runs,
            running=context.change.running_image,
        )
        for context in contexts
    )
