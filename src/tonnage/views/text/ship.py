"""What is sent to another engine, and what was sent: as text, and as JSON-able mappings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.units import format_bytes
from tonnage.views.json.forms import estimate_form
from tonnage.views.text.layout import columns, fits, joined
from tonnage.views.text.plan import estimate_text

if TYPE_CHECKING:
    from tonnage.model.ship import ImageToShip, ShipReport


def plan_text(report: ShipReport, *, width: int = 0) -> str:
    """Write what would be sent, and what it takes there.

    Args:
        width: Columns of the terminal; 0 to leave lines long.
    """
    looked = report.looked
    rows = [("image", "layers", "on the wire", "highest there", "kept there")]
    rows += [_row(ship) for ship in looked.ships]
    table = columns(rows, right=(1, 2))
    if width and not fits(table, width):
        table = [line for ship in looked.ships for line in _lines(ship)]
    lowest_bytes = looked.lowest_bytes
    lines = [
        f"ship {report.stack} to {report.endpoint}",
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
                "up_to_date": ship.present,
                "measured_wire_bytes": None if done is None else done.wire_bytes,
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


def _row(ship: ImageToShip) -> tuple[str, str, str, str, str]:
    if ship.present:
        return (ship.image.reference, "up to date", "0 B", "", "")
    layers = f"{len(ship.sent)} of {len(ship.layers)}"
    return (
        ship.image.reference, layers, format_bytes(ship.wire_bytes),
        estimate_text(ship.highest), estimate_text(ship.kept),
    )  # fmt: skip


def _lines(ship: ImageToShip) -> list[str]:
    name, layers, wire, highest, kept = _row(ship)
    if ship.present:
        return [f"{name}: {layers}"]
    return [name, f"  {layers} layers, {wire} on the wire", f"  there: {highest} at most, {kept} kept"]
