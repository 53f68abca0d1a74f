"""The recording of a run: every line at its time, nothing fetched, and nothing of the lines is more than text."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parents[2]
LINES = [(0.0, "$ tonnage plan"), (2.0, "<script>alert(1)</script> & {x} \u202e"), (100.0, "web.build  1.2 GB")]


def recording() -> Any:  # noqa: ANN401 - a script, not a module of a package
    spec = spec_from_file_location("recording", ROOT / "script" / "recording.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_lines_stay_text_and_nothing_is_fetched() -> None:
    svg = recording().picture(LINES, title="a <b> & {c}", speed=4)

    words = " ".join(ET.fromstring(svg).itertext()).replace("\xa0", " ")
    assert "<script>alert(1)</script> & {x}" in words
    assert "\u202e" not in svg
    assert re.findall(r"https?:[^\"' )]*", svg) == ["http://www.w3.org/2000/svg"]
    assert "@font-face" not in svg
    assert "prefers-reduced-motion" in svg


def test_lines_come_at_their_time_and_a_long_run_is_not_longer_than_twenty_seconds() -> None:
    told = recording().picture(LINES, title="x", speed=4)

    assert re.findall(r"linear ([\d.]+)s", told) == ["0.00", "0.40", "20.00"]


def test_the_middle_of_a_long_run_is_left_out() -> None:
    many = [(float(number), f"line {number}") for number in range(100)]

    short = recording().shortened(many, 9)

    assert [text for _, text in short] == [
        "line 0", "line 1", "line 2", "line 3", "...", "line 96", "line 97", "line 98", "line 99",
    ]  # fmt: skip
