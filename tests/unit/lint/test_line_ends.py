from __future__ import annotations

import pytest

from tonnage.lint.torch.line_ends import as_in_file


@pytest.mark.parametrize(
    ("written", "after", "expected"),
    [
        ("a\r\nb\r\n", "a\nx\ny\n", "a\r\nx\r\ny\r\n"),
        ("a\r\nb\r\n", "x\na\nb\n", "x\r\na\r\nb\r\n"),
        ("a\r\nb", "a\nx", "a\r\nx"),
        ("a\r\nb\nc\r\n", "a\nb\nx\n", "a\r\nb\nx\r\n"),
        ("a\nb\r\nc\n", "a\nb\nx\n", "a\nb\r\nx\n"),
        ("\ufeffa\r\n", "a\nx\n", "\ufeffa\r\nx\r\n"),
        ("a\r\nb\r\n", "b\n", "b\r\n"),
        ("a\r\n", "", ""),
        ("a\n", "a\nb\n", "a\nb\n"),
    ],
)
def test_only_what_changes_is_written(written: str, after: str, expected: str) -> None:
    before = written.removeprefix("\ufeff").replace("\r\n", "\n")
    assert as_in_file(written, before, after) == (written, expected)


def test_what_was_read_in_another_encoding_is_written_as_it_was_read() -> None:
    assert as_in_file("a\udce4\r\n", "a\xe4\n", "b\n") == ("a\xe4\n", "b\n")
