"""``tonnage deploy``: build, health-check and switch over, one service at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tonnage.cli.group import verb
from tonnage.cli.options import (
    allowing_options,
    build_on_options,
    cleanup_after_option,
    events_option,
    image_options,
    keep_free_option,
    keep_previous_option,
    parallel_options,
    stack_options,
    swarm_option,
)
from tonnage.errors import (
    CannotFitError,
    EngineLacksError,
    EngineUnreachableError,
    LockHeldError,
    NotHealthyError,
    StalePlanError,
    StepFailedError,
    UsageError,
)
from tonnage.flows.requests import Allowed

if TYPE_CHECKING:
    from tonnage.cli.session import Session
    from tonnage.flows.deploy import Job
    from tonnage.flows.requests import StackFlags
    from tonnage.model.deploy.run import Run
    from tonnage.model.stack import PullWhen

RUN_FAILURES = (
    CannotFitError,
    NotHealthyError,
    EngineUnreachableError,
    EngineLacksError,
    LockHeldError,
    StepFailedError,
    UsageError,
)


@verb(
    "deploy",
    examples=(
        ("tonnage deploy", "The whole stack of this directory"),
        ("tonnage deploy web", "One service, plus dependencies that are not running yet"),
        ("tonnage deploy --plan plan.json", "Exactly a plan that was saved before"),
        ("tonnage deploy --no-build --to ssh://user@vm.example.org", "What was pushed, pulled by another machine"),
        ("tonnage deploy --to ssh://user@vm.example.org/srv/shop", "On another machine, with the files that it mounts"),
        ("tonnage deploy --build-here --to ssh://user@vm.example.org", "Built here; only missing layers are sent"),
    ),
    failures=(*RUN_FAILURES, StalePlanError),
    about="Ctrl-C ends the running step and undoes it; running services are left alone. See plan for a dry run.",
)
@stack_options
@click.option("--plan", "plan_file", metavar="FILE", help="Carry out exactly this saved plan.")
@parallel_options
@build_on_options
@keep_free_option
@swarm_option
@events_option
@keep_previous_option
@cleanup_after_option
@allowing_options
@image_options
def command(
    session: Session,
    *,
    flags: StackFlags,
    plan_file: str | None,
    allowed: Allowed,
    pull: PullWhen | None,
    no_build: bool,
) -> None:
    """Deploy."""
    from tonnage.cli.cluster import deploy_on  # noqa: PLC0415 - help needs none of these
    from tonnage.flows.cluster.settings import is_clustered  # noqa: PLC0415

    session.ports.programs.look_ahead()
    session.streams = True
    job = deploy_job(session, flags, plan_file, allowed, pull=pull, no_build=no_build)
    if is_clustered(job.wanted):
        deploy_on(session, job)
        return
    if plan_file or no_build or not flags.host.startswith("ssh://"):
        _refuse_needless(flags, plan_file, no_build=no_build)
        run_job(session, flags.host, job)
        return
    from tonnage.cli.build_here import deploy_there  # noqa: PLC0415 - only for another machine

    deploy_there(session, flags, job, lambda: deploy_job(session, flags, None, allowed, pull=pull, no_build=True))


def _refuse_needless(flags: StackFlags, plan_file: str | None, *, no_build: bool) -> None:
    """Refuse to be told where to build what is not built for another machine."""
    if flags.settings.get("build-on") != "here":
        return
    beside = "--plan" if plan_file else "--no-build" if no_build else ""
    raise click.UsageError(
        f"--build-here and {beside} exclude each other" if beside else "--build-here needs --to ssh://user@host"
    )


def run_job(session: Session, host: str, job: Job) -> None:
    """Carry a job out and show it, from the first event to the report.

    Raises:
        TonnageError: What ended it.
    """
    from tonnage.flows.deploy import carry_out  # noqa: PLC0415 - help needs none of these
    from tonnage.flows.state import cache_places  # noqa: PLC0415

    places = cache_places(job.wanted.stack, session.ports.working_directory)
    with session.ports.engines.open(host, places=places) as access:
        run = carry_out(
            session.ports, access, job, view=session.event_view(), tell=session.say, on_stop=lambda: stop(session)
        )
    show_run(session, run)
    tell_of_failure(session, job, run)
    if run.error is not None:
        raise run.error


def tell_of_failure(session: Session, job: Job, run: Run) -> None:
    """Tell whom the user named of a deploy that failed; how the run ended is not changed by it."""
    from tonnage.model.deploy.plan import Purpose  # noqa: PLC0415 - help needs none of these
    from tonnage.model.deploy.run import Outcome  # noqa: PLC0415

    wanted = job.wanted.on_failure
    if wanted is None or run.purpose is not Purpose.DEPLOY or run.outcome is not Outcome.FAILED:
        return
    from tonnage.views.json.forms import document, json_text, run_form  # noqa: PLC0415

    trouble = session.ports.call_on_failure(wanted, json_text(document("run", run_form(run))))
    if trouble:
        session.warn(f"on-failure: {wanted.name} was not told: {trouble}")
    else:
        session.say(f"on-failure: told {wanted.name}")


def stop(session: Session) -> None:
    """Tell people that the run is being stopped; called from a signal handler."""
    from tonnage.runtime.signals import write_at_once  # noqa: PLC0415

    session.stopping = True
    if session.json or not session.terminal:
        write_at_once("stopping: ending and undoing the running step; press Ctrl-C again to stop at once\n")


def show_run(session: Session, run: Run) -> None:
    """Show the report of a run that has just ended."""
    if session.json:
        return
    from msgspec.structs import replace  # noqa: PLC0415 - help needs none of these

    from tonnage.views.text.explanations import explanations_text  # noqa: PLC0415
    from tonnage.views.text.plan import unchanged_text  # noqa: PLC0415
    from tonnage.views.text.runs import run_text  # noqa: PLC0415

    session.say("")
    if run.steps:
        session.say(run_text(replace(run, message=""), width=session.width))
    # The live picture has named them already.
    if run.plan is not None and run.plan.unchanged and not (session.terminal and not session.verbose):
        session.say(unchanged_text(run.plan, width=session.width if session.stderr.isatty() else 0))
    if run.diagnosis:
        session.warn("\n" + explanations_text(run.diagnosis, width=session.width))


def deploy_job(
    session: Session,
    flags: StackFlags,
    plan_file: str | None,
    allowed: Allowed | None = None,
    *,
    pull: PullWhen | None = None,
    no_build: bool = False,
) -> Job:
    """Return the job of a deploy.

    Raises:
        UsageError: What the user wrote cannot be used.
    """
    from msgspec.structs import replace  # noqa: PLC0415 - help needs none of these

    from tonnage.flows.deploy import Job  # noqa: PLC0415
    from tonnage.flows.plan_files import read_plan_file  # noqa: PLC0415
    from tonnage.flows.stack import for_deploy, read_wanted  # noqa: PLC0415
    from tonnage.model.deploy.plan import Purpose  # noqa: PLC0415
    from tonnage.views.json.saved_plan import MAKE_ONE  # noqa: PLC0415

    allowed = allowed or Allowed()
    if not plan_file:
        wanted = read_wanted(session.ports, flags, builds=not no_build)
        return Job(purpose=Purpose.DEPLOY, wanted=for_deploy(wanted, allowed, pull=pull, no_build=no_build))
    if flags.services or flags.settings or allowed != Allowed() or pull is not None or no_build:
        raise click.UsageError("--plan contains services and settings: leave them out")
    read = read_plan_file(plan_file)
    saved = read.plan
    if saved.purpose not in {Purpose.DEPLOY, Purpose.BUILD}:
        raise UsageError("this is not the plan of a deploy or a build", todo=MAKE_ONE, place=plan_file)
    wanted = read_wanted(session.ports, replace(flags, services=saved.services), builds=not saved.policy.no_build)
    wanted = replace(wanted, policy=saved.policy)
    return Job(purpose=saved.purpose, wanted=wanted, saved=saved, saved_place=plan_file, saved_changed=read.was_changed)
