"""Elements of a page, and the page around them.

Names come from strangers. None of them is ever put into a text of HTML: every element is made here, of values that are
escaped when they are written. What cannot be seen is written out as everywhere else. The page forbids the browser
scripts, forms, and all that is not in the file itself.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape

# Elements as data: nothing is read with it.
from xml.etree.ElementTree import Element

from tonnage.addresses import redacted
from tonnage.escapes import visible, visible_in_line
from tonnage.views.html.style import STYLE

MOST_BYTES = 150_000
"""A page is not larger than this."""
LONGEST_NAME = 160
_EMPTY = frozenset({"meta"})

Child = Element | str | None
Value = str | int | float | None


def element(tag: str, /, *children: Child, **attributes: Value) -> Element:
    """Make an element; a ``None`` among children or attributes is left out.

    Args:
        attributes: ``class_`` is ``class``, and ``_`` stands for ``-``.
    """
    made = Element(tag)
    for name, value in attributes.items():
        if value is not None:
            made.set(name.removesuffix("_").replace("_", "-"), shown(value))
    last: Element | None = None
    for child in children:
        if isinstance(child, Element):
            made.append(child)
            last = child
        elif child is not None and last is None:
            made.text = (made.text or "") + shown(child)
        elif child is not None and last is not None:
            last.tail = (last.tail or "") + shown(child)
    return made


def shown(value: str | float) -> str:
    """Return a value as it may stand in a page: short, without secrets of addresses, and with nothing unseen."""
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    if isinstance(value, int):
        return str(value)
    return visible_in_line(redacted(value))


def cut(text: str, most: int = LONGEST_NAME) -> str:
    """Return a text on one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def percent(part: float, whole: float) -> str:
    """Return a part as an attribute of SVG tells it."""
    return f"{shown(100 * part / whole) if whole else 0}%"


def section(title: str, anchor: str, *children: Child) -> Element:
    """Make a section with its heading."""
    return element("section", element("h2", title, id=anchor), *children, aria_labelledby=anchor)


def table(
    caption: str, heads: tuple[str, ...], rows: list[tuple[Child, ...]], *, figures: tuple[int, ...] = ()
) -> Element:
    """Make a table whose first cells name their rows; on a narrow screen it is scrolled by itself.

    Args:
        figures: The columns that stand at the right.
    """
    head = [
        element("th", text, scope="col", class_="figure" if at in figures else None) for at, text in enumerate(heads)
    ]
    body = [
        element(
            "tr",
            *(
                element("th", cell, scope="row") if at == 0 else element("td", cell, class_=_class(at, figures))
                for at, cell in enumerate(row)
            ),
        )
        for row in rows
    ]
    made = element(
        "table",
        element("caption", element("span", caption)),
        element("thead", element("tr", *head)),
        element("tbody", *body),
    )
    return element("div", made, class_="scrolls", tabindex=0, role="region", aria_label=caption)


def _class(at: int, figures: tuple[int, ...]) -> str | None:
    return "figure" if at in figures else None


def folded(summary: str, *children: Child) -> Element:
    """Make something that is opened with a click or a key."""
    return element("details", element("summary", summary), *children)


def preformatted(text: str) -> Element:
    """Make a text whose lines stay as they are."""
    made = Element("pre")
    made.text = visible(redacted(text))
    return made


def swatch(kind: str) -> Element:
    """Make the spot of colour in a legend."""
    return element("svg", element("rect", width="100%", height="100%", class_=kind), aria_hidden="true")


def tiles(pairs: list[tuple[str, str]]) -> Element:
    """Make a row of figures, each with what it is."""
    return element(
        "dl", *(element("div", element("dt", name), element("dd", value)) for name, value in pairs), class_="tiles"
    )


def page(title: str, lead: str, sections: list[Element], foot: str) -> str:
    """Write a whole page."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    style = Element("style")
    style.text = STYLE
    links = [
        element("li", element("a", heading.text or "", href=f"#{heading.get('id')}"))
        for each in sections
        for heading in each.iter("h2")
    ]
    root = element(
        "html",
        element(
            "head",
            element("meta", charset="utf-8"),
            _policy(policy),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="referrer", content="no-referrer"),
            element("meta", name="color-scheme", content="light dark"),
            element("title", title),
            style,
        ),
        element(
            "body",
            element("a", "Skip to the content", href="#content", class_="skip"),
            element("header", element("h1", title), element("p", lead)),
            element("nav", element("ul", *links), aria_label="Sections") if len(links) > 1 else None,
            element("main", *sections, id="content", tabindex=-1),
            element("footer", element("p", foot)),
        ),
        lang="en",
    )
    parts: list[str] = ["<!DOCTYPE html>\n"]
    _add(root, parts)
    return "".join((*parts, "\n"))


def _add(made: Element, parts: list[str]) -> None:
    """Write an element: of what stands in it, and of its attributes, nothing is left that HTML knows."""
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in made.items())
    parts.append(f"<{made.tag}{attributes}>")
    if made.tag in _EMPTY:
        return
    if made.text:
        # What a style holds is ours, and no entity is known in it.
        parts.append(made.text if made.tag == "style" else escape(made.text))
    for child in made:
        _add(child, parts)
        if child.tail:
            parts.append(escape(child.tail))
    parts.append(f"</{made.tag}>")


def _policy(policy: str) -> Element:
    made = Element("meta")
    made.set("http-equiv", "Content-Security-Policy")
    made.set("content", policy)
    return made
