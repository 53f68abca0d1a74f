"""``tonnage rollback``: back to the previous good version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.cli.deploy import RUN_FAILURES, run_job
from tonnage.cli.group import verb
from tonnage.cli.options import keep_free_option, stack_options

if TYPE_CHECKING:
    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags


@verb(
    "rollback",
    examples=(
        ("tonnage rollback", "Every service that has an earlier good version"),
        ("tonnage rollback web", "One service"),
    ),
    failures=RUN_FAILURES,
    about="Needs no build: deploy keeps the image of the previous good version, unless --no-keep-previous was given.",
)
@stack_options
@keep_free_option
def command(session: Session, *, flags: StackFlags) -> None:
    """Roll back."""
    from tonnage.flows.deploy import Job  # noqa: PLC0415 - help needs none of these
    from tonnage.flows.stack import read_wanted  # noqa: PLC0415
    from tonnage.model.deploy.plan import Purpose  # noqa: PLC0415

    session.streams = True
    wanted = read_wanted(session.ports, flags, builds=False, forecasts=False)
    run_job(session, flags.host, Job(purpose=Purpose.ROLLBACK, wanted=wanted))
