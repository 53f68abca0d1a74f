"""Requirement files as editors and shells of other systems write them."""

from __future__ import annotations

import pytest

from tonnage.forecast.requirements.encodings import decoded

TEXT = "# café\nhull==1.0\n"


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-32"),
        b"\x00\x00\xfe\xff" + TEXT.encode("utf-32-be"),
    ],
)
def test_a_mark_tells_the_encoding(content: bytes) -> None:
    assert decoded(content) == TEXT


@pytest.mark.parametrize("first", ["# -*- coding: latin-1 -*-", "#!/x\n# vim: set fileencoding=cp1252 :"])
def test_one_of_the_first_two_lines_tells_it(first: str) -> None:
    assert decoded(f"{first}\n{TEXT}".encode("latin-1")) == f"{first}\n{TEXT}"


@pytest.mark.parametrize("name", ["zlib", "idna", "utf-nine", "unicode_escape", "../x"])
def test_what_is_no_encoding_of_texts_is_not_looked_up(name: str) -> None:
    assert decoded(f"# coding: {name}\nhull\n".encode()) == f"# coding: {name}\nhull\n"


def test_what_is_no_character_stays_a_text() -> None:
    assert decoded(b"hull\xff\n") == "hull\ufffd\n"
    assert decoded(b"\xff\xfeh\x00u") == "h\ufffd"
