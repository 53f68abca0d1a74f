from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.reclaim.configured_builders import configured_builders

if TYPE_CHECKING:
    from pathlib import Path


def configure(place: Path, builder: str, *nodes: str) -> None:
    """Write a builder as buildx does."""
    (place / "instances").mkdir(parents=True, exist_ok=True)
    told = {"Name": builder, "Driver": "docker-container", "Nodes": [{"Name": each, "Endpoint": ""} for each in nodes]}
    (place / "instances" / builder).write_text(json.dumps(told))


def names(environment: dict[str, str], root: Path) -> frozenset[str]:
    found = configured_builders(environment, root=str(root))
    assert found.unknown == ""
    return found.nodes


def test_all_nodes_of_all_builders_are_told_wherever_the_settings_are(tmp_path: Path) -> None:
    configure(tmp_path / "home" / ".docker" / "buildx", "gha", "gha0", "gha1")
    configure(tmp_path / "home" / ".docker" / "buildx", "other", "named")
    configure(tmp_path / "settings" / "buildx", "third", "third0")
    configure(tmp_path / "own", "fourth", "fourth0")
    nowhere = tmp_path / "nowhere"
    home = {"HOME": str(tmp_path / "home")}
    assert names(home, nowhere) == {"gha0", "gha1", "named"}
    assert names({**home, "DOCKER_CONFIG": str(tmp_path / "settings")}, nowhere) == {"third0"}
    assert names({**home, "BUILDX_CONFIG": str(tmp_path / "own")}, nowhere) == {"fourth0"}
    assert names({"HOME": str(nowhere)}, nowhere) == frozenset()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root looks at every account")
def test_as_root_every_account_is_looked_at(tmp_path: Path) -> None:
    configure(tmp_path / "root" / ".docker" / "buildx", "roots", "roots0")
    assert names({"HOME": str(tmp_path / "elsewhere")}, tmp_path) == {"roots0"}


@pytest.mark.parametrize("text", ["", "{", '{"Nodes": [{}]}', "[]", '{"Nodes": 1}'])
def test_a_builder_that_cannot_be_read_may_be_any(tmp_path: Path, text: str) -> None:
    configure(tmp_path / "buildx", "fine", "fine0")
    (tmp_path / "buildx" / "instances" / "broken").write_text(text)
    found = configured_builders({"BUILDX_CONFIG": str(tmp_path / "buildx")}, root=str(tmp_path / "nowhere"))
    assert "broken" in found.unknown
