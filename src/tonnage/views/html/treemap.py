"""What lies in an image as areas: every instruction, and in it what weighs. Places are parts of a whole, texts are not.

So the picture follows the width of the screen without a script, and its letters stay as large as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.units import format_bytes
from tonnage.views.html.elements import cut, element, folded, percent, swatch, table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree.ElementTree import Element

_WIDE, _HIGH = 1000.0, 340.0
_HEAD = 18.0
_LEAST_WITH_HEAD = 40.0
_TEXT_WIDE, _TEXT_HIGH, _TWO_LINES = 34.0, 15.0, 32.0
_SMALLEST_PART = 250
"""What is less than this part of an image has no area of its own."""
KINDS = {
    "base": "base image",
    "python": "Python packages",
    "system": "system packages",
    "files": "copied files",
    "other": "other commands",
}


class Block(Struct, frozen=True, kw_only=True):
    """Something that has an area.

    Args:
        kind: One of :data:`KINDS`.
        known: How its bytes are known.
        wasted: Nobody needs it in the image.
    """

    name: str
    count_bytes: int
    kind: str = "other"
    known: str = ""
    wasted: bool = False
    parts: tuple[Block, ...] = ()


class _Area(Struct, frozen=True):
    x: float
    y: float
    wide: float
    high: float


def treemap(image: str, blocks: Sequence[Block], *, most: int) -> list[Element]:
    """Draw an image.

    Args:
        most: How many areas there are at most, in each instruction and of instructions.

    Returns:
        A figure, and the same as a table; nothing where no bytes are known.
    """
    whole_bytes = sum(each.count_bytes for each in blocks)
    if whole_bytes <= 0:
        return []
    shown = _largest(blocks, most, whole_bytes // _SMALLEST_PART)
    cells = [
        _cell(block, area, whole_bytes, most)
        for block, area in _areas(shown, _Area(0, 0, _WIDE, _HIGH))
        if area.wide > 0 and area.high > 0
    ]
    wasted_bytes = sum(part.count_bytes for each in blocks for part in (each.parts or (each,)) if part.wasted)
    wasted = f", of it {format_bytes(wasted_bytes)} wasted" if wasted_bytes else ""
    said = f"Contents of {image}: {format_bytes(whole_bytes)}{wasted}"
    picture = element("svg", *cells, height=int(_HIGH), role="img", aria_label=f"{said}. The table below has the same.")
    rows = [row for block in shown for row in _rows(block, most)]
    listed = table(said, ("instruction and its contents", "bytes", "confidence"), list(rows), figures=(1,))
    return [
        element("figure", picture, element("figcaption", said)),
        folded("Show as a table", listed),
    ]


def legend(*, wasted: bool) -> Element:
    """Say which colour is what."""
    items = [element("li", swatch(kind), name) for kind, name in KINDS.items()]
    if wasted:
        striped = swatch("other")
        striped.append(_stripes(14, 14))
        items.append(element("li", striped, "wasted: not needed in the image"))
    return element("ul", *items, class_="legend")


def _largest(blocks: Sequence[Block], most: int, least_bytes: int) -> list[Block]:
    """Return what is large enough to be seen, and the rest as one."""
    ordered = sorted((each for each in blocks if each.count_bytes > 0), key=lambda each: -each.count_bytes)
    large = [each for each in ordered[:most] if each.count_bytes >= least_bytes or each.wasted]
    taken = {id(each) for each in large}
    rest = [each for each in ordered if id(each) not in taken]
    if not rest:
        return large
    rest_bytes = sum(each.count_bytes for each in rest)
    return [*large, Block(name=f"{len(rest)} more", count_bytes=rest_bytes, kind=rest[0].kind)]


def _cell(block: Block, area: _Area, whole_bytes: int, most: int) -> Element:
    name = cut(block.name, 120)
    said = f"{name}: {format_bytes(block.count_bytes)}{' (wasted)' if block.wasted else ''}"
    children: list[Element | None] = [
        element("title", said),
        element("rect", width="100%", height="100%", class_=block.kind),
        _stripes(area.wide, area.high) if block.wasted else None,
    ]
    with_parts = bool(block.parts) and area.high >= _LEAST_WITH_HEAD and area.wide >= _LEAST_WITH_HEAD
    if area.wide >= _TEXT_WIDE and area.high >= _TEXT_HIGH:
        figure = format_bytes(block.count_bytes)
        letters = int(area.wide / 5)
        if with_parts or area.high < _TWO_LINES:
            children.append(element("text", cut(f"{figure} {name}", letters), x=4, y=13))
        else:
            children += [
                element("text", cut(name, letters), x=4, y=13),
                element("text", f"{figure}{', wasted' if block.wasted else ''}", x=4, y=28),
            ]
    if with_parts:
        inside = _Area(0, _HEAD, area.wide, area.high - _HEAD - 2)
        parts = _largest(block.parts, most, whole_bytes // _SMALLEST_PART)
        children += [
            _placed(_cell(part, place, whole_bytes, most), place, area.wide)
            for part, place in _areas(parts, inside)
            if place.wide > 0 and place.high > 0
        ]
    made = element("svg", *children, class_="cell")
    return _placed(made, area, _WIDE)


def _placed(cell: Element, area: _Area, whole: float) -> Element:
    cell.set("x", percent(area.x, whole))
    cell.set("y", f"{area.y:.1f}")
    cell.set("width", percent(area.wide, whole))
    cell.set("height", f"{area.high:.1f}")
    return cell


def _stripes(wide: float, high: float) -> Element:
    """Return a few slanting lines, which need no name that the page would have twice."""
    step = max(14.0, (wide + high) / 12)
    path = "".join(f"M{x:.0f} 0L{x - high:.0f} {high:.0f}" for x in _steps(step, wide + high))
    return element("path", d=path, class_="stripes", stroke_opacity=0.45)


def _steps(step: float, end: float) -> list[float]:
    return [step * number for number in range(1, int(end / step) + 1)]


def _rows(block: Block, most: int) -> list[tuple[str, str, str]]:
    wasted = ", wasted" if block.wasted else ""
    rows = [(cut(block.name, 120), format_bytes(block.count_bytes), f"{block.known}{wasted}".lstrip(", "))]
    for part in _largest(block.parts, most, block.count_bytes // _SMALLEST_PART):
        wasted = ", wasted" if part.wasted else ""
        rows.append((f"· {cut(part.name, 80)}", format_bytes(part.count_bytes), f"{part.known}{wasted}".lstrip(", ")))
    return rows


def _areas(blocks: Sequence[Block], within: _Area) -> list[tuple[Block, _Area]]:
    """Return an area for each block, as near to a square as it goes.

    Source: Bruls, Huizing, van Wijk, "Squarified Treemaps", 2000.
    """
    ordered = sorted(blocks, key=lambda each: -each.count_bytes)
    whole = sum(each.count_bytes for each in ordered)
    if whole <= 0 or within.wide <= 0 or within.high <= 0:
        return []
    scale = within.wide * within.high / whole
    found: list[tuple[Block, _Area]] = []
    row: list[Block] = []
    left = within
    for block in ordered:
        short = min(left.wide, left.high)
        if row and _worst([*row, block], short, scale) > _worst(row, short, scale):
            placed, left = _laid(row, left, scale)
            found += placed
            row = []
        row.append(block)
    placed, _ = _laid(row, left, scale)
    return found + placed


def _worst(row: Sequence[Block], short: float, scale: float) -> float:
    """Return how far the worst area of a row is from a square."""
    area = sum(each.count_bytes for each in row) * scale
    thick = area / short if short else 0.0
    sides = [each.count_bytes * scale / thick for each in (row[0], row[-1]) if thick]
    return max((max(side / thick, thick / side) for side in sides if side), default=float("inf"))


def _laid(row: Sequence[Block], left: _Area, scale: float) -> tuple[list[tuple[Block, _Area]], _Area]:
    area = sum(each.count_bytes for each in row) * scale
    along_height = left.wide >= left.high
    short = left.high if along_height else left.wide
    thick = area / short if short else 0.0
    found = []
    at = 0.0
    for each in row:
        side = each.count_bytes * scale / thick if thick else 0.0
        place = _Area(left.x, left.y + at, thick, side) if along_height else _Area(left.x + at, left.y, side, thick)
        found.append((each, place))
        at += side
    if along_height:
        return found, _Area(left.x + thick, left.y, max(0.0, left.wide - thick), left.high)
    return found, _Area(left.x, left.y + thick, left.wide, max(0.0, left.high - thick))
