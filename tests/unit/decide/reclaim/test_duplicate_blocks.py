from __future__ import annotations

from tonnage.decide.reclaim.duplicate_blocks import duplicate_findings
from tonnage.model.reclaim.duplicate_blocks import DuplicateBlocks

FOUND = DuplicateBlocks(
    place="/d/overlay2", filesystem="xfs", size_bytes=300, groups=(("/d/a", "/d/b", "/d/c"), ("/d/e", "/d/f"))
)


def test_it_costs_nothing_and_gives_what_was_counted() -> None:
    found = duplicate_findings(FOUND)
    (candidate,) = found.candidates
    assert (candidate.kind, candidate.unique_bytes, candidate.cost_s) == ("duplicate-blocks", 300, 0.0)
    assert candidate.reason.startswith("3 files of image layers")
    assert not candidate.paths, "nothing of it is removed"
    assert sum(piece.size_bytes for piece in found.pieces) == 300


def test_what_stands_in_the_way_is_told_and_nothing_is_promised() -> None:
    found = duplicate_findings(DuplicateBlocks(place="/d", obstacle="ext4 shares no blocks"))
    assert not found.candidates
    assert found.notes == ("duplicate-blocks: ext4 shares no blocks (/d)",)
    (none,) = duplicate_findings(DuplicateBlocks(place="/d", filesystem="xfs")).notes
    assert "no two large files" in none
