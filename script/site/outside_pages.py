"""A hook of mkdocs: pages outside of docs that are linked from there become pages of the site, other files plain text.

On GitHub the links lead to files of the repository; in the site there is no repository around the pages.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = ("SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "README.md")
EXAMPLES = ("hello", "trio", "vision")
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s#]+)(#[^()\s]*)?\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def pages() -> dict[str, str]:
    """Return the place in the site of each page outside of docs, by its path in the repository."""
    found = {name: f"project/{name}" for name in OUTSIDE}
    found |= {f"examples/{name}/README.md": f"project/examples-{name}.md" for name in EXAMPLES}
    return found


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for path, place in pages().items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links to where their pages are in the site."""
    del config
    places = pages()
    here = page.file.src_uri
    path = next((path for path, place in places.items() if place == here), f"docs/{here}")

    def pointed(found: re.Match[str]) -> str:
        image, text, target, anchor = found[1], found[2], found[3], found[4] or ""
        if "://" in target or target.startswith("mailto:"):
            return found[0]
        meant = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        place = places.get(meant) or (meant.removeprefix("docs/") if meant.startswith("docs/") else "")
        if not place or (files.get_file_from_path(place) is None and (ROOT / meant).exists()):
            if not (ROOT / meant).exists():
                # mkdocs says that it is not there.
                return found[0]
            return text
        return f"{image}[{text}]({posixpath.relpath(place, posixpath.dirname(here) or '.')}{anchor})"

    fences = [(each.start(), each.end()) for each in FENCE.finditer(markdown)]
    return LINK.sub(
        lambda found: found[0] if any(begin <= found.start() < end for begin, end in fences) else pointed(found),
        markdown,
    )
