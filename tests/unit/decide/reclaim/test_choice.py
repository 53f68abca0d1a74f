"""What is removed, in which order, and what stays for good reasons."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from tests.unit.builders import candidate, findings, shared

from tonnage.decide.reclaim.choice import (
    decide,
    decide_everything,
    narrowed,
    still_staying,
    telling_unmatched,
    what_stayed,
)
from tonnage.errors import StepFailedError
from tonnage.model.reclaim.candidate import Findings, Protected
from tonnage.model.reclaim.outcome import Reclaimed, Removal

if TYPE_CHECKING:
    from tonnage.model.reclaim.candidate import Candidate
    from tonnage.model.reclaim.outcome import ReclaimChoice

CHEAP = candidate("image", "cheap:1", 2_003, cost_s=1.0, names=("cheap:1",))
MIDDLE = candidate("image", "middle:1", 2_011, cost_s=5.0)
DEAR = candidate("container", "dear", 9_001, cost_s=90.0)
ALL = findings(DEAR, MIDDLE, CHEAP)


def chosen(choice: ReclaimChoice) -> list[str]:
    return [each.name for each in choice.chosen]


OTHER = candidate("image", "other:1")


def protected(one: Candidate, reason: str = "a container uses it") -> Protected:
    return Protected(candidate_id=one.candidate_id, kind="image", name="it", reason=reason)


# -- how much


def test_only_what_is_missing_is_chosen_and_what_is_cheapest_to_get_back() -> None:
    choice = decide(ALL, available_bytes=10_007, target_bytes=12_000)
    assert chosen(choice) == ["cheap:1"]
    assert (choice.freed_bytes, choice.short_bytes, choice.available_bytes) == (2_003, 0, 10_007)
    assert choice.target_bytes == 12_000
    assert choice.findings == ALL


def test_nothing_is_chosen_where_there_is_enough() -> None:
    assert chosen(decide(ALL, available_bytes=12_000, target_bytes=12_000)) == []
    assert chosen(decide(ALL, available_bytes=12_001, target_bytes=12_000)) == []
    assert chosen(decide(ALL, available_bytes=11_999, target_bytes=12_000)) == ["cheap:1"]


def test_what_it_cannot_be_is_told_as_missing() -> None:
    choice = decide(ALL, available_bytes=0, target_bytes=20_000)
    assert chosen(choice) == ["cheap:1", "middle:1", "dear"]
    assert choice.short_bytes == 20_000 - 13_015


def test_what_is_protected_or_held_by_what_is_protected_is_never_counted_on() -> None:
    stays = candidate("image", "stays:1", 7_001)
    found = Findings(
        candidates=(CHEAP,),
        pieces=(shared(2_003, CHEAP), shared(7_001, stays), shared(5_003, CHEAP, stays)),
        protected=(protected(stays),),
    )
    for choice in (decide(found, available_bytes=0, target_bytes=9_000), decide_everything(found, available_bytes=0)):
        assert chosen(choice) == ["cheap:1"]
        assert choice.freed_bytes == 2_003


def test_everything_that_gives_a_byte_is_chosen_and_no_target_is_set() -> None:
    empty, smallest = candidate("image", "empty:1", 0), candidate("image", "smallest:1", 1, cost_s=99.0)
    choice = decide_everything(findings(DEAR, MIDDLE, empty, smallest, CHEAP), available_bytes=10_007)
    assert chosen(choice) == ["cheap:1", "middle:1", "dear", "smallest:1"]
    assert (choice.target_bytes, choice.freed_bytes) == (0, 13_016)


# -- in which order


def test_what_is_cheap_goes_first_then_what_goes_fast_whatever_order_it_was_found_in() -> None:
    slow = candidate("image", "slow:1", cost_s=1.0, removal_s=9.0)
    fast = candidate("image", "fast:1", cost_s=1.0, removal_s=2.0)
    for order in permutations((DEAR, slow, fast)):
        assert chosen(decide_everything(findings(*order), available_bytes=0)) == ["fast:1", "slow:1", "dear"]


def test_what_has_to_go_before_another_thing_goes_before_it_whatever_it_costs() -> None:
    over = candidate("image", "over:1", cost_s=70.0)
    under = candidate("image", "under:1", cost_s=2.0, after=(over,))
    lowest = candidate("image", "lowest:1", cost_s=1.0, after=(under,))
    for order in permutations((lowest, under, over, DEAR)):
        choice = decide_everything(findings(*order), available_bytes=0)
        assert chosen(choice) == ["over:1", "under:1", "lowest:1", "dear"]


def test_of_several_that_have_to_go_before_it_the_cheaper_one_goes_first() -> None:
    dear = candidate("image", "dear:1", cost_s=9.0)
    cheap = candidate("image", "cheap:2", cost_s=3.0)
    under = candidate("image", "under:1", cost_s=1.0, after=(dear, cheap))
    choice = decide_everything(findings(under, dear, cheap), available_bytes=0)
    assert chosen(choice) == ["cheap:2", "dear:1", "under:1"]


def test_what_is_not_chosen_is_not_brought_in_by_what_follows_it() -> None:
    over = candidate("image", "over:1", 1, cost_s=70.0)
    under = candidate("image", "under:1", 5_003, cost_s=1.0, after=(over,))
    assert chosen(decide(findings(over, under), available_bytes=0, target_bytes=5_000)) == ["under:1"]


def test_things_that_wait_for_each_other_are_all_chosen_once() -> None:
    one = candidate("image", "one:1")
    two = candidate("image", "two:1", after=(one,))
    one = candidate("image", "one:1", after=(two,))
    assert sorted(chosen(decide_everything(findings(one, two), available_bytes=0))) == ["one:1", "two:1"]


# -- what the user wants left alone


def test_what_is_kept_is_no_candidate_any_more_and_its_bytes_come_from_nowhere() -> None:
    found = narrowed(ALL, keep=["cheap*"])
    assert {each.name for each in found.candidates} == {"dear", "middle:1"}
    assert [(each.name, each.reason, each.size_bytes) for each in found.protected] == [
        ("cheap:1", "--keep cheap*", 2_003)
    ]
    assert chosen(decide(found, available_bytes=0, target_bytes=2_000)) == ["middle:1"]


def test_with_kinds_named_only_those_go_and_the_others_are_not_told_as_kept() -> None:
    found = narrowed(ALL, only=["container"])
    assert [each.name for each in found.candidates] == ["dear"]
    assert found.protected == ()
    assert narrowed(ALL) == ALL


def test_what_was_protected_before_stays_so_beside_what_is_kept() -> None:
    already = protected(OTHER)
    found = narrowed(Findings(candidates=(CHEAP,), protected=(already,)), keep=["cheap"])
    assert [each.reason for each in found.protected] == ["a container uses it", "--keep cheap"]


def test_the_first_pattern_that_means_it_is_the_reason() -> None:
    [kept] = narrowed(findings(CHEAP), keep=["nothing", "cheap", "cheap*"]).protected
    assert kept.reason == "--keep cheap"


@pytest.mark.parametrize(
    "name", ["registry.example.org:5000/team/app:2", "registry.example.org:5000/team/app@sha256:77"]
)
def test_an_image_is_meant_by_its_repository_also_where_its_registry_has_a_port(name: str) -> None:
    one = candidate("image", "sha256:1", names=(name,))
    assert narrowed(findings(one), keep=["registry.example.org:5000/team/app"]).candidates == ()
    assert narrowed(findings(one), keep=["registry.example.org"]).candidates == (one,)


def test_patterns_that_kept_nothing_are_told_once() -> None:
    found = telling_unmatched(narrowed(ALL, keep=["cheap", "chaep"]), ["cheap", "chaep", "chaep"])
    assert found.notes == ("--keep chaep matches nothing that was found and could be removed",)
    assert telling_unmatched(Findings(notes=("a first note",)), ["chaep"]).notes == ("a first note", *found.notes)


# -- a further look of the same run


def test_what_stayed_at_the_first_look_stays_at_the_next_one_with_its_reason() -> None:
    earlier = [protected(CHEAP, "it was used"), protected(OTHER, "it was used")]
    found = still_staying(ALL, earlier)
    assert {each.name for each in found.candidates} == {"dear", "middle:1"}
    assert found.protected == (earlier[0],)
    known = Findings(candidates=(MIDDLE, CHEAP), protected=(protected(CHEAP, "it is used now"),))
    assert still_staying(known, earlier).protected == known.protected


def test_what_was_protected_and_what_could_not_go_stays_for_the_rest_of_a_run() -> None:
    already = protected(OTHER)
    choice = decide(
        Findings(candidates=(CHEAP, MIDDLE), pieces=(shared(1, CHEAP),), protected=(already,)),
        available_bytes=0,
        target_bytes=1,
    )
    done = Reclaimed(
        removals=(
            Removal(candidate=CHEAP, promised_bytes=1, before_bytes=0, after_bytes=1, seconds=1.0),
            Removal(
                candidate=MIDDLE,
                promised_bytes=1,
                before_bytes=1,
                after_bytes=1,
                seconds=1.0,
                error=StepFailedError("the engine refused"),
            ),
        ),
        available_bytes=1,
        target_bytes=1,
    )
    assert [(each.candidate_id, each.reason) for each in what_stayed(choice, done)] == [
        (OTHER.candidate_id, "a container uses it"),
        (MIDDLE.candidate_id, "the engine refused"),
    ]
