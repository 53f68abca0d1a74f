from __future__ import annotations

import re
import warnings

from docker.utils.build import Pattern
from hypothesis import example, given
from hypothesis import strategies as st

from tonnage.adapters.context.entries import names_of
from tonnage.sources.dockerfile.patterns import ignore_pattern, name_pattern

PATTERNS = st.text(alphabet="ab./*?[]!^-\\ ", max_size=12)
TIDY = st.text(alphabet="ab./*?", max_size=9) | st.text(alphabet="ab/*?[]^-\\", max_size=9)
PATHS = st.text(alphabet="ab./-]\\", max_size=9)


def of_moby(pattern: str) -> re.Pattern[str] | None:
    """Return a pattern as moby's patternmatcher translates it, character by character; None for what it refuses."""
    if pattern.startswith("**") and not re.search(r"[*?\[\]\\]", pattern[2:]):
        # Its type ``suffixMatch``: the path ends like that, or is what comes behind the slash.
        end = re.escape(pattern[2:])
        return re.compile(f".*{end}|{end.removeprefix('/')}" if pattern[2:3] == "/" else f".*{end}", re.DOTALL)
    made, at = "", 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*" and pattern[at : at + 1] == "*":
            at += 1 + (pattern[at + 1 : at + 2] == "/")
            made += ".*" if at >= len(pattern) else "(.*/)?"
        elif character == "*":
            made += "[^/]*"
        elif character == "?":
            made += "[^/]"
        elif character == "\\" and at < len(pattern):
            made += re.escape(pattern[at])
            at += 1
        elif character in "[]":
            made += character
        else:
            made += re.escape(character) if character in ".+()|{}$\\" else character
    try:
        # A bracket in brackets means itself in Go, and in Python as long as it only warns.
        with warnings.catch_warnings(action="ignore", category=FutureWarning):
            return re.compile(made, re.DOTALL)
    except re.error:
        return None


@given(PATTERNS)
@example("../a/../b/.")
@example(" /a//b/ ")
def test_a_pattern_has_the_names_that_the_docker_sdk_finds(pattern: str) -> None:
    assert names_of(pattern) == Pattern.normalize(pattern)


@given(TIDY, st.lists(PATHS, max_size=9))
@example("**", ["", "a", "a/b"])
@example("a/**/b", ["a/b", "a/x/b", "a/x/y/b", "ab", "a/xb", "a/x/yb"])
@example("a**b", ["ab", "axb", "a/b", "ax/b", "a/x/b"])
@example("a/**", ["a", "a/", "a/b", "a/b/c"])
@example("*?**/b", ["ab", "aab", "a/b", "aa/b/b", "b"])
@example("**/a/**/b/**/a", ["a/b/a", "x/a/b/y/a", "a/a/b/b/a", "a/b"])
@example("**/a*b/**/*a*", ["a/axb/a", "ab/b/ba", "axb/aab"])
@example("**ab", ["ab", "xab", "x/yab", "abx"])
@example("***/a", ["a", "b/a", "b/b/a"])
@example("[^a]b", ["/b", "bb", "ab"])
@example("*[^b]b*a", ["a/ba", "a/b/a"])
@example("[a-]", ["-", "a", "b"])
@example(r"[a\-b]", ["-", "a", "b"])
@example(r"\*a\\", ["*a\\", "*a"])
def test_a_pattern_matches_what_moby_takes_it_for(pattern: str, paths: list[str]) -> None:
    # Builders refuse what is no pattern, and read a caret outside of brackets as the beginning of the whole.
    odd = "^" in re.sub(r"\[\^", "", pattern) or re.search(r"\[\^?\]|--|\[[^]]*\[", pattern)
    expected = None if odd or pattern.count("[") != pattern.count("]") else of_moby(pattern)
    if expected is None:
        return
    found = ignore_pattern(pattern)
    for path in paths:
        assert (found.fullmatch(path) is not None) == (expected.fullmatch(path) is not None), path


@given(st.text(alphabet="ab*?[]-", max_size=9), st.lists(st.text(alphabet="ab-*", max_size=9), max_size=9))
@example("*a*b*", ["ab", "xaxbx", "ba"])
@example("[b-a]", ["a", "b"])
def test_a_name_of_a_source_matches_what_go_takes_it_for(pattern: str, names: list[str]) -> None:
    made = "".join({"*": ".*", "?": "."}.get(each, re.escape(each)) for each in pattern)
    if "[" in pattern:
        name_pattern(pattern)
        return
    for name in names:
        assert (name_pattern(pattern).fullmatch(name) is not None) == (re.fullmatch(made, name) is not None)
