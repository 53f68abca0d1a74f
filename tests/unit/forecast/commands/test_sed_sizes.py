from __future__ import annotations

import re

import pytest

from tonnage.forecast.commands.sed_sizes import percent_of


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("s/abc/xyz/", (100, 100)),
        ("s,/a,/b,g", (100, 100)),
        ("s/a\\/b/x/", (33, 100)),
        ("s/ab/xxxx/gI", (100, 200)),
        ("3s/a/bb/;4s/a/bb/", (100, 400)),
        ("/x/d", (0, 100)),
        ("1,/y/d; s/ab/a/", (0, 100)),
        ("s/a.*/b/", (0, 200)),
        ("s/a/&&/", (0, 500)),
        ("1i hello", (0, 1_000)),
        ("s/a/b/w /x", (0, 1_000)),
        ("s/a/b", (0, 1_000)),
        ("y/abc/xyz/", (0, 1_000)),
        ("", (100, 100)),
    ],
)
def test_a_script_tells_how_much_more_or_less_it_leaves(script: str, told: tuple[int, int]) -> None:
    assert percent_of([script]) == told


@pytest.mark.parametrize("text", ["", "a", "aaaa\n", "abab\n\nxb"])
@pytest.mark.parametrize(("old", "new"), [("a", "bcd"), ("ab", "c"), ("a*", "-"), ("$", "end"), ("^", "##")])
def test_what_comes_out_is_within_it(text: str, old: str, new: str) -> None:
    low, high = percent_of([f"s/{old}/{new}/g"])
    made = "".join(
        re.sub(old, new, line.rstrip("\n")) + line[len(line.rstrip("\n")) :] for line in text.splitlines(keepends=True)
    )
    assert len(text) * low // 100 <= len(made)
    # What has no line end is shorter by it than a line.
    assert len(made) <= (len(text) + 1) * high / 100


def test_many_scripts_have_a_bound() -> None:
    assert percent_of(["s/a/" + "b" * 5_000 + "/"] * 1_000)[1] == 10_000
