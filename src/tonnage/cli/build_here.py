"""``tonnage deploy --to`` another machine: built there, or built here and sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.cli.deploy import run_job
from tonnage.errors import CannotFitError, EngineLacksError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.cli.session import Session
    from tonnage.flows.deploy import Job
    from tonnage.flows.requests import StackFlags


def deploy_there(session: Session, flags: StackFlags, job: Job, without_build: Callable[[], Job]) -> None:
    """Deploy to another machine.

    Args:
        job: The deploy that builds there.
        without_build: Makes the one that builds nothing.

    Raises:
        CannotFitError: It does not fit there, or here when it is built here. Nothing was touched on that disk.
        EngineLacksError: It is to be built here, and cannot be.
        TonnageError: What ended it.
    """
    from tonnage.flows.ship.build_here import wanted_here, why_not_here  # noqa: PLC0415 - help needs none of these
    from tonnage.model.deploy.policy import BuildOn  # noqa: PLC0415
    from tonnage.runtime.settings import build_on  # noqa: PLC0415

    place = build_on(job.wanted.settings)
    if place is not BuildOn.HERE:
        try:
            run_job(session, flags.host, job)
        except CannotFitError as error:
            if place is BuildOn.THERE or wanted_here(session.ports, flags) is None:
                raise
            if why_not_here(session.ports, flags.host):
                raise
            session.say(f"built here and sent, because it does not fit there: {error.what}")
        else:
            return
    elif why := why_not_here(session.ports, flags.host):
        raise EngineLacksError("images for that machine cannot be built here", why=why, todo="Leave out --build-here.")
    _build_and_send(session, flags)
    run_job(session, flags.host, without_build())


def _build_and_send(session: Session, flags: StackFlags) -> None:
    from tonnage.flows.deploy import Job  # noqa: PLC0415 - help needs none of these
    from tonnage.flows.ship.build_here import wanted_here  # noqa: PLC0415
    from tonnage.flows.ship.stack import ship_wanted  # noqa: PLC0415
    from tonnage.model.deploy.plan import Purpose  # noqa: PLC0415
    from tonnage.runtime.signals import write_at_once  # noqa: PLC0415
    from tonnage.views.text.ship import plan_text, shipped_text  # noqa: PLC0415

    wanted = wanted_here(session.ports, flags)
    if wanted is None:
        return
    run_job(session, "", Job(purpose=Purpose.BUILD, wanted=wanted))
    report = ship_wanted(
        session.ports,
        replace(wanted, host=""),
        flags.host,
        only_look=False,
        show=lambda looked: session.say(plan_text(looked, width=session.width)),
        tell=session.say,
        on_stop=lambda: write_at_once("stopping: what has arrived is kept for the next attempt\n"),
    )
    session.say(shipped_text(report))
