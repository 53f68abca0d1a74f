"""What is needed because it was pulled of late, or because a program that pulls is going to run it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from tonnage.decide.reclaim.protection import JUST_NOW, YOUNG_S, while_pulling
from tonnage.model.reclaim.roots import Root
from tonnage.runtime.load_stack import StackRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tonnage.model.reclaim.pulls import Asked, Pulling


def pull_needs(pulled: Iterable[tuple[str, float]], pulling: Pulling | None) -> tuple[Root, ...]:
    """Return the images that were pulled just now, or since a pull began that goes on."""
    return tuple(
        Root(name, JUST_NOW if pulling is None or age_s < YOUNG_S else while_pulling(pulling)) for name, age_s in pulled
    )


def client_needs(asked: Iterable[Asked]) -> tuple[Root, ...]:
    """Return what programs that run now name on their command lines."""
    return tuple(Root(word, f"{each.who} asks for it") for each in asked for word in each.words)


def requests_of_clients(asked: Iterable[Asked]) -> tuple[StackRequest, ...]:
    """Return how the compose projects can be read that programs are about to pull or run."""
    found: dict[StackRequest, None] = {}
    for each in asked:
        if not each.compose or not each.client.directory:
            continue
        here = PurePosixPath(each.client.directory)
        request = StackRequest(
            files=tuple(str(here / file) for file in each.files),
            directory=str(here / each.project_directory) if each.project_directory else "",
            project_name=each.project_name,
            profiles=("*",),
            env_files=tuple(str(here / file) for file in each.env_files),
            working_directory=str(here),
        )
        found[request] = None
    return tuple(found)
