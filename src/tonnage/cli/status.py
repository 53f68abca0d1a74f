"""``tonnage status``: disk, line, what the engine keeps, services. Changes nothing."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tonnage.cli.group import verb
from tonnage.cli.options import keep_free_option, stack_options, swarm_option
from tonnage.errors import EngineLacksError, EngineUnreachableError
from tonnage.escapes import visible_in_line

if TYPE_CHECKING:
    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags


@verb(
    "status",
    examples=(
        ("tonnage status", "The engine, and the stack of this directory if there is one"),
        ("tonnage status --json", "The same for programs"),
        ("tonnage status --prometheus", "The same as Prometheus reads it"),
        ("tonnage status --textfile /var/lib/prometheus/node-exporter", "For node_exporter, from a timer"),
    ),
    failures=(EngineUnreachableError, EngineLacksError),
)
@stack_options
@click.option("--prometheus", is_flag=True, help="Print Prometheus' text format.")
@click.option(
    "--textfile", default="", metavar="DIR", help="Write it to DIR/tonnage.prom, which node_exporter's collector reads."
)
@swarm_option
@keep_free_option
def command(session: Session, *, flags: StackFlags, prometheus: bool, textfile: str) -> None:
    """Show what is there."""
    if prometheus or textfile:
        if session.json or (prometheus and textfile):
            raise click.UsageError("--json, --prometheus and --textfile exclude each other")
        _give_metrics(session, flags, textfile)
        return
    from tonnage.cli.cluster import show_status  # noqa: PLC0415 - help needs none of these
    from tonnage.flows.cluster.settings import is_clustered  # noqa: PLC0415
    from tonnage.flows.looks import look_once  # noqa: PLC0415
    from tonnage.flows.stack import read_if_there  # noqa: PLC0415
    from tonnage.views.text.status import status_form, status_text  # noqa: PLC0415

    there = read_if_there(session.ports, flags)
    if is_clustered(there):
        show_status(session, there)
        return
    wanted, seen = look_once(session.ports, flags, there)
    form = partial(
        status_form,
        seen.inventory,
        reserves=seen.reserves,
        stack=wanted.stack,
        services=wanted.services,
        activity=seen.activity,
    )
    text = partial(
        status_text,
        seen.inventory,
        reserves=seen.reserves,
        stack=wanted.stack,
        services=wanted.services,
        activity=seen.activity,
    )
    session.answer("status", form, lambda: text(width=session.width, ascii_only=session.ascii_only))


def _give_metrics(session: Session, flags: StackFlags, textfile: str) -> None:
    from tonnage.flows.machine.metrics import metrics, write_metrics  # noqa: PLC0415 - help needs none of these

    text = metrics(session.ports, flags)
    if textfile:
        session.say(f"{visible_in_line(write_metrics(Path(textfile), text))}: written")
    else:
        session.print_text(text)
