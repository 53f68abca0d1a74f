"""``tonnage rehearse``: the whole deploy on a throw-away engine whose disk really has the chosen size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tonnage.cli.deploy import RUN_FAILURES, show_run, stop
from tonnage.cli.group import verb
from tonnage.cli.options import keep_free_option, parallel_options, stack_options
from tonnage.flows.requests import typed_value

if TYPE_CHECKING:
    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags


@verb(
    "rehearse",
    examples=(
        ("tonnage rehearse --disk 14GB", "The whole stack on a disk of 14 GB"),
        ("tonnage rehearse --disk 14GB --keep", "The same, and keep the engine to look at it"),
        ("tonnage rehearse --nodes 3 --disk 8GB", "On a throw-away Swarm of three nodes with 8 GB each"),
        ("tonnage rehearse --remove r1a2b3c", "Remove an engine that was kept"),
        ("tonnage rehearse --disk 3GB --import python:3.11-slim=base.tar", "With a base image from a file"),
    ),
    failures=RUN_FAILURES,
    about="Needs Linux and root. Everything is gone afterwards, also after Ctrl-C or a failure. Base images are taken"
    " from files (archives of docker save, or root filesystems) and from your engine; what neither has is pulled.",
)
@stack_options
@click.option("--disk", metavar="SIZE", help="Size of the disk, such as 14GB.")
@click.option("--nodes", type=int, metavar="N", help="On a Swarm of N private engines, each with a disk of that size.")
@click.option("--keep", is_flag=True, help="Leave the engine running and print how to reach and remove it.")
@click.option(
    "--import", "imports", multiple=True, metavar="REF=FILE", help="Take an image from a file; may be repeated."
)
@click.option("--remove", "remove", metavar="NAME", help="Remove a kept engine, and do nothing else.")
@parallel_options
@keep_free_option
def command(
    session: Session,
    *,
    flags: StackFlags,
    disk: str | None,
    nodes: int | None,
    keep: bool,
    imports: tuple[str, ...],
    remove: str | None,
) -> None:
    """Rehearse."""
    from tonnage.flows.rehearse import rehearse  # noqa: PLC0415 - help needs none of these
    from tonnage.units import parse_bytes  # noqa: PLC0415

    if remove:
        if disk or keep or imports or nodes is not None:
            raise click.UsageError("--remove takes no other options")
        session.ports.rehearsals.remove(remove)
        session.say(f"the rehearsal {remove} is gone")
        return
    if not disk:
        raise click.UsageError("--disk is missing: say how big the disk is, such as --disk 14GB")
    session.streams = True
    size_bytes = typed_value("--disk", disk, parse_bytes)
    if nodes is not None:
        from tonnage.cli.cluster import rehearse_there  # noqa: PLC0415

        rehearse_there(session, flags, nodes=nodes, size_bytes=size_bytes, keep=keep, imports=imports)
        return
    rehearse(
        session.ports,
        flags,
        size_bytes=size_bytes,
        keep=keep,
        imports=imports,
        view=session.event_view(),
        tell=session.say,
        on_stop=lambda: stop(session),
        on_run=lambda run: show_run(session, run),
        on_kept=session.warn,
    )
