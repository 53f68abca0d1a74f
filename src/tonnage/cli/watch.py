"""``tonnage watch``: what status shows, again and again until Ctrl-C. Takes no lock, so it may watch a deploy."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING, NoReturn

import click

from tonnage.cli.group import verb
from tonnage.cli.options import keep_free_option, stack_options
from tonnage.errors import EngineLacksError, EngineUnreachableError, UsageError
from tonnage.flows.requests import typed_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tonnage.cli.session import Session
    from tonnage.flows.looks import Snapshot
    from tonnage.flows.requests import StackFlags
    from tonnage.flows.stack import DesiredState

_SHORTEST_PAUSE_S = 0.1


@verb(
    "watch",
    examples=(
        ("tonnage watch", "Every two seconds, until Ctrl-C"),
        ("tonnage watch --interval 500ms", "More often"),
        ("tonnage watch --json", "One JSON document per refresh"),
        ("tonnage watch --listen 127.0.0.1:9723", "Serve metrics that Prometheus can scrape"),
    ),
    failures=(EngineUnreachableError, EngineLacksError),
    about="Without a terminal it writes one line per filesystem and refresh. With --listen it shows nothing: it"
    " answers GET /metrics with the last look, in Prometheus' text format or OpenMetrics.",
)
@stack_options
@click.option("--interval", metavar="TIME", help="Time between refreshes (default: 2s; with --listen 15s).")
@click.option(
    "--listen",
    default="",
    metavar="[HOST:]PORT",
    help="Serve metrics over HTTP there instead of showing them. HOST: 127.0.0.1 unless named.",
)
@keep_free_option
def command(session: Session, *, flags: StackFlags, interval: str | None, listen: str) -> None:
    """Show what is there, live.

    Raises:
        UsageError: The interval is too short.
    """
    from threading import Event  # noqa: PLC0415 - help needs none of these

    from tonnage.flows.looks import look_again  # noqa: PLC0415
    from tonnage.flows.stack import read_if_there  # noqa: PLC0415
    from tonnage.flows.status.activity import RecentLooks  # noqa: PLC0415
    from tonnage.units import parse_seconds  # noqa: PLC0415

    if listen and session.json:
        raise click.UsageError("--json and --listen exclude each other")
    session.streams = True
    typed = interval or ("15s" if listen else "2s")
    pause_s = typed_value("--interval", typed, parse_seconds)
    if pause_s < _SHORTEST_PAUSE_S:
        raise UsageError(f"--interval {typed} is too short", todo="Write at least 100ms.")
    if listen:
        _serve(session, flags, listen, pause_s)
    wanted = read_if_there(session.ports, flags)
    never, recent = Event(), RecentLooks()
    try:
        with session.ports.engines.facts(flags.host) as facts, _shower(session, wanted, typed) as show:
            while True:
                show(look_again(session.ports, facts, wanted, recent))
                session.ports.clock.wait(never, pause_s)
    except KeyboardInterrupt:
        # This is how watching ends: nothing was interrupted that people need to hear about.
        raise click.exceptions.Exit(128 + signal.SIGINT) from None


def _serve(session: Session, flags: StackFlags, listen: str, pause_s: float) -> NoReturn:
    from tonnage.flows.machine.metrics import listening_place, serve_metrics  # noqa: PLC0415 - help needs none of these

    with contextlib.suppress(KeyboardInterrupt):
        serve_metrics(session.ports, flags, listening_place(listen), pause_s=pause_s, tell=session.say)
    raise click.exceptions.Exit(128 + signal.SIGINT)


@contextlib.contextmanager
def _shower(session: Session, wanted: DesiredState, interval: str) -> Iterator[Callable[[Snapshot], None]]:
    if session.json:
        from tonnage.views.text.status import status_form  # noqa: PLC0415 - help needs none of these

        yield lambda seen: session.print_document(
            "status",
            status_form(
                seen.inventory, reserves=seen.reserves, stack=wanted.stack, services=wanted.services,
                activity=seen.activity,
            ),
        )  # fmt: skip
    elif session.stdout.isatty() and session.terminal and not session.verbose:
        from rich.console import Console  # noqa: PLC0415

        from tonnage.views.text.status import InPlace  # noqa: PLC0415

        hint = f"every {interval}; Ctrl-C ends it"
        with InPlace(Console(file=session.stdout), stack=wanted.stack, services=wanted.services, hint=hint) as view:
            yield lambda seen: view.show(seen.inventory, seen.reserves, seen.activity)
    else:
        from tonnage.views.text.layout import joined  # noqa: PLC0415
        from tonnage.views.text.status import watch_lines  # noqa: PLC0415

        now_s = session.ports.clock.time
        yield lambda seen: session.show(
            joined(watch_lines(seen.inventory, seen.reserves, now_s=now_s(), activity=seen.activity))
        )
