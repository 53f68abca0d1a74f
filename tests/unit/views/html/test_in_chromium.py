"""Pages in a real browser, where one is installed: nothing is refused, fetched or wider than the screen."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.unit.views.html.page_samples import forecast_answer
from tests.unit.views.html.test_pages import evil_report

from tonnage.views.html.forecast_page import forecast_page
from tonnage.views.html.run_page import run_page

if TYPE_CHECKING:
    from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

LOOK = """
const told = [...document.querySelectorAll("iframe")].map(frame => {
  const page = frame.contentDocument;
  for (const each of page.querySelectorAll("details")) each.open = true;
  return {
    wider: page.documentElement.scrollWidth - page.documentElement.clientWidth,
    width: frame.contentWindow.innerWidth,
    fetched: frame.contentWindow.performance.getEntriesByType("resource").length,
    alerts: frame.contentWindow.alerted === undefined,
    font: frame.contentWindow.getComputedStyle(page.body).fontFamily,
    small: [...page.querySelectorAll("svg text")].filter(text => {
      const size = parseFloat(frame.contentWindow.getComputedStyle(text).fontSize);
      return size < 11;
    }).length,
  };
});
document.body.textContent = "TOLD" + JSON.stringify(told) + "DLOT";
"""


def in_chromium(page: str, directory: Path) -> tuple[str, str]:
    """Return the document when it was loaded, and what the console told."""
    file = directory / "page.html"
    file.write_text(page)
    ended = subprocess.run(
        [
            str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom",
            f"--user-data-dir={directory / 'profile'}", "--virtual-time-budget=5000", file.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return ended.stdout, "\n".join(line for line in ended.stderr.splitlines() if "CONSOLE" in line)


def test_pages_load_whole_at_each_width_without_a_word_on_the_console(tmp_path: Path) -> None:
    pages = [run_page(evil_report()), forecast_page(forecast_answer(), made_s=1_796_000_011.0)]
    widths = (400, 1280)
    frames = [
        f'<iframe width="{width}" height="900" style="border:0" srcdoc="{html.escape(page)}"></iframe>'
        for page in pages
        for width in widths
    ]

    document, console = in_chromium(
        f"<!DOCTYPE html><body>{''.join(frames)}<script>onload = () => {{{LOOK}}}</script>", tmp_path
    )

    assert console == ""
    found = re.search("TOLD(.*)DLOT", document)
    assert found, document[:500]
    told = json.loads(html.unescape(found[1]))
    assert [each["width"] for each in told] == [400, 1280, 400, 1280]
    for each in told:
        assert (each["wider"], each["fetched"], each["alerts"], each["small"]) == (0, 0, True, 0)
        assert "sans-serif" in each["font"]


def test_the_console_would_tell_of_what_is_refused(tmp_path: Path) -> None:
    page = forecast_page(forecast_answer(("web",)), made_s=1.0).replace("</main>", "<script>alert(1)</script></main>")

    _, console = in_chromium(page, tmp_path)

    assert "Content Security Policy" in console
