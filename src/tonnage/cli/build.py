"""``tonnage build``: the build half of a deploy, for CI."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tonnage.cli.deploy import run_job
from tonnage.cli.group import verb
from tonnage.cli.options import events_option, keep_free_option, parallel_options, stack_options
from tonnage.errors import CannotFitError, EngineLacksError, EngineUnreachableError, LockHeldError, StepFailedError

if TYPE_CHECKING:
    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags


@verb(
    "build",
    examples=(
        ("tonnage build", "Every service that has a build section"),
        ("tonnage build --push --cleanup-after", "In CI: build, push, remove, next"),
        ("tonnage build web --json", "One service, as JSON lines"),
    ),
    failures=(CannotFitError, EngineUnreachableError, EngineLacksError, LockHeldError, StepFailedError),
)
@stack_options
@click.option("--push", is_flag=True, help="Push each image after it was built.")
@click.option(
    "--cleanup-after",
    "cleanup",
    is_flag=True,
    help="Remove each image, pushed or not, and its build cache before the next.",
)
@parallel_options
@keep_free_option
@events_option
def command(session: Session, *, flags: StackFlags, push: bool, cleanup: bool) -> None:
    """Build."""
    session.ports.programs.look_ahead()
    from tonnage.flows.deploy import Job  # noqa: PLC0415 - help needs none of these
    from tonnage.flows.stack import for_build, read_wanted  # noqa: PLC0415
    from tonnage.model.deploy.plan import Purpose  # noqa: PLC0415

    if cleanup and not push:
        session.say("note: --cleanup-after without --push removes each image once it is built: none is left at the end")
    session.streams = True
    wanted = for_build(read_wanted(session.ports, flags), push=push, cleanup_after=cleanup)
    run_job(session, flags.host, Job(purpose=Purpose.BUILD, wanted=wanted))
