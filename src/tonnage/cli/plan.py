"""``tonnage plan``: what deploy would do. Holds facts only; changes nothing, not even the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tonnage.cli.group import verb
from tonnage.cli.options import (
    allowing_options,
    ask_hosts_option,
    image_options,
    parallel_options,
    policy_options,
    swarm_option,
    untrusted_option,
    versioned_stack_options,
)
from tonnage.errors import CannotFitError, EngineLacksError, EngineUnreachableError, LimitPassedError
from tonnage.escapes import visible_in_line
from tonnage.flows.requests import Allowed

if TYPE_CHECKING:
    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags
    from tonnage.model.stack import PullWhen


@verb(
    "plan",
    examples=(
        ("tonnage plan", "The whole stack of this directory"),
        ("tonnage plan web worker", "Two services and what they depend on"),
        ("tonnage plan --out plan.json", "Save the plan, to be executed exactly with deploy --plan"),
        ("tonnage plan --keep-free 2GB", "With another reserve"),
        ("tonnage plan --all", "With every step, and what undoes each"),
        ("tonnage plan --detailed-exitcode -q", "In a script: 0 nothing to do, 11 something to do"),
        ("tonnage plan --rollback", "What a rollback would do"),
        ("tonnage plan --swarm --explain-placement", "Where services run on a Swarm, and why there"),
        ("tonnage plan --explain-sharing", "Which wheels services share, and why not more"),
    ),
    failures=(CannotFitError, EngineUnreachableError, EngineLacksError, LimitPassedError),
)
@versioned_stack_options
@click.option("--build", "build", is_flag=True, help="Plan the build half only.")
@click.option("--push", is_flag=True, help="With --build: push what is built.")
@click.option("--rollback", "back", is_flag=True, help="Plan a rollback: what rollback would do.")
@allowing_options
@image_options
@click.option(
    "--explain-sharing",
    "explains_sharing",
    is_flag=True,
    help="Say which wheels services share or could share, and why they share no others.",
)
@click.option(
    "--explain-placement",
    "explains_placement",
    is_flag=True,
    help="On a Swarm: say why each service is placed where it is, and how good that is.",
)
@swarm_option
@click.option(
    "--all", "everything", is_flag=True, help="Also steps that only tag or tidy up, and what undoes each step."
)
@click.option(
    "--detailed-exitcode",
    "detailed",
    is_flag=True,
    help="End with 11 where there is something to do, with 0 where not.",
)
@click.option("--out", metavar="FILE", help="Save the plan; the file holds the services' configuration, mode 0600.")
@untrusted_option
@ask_hosts_option
@parallel_options
@policy_options
def command(
    session: Session,
    *,
    flags: StackFlags,
    version: str,
    build: bool,
    push: bool,
    back: bool,
    allowed: Allowed,
    pull: PullWhen | None,
    no_build: bool,
    explains_sharing: bool,
    explains_placement: bool,
    everything: bool,
    detailed: bool,
    out: str | None,
) -> None:
    """Show a plan.

    Raises:
        CannotFitError: The plan is refused.
    """
    from msgspec.structs import replace  # noqa: PLC0415 - help needs none of these

    from tonnage.cli.cluster import show_plan as show_cluster_plan  # noqa: PLC0415 - help needs none of these
    from tonnage.flows.cluster.settings import is_clustered  # noqa: PLC0415
    from tonnage.flows.deploy import make_plan  # noqa: PLC0415
    from tonnage.flows.plan_files import write_plan_file  # noqa: PLC0415
    from tonnage.flows.stack import for_build, for_deploy, read_wanted  # noqa: PLC0415
    from tonnage.flows.state import cache_places  # noqa: PLC0415
    from tonnage.model.deploy.plan import Purpose  # noqa: PLC0415
    from tonnage.views.json.forms import plan_form  # noqa: PLC0415
    from tonnage.views.text.plan import plan_text  # noqa: PLC0415

    _check(version, build=build, push=push, back=back, images=pull is not None or no_build, explains=explains_sharing)
    if back and (build or allowed != Allowed() or out):
        raise click.UsageError("--rollback plans a rollback alone, which is not saved")
    wanted = read_wanted(session.ports, flags, builds=not (back or no_build), forecasts=not back)
    wanted = for_deploy(wanted, allowed, pull=pull, no_build=no_build)
    if is_clustered(wanted):
        if build or back or out:
            raise click.UsageError("--build, --rollback and --out are not for a Swarm")
        pending = show_cluster_plan(session, wanted, explained=explains_placement)
        raise click.exceptions.Exit(LimitPassedError.exit_code if pending and detailed else 0)
    purpose = Purpose.ROLLBACK if back else Purpose.BUILD if build else Purpose.DEPLOY
    if build:
        cleanup = flags.settings.get("cleanup-after") == "true"
        wanted = for_build(wanted, push=push, cleanup_after=cleanup)
    places = cache_places(wanted.stack, session.ports.working_directory)
    with session.ports.engines.facts(flags.host, places=places) as facts:
        plan = make_plan(
            session.ports, facts, purpose, wanted, to=version, explains_sharing=explains_sharing, tell=session.say
        )
    session.answer(
        "plan",
        lambda: plan_form(plan, sharing=explains_sharing),
        lambda: plan_text(
            plan,
            width=session.width,
            ascii_only=session.ascii_only,
            sharing=explains_sharing,
            everything=everything,
        ),
    )
    if out:
        # A refused plan is saved too: reclaim --for reads in it how much is missing, and deploy --plan refuses it.
        write_plan_file(plan, out)
    if plan.refusal is not None:
        if out:
            session.say(f"\nsaved; free what it needs with\n  tonnage reclaim --for {visible_in_line(out)} --yes")
        # The answer gives the reason and what to do about it.
        said = replace(plan.refusal, why="", todo="") if not session.json else plan.refusal
        raise CannotFitError(said.what, why=said.why, todo=said.todo)
    if out:
        session.say(f"\nsaved; {_CARRIED_OUT[purpose]}\n  tonnage deploy --plan {visible_in_line(out)}")
    if detailed and plan.steps:
        raise click.exceptions.Exit(LimitPassedError.exit_code)


_CARRIED_OUT = {
    "build": "to build exactly this (nothing is deployed):",
    "deploy": "to carry out exactly this:",
}


def _check(version: str, *, build: bool, push: bool, back: bool, images: bool, explains: bool) -> None:
    if push and not build:
        raise click.UsageError("--push needs --build")
    if (back or build) and images:
        raise click.UsageError("--pull and --no-build are for a deploy only")
    if explains and back:
        raise click.UsageError("--explain-sharing is for builds, and a rollback builds nothing")
    if version and not back:
        raise click.UsageError(f"--to {version}: a version needs --rollback, a machine is written ssh://user@host")
