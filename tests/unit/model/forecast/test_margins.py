"""Figures that are counted but for a margin are exact as long as the margin is small beside them."""

from __future__ import annotations

import ast
from pathlib import Path

import tonnage
from tonnage.model.forecast.estimate import Grade, exactly, total
from tonnage.model.forecast.margins import around, but_for

SOURCES = sorted(Path(tonnage.__file__).parent.rglob("*.py"))
NAMED = frozenset({"Estimate", "spread"})


def test_a_margin_above_a_hundredth_is_declared() -> None:
    wide, narrow = but_for(16_384, 65_537, 131_073), but_for(990_001, 1_000_003, 1_009_999)
    assert (wide.low_bytes, wide.likely_bytes, wide.high_bytes, wide.grade) == (16_384, 65_537, 131_073, Grade.DECLARED)
    assert (narrow.low_bytes, narrow.likely_bytes, narrow.high_bytes) == (990_001, 1_000_003, 1_009_999)
    assert narrow.grade is Grade.EXACT
    assert narrow.weaker == ((Grade.DECLARED, 10_002),)


def test_kilobytes_of_an_engine_are_exact_beside_a_large_layer_alone() -> None:
    layer = but_for(16_384, 65_537, 131_073)
    assert (exactly(300_000_007) + layer).grade is Grade.EXACT
    assert (exactly(3_000_017) + layer).grade is Grade.DECLARED
    assert total([layer] * 40).grade is Grade.DECLARED


def test_a_margin_of_nothing_is_exact_and_one_below_nothing_is_not() -> None:
    assert around(1_234_567, 0) == exactly(1_234_567)
    assert around(1_025, 3_001).grade is Grade.DECLARED
    assert (around(1_025, 3_001).low_bytes, around(1_025, 3_001).high_bytes) == (-1_976, 4_026)


def test_no_range_is_called_exact_where_it_is_written() -> None:
    found = [
        f"{path.name}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in NAMED
        and any(isinstance(each, ast.Attribute) and each.attr == "EXACT" for each in node.args)
        and len({ast.dump(each) for each in node.args[:3]}) > 1
    ]
    assert not found, f"use tonnage.model.forecast.margins: {found}"
