"""``tonnage ship``: images from one engine to another, without a registry and without the layers that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tonnage.cli.group import verb
from tonnage.cli.options import keep_free_option, source_stack_options, through_option
from tonnage.errors import (
    CannotFitError,
    EngineLacksError,
    EngineUnreachableError,
    LockHeldError,
    StepFailedError,
    UsageError,
)

if TYPE_CHECKING:
    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags


@verb(
    "ship",
    examples=(
        ("tonnage ship --to ssh://user@vm.example.org", "The images of all services that are built here"),
        ("tonnage ship web --to ssh://user@vm.example.org --dry-run", "What would be sent of one, and whether it fits"),
        (
            "tonnage ship --to ssh://user@vm.example.org --through registry.example.org/fleet",
            "Pushed to a registry, and pulled there by digest",
        ),
        ("tonnage ship --host ssh://build.example.org --to production", "From another machine to a docker context"),
    ),
    failures=(
        CannotFitError,
        EngineUnreachableError,
        EngineLacksError,
        LockHeldError,
        StepFailedError,
        UsageError,
    ),
    about="Asks the other engine, and the registry of --through, which layers they have, and sends the others. Refuses "
    "before anything is sent when the disk there would fall below its reserve. An image gets its name there once it is "
    "whole. What arrived before a connection broke is not sent again. Without names: the services that are "
    "built. Ctrl-C stops.",
)
@source_stack_options
@click.option(
    "--to",
    "target",
    required=True,
    metavar="URL|CONTEXT",
    help="The engine that gets the images: ssh://user@host, unix:///path, or the name of a docker context.",
)
@through_option
@click.option("--dry-run", is_flag=True, help="Show what would be sent, and what it takes there. Sends nothing.")
@keep_free_option
def command(session: Session, *, flags: StackFlags, target: str, dry_run: bool) -> None:
    """Ship.

    Raises:
        CannotFitError: It would not fit.
    """
    if not target.strip() or target.startswith("-"):
        raise click.UsageError("--to names no engine: write ssh://user@host or the name of a docker context")
    from tonnage.flows.ship.stack import ship_stack  # noqa: PLC0415 - help needs none of these
    from tonnage.runtime.signals import write_at_once  # noqa: PLC0415
    from tonnage.views.text.ship import plan_text, ship_form, shipped_text  # noqa: PLC0415

    report = ship_stack(
        session.ports,
        flags,
        target,
        only_look=dry_run,
        show=lambda looked: session.say(plan_text(looked, width=session.width)),
        tell=session.say,
        on_stop=lambda: write_at_once("stopping: what has arrived is kept for the next attempt\n"),
    )
    session.answer("ship", lambda: ship_form(report), lambda: shipped_text(report))
    if report.refusal is not None:
        raise report.refusal
