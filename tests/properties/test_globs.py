from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from tonnage.sources.glob import Glob

PATTERNS = st.text(alphabet="ab*?", max_size=8)
VALUES = st.text(alphabet="ab\n", max_size=12)


def expression(pattern: str, star: str) -> re.Pattern[str]:
    """Return a pattern as the builder translates it, for an engine that goes back."""
    return re.compile("".join({"*": star, "?": "."}.get(each, each) for each in pattern), re.DOTALL)


@given(PATTERNS, VALUES)
@example("*a*b", "aabab")
@example("**", "ab")
def test_ends_are_trimmed_as_the_builder_does(pattern: str, value: str) -> None:
    glob = Glob.read(pattern)
    for longest, star in ((True, ".*"), (False, ".*?")):
        wanted = expression(pattern, star)
        front = wanted.match(value)
        assert glob.without_front(value, longest=longest) == (value[front.end() :] if front else value)
        starts = range(len(value) + 1) if longest else range(len(value), -1, -1)
        end = next((value[:at] for at in starts if wanted.fullmatch(value, at)), value)
        assert glob.without_end(value, longest=longest) == end


@given(PATTERNS.filter(lambda pattern: pattern.strip("*")), VALUES)
@example("a*b", "abab")
@example("*a", "aba")
def test_what_matches_is_replaced_as_the_builder_does(pattern: str, value: str) -> None:
    for everywhere, count in ((True, 0), (False, 1)):
        wanted = expression(pattern, ".*").sub("x", value, count=count)
        assert Glob.read(pattern).replaced(value, "x", everywhere=everywhere, most=1000) == wanted
