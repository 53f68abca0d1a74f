"""Many files that are moved one after the other: gone through at once, and the same comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.forecast.costs.found_files import many_moved
from tonnage.forecast.costs.layer_costs import layer_cost
from tonnage.model.forecast.estimate import Estimate, Grade, exactly
from tonnage.model.forecast.sized_effects import SizedEffect, WrittenBytes

if TYPE_CHECKING:
    from tonnage.forecast.costs.layer_costs import LayerCost

COUNT = 40
FILES = tuple((f"/src/f{number}", 1_003 + number, 4_096) for number in range(COUNT))
BASE = Estimate(0, 70_000_003, 70_000_003, Grade.DECLARED)


def tree(*, named: bool = True) -> WrittenBytes:
    size = exactly(sum(count for _, count, _ in FILES))
    disk = exactly(sum(count for *_, count in FILES))
    return WrittenBytes(name="src", place="/src", image=size, disk=disk, files=FILES if named else ())


OTHER = WrittenBytes(name="z", place="/z", image=exactly(5), disk=exactly(4_096), is_file=True)
MOVES = {
    "files of an earlier layer": [(f"/src/f{number}", f"/dst/g{number}") for number in range(COUNT)],
    "into a directory": [(f"/src/f{number}", "/opt") for number in range(COUNT)],
    "some of them": [(f"/src/f{number}", f"/dst/g{number}") for number in range(COUNT // 2)],
    "over each other": [(f"/src/f{number}", "/dst/g") for number in range(COUNT)],
    "there and back": [
        *((f"/src/f{number}", f"/d/g{number}") for number in range(20)),
        ("/d/g3", "/e"),
        ("/d/g4", "/f"),
    ],
    "what the image has": [(f"/usr/lib/f{number}", f"/dst/g{number}") for number in range(20)],
    "both": [*((f"/src/f{number}", f"/dst/{number}") for number in range(20)), ("/usr/lib/x", "/y")],
    "a directory among them": [*((f"/src/f{number}", f"/dst/{number}") for number in range(20)), ("/src", "/moved")],
}


def cost(moves: list[tuple[str, str]], *, earlier: bool, named: bool, apart: bool) -> LayerCost:
    """Do the moves in one go, or each behind something else so that it stands alone."""
    effects = [SizedEffect(writes=(OTHER,))] if earlier else [SizedEffect(writes=(tree(named=named), OTHER))]
    for move in moves:
        effects.append(SizedEffect(moves=(move,)))
        if apart:
            effects.append(SizedEffect(removes=("/nothing",)))
    return layer_cost(effects, (tree(named=named),) if earlier else (), BASE)


@pytest.mark.parametrize("kind", MOVES)
@pytest.mark.parametrize("earlier", [True, False])
@pytest.mark.parametrize("named", [True, False])
def test_many_moves_at_once_cost_what_each_of_them_costs(kind: str, *, earlier: bool, named: bool) -> None:
    together = cost(MOVES[kind], earlier=earlier, named=named, apart=False)
    alone = cost(MOVES[kind], earlier=earlier, named=named, apart=True)

    assert (together.image, together.disk, together.transient) == (alone.image, alone.disk, alone.transient)

    def paths(found: LayerCost) -> list[tuple[str, int, int]]:
        return sorted(file for piece in found.visible for file in piece.files if file[1])

    assert paths(together) == paths(alone)


def test_files_that_are_moved_at_once_are_looked_for_once() -> None:
    below, own = [tree()], list[WrittenBytes]()
    moves = [*MOVES["files of an earlier layer"], ("/usr/lib/x", "/y")]

    found = many_moved(moves, below, own)

    assert found is not None
    [made], lost = found
    assert (below, own, lost) == ([], [], [("/usr/lib/x", "/y")])
    assert made.place == "/dst"
    assert made.files == tuple((f"/dst/g{number}", *file[1:]) for number, file in enumerate(FILES))


@pytest.mark.parametrize("kind", ["over each other", "there and back", "a directory among them"])
def test_moves_that_depend_on_each_other_are_done_one_by_one(kind: str) -> None:
    assert many_moved(MOVES[kind], [tree()], []) is None
