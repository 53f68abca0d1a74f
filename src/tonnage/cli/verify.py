"""``tonnage verify``: every service is asked now. Changes nothing and waits for nobody to become healthy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.cli.group import verb
from tonnage.cli.options import stack_options, swarm_option
from tonnage.errors import EngineLacksError, EngineUnreachableError, NotHealthyError

if TYPE_CHECKING:
    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags


@verb(
    "verify",
    examples=(("tonnage verify", "Every service of the stack"), ("tonnage verify web", "One service")),
    failures=(NotHealthyError, EngineUnreachableError, EngineLacksError),
    about="Asks as deploy does: healthcheck, probe, all replicas, no restart. Each service has ten seconds.",
)
@stack_options
@swarm_option
def command(session: Session, *, flags: StackFlags) -> None:
    """Verify.

    Raises:
        NotHealthyError: A service is not healthy.
    """
    from tonnage.cli.cluster import show_verification  # noqa: PLC0415 - help needs none of these
    from tonnage.flows.cluster.settings import is_clustered  # noqa: PLC0415
    from tonnage.flows.looks import verify  # noqa: PLC0415
    from tonnage.flows.stack import read_wanted  # noqa: PLC0415
    from tonnage.views.text.checks import verification_form, verification_text  # noqa: PLC0415

    wanted = read_wanted(session.ports, flags, builds=False, forecasts=False)
    if is_clustered(wanted):
        show_verification(session, wanted)
        return
    stack, verdicts = verify(session.ports, wanted)
    session.answer("verification", lambda: verification_form(stack, verdicts), lambda: verification_text(verdicts))
    bad = [verdict for verdict in verdicts if not verdict.healthy]
    if bad:
        raise NotHealthyError(
            f"{len(bad)} of {len(verdicts)} services not healthy: {', '.join(verdict.service for verdict in bad)}",
            log=next((verdict.log for verdict in bad if verdict.log), ""),
        )
