"""How a service is proven healthy: what is waited for, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.deploy.plan import Prove
from tonnage.model.stack import HealthSpec

if TYPE_CHECKING:
    from tonnage.model.stack import Service

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
