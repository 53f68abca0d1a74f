"""What commands do where the stack runs on a Swarm: call a flow of the cluster, print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import NotHealthyError
from tonnage.flows.cluster.status import status_of
from tonnage.views.json.cluster import cluster_plan_form, cluster_status_form
from tonnage.views.text.cluster import cluster_plan_text, cluster_status_text, reclaimed_text
from tonnage.views.text.placement import placement_failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.cli.session import Session
    from tonnage.flows.deploy import Job
    from tonnage.flows.requests import StackFlags
    from tonnage.flows.stack import DesiredState
    from tonnage.model.cluster.rollout import ClusterPlan
    from tonnage.model.cluster.status import ClusterStatus


def show_plan(session: Session, wanted: DesiredState, *, explained: bool) -> bool:
    """Show the plan of a deploy; return whether there is something to do.

    Raises:
        TonnageError: The stack cannot run there, or finds no place.
    """
    from tonnage.flows.cluster.planning import cluster_plan, look_at  # noqa: PLC0415 - help needs none

    with session.ports.swarms.open(wanted.host) as access:
        seen = look_at(session.ports, access, wanted)
        plan = cluster_plan(session.ports, access, seen, wanted, session.say)
    session.answer(
        "cluster-plan",
        lambda: cluster_plan_form(plan),
        lambda: cluster_plan_text(plan, explained=explained),
    )
    if plan.refusal is not None:
        error = placement_failure(plan.refusal)
        # The answer gives the reason and what to do about it.
        error.why, error.todo = ("", "") if not session.json else (error.why, error.todo)
        raise error
    return not plan.up_to_date


def deploy_on(session: Session, job: Job) -> None:
    """Deploy on a Swarm.

    Raises:
        TonnageError: What ended it.
    """
    from tonnage.cli.deploy import stop  # noqa: PLC0415 - the commands name this module
    from tonnage.flows.cluster.deploying import deploy_on_cluster  # noqa: PLC0415 - help needs none

    with session.ports.swarms.open(job.wanted.host) as access:
        run = deploy_on_cluster(
            session.ports,
            access,
            job.wanted,
            tell=session.say,
            on_stop=lambda: stop(session),
            on_plan=lambda plan: _say_plan(session, plan),
        )
        _answer_status(session, status_of(run, access.endpoint), run.seconds)


def rehearse_there(
    session: Session, flags: StackFlags, *, nodes: int, size_bytes: int, keep: bool, imports: Sequence[str]
) -> None:
    """Rehearse on a throw-away Swarm.

    Raises:
        TonnageError: What ended it.
    """
    from tonnage.cli.deploy import stop  # noqa: PLC0415 - the commands name this module
    from tonnage.flows.cluster.rehearsing import rehearse_on_cluster  # noqa: PLC0415 - help needs none

    rehearse_on_cluster(
        session.ports,
        flags,
        nodes=nodes,
        size_bytes=size_bytes,
        keep=keep,
        imports=imports,
        tell=session.say,
        on_stop=lambda: stop(session),
        on_plan=lambda plan: _say_plan(session, plan),
        on_run=lambda run, manager: _answer_status(session, status_of(run, manager), run.seconds),
        on_kept=session.warn,
    )


def show_status(session: Session, wanted: DesiredState) -> None:
    """Show the nodes, and the services of the stack.

    Raises:
        TonnageError: The Swarm cannot be read.
    """
    from tonnage.flows.cluster.status import cluster_status  # noqa: PLC0415 - help needs none

    with session.ports.swarms.open(wanted.host) as access:
        status = cluster_status(session.ports, access, wanted)
    _answer_status(session, status)


def _say_plan(session: Session, plan: ClusterPlan) -> None:
    if not session.json:
        session.say(cluster_plan_text(plan) + "\n")


def _answer_status(session: Session, status: ClusterStatus, seconds: float | None = None) -> None:
    if seconds is not None:
        session.say(f"done in {seconds:.0f} s")
    session.streams = False
    session.answer("cluster", lambda: cluster_status_form(status), lambda: cluster_status_text(status))


def show_verification(session: Session, wanted: DesiredState) -> None:
    """Ask every task now.

    Raises:
        NotHealthyError: A service is not healthy.
    """
    from tonnage.flows.cluster.verify import verify_cluster  # noqa: PLC0415 - help needs none
    from tonnage.views.text.checks import verification_form, verification_text  # noqa: PLC0415

    with session.ports.swarms.open(wanted.host) as access:
        verdicts = verify_cluster(session.ports, access, wanted, session.say)
    name = wanted.stack.name
    session.answer("verification", lambda: verification_form(name, verdicts), lambda: verification_text(verdicts))
    bad = [verdict for verdict in verdicts if not verdict.healthy]
    if bad:
        raise NotHealthyError(
            f"{len(bad)} of {len(verdicts)} services not healthy: {', '.join(verdict.service for verdict in bad)}",
            log=next((verdict.log for verdict in bad if verdict.log), ""),
        )


def roll_back(session: Session, wanted: DesiredState, version: str) -> None:
    """Go back to an earlier version of the whole stack.

    Raises:
        TonnageError: What ended it.
    """
    from tonnage.cli.deploy import stop  # noqa: PLC0415 - the commands name this module
    from tonnage.flows.cluster.rollback import roll_back_cluster  # noqa: PLC0415 - help needs none

    with session.ports.swarms.open(wanted.host) as access:
        roll_back_cluster(
            session.ports, access, wanted, to=version, tell=session.say, on_stop=lambda: stop(session)
        )  # fmt: skip
    show_status(session, wanted)


def reclaimed_there(session: Session, flags: StackFlags, *, yes: bool) -> bool:
    """Reclaim on the nodes of a Swarm where the stack runs on one; return whether it does.

    Raises:
        TonnageError: A node refused; the others were done.
    """
    from tonnage.flows.cluster.settings import is_clustered  # noqa: PLC0415 - help needs none
    from tonnage.flows.stack import read_if_there  # noqa: PLC0415

    wanted = read_if_there(session.ports, flags)
    if not is_clustered(wanted):
        return False
    reclaim_nodes(session, wanted, yes=yes)
    return True


def reclaim_nodes(session: Session, wanted: DesiredState, *, yes: bool) -> None:
    """Free on every node what deploys left; only show it without ``yes``.

    Raises:
        TonnageError: A node refused; the others were done.
    """
    from tonnage.flows.cluster.cleanup import reclaim_cluster  # noqa: PLC0415 - help needs none

    with session.ports.swarms.open(wanted.host) as access:
        rows, errors = reclaim_cluster(session.ports, access, wanted, yes=yes, tell=session.say)
    session.answer(
        "cluster-reclaim",
        lambda: {
            "done": yes,
            "nodes": [{"node": name, "images": images, "freed_bytes": freed} for name, images, freed in rows],
        },
        lambda: reclaimed_text(rows, done=yes),
    )
    if errors:
        raise errors[0]
