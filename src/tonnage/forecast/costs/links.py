"""Symbolic links that a build makes: what is done to a path behind one is done to what it points to."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.costs.image_paths import below

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tonnage.model.forecast.sized_effects import SizedEffect, WrittenBytes

# As many as Linux follows.
_MOST_LINKS = 40


def behind(target: str, link: str) -> str:
    """Return the path that a link points to, which may be told from where the link lies."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(link), target))


def links_in(pieces: Iterable[WrittenBytes]) -> dict[str, str]:
    """Return where the links among some pieces point to."""
    return {_plain(piece.place): behind(piece.links_to, piece.place) for piece in pieces if piece.links_to}


def behind_links(path: str, links: dict[str, str], *, last: bool = True) -> str:
    """Return the path that another one means; a link at its very end is followed where ``last`` says so."""
    for _ in range(_MOST_LINKS):
        over = next((each for each in _ways(path, last=last) if each in links), "")
        if not over:
            break
        path = "/".join([links[over].rstrip("/"), *below(over, path)]) or "/"
    return path


def _plain(path: str) -> str:
    return "/" + "/".join(below("/", path))


def _ways(path: str, *, last: bool) -> Iterator[str]:
    """Yield the directories on the way to a path, and itself where ``last`` says so: as a kernel looks at them."""
    parts = below("/", path)
    for count in range(1, len(parts) + (1 if last else 0)):
        yield "/" + "/".join(parts[:count])


def through_links(effect: SizedEffect, links: dict[str, str]) -> SizedEffect:
    """Return a command with the paths that its own mean."""
    if not links:
        return effect

    def all_of(paths: Sequence[str], *, last: bool = True) -> tuple[str, ...]:
        return tuple(behind_links(path, links, last=last) for path in paths)

    def pairs(given: Sequence[tuple[str, str]], *, last: bool = True) -> tuple[tuple[str, str], ...]:
        return tuple((behind_links(one, links, last=last), _into(other, links)) for one, other in given)

    # Whether these follow a link at the end depends on options and on who wrote the program.
    trees = (*effect.rewrites, *(source for source, _ in effect.copies))
    vague = any(not path.endswith("/") and _plain(path) in links for path in trees)
    return replace(
        effect,
        writes=tuple(replace(each, place=behind_links(each.place, links, last=False)) for each in effect.writes),
        removes=all_of(effect.removes, last=False),
        finds=tuple(replace(each, paths=all_of(each.paths, last=False)) for each in effect.finds),
        rewrites=all_of(effect.rewrites),
        rewrites_found=tuple(replace(each, paths=all_of(each.paths, last=False)) for each in effect.rewrites_found),
        alters=all_of(effect.alters),
        hard_links=pairs(effect.hard_links, last=False),
        copies=pairs(effect.copies),
        file_copies=pairs(effect.file_copies),
        moves=pairs(effect.moves, last=False),
        appends=all_of(effect.appends),
        derives=tuple(
            replace(each, place=behind_links(each.place, links), paths=all_of(each.paths)) for each in effect.derives
        ),
        certain=effect.certain and not vague,
    )


def _into(destination: str, links: dict[str, str]) -> str:
    """Return the directory or file that something is copied to."""
    found = behind_links(destination, links)
    return f"{found.rstrip('/')}/" if destination.endswith("/") else found
