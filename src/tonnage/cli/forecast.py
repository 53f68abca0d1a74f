"""``tonnage forecast``: what every image will weigh and what building it needs. Changes nothing; needs no engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tonnage.cli.group import verb
from tonnage.cli.options import ask_hosts_option, html_option, keep_free_option, stack_options, untrusted_option
from tonnage.errors import EngineLacksError, EngineUnreachableError, UsageError
from tonnage.flows.requests import ForecastOptions, typed_value

if TYPE_CHECKING:
    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags
    from tonnage.forecast.gather.single_flight import SingleFlight
    from tonnage.model.forecast.fit import ForecastAnswer

_MOST_TOLD = 5
"""Reasons that an error gives for what cannot be built."""


@verb(
    "forecast",
    examples=(
        ("tonnage forecast", "The whole stack of this directory"),
        ("tonnage forecast --explain web", "Every instruction of one service, wheel by wheel"),
        ("tonnage forecast --disk 14GB --engine docker-29", "For a machine that is not here"),
        ("tonnage forecast --python 3.13 --platform linux/arm64", "For another Python and platform"),
        ("tonnage forecast --html forecast.html", "As a page, with charts of each image"),
        ("tonnage forecast --untrusted", "Files of a stranger, such as a pull request"),
    ),
    failures=(EngineUnreachableError, EngineLacksError),
    about="Reads metadata only: nothing is built, pulled or installed, and no engine is needed. With one, its images,"
    " disk and reserve are used. A stack that does not fit is not a failure (exit code 0). Where a Dockerfile cannot be"
    " built, such as a requirement that does not exist, everything else is forecast before it ends with exit code 2.",
)
@stack_options
@click.option(
    "--explain", default="", metavar="SERVICE", help="Show every instruction of one service, and what weighs in it."
)
@click.option("--platform", default="", metavar="OS/ARCH", help="For another platform, such as linux/arm64.")
@click.option("--python", default="", metavar="VERSION", help="Use this Python version instead of each image's own.")
@click.option(
    "--engine",
    metavar="NAME",
    help="For a fresh engine of a version (docker-28, docker-29, docker-29.4, docker-29-classic), or for another kind"
    " than the one that is here: classic, buildkit, containerd, container,"
    " container-containerd.",
)
@click.option("--disk", metavar="SIZE", help="For a disk with this much available, instead of the engine's.")
@click.option(
    "--assume", "assume_unknown", metavar="SIZE", help="Size to assume for commands whose output cannot be predicted."
)
@click.option(
    "--push",
    is_flag=True,
    help="For 'build --push': engines since 29.0.1 with images in containerd unpack none, and a builder in a"
    " container loads none.",
)
@click.option("--probe", is_flag=True, help="Run apt of the base image itself, in a temporary container.")
@click.option("--offline", is_flag=True, help="Use cached answers only; make no network requests.")
@html_option
@untrusted_option
@ask_hosts_option
@keep_free_option
def command(
    session: Session,
    /,
    *,
    flags: StackFlags,
    engine: str | None,
    disk: str | None,
    html_file: str | None,
    **typed: Any,  # noqa: ANN401 - the other fields of ForecastOptions
) -> None:
    """Forecast.

    Raises:
        UsageError: A service cannot be built as written; the rest of the stack was forecast.
    """
    from tonnage.flows.forecast import forecast  # noqa: PLC0415 - help needs none of these
    from tonnage.forecast.gather.single_flight import SingleFlight  # noqa: PLC0415
    from tonnage.units import parse_bytes  # noqa: PLC0415
    from tonnage.views.json.forms import forecast_form  # noqa: PLC0415
    from tonnage.views.text.forecast import explain_text, forecast_text  # noqa: PLC0415

    if html_file is not None and typed.get("explain"):
        raise click.UsageError("--html shows every service: leave --explain out")
    disk_bytes = None if disk is None else typed_value("--disk", disk, parse_bytes)
    options = ForecastOptions(engine=engine or "", disk_bytes=disk_bytes, **typed)
    answers = SingleFlight()
    answer = forecast(session.ports, flags, options, answers=answers)
    services = answer.stack.services
    if html_file is not None:
        from tonnage.views.html.forecast_page import forecast_page  # noqa: PLC0415

        session.save_page(html_file, forecast_page(answer, made_s=session.ports.clock.time()))
    if session.json:
        session.print_document("forecast", forecast_form(answer.stack, answer.fits, answer.deploy, answer.remedies))
    elif html_file is not None:
        pass
    elif options.explain:
        explained = next(each for each in services if each.service == options.explain)
        session.show(explain_text(explained, width=session.width, ascii_only=session.ascii_only))
    else:
        text = forecast_text(
            answer.stack, answer.fits, width=session.width, disk_known=answer.disk_known, deploy=answer.deploy,
            remedies=answer.remedies,
        )  # fmt: skip
        session.show(text)
        if not (engine or disk or options.platform or options.python or options.push):
            _show_smaller(session, flags, answer, answers)
    for note in answer.notes:
        session.say(f"note: {note}")
    broken = [each for each in services if each.broken]
    if broken:
        names = ", ".join(each.service for each in broken)
        # Said again: the answer and the errors may go to different places.
        said = list(dict.fromkeys(failure for each in broken for failure in each.failures))[:_MOST_TOLD]
        raise UsageError(
            f"{names}: this cannot be built as written",
            why="\n".join(said),
            todo="Correct what is named there.",
        )


def _show_smaller(session: Session, flags: StackFlags, answer: ForecastAnswer, answers: SingleFlight) -> None:
    """Show what would make it smaller, where something is known of it."""
    if not any(each.steps and not each.failures for each in answer.stack.services):
        return
    from tonnage.flows.lint.smaller import smaller  # noqa: PLC0415 - as above
    from tonnage.views.text.lint import smaller_text  # noqa: PLC0415

    text = smaller_text(smaller(session.ports, flags, answer.stack.services, answers=answers), width=session.width)
    if text:
        session.show(f"\n{text}")
