"""What is sent to another engine, and what was sent: as text, and as JSON-able mappings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.units import format_bytes
from tonnage.views.json.forms import estimate_form
from tonnage.views.text.layout import columns, fits, joined
from tonnage.views.text.plan import estimate_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.ship import ImageToShip, ShipReport


def plan_text(report: ShipReport, *, width: int = 0) -> str:
    """Write what would be sent, and what it takes there.

    Args:
        width: Columns of the terminal; 0 to leave lines long.
    """
    looked = report.looked
    through = any(ship.route is not None for ship in looked.ships)
    rows = [
        ("image", "layers", *(("pushed", "pulled") if through else ("on the wire",)), "highest there", "kept there")
    ]
    rows += [_row(ship) for ship in looked.ships]
    table = columns(rows, right=(1,) if through else (1, 2))
    if width and not fits(table, width):
        table = [line for ship in looked.ships for line in _lines(ship)]
    lowest_bytes = looked.lowest_bytes
    lines = [
        f"ship {report.stack} to {report.endpoint}{_by_way(looked.ships)}",
        *(f"  {line}" for line in table),
        (
            f"  {looked.disk.mount} there: {format_bytes(looked.disk.available_bytes)} available,"
            f" {format_bytes(lowest_bytes)} at the lowest point, reserve {format_bytes(looked.reserve_bytes)}"
        ),
    ]
    if looked.leftovers:
        lines.append(f"  {len(looked.leftovers)} images of an attempt before are used and removed there")
    return joined(lines)


def shipped_text(report: ShipReport) -> str:
    """Write what was sent; where nothing was, what would be."""
    if report.shipped is None:
        return plan_text(report)
    lines = []
    for each in report.shipped:
        layers = f"{each.layers_sent} of {each.layers_sent + each.layers_there} layers"
        how = ", compressed" if each.compressed else ""
        rate = f" at {format_bytes(int(each.wire_bytes / each.seconds))}/s" if each.seconds and each.wire_bytes else ""
        done = "up to date" if not each.wire_bytes else f"{format_bytes(each.wire_bytes)} sent ({layers}{how}){rate}"
        if each.digest:
            pushed, pulled = (format_bytes(count or 0) for count in (each.pushed_bytes, each.pulled_bytes))
            done = f"{pushed} pushed, {pulled} pulled by {each.digest} ({layers})"
        lines.append(f"{each.reference}: {done}, whole there, {each.seconds:.1f} s")
    return joined(lines)


def ship_form(report: ShipReport) -> dict[str, object]:
    """Return the same as a JSON-able mapping."""
    looked = report.looked
    shipped = {each.reference: each for each in report.shipped or ()}
    images = []
    for ship in looked.ships:
        done = shipped.get(ship.image.reference)
        images.append(
            {
                "image": ship.image.reference,
                "services": list(report.services.get(ship.image.reference, ())),
                "image_id": ship.expected_id,
                "platform": ship.image.platform,
                "layers": len(ship.layers),
                "layers_to_send": 0 if ship.present else len(ship.sent),
                "forecast_wire_bytes": ship.wire_bytes,
                "kept": estimate_form(ship.kept),
                "highest": estimate_form(ship.highest),
                "repository": ship.route.repository if ship.route else "",
                "pushed": estimate_form(ship.route.pushed) if ship.route else None,
                "pulled": estimate_form(ship.route.pulled) if ship.route else None,
                "up_to_date": ship.present,
                "measured_wire_bytes": None if done is None else done.wire_bytes,
                "measured_pushed_bytes": None if done is None else done.pushed_bytes,
                "measured_pulled_bytes": None if done is None else done.pulled_bytes,
                "digest": None if done is None else done.digest,
                "compressed": None if done is None else done.compressed,
                "seconds": None if done is None else round(done.seconds, 3),
            }
        )
    return {
        "stack": report.stack,
        "endpoint": report.endpoint,
        "mount": looked.disk.mount,
        "available_bytes": looked.disk.available_bytes,
        "reserve_bytes": looked.reserve_bytes,
        "lowest_bytes": looked.lowest_bytes,
        "missing_bytes": looked.missing_bytes,
        "done": report.shipped is not None,
        "images": images,
    }


def _by_way(ships: Sequence[ImageToShip]) -> str:
    """Say through which registry images go; nothing where there is none."""
    hosts = dict.fromkeys(ship.route.repository.partition("/")[0] for ship in ships if ship.route is not None)
    return f" through {', '.join(hosts)}" if hosts else ""


def _wire(ship: ImageToShip) -> tuple[str, ...]:
    if ship.route is None:
        return (format_bytes(ship.wire_bytes),)
    return estimate_text(ship.route.pushed), estimate_text(ship.route.pulled)


def _row(ship: ImageToShip) -> tuple[str, ...]:
    if ship.present:
        return (ship.image.reference, "up to date", *(["0 B"] * (1 if ship.route is None else 2)), "", "")
    layers = f"{len(ship.sent)} of {len(ship.layers)}"
    return (ship.image.reference, layers, *_wire(ship), estimate_text(ship.highest), estimate_text(ship.kept))


def _lines(ship: ImageToShip) -> list[str]:
    name = ship.image.reference
    if ship.present:
        return [f"{name}: up to date"]
    wire = _wire(ship)
    moved = f"{wire[0]} on the wire" if ship.route is None else f"{wire[0]} pushed, {wire[1]} pulled"
    return [
        name,
        f"  {len(ship.sent)} of {len(ship.layers)} layers, {moved}",
        f"  there: {estimate_text(ship.highest)} at most, {estimate_text(ship.kept)} kept",
    ]
