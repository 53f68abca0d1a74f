from __future__ import annotations

import re

import pytest

from tonnage import lazily


def test_a_regular_expression_is_compiled_when_it_is_first_asked() -> None:
    compiled: list[object] = []
    wrong = lazily.regex("(")
    with pytest.raises(re.error):
        wrong.match("(")
    found = lazily.regex(r"(?P<letter>[a-z])\d", re.IGNORECASE)
    for _ in range(2):
        match = found.fullmatch("A1")
        assert match is not None
        compiled.append(match.re)
    assert compiled[0] is compiled[1]
    assert found.sub("-", "a1b2") == "--"
    assert found.flags & re.IGNORECASE
