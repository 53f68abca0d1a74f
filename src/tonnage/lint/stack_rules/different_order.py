"""Services begin with the same steps in another order, and so share none of them."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING

from tonnage.lint.rule import StackFinding, StackRule
from tonnage.model.forecast.finding import Edit
from tonnage.model.forecast.recipe import FileSourceKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tonnage.lint.reading import ReadStage, ReadStep
    from tonnage.lint.rule import LintedService

NAME = "different-order"
_MOST_SERVICES, _MOST_STEPS = 60, 40


def _check(services: Sequence[LintedService]) -> Iterator[StackFinding]:
    stages = [(each, stage) for each in services[:_MOST_SERVICES] if (stage := _bottom(each)) is not None]
    told = set()
    for (one, first), (other, second) in combinations(stages, 2):
        if first.stage.base.name != second.stage.base.name or other.path in told or one.path == other.path:
            continue
        count = _permuted(first.steps, second.steps)
        if count:
            told.add(other.path)
            yield _found(one, first, other, second, count)


def _bottom(service: LintedService) -> ReadStage | None:
    stages = service.dockerfile.stages if service.dockerfile is not None else ()
    return next((each for each in stages if each.in_image and each.stage.base.kind is FileSourceKind.IMAGE), None)


def _key(step: ReadStep) -> tuple[str, str]:
    return step.instruction.keyword, " ".join(step.instruction.text.split())


def _permuted(first: Sequence[ReadStep], second: Sequence[ReadStep]) -> int:
    """Return how many leading steps are the same in another order; 0 where none are."""
    found = 0
    balance: Counter[tuple[str, str]] = Counter()
    for count, (one, other) in enumerate(zip(first[:_MOST_STEPS], second[:_MOST_STEPS], strict=False), 1):
        balance[_key(one)] += 1
        balance[_key(other)] -= 1
        if not any(balance.values()):
            found = count
    same = all(_key(one) == _key(other) for one, other in zip(first[:found], second[:found], strict=True))
    builds = any(each.run is not None for each in second[:found])
    return found if builds and not same else 0


def _found(one: LintedService, first: ReadStage, other: LintedService, second: ReadStage, count: int) -> StackFinding:
    lines = second.read.lines
    written = {
        _key(each): lines.text[slice(*lines.whole(each.instruction.line, each.instruction.end_line))]
        for each in second.steps[:count]
    }
    edits = tuple(
        Edit(*lines.whole(place.instruction.line, place.instruction.end_line), written[_key(wanted)])
        for place, wanted in zip(second.steps[:count], first.steps[:count], strict=True)
        if _key(place) != _key(wanted) and written[_key(wanted)].endswith("\n")
    )
    finding = second.steps[0].finding(
        NAME,
        f"{other.name} begins with the same {count} steps as {one.name}, in another order",
        why="A layer is shared only if everything below it is the same. In another order each is stored twice.",
        todo=f"Write them in the order of {first.stage.place}.",
        services=(other.name,),
    )
    return StackFinding(finding=finding, services=(one.name, other.name), path=other.path, edits=edits)


RULE = StackRule(
    name=NAME,
    title="services begin with the same steps in another order",
    why="What a layer is follows from all that is below it. Two services that install the same, one system packages"
    " first and the other one Python packages, have both twice. In the same order they have them once. The price is"
    " the difference of two forecasts of the stack. Steps may depend on each other, so nothing is changed.",
    before="# web\nRUN apt-get update && apt-get install -y git\nRUN pip install torch\n"
    "# worker\nRUN pip install torch\nRUN apt-get update && apt-get install -y git",
    after="# both\nRUN apt-get update && apt-get install -y git\nRUN pip install torch",
    check=_check,
)
