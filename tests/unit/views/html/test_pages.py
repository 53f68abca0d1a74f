"""Pages: whole in one file, safe whatever names strangers chose, and readable by people and programs alike."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.views.html.page_samples import EVIL, MB, forecast_answer, instruction, run_report, step
from tests.unit.views.html.parsed import Parsed

from tonnage.units import format_bytes
from tonnage.views.html.elements import MOST_BYTES
from tonnage.views.html.forecast_page import forecast_page
from tonnage.views.html.image_blocks import is_waste, kind_of, latest_builds, measured_blocks
from tonnage.views.html.run_page import run_page
from tonnage.views.text.runs import change_text, run_lines_text

if TYPE_CHECKING:
    from tonnage.model.reports.run_report import RunReport


def evil_report() -> RunReport:
    report = run_report(2, names=("web", EVIL))
    run = report.runs[0]
    odd = step(EVIL, None, 1.0, None)
    run = replace(run, message=f"{EVIL}\n{EVIL}", filesystem=EVIL, steps=(*run.steps, odd))
    texts = (instruction(EVIL, 3, f"RUN {EVIL}", 7 * MB, parts=((EVIL, 5 * MB),)),)
    return replace(report, runs=(run,), history=(run,), instructions=report.instructions + texts)


PAGES = {
    "runs": run_page(run_report()),
    "evil runs": run_page(evil_report()),
    "no runs": run_page(replace(run_report(1), runs=(), history=(), disk_histories={}, instructions=())),
    "forecast": forecast_page(forecast_answer(), made_s=1_796_000_011.0),
    "evil forecast": forecast_page(forecast_answer((EVIL, "web")), made_s=1_796_000_011.0),
    "no disk": forecast_page(forecast_answer(disk=False), made_s=1_796_000_011.0),
}


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    return PAGES[request.param]


def test_a_page_needs_nothing_but_itself(page: str) -> None:
    parsed = Parsed(page)

    tags = {tag for tag, _, _ in parsed.elements}
    assert not tags & {"script", "img", "link", "iframe", "object", "embed", "form", "base", "use", "image"}
    for _, attributes, _ in parsed.elements:
        assert not [
            name for name in attributes if name.startswith("on") or name in {"src", "style", "srcset", "action"}
        ]
        assert attributes.get("href", "#").startswith("#")
    assert "url(" not in page
    assert "@import" not in page


def test_the_browser_is_told_to_allow_nothing_but_this_style(page: str) -> None:
    parsed = Parsed(page)
    [style] = parsed.texts["style"]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    [policy] = [each["content"] for each in parsed.attributes("meta") if "http-equiv" in each]
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_names_of_strangers_stay_text() -> None:
    for name in ("evil runs", "evil forecast"):
        page = PAGES[name]
        assert "<script" not in page
        assert "<img" not in page
        assert "\u202e" not in page
        assert "<script>alert('x')</script>" in Parsed(page).text()


def test_secrets_of_addresses_are_left_out() -> None:
    texts = (instruction("web", 3, "RUN pip install -i https://me:swordfish@pypi.example.org/simple x", 7 * MB),)

    page = run_page(replace(run_report(1), instructions=texts))

    assert "swordfish" not in page
    assert "pypi.example.org" in page


def test_pictures_are_told_in_words_and_tables_have_heads(page: str) -> None:
    parsed = Parsed(page)

    for tag, attributes, around in parsed.elements:
        if tag == "svg" and not any(each.endswith("!") for each in around):
            assert attributes.get("aria-hidden") == "true" or attributes["aria-label"]
        if tag == "th":
            assert attributes["scope"] in {"col", "row"}
        if attributes.get("role") == "region":
            assert attributes["tabindex"] == "0"
            assert attributes["aria-label"]
    assert len(parsed.attributes("table")) == sum(tag == "caption" for tag, _, _ in parsed.elements)
    [html] = parsed.attributes("html")
    assert html["lang"] == "en"
    assert sum(tag == "h1" for tag, _, _ in parsed.elements) == 1


def test_every_place_that_is_pointed_to_is_there_once(page: str) -> None:
    parsed = Parsed(page)
    ids = [attributes["id"] for _, attributes, _ in parsed.elements if "id" in attributes]

    assert len(ids) == len(set(ids))
    for link in parsed.attributes("a"):
        assert link["href"].removeprefix("#") in ids
    for attributes in parsed.attributes("section"):
        assert attributes["aria-labelledby"] in ids


def test_a_page_is_below_150_kb_however_much_there_is_to_tell() -> None:
    names = tuple(f"service-{number:03}-{'x' * 300}" for number in range(30))
    report = run_report(8, names=names)
    many = tuple(instruction(name, at, f"RUN {'y' * 900}", 91 * MB) for name in names for at in range(12))
    whole = run_page(replace(report, runs=report.history[-10:], instructions=many))

    assert 40_000 < len(whole.encode()) < MOST_BYTES
    assert 40_000 < len(forecast_page(forecast_answer(names), made_s=1.0).encode()) < MOST_BYTES


def test_what_is_left_out_is_said() -> None:
    names = tuple(f"service-{number:03}" for number in range(30))

    assert re.search(r"\d+ more services are left out", run_page(run_report(3, names=names)))


def test_the_report_tells_what_the_disk_did_and_each_step() -> None:
    text = Parsed(PAGES["runs"]).text()

    for expected in (
        "at the lowest 8.11 GB",
        "the reserve is 1.40 GB",
        "vision.build",
        "forecast 4.01 GB (exact) · measured 3.97 GB · temporary 900 MB",
        "Wasted: package lists 19.0 MB, pip cache 391 MB",
        "torch 2.9.1",
        "19.2 GB were freed in the runs shown here",
    ):
        assert expected in text, expected


def test_a_run_keeps_on_the_page_what_it_keeps_in_the_terminal() -> None:
    report = run_report(1)
    (run,) = report.runs
    assert run.kept_bytes
    assert change_text(run.kept_bytes) in run_lines_text([run])
    assert f"<dt>kept on the disk</dt><dd>{format_bytes(run.kept_bytes)}</dd>" in run_page(report)


def test_a_run_without_samples_says_so() -> None:
    report = run_report(1)
    run_id, disk_history = next(iter(report.disk_histories.items()))

    page = run_page(replace(report, disk_histories={run_id: replace(disk_history, sampled=False)}))

    assert "Only the figures around each step are known of this run." in page


@pytest.mark.parametrize(("lowest_at_s", "side"), [(1.0, "99.5%"), (99.0, "0.5%")])
def test_the_words_of_the_reserve_stand_away_from_the_lowest_point(lowest_at_s: float, side: str) -> None:
    report = run_report(1)
    run_id, disk_history = next(iter(report.disk_histories.items()))
    points = ((0.0, 900 * MB), (lowest_at_s, 300 * MB), (100.0, 900 * MB))
    (run,) = report.runs
    run = replace(run, seconds=100.0)

    page = run_page(
        replace(report, runs=(run,), disk_histories={run_id: replace(disk_history, points=points, spans=())})
    )

    words = re.search(r"<text ([^>]*)>reserve ", page)
    assert words is not None
    assert f'x="{side}"' in words[1]


def test_the_forecast_tells_whether_it_fits_and_what_would_help() -> None:
    text = Parsed(PAGES["forecast"]).text()

    for expected in (
        "may not fit",
        "610 MB",
        "7.90 GB (exact), at most 8.53 GB, more than there is above the reserve",
        "PIP_NO_CACHE_DIR=1",
        "web/Dockerfile:4: pip keeps its cache. Add --no-cache-dir.",
        "the engine does not tell its cache",
    ):
        assert expected in text, expected
    assert "no disk to compare with" in Parsed(PAGES["no disk"]).text()


def test_areas_add_up_to_the_image() -> None:
    report = run_report(1)
    found = latest_builds(report.instructions)
    blocks = measured_blocks(found["web"])

    assert sum(block.count_bytes for block in blocks) == sum(each.image_bytes or 0 for each in found["web"])
    for block in blocks:
        assert not block.parts or sum(part.count_bytes for part in block.parts) == block.count_bytes


def test_only_the_newest_build_of_a_service_is_shown() -> None:
    old = instruction("web", 1, "FROM old", 7 * MB, run_id=3)
    new = instruction("web", 1, "FROM new", 7 * MB, run_id=4)

    assert latest_builds((new, old)) == {"web": [new]}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("FROM python:3.13", "base"),
        ("COPY --from=build /venv /venv", "files"),
        ("RUN apt-get install -y git", "system"),
        ("RUN uv sync", "python"),
        ("RUN make", "other"),
    ],
)
def test_instructions_have_the_colour_of_their_kind(text: str, kind: str) -> None:
    assert kind_of(text) == kind


def test_caches_in_a_layer_are_waste_and_packages_are_not() -> None:
    assert is_waste("pip cache")
    assert is_waste("package lists")
    assert not is_waste("cachetools 5.3")
