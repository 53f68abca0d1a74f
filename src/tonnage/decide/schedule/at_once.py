"""How much time it saves at best to make several images at once, where the time of each is known from earlier runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.deploy.expectations import claimed_bytes
from tonnage.decide.deploy.verdict import taken
from tonnage.decide.schedule.admission import gets_an_image, needed_bytes, what_holds_up
from tonnage.decide.schedule.jobs import RunLimits, ScheduledJob
from tonnage.decide.schedule.overlap import shortest
from tonnage.model.deploy.plan import Build
from tonnage.model.forecast.fit import Overlap
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.deploy.plan import Plan, Step
    from tonnage.model.deploy.run import History, OtherRun


def with_overlap(plan: Plan, history: History, others: Sequence[OtherRun] = ()) -> Plan:
    """Return a plan that says what making images at once saves; as it is where none is, or its time is not known."""
    at_once, steps = plan.policy.parallel, plan.steps
    images = [step for step in steps if gets_an_image(step)]
    if plan.refusal is not None or len(images) <= 1:
        return plan
    headroom_bytes = plan.available_bytes - plan.reserve_bytes - claimed_bytes(others)
    if why := _why_in_turn(plan, headroom_bytes):
        return replace(plan, notes=(*plan.notes, f"images are made one at a time: {why}"))
    if not all(step.learn_key in history.learned for step in images):
        return plan
    jobs = _jobs(steps, history)
    limits = RunLimits(headroom=(headroom_bytes,), cores=at_once, at_once=at_once + 1)
    found = shortest(jobs, limits)
    if found is None:
        return plan
    overlap = Overlap(
        at_once=at_once,
        seconds=found.seconds,
        bound_seconds=found.bound_seconds,
        in_turn_seconds=sum(job.seconds for job in jobs),
    )
    return replace(plan, overlap=overlap)


def _why_in_turn(plan: Plan, headroom_bytes: int) -> str:
    """Return why no image is made before its turn; empty where it depends on what is available then."""
    if plan.need is None:
        return "too little is known of what some steps write"
    most_bytes = plan.need.peak.high_bytes - plan.need.freed_bytes
    if most_bytes <= headroom_bytes:
        return ""
    return (
        f"the plan may need {format_bytes(most_bytes)}, and {format_bytes(max(0, headroom_bytes))} are available above"
        " the reserve"
    )


def _jobs(steps: Sequence[Step], history: History) -> list[ScheduledJob]:
    """Return a job for each image, and one for all that is done in turn between two of them."""
    jobs: list[ScheduledJob] = []
    job_of: dict[int, str] = {}
    places: dict[str, list[int]] = {}
    between: list[int] = []
    # The last job that is done in turn, which waits for all before it, and the images after it.
    last: list[str] = []

    def close() -> None:
        if not between:
            return
        level = highest = 0
        for place in between:
            highest = max(highest, level + (needed_bytes(steps[place]) or 0))
            level += taken(steps[place]).high_bytes
        name = steps[between[0]].name
        seconds = sum(_seconds(steps[place], history) for place in between)
        jobs.append(
            ScheduledJob(name=name, needed=(highest,), kept=(level,), seconds=seconds, cores=0, after=tuple(last))
        )
        job_of.update(dict.fromkeys(between, name))
        last[:] = [name]
        between.clear()

    for place, step in enumerate(steps):
        if gets_an_image(step):
            close()
            holds_up = what_holds_up(step)
            below = step.action.spec.built_on if isinstance(step.action, Build) else ()
            near = sorted(number for name in {step.service, "", *below} for number in places.get(name, ()))
            after = dict.fromkeys(job_of[number] for number in near if holds_up(steps[number]))
            jobs.append(
                ScheduledJob(
                    name=step.name,
                    needed=(needed_bytes(step) or 0,),
                    kept=(step.kept.high_bytes,),
                    seconds=_seconds(step, history),
                    after=tuple(after),
                )
            )
            job_of[place] = step.name
            last.append(step.name)
        else:
            between.append(place)
        places.setdefault(step.service, []).append(place)
    close()
    return jobs


def _seconds(step: Step, history: History) -> int:
    learned = history.learned.get(step.learn_key)
    return round(learned.seconds) if learned is not None else 0
