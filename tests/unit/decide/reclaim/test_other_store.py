from __future__ import annotations

import pytest
from msgspec.structs import replace

from tonnage.decide.reclaim.other_store import found_text, other_store_findings, what_to_do
from tonnage.model.reclaim.other_store import OtherStore

LEFT = OtherStore(
    store="classic",
    place="/var/lib/docker/overlay2",
    size_bytes=9_000_000_007,
    images=("a:1", "b:2", "c:3", "d:4"),
    paths=("/var/lib/docker/image/overlay2", "/var/lib/docker/overlay2"),
)


def test_where_it_is_named_it_goes_with_all_its_bytes() -> None:
    found = other_store_findings(LEFT, named=True)
    (candidate,) = found.candidates
    assert (candidate.kind, candidate.paths) == ("other-store", LEFT.paths)
    assert "a:1, b:2, c:3 and 1 more" in candidate.breaks
    assert sum(piece.size_bytes for piece in found.pieces) == LEFT.size_bytes
    assert not found.protected


def test_unnamed_it_stays_and_a_note_tells_its_bytes() -> None:
    found = other_store_findings(LEFT, named=False)
    assert not found.candidates
    assert not found.pieces
    assert found.notes == (f"{found_text(LEFT)}: only with --only other-store",)
    assert "9.00 GB" in found.notes[0]


@pytest.mark.parametrize(
    ("store", "why"),
    [
        (replace(LEFT, containers=("db",)), "the container db"),
        (replace(LEFT, obstacle="/x is mounted in it"), "/x is mounted in it"),
    ],
)
def test_named_or_not_it_stays_while_something_is_in_the_way(store: OtherStore, why: str) -> None:
    for named in (True, False):
        found = other_store_findings(store, named=named)
        assert not found.candidates
        assert why in found.protected[0].reason


def test_doctor_tells_how_to_get_rid_of_it() -> None:
    assert "tonnage reclaim --only other-store" in what_to_do(LEFT)
    told = what_to_do(replace(LEFT, containers=("db", "web")))
    assert "docker rm db web" in told
    assert '"containerd-snapshotter": false' in told
    assert "tonnage reclaim" not in what_to_do(replace(LEFT, obstacle="it is used"))
