"""Bytes that were measured while another run was at work belong to nobody, and that run is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace
from tests.unit.builders import LINE_BYTES, Happening, build, fill_and_be_seen, harbour, journaled, plan, tag

from tonnage.errors import ReserveCrossedError
from tonnage.model.deploy.run import OtherRun
from tonnage.model.forecast.estimate import exactly

if TYPE_CHECKING:
    from pathlib import Path

OTHER = OtherRun(stack="harbour", pid=4_711, user="ana", command="tonnage deploy", claimed_bytes=7)


class Book:
    """A ledger in which another run stands, or not, and in which is seen what is claimed."""

    def __init__(self, *others: OtherRun) -> None:
        self.standing = others
        self.claims: list[int] = []

    def others(self) -> tuple[OtherRun, ...]:
        return self.standing

    def claim(self, count_bytes: int, known_bytes: int | None = None) -> bool:
        self.claims.append(count_bytes)
        return known_bytes is None


def test_nothing_is_learned_from_bytes_that_another_run_may_have_written(tmp_path: Path) -> None:
    for others, learned in ((), True), ((OTHER,), False):
        place = harbour(tmp_path / str(learned))
        made = plan(place, replace(build(place, 7_000_003), learn_key="shop/web/build"))
        place.carry_out(made, ledger=Book(*others))
        assert journaled(place).steps[0].measured[0].shared is not learned
        assert ("shop/web/build" in place.history().learned) is learned


def test_each_step_claims_what_is_still_to_come_and_the_end_leaves_nothing(tmp_path: Path) -> None:
    place, book = harbour(tmp_path), Book()
    have_bytes = place.engine.disk.available_bytes
    first = replace(
        build(place, 1_009), available_after=exactly(have_bytes - 1_009), available_lowest=exactly(have_bytes - 5_003)
    )
    last = replace(
        tag("two"), available_after=exactly(have_bytes - 1_009), available_lowest=exactly(have_bytes - 1_009)
    )
    place.carry_out(replace(plan(place, first, last), available_bytes=have_bytes), ledger=book)
    assert book.claims == [5_003, 0]


def test_who_else_was_at_work_is_named_when_the_reserve_is_crossed(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    made = plan(place, build(place), reserve_bytes=LINE_BYTES)
    place.engine.faults = Happening(on={"build": lambda: fill_and_be_seen(place, LINE_BYTES - 1)})
    run = place.carry_out(made, ledger=Book(OTHER))
    assert isinstance(run.error, ReserveCrossedError)
    assert "Meanwhile there was at work: the run of stack harbour (process 4711 of user ana" in run.error.why
