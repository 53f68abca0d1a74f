from __future__ import annotations

from docker.utils.build import Pattern
from docker.utils.fnmatch import translate
from hypothesis import example, given
from hypothesis import strategies as st

from tonnage.adapters.context.entries import expression, names_of

PATTERNS = st.text(alphabet="ab./*?[]!^-\\ ", max_size=12)


@given(PATTERNS)
@example("../a/../b/.")
@example(" /a//b/ ")
def test_a_pattern_has_the_names_that_the_docker_sdk_finds(pattern: str) -> None:
    assert names_of(pattern) == Pattern.normalize(pattern)


@given(PATTERNS)
@example("**")
@example("a/**/b")
@example("[]a]")
@example("[!a-b]*")
@example("[^a")
@example("[!]")
def test_a_pattern_means_what_the_docker_sdk_takes_it_for(pattern: str) -> None:
    assert expression(pattern) == translate(pattern)
