"""What Compose wrote on a version before stands for what it cannot tell by now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tonnage.adapters.docker.plain_up import PlainUp
from tonnage.adapters.docker.tools import ComposeTool
from tonnage.model.compose_labels import CONFIG_HASH, StackOrigin

if TYPE_CHECKING:
    from pathlib import Path

PROJECT: dict[str, Any] = {"name": "shop", "services": {"web": {"image": "busybox", "command": ["sleep", "100"]}}}


@pytest.mark.parametrize(("generation", "expected"), [(1, "recorded"), (2, None)])
def test_only_compose_1_gets_what_was_written_before(tmp_path: Path, generation: int, expected: str | None) -> None:
    # What the files say now is another configuration.
    of_now = {"name": "shop", "services": {"web": {"image": "busybox"}}}
    origin = StackOrigin(project="shop", directory=str(tmp_path), place="", files=(), env_files=(), definition=of_now)
    tool = ComposeTool(command=("compose-is-not-asked",), generation=generation, version="1.29.2")
    nothing: Any = None  # Neither the engine nor programs are asked.
    up = PlainUp(nothing, nothing, {}, origin)
    labels = up.labels_of(tool, "shop", str(tmp_path), "web", PROJECT, before="recorded")
    assert labels.get(CONFIG_HASH) == expected
    assert CONFIG_HASH not in up.labels_of(tool, "shop", str(tmp_path), "web", PROJECT)
