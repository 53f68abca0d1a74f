"""The page about a forecast: whether it fits, each service, and what will lie in its image. All was forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.forecast.estimate import weakest
from tonnage.model.forecast.fit import worst
from tonnage.units import format_bytes, format_moment
from tonnage.views.html.elements import cut, element, page, percent, preformatted, section, table, tiles
from tonnage.views.html.image_blocks import forecast_blocks, wasted_text
from tonnage.views.html.sizes import within_size
from tonnage.views.html.treemap import legend, treemap

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree.ElementTree import Element

    from tonnage.model.forecast.estimate import Estimate, ServiceForecast
    from tonnage.model.forecast.fit import FilesystemFit, ForecastAnswer
    from tonnage.views.html.sizes import Detail

_FOOT = "Made by tonnage forecast --html. Nothing was built. The page asks no server and runs no script."
_HIGH = 16


def forecast_page(answer: ForecastAnswer, *, made_s: float) -> str:
    """Write the page.

    Args:
        made_s: Seconds since the epoch.
    """
    return within_size(lambda detail: _page(answer, made_s, detail))


def _page(answer: ForecastAnswer, made_s: float, detail: Detail) -> str:
    stack = answer.stack
    sections = [
        section("Does it fit", "fit", *_fit(answer)),
        section("Services", "services", *_services(answer, detail)),
        *_images(stack.services, detail),
        *_remarks(answer, detail),
    ]
    lead = f"Forecast for {len(stack.services)} services. Made {format_moment(made_s)}."
    return page(f"Tonnage forecast: {cut(stack.stack, 60)}", lead, sections, _FOOT)


def _fit(answer: ForecastAnswer) -> list[Element]:
    stack, decisive = answer.stack, worst(answer.fits)
    peak = answer.deploy.peak if answer.deploy is not None else stack.disk + stack.transient
    figures = [
        ("answer", str(decisive.fit) if decisive is not None else "no disk to compare with"),
        ("peak", _likely(peak)),
        ("peak, at most", _most(peak)),
        ("kept on the disk", _likely(answer.deploy.kept if answer.deploy is not None else stack.disk)),
        ("download", _likely(stack.download)),
    ]
    if decisive is not None and decisive.missing_bytes:
        figures.insert(1, ("missing", format_bytes(decisive.missing_bytes)))
    made = [tiles(figures)]
    for each in answer.fits:
        made += _against_disk(each, answer)
    if not answer.fits:
        heads = ("filesystem", "kept", "peak, one after the other", "peak, all at once")
        rows = [
            (each.role, _likely(each.kept), _likely(each.one_after_the_other), _likely(each.all_at_once))
            for each in stack.filesystems
        ]
        made.append(table("Space needed on each filesystem", heads, list(rows), figures=(1, 2, 3)))
    if answer.remedies:
        items = [
            element(
                "li",
                element("strong", cut(each.what)),
                f" saves {format_bytes(each.saves_bytes)}" if each.saves_bytes else None,
                preformatted("\n".join(each.todo)) if each.todo else None,
            )
            for each in answer.remedies
        ]
        made += [element("h3", "What would help"), element("ul", *items)]
    return made


def _against_disk(fit: FilesystemFit, answer: ForecastAnswer) -> list[Element]:
    room, deploy = fit.room, answer.deploy
    needs = [("built one after the other", fit.one_after_the_other), ("built all at once", fit.all_at_once)]
    if deploy is not None and deploy.mount == room.mount:
        needs.insert(0, (f"tonnage {deploy.purpose}", deploy.peak))
    needs.append(("kept at the end", fit.kept))
    whole = max(room.available_bytes, 1, *(need.high_bytes for _, need in needs))
    line = percent(max(0, room.headroom_bytes), whole)
    items = []
    for name, need in needs:
        over = need.likely_bytes > room.headroom_bytes
        bars = [
            element("rect", width=percent(room.available_bytes, whole), height=_HIGH, class_="frame"),
            element("rect", width=percent(max(0, need.high_bytes), whole), y=2, height=_HIGH - 4, class_="temporary"),
            element(
                "rect", width=percent(max(0, need.likely_bytes), whole), y=2, height=_HIGH - 4,
                class_="bad" if over else "measured",
            ),
            element("line", x1=line, x2=line, y1=0, y2=_HIGH, class_="reserve"),
        ]  # fmt: skip
        said = f"{_told(need)}{', more than there is above the reserve' if over else ''}"
        head = element("div", element("strong", name), element("span", said), class_="line")
        items.append(element("li", head, element("svg", *bars, height=_HIGH, aria_hidden="true")))
    available, reserve = format_bytes(room.available_bytes), format_bytes(room.reserve_bytes)
    title = f"{cut(room.mount, 80)}: {available} available, reserve {reserve}"
    note = "Each bar shows what is likely, lighter what it may be at most; the dashed line is where the reserve begins."
    return [element("h3", title), element("p", note, class_="note"), element("ul", *items, class_="bars")]


def _services(answer: ForecastAnswer, detail: Detail) -> list[Element]:
    shown = answer.stack.services[: detail.services * 2]
    rows = [
        (cut(each.service, 60), *map(_likely, figures), str(weakest(figure.grade for figure in figures[:3])))
        for each in shown
        for figures in ((each.image, each.disk, each.transient, each.download),)
    ]
    stack = answer.stack
    sums = (stack.image, stack.disk, stack.transient, stack.download)
    rows.append(("total", *map(_likely, sums), str(weakest(figure.grade for figure in sums[:3]))))
    heads = ("service", "image", "kept on the disk", "temporary", "download", "confidence")
    caption = "Likely figures; what several services share counts once in the total"
    left = len(stack.services) - len(shown)
    note = [element("p", f"{left} more services are left out.", class_="note")] if left else []
    return [table(caption, heads, list(rows), figures=(1, 2, 3, 4)), *note]


def _images(services: Sequence[ServiceForecast], detail: Detail) -> list[Element]:
    maps: list[Element] = []
    any_wasted = False
    largest = sorted(services, key=lambda each: -each.image.likely_bytes)[: detail.images]
    for service in largest:
        blocks = forecast_blocks(service)
        if drawing := treemap(f"the image of {cut(service.service, 60)}", blocks, most=detail.areas):
            wasted = wasted_text(blocks)
            any_wasted = any_wasted or bool(wasted)
            told = [element("p", wasted, class_="bad-text")] if wasted else []
            maps += [element("h3", cut(service.service, 60)), *told, *drawing]
    if not maps:
        return []
    return [section("Contents of the images", "images", legend(wasted=any_wasted), *maps)]


def _remarks(answer: ForecastAnswer, detail: Detail) -> list[Element]:
    said: dict[str, None] = {}
    for service in answer.stack.services:
        for failure in service.failures:
            said[f"{service.service}: unknown: {failure}"] = None
        for finding in service.findings:
            said[f"{finding.place}: {finding.text}. {finding.todo}".rstrip()] = None
        for note in service.notes:
            said[f"{service.service}: {note}"] = None
    for name, reason in answer.stack.left_out:
        said[f"{name} is left out: {reason}"] = None
    for note in answer.notes:
        said[note] = None
    if not said:
        return []
    items = [element("li", cut(text, 600)) for text in list(said)[: detail.remarks]]
    return [section("Remarks", "remarks", element("ul", *items))]


def _likely(estimate: Estimate) -> str:
    return format_bytes(estimate.likely_bytes) if estimate.known else "unknown"


def _most(estimate: Estimate) -> str:
    return format_bytes(estimate.high_bytes) if estimate.known else "unknown"


def _told(estimate: Estimate) -> str:
    if not estimate.known:
        return "unknown"
    likely, high = format_bytes(estimate.likely_bytes), format_bytes(estimate.high_bytes)
    most = f", at most {high}" if high != likely else ""
    return f"{likely} ({estimate.grade}){most}"
