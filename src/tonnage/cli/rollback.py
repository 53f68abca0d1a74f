"""``tonnage rollback``: back to the previous good version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tonnage.cli.deploy import RUN_FAILURES, run_job
from tonnage.cli.group import verb
from tonnage.cli.options import keep_free_option, swarm_option, versioned_stack_options

if TYPE_CHECKING:
    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags
    from tonnage.flows.stack import DesiredState


@verb(
    "rollback",
    examples=(
        ("tonnage rollback", "Every service that has an earlier good version"),
        ("tonnage rollback web", "One service"),
        ("tonnage rollback --list", "Which versions there are"),
        ("tonnage rollback --to v3", "To one of them"),
    ),
    failures=RUN_FAILURES,
    about="Needs no build: deploy keeps the images of good versions, as many as x-tonnage.keep-versions says (1)."
    " See plan --rollback for a dry run. A version that was rolled back is deployed again only with deploy --again.",
)
@versioned_stack_options
@click.option("--list", "listed", is_flag=True, help="Show the versions there are, and change nothing.")
@swarm_option
@keep_free_option
def command(session: Session, *, flags: StackFlags, listed: bool, version: str) -> None:
    """Roll back."""
    from tonnage.cli.cluster import roll_back, show_status  # noqa: PLC0415 - help needs none of these
    from tonnage.flows.cluster.settings import is_clustered  # noqa: PLC0415
    from tonnage.flows.deploy import Job  # noqa: PLC0415
    from tonnage.flows.stack import read_wanted  # noqa: PLC0415
    from tonnage.model.deploy.plan import Purpose  # noqa: PLC0415

    if listed and version:
        raise click.UsageError("--list and a version exclude each other")
    wanted = read_wanted(session.ports, flags, builds=False, forecasts=False)
    if is_clustered(wanted):
        if wanted.services:
            raise click.UsageError(
                "on a Swarm only the whole stack can be rolled back: leave out the names of services"
            )
        if listed:
            show_status(session, wanted)
        else:
            roll_back(session, wanted, version)
        return
    if listed:
        _show_versions(session, flags.host, wanted)
        return
    session.streams = True
    run_job(session, flags.host, Job(purpose=Purpose.ROLLBACK, wanted=wanted, to=version))


def _show_versions(session: Session, host: str, wanted: DesiredState) -> None:
    from tonnage.flows.versions import list_versions  # noqa: PLC0415 - help needs none of these
    from tonnage.views.text.versions import versions_form, versions_text  # noqa: PLC0415

    with session.ports.engines.facts(host) as facts:
        found = list_versions(session.ports, facts, wanted)
    session.answer("versions", lambda: versions_form(found), lambda: versions_text(found))
