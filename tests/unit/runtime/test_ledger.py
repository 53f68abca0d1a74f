"""Runs on one engine know of each other by the locks of their stacks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tonnage.errors import LockHeldError
from tonnage.model.deploy.run import RECLAIM
from tonnage.runtime.ledger import ALONE, LONGEST_TEXT_BYTES
from tonnage.runtime.lock import StackLock

if TYPE_CHECKING:
    from pathlib import Path

ENGINE = "ABCD:EFGH"


def lock(directory: Path, stack: str, engine: str = ENGINE) -> StackLock:
    """Return the lock of a stack, not taken yet."""
    return StackLock(engine, stack, command=f"tonnage deploy -p {stack}", directory=directory)


def test_a_run_tells_the_others_on_its_engine_what_it_may_still_write(tmp_path: Path) -> None:
    with lock(tmp_path, "harbour") as held:
        assert held.claim(5_000_000_029)
        [other] = lock(tmp_path, "shop").others()
        assert (other.stack, other.claimed_bytes, other.command) == (
            "harbour",
            5_000_000_029,
            "tonnage deploy -p harbour",
        )
        assert held.others() == ()
        assert lock(tmp_path, "shop", engine="ANOTHER").others() == ()
        held.claim(31)
        assert [each.claimed_bytes for each in lock(tmp_path, "shop").others()] == [31]
    assert lock(tmp_path, "shop").others() == ()


def test_nothing_is_claimed_beside_more_than_was_known_when_it_was_planned(tmp_path: Path) -> None:
    with lock(tmp_path, "harbour") as first, lock(tmp_path, "shop") as second:
        assert first.claim(1_009, known_bytes=0)
        assert not second.claim(2_003, known_bytes=0)
        assert first.others()[0].claimed_bytes == 0
        assert second.claim(2_003, known_bytes=1_009)
        assert first.claim(997)


def test_who_was_killed_claims_nothing(tmp_path: Path) -> None:
    with lock(tmp_path, "harbour") as held:
        held.claim(1_009)
        text = held.path.read_text()
    lock(tmp_path, "harbour").path.write_text(text)
    assert lock(tmp_path, "shop").others() == ()


def test_a_run_of_another_machine_counts_as_long_as_its_lock_is_held_here(tmp_path: Path) -> None:
    with lock(tmp_path, "harbour") as held:
        text = json.loads(held.path.read_text())
        held.path.write_text(json.dumps({**text, "birth": "another boot/1", "claimed_bytes": 1_013}))
        assert [each.claimed_bytes for each in lock(tmp_path, "shop").others()] == [1_013]


def test_a_run_tells_which_images_it_needs_as_far_as_there_is_room(tmp_path: Path) -> None:
    needed = StackLock(
        ENGINE, "harbour", directory=tmp_path, images=["redis:7", *(f"{'x' * 400}:{n}" for n in range(99))]
    )
    with needed as held:
        assert len(held.path.read_bytes()) <= LONGEST_TEXT_BYTES
        [other] = lock(tmp_path, "shop").others()
        assert other.images[0] == "redis:7"
        assert 50 < len(other.images) < 99


def test_what_reclaims_is_called_so(tmp_path: Path) -> None:
    with lock(tmp_path, RECLAIM):
        [other] = lock(tmp_path, "shop").others()
        assert other.shown.startswith("a reclaim (process ")
        with pytest.raises(LockHeldError, match="another run holds the lock of what reclaims on this engine"):
            lock(tmp_path, RECLAIM).__enter__()


@pytest.mark.parametrize("change", [{"claimed_bytes": "x"}, {"pid": None}, {"stack": None, "pid": []}])
def test_what_is_no_claim_is_left_out(tmp_path: Path, change: dict[str, object]) -> None:
    with lock(tmp_path, "harbour") as held:
        text = json.loads(held.path.read_text())
        held.path.write_text(json.dumps({**text, **change}))
        assert lock(tmp_path, "shop").others() == ()


def test_a_link_or_a_claim_below_nothing_or_with_controls_does_no_harm(tmp_path: Path) -> None:
    with lock(tmp_path, "harbour") as held:
        text = json.loads(held.path.read_text())
        held.path.write_text(json.dumps({**text, "claimed_bytes": -5, "user": "a\x1b[2J\nb"}))
        [other] = lock(tmp_path, "shop").others()
        assert (other.claimed_bytes, other.user) == (0, "a?[2J?b")
        lock(tmp_path, "link").path.symlink_to(held.path)
        assert len(lock(tmp_path, "shop").others()) == 1


def test_where_nobody_can_be_seen_every_claim_is_good() -> None:
    assert ALONE.claim(1_009, known_bytes=0)
    assert ALONE.others() == ()
