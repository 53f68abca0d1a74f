"""``tonnage verify``: every service is asked now. Changes nothing and waits for nobody to become healthy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tonnage.cli.group import Verb
from tonnage.cli.options import stack_options
from tonnage.errors import EngineLacksError, EngineUnreachableError, NotHealthyError

if TYPE_CHECKING:
    from tonnage.adapters.interface import EngineFacts
    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags
    from tonnage.model.stack import Service, Stack
    from tonnage.views.text.verification import Verdict

TIMEOUT_S = 10.0
STABILITY_S = 1.0


@click.command(
    "verify",
    cls=Verb,
    examples=(
        ("tonnage verify", "Every service of the stack"),
        ("tonnage verify web", "One service"),
    ),
    failures=(NotHealthyError, EngineUnreachableError, EngineLacksError),
    about="Asks as deploy does: healthcheck, probe, all replicas, no restart. Each service has ten seconds.",
)
@stack_options
@click.pass_obj
def command(session: Session, *, flags: StackFlags) -> None:
    """Verify.

    Raises:
        NotHealthyError: A service is not healthy.
    """
    from tonnage.flows.stack import read_wanted  # noqa: PLC0415 - help needs none of these
    from tonnage.views.text.verification import verification_form, verification_text  # noqa: PLC0415

    wanted = read_wanted(session.outside, flags, builds=False)
    services = [each for each in wanted.stack.services if not wanted.services or each.name in wanted.services]
    with session.outside.facts(flags.host) as facts:
        verdicts = [_ask(session, facts, wanted.stack, service) for service in services]
    if session.json:
        session.print_document("verification", verification_form(wanted.stack.name, verdicts))
    else:
        session.say(verification_text(verdicts))
    bad = [verdict for verdict in verdicts if not verdict.healthy]
    if bad:
        raise NotHealthyError(
            f"{len(bad)} of {len(verdicts)} services not healthy: {', '.join(verdict.service for verdict in bad)}",
            log=next((verdict.log for verdict in bad if verdict.log), ""),
        )


def _ask(session: Session, facts: EngineFacts, stack: Stack, service: Service) -> Verdict:
    from threading import Event  # noqa: PLC0415

    import msgspec  # noqa: PLC0415

    from tonnage.decide.deploy.proof import prove_action  # noqa: PLC0415
    from tonnage.runtime.deploy.wait_healthy import prove  # noqa: PLC0415
    from tonnage.views.text.verification import Verdict  # noqa: PLC0415

    action = msgspec.structs.replace(
        prove_action(service), timeout_s=TIMEOUT_S, stability_s=STABILITY_S, start_period_s=0.0
    )
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
            progress=_Silent(),
            cancel=Event(),
            clock=session.outside.clock,
        )
    except NotHealthyError as error:
        return Verdict(service=service.name, healthy=False, reason=error.why or error.what, log=error.log)
    return Verdict(service=service.name, healthy=True)


class _Silent:
    """Progress that nobody watches: the table at the end says it all."""

    def at(self, text: str) -> None:
        """Say nothing."""

    def log(self, line: str) -> None:
        """Say nothing."""
