from __future__ import annotations

from tonnage.views.live.colours import coloured

RED, YELLOW, END = "\x1b[1;31m", "\x1b[33m", "\x1b[0m"


def test_what_is_wrong_is_red_and_what_is_doubtful_yellow_at_the_beginning_of_a_line() -> None:
    assert coloured("error: no\nwhy\nfailed   engine  x") == f"{RED}error:{END} no\nwhy\n{RED}failed{END}   engine  x"
    assert coloured("warning  disk") == f"{YELLOW}warning{END}  disk"
    assert coloured("refused: x") == f"{RED}refused:{END} x"


def test_what_stands_within_a_line_is_left_alone() -> None:
    text = "an error: no\n  failed  x\nerrors: 3\nfailed steps"
    assert coloured(text) == text
