"""``tonnage forecast``: what every image will weigh and what building it needs. Changes nothing; needs no engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tonnage.cli.group import Verb
from tonnage.cli.options import keep_free_option, stack_options, typed_value
from tonnage.errors import EngineLacksError, EngineUnreachableError

if TYPE_CHECKING:
    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags


@click.command(
    "forecast",
    cls=Verb,
    examples=(
        ("tonnage forecast", "The whole stack of this directory"),
        ("tonnage forecast --explain web", "Every instruction of one service, wheel by wheel"),
        ("tonnage forecast --disk 14GB --engine containerd", "For a machine that is not here"),
        ("tonnage forecast --python 3.13 --platform linux/arm64", "For another Python and platform"),
    ),
    failures=(EngineUnreachableError, EngineLacksError),
    about="Reads metadata only: nothing is built, pulled or installed, and no engine is needed. With one, its images,"
    " disk and line are used. A stack that does not fit is an answer, not a failure. Where what is written cannot be"
    " built, such as a requirement that does not exist, everything else is forecast before it ends with exit code 2.",
)
@stack_options
@click.option("--explain", metavar="SERVICE", help="Show every instruction of one service, and what weighs in it.")
@click.option("--platform", default="", metavar="OS/ARCH", help="For another platform, such as linux/arm64.")
@click.option("--python", default="", metavar="VERSION", help="For another Python than that of each image.")
@click.option(
    "--engine",
    type=click.Choice(["classic", "buildkit", "containerd", "container"]),
    help="For another kind of engine than the one that is here.",
)
@click.option("--disk", metavar="SIZE", help="For an empty disk of this size instead of the engine's.")
@click.option("--assume", metavar="SIZE", help="What to assume for a command whose bytes nobody knows.")
@click.option("--probe", is_flag=True, help="Ask apt of a base image itself, in a throw-away container.")
@click.option("--offline", is_flag=True, help="Ask no server: use what is known from earlier.")
@keep_free_option
@click.pass_obj
def command(
    session: Session,
    *,
    flags: StackFlags,
    explain: str | None,
    platform: str,
    python: str,
    engine: str | None,
    disk: str | None,
    assume: str | None,
    probe: bool,
    offline: bool,
    keep_free: str | None,
) -> None:
    """Forecast."""
    from tonnage.cli.show_forecast import ForecastFlags, forecast  # noqa: PLC0415 - help needs none of these
    from tonnage.units import parse_bytes  # noqa: PLC0415

    wish = ForecastFlags(
        explain=explain or "",
        platform=platform,
        python=python,
        engine=engine or "",
        disk_bytes=None if disk is None else typed_value("--disk", disk, parse_bytes),
        assume=assume,
        probe=probe,
        offline=offline,
        keep_free=keep_free,
    )
    forecast(session, flags, wish)
