"""Commands that an error proposes name the stack and the engine that were typed."""

from __future__ import annotations

import pytest

from tonnage.cli.app import _options_of
from tonnage.cli.same_target import for_same_target

HINT = "Take it over:\n  tonnage deploy --adopt\nor see\n  tonnage reclaim\n  docker ps"


@pytest.mark.parametrize(
    ("typed", "first", "second"),
    [
        ((), "deploy --adopt", "reclaim"),
        (("--to", "ssh://u@vm/srv"), "deploy --to ssh://u@vm/srv --adopt", "reclaim --to ssh://u@vm/srv"),
        (("web", "-f", "a b.yml", "--file=c"), "deploy -f 'a b.yml' -f c --adopt", "reclaim -f 'a b.yml' -f c"),
        (("-pshop", "-Htcp://h:1"), "deploy -p shop -H tcp://h:1 --adopt", "reclaim -p shop -H tcp://h:1"),
        (("--to", "v3"), "deploy --adopt", "reclaim"),
        (("--", "-p", "x"), "deploy --adopt", "reclaim"),
    ],
)
def test_what_was_typed_is_repeated(typed: tuple[str, ...], first: str, second: str) -> None:
    told = for_same_target(HINT, typed, _options_of)
    assert told == f"Take it over:\n  tonnage {first}\nor see\n  tonnage {second}\n  docker ps"


def test_what_a_hint_says_itself_stays_and_what_a_command_does_not_know_is_left_out() -> None:
    told = for_same_target(
        "  tonnage deploy -p shop-2\n  tonnage nothing\n  tonnage ship --to ssh://x",
        ("-p", "a", "-H", "b"),
        _options_of,
    )
    assert told == "  tonnage deploy -H b -p shop-2\n  tonnage nothing\n  tonnage ship -p a --to ssh://x"


def test_where_images_are_sent_to_nothing_is_built() -> None:
    told = for_same_target(
        "  tonnage build web\n  tonnage ship", ("-p", "a", "--to", "ssh://x"), _options_of, sends=True
    )
    assert told == "  tonnage build -p a web\n  tonnage ship -p a --to ssh://x"
