"""Whether the programs that were found can do what a plan asks of them: asked before the first step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.adapters.docker.builder_needs import refuse_what_is_out_of_reach, refuse_what_it_lacks
from tonnage.adapters.docker.compose.project_file import for_start_first, for_switch
from tonnage.model.deploy.plan import Build, StartFirst, Switch
from tonnage.model.deploy.rolling import StartRolling

_SECTIONS = ("networks", "volumes")

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tonnage.adapters.docker.tools import Tools
    from tonnage.model.deploy.plan import Plan, Step
    from tonnage.model.stack import ComposeMapping


def check_ready(plan: Plan, tools: Tools) -> tuple[str, ...]:
    """Check the builder and Compose against every step of a plan, and against the steps that would undo them.

    A plan without builds needs no builder, and one that starts nothing needs no Compose: neither is looked for then.

    Returns:
        What people should know of them.

    Raises:
        EngineLacksError: A program is missing, or cannot do what a step asks for.
        UsageError: ``TONNAGE_DOCKER`` names no program, or a builder is selected that does not exist.
    """
    builders: set[str] = set()
    seen: set[int] = set()
    for step in _all(plan.steps):
        match step.action:
            case Build():
                builders.add(step.action.builder)
                refuse_what_it_lacks(tools.need_build(), step.action.spec)
                if step.action.builder:
                    refuse_what_is_out_of_reach(step.action.builder, step.action.spec)
            case Switch() | StartRolling():
                for_switch(_unseen(step.action.project, seen), tools.need_compose().generation)
            case StartFirst():
                unseen = _unseen(step.action.project, seen, step.service)
                for_start_first(unseen, step.service, tools.need_compose().generation)
            case _:
                pass
    selected = tools.selected_builder if builders else None
    if selected is None:
        return ()
    if selected.name in builders:
        return (f"{selected.shown} builds, since it is selected: it keeps its cache in a volume of its own",)
    why = selected.why_not(plan.endpoint, tools.environment)
    return (f"{selected.shown} is selected and not used, since {why}: Tonnage builds in the engine itself",)


def _unseen(project: ComposeMapping, seen: set[int], always: str = "") -> ComposeMapping:
    """Return a project without what was checked with an earlier step: each step holds all services of the stack.

    Args:
        seen: The identities of what was checked, to which this adds.
        always: A service that stays.
    """
    services = project["services"].items()
    found = {name: config for name, config in services if id(config) not in seen or name == always}
    kept = {key: value for key, value in project.items() if key not in _SECTIONS or id(value) not in seen}
    seen.update(id(config) for _, config in services)
    seen.update(id(project[key]) for key in _SECTIONS if key in project)
    return kept | {"services": found}


def _all(steps: Iterable[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        yield from _all((*step.at_reserve, *step.on_failure))
