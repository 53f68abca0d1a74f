"""A page as a parser of HTML sees it: what is an element, and what is text."""

from __future__ import annotations

from html.parser import HTMLParser

EMPTY = frozenset({"meta", "br", "img", "input", "link", "hr"})


class Parsed(HTMLParser):
    """Every element with its attributes and those around it."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str], tuple[str, ...]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes, tuple(self.open)))
        hidden = attributes.get("aria-hidden") == "true" or attributes.get("role") == "img"
        if tag not in EMPTY:
            self.open.append(f"{tag}!" if hidden else tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().removesuffix("!") == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1].removesuffix("!"), []).append(data)

    def attributes(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes, _ in self.elements if name == tag]

    def text(self) -> str:
        return " ".join(part for tag, parts in self.texts.items() if tag not in {"style", "title"} for part in parts)
