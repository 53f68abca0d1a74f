from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.adapters.context.dockerfiles import declared_arguments
from tonnage.model.stack import BuildSpec

if TYPE_CHECKING:
    from pathlib import Path


def test_declared_arguments_come_with_their_defaults() -> None:
    text = "ARG BASE=busybox TAG\nFROM $BASE\nARG BASE\nARG A\narg B=1 \\\n  C\nENV D=2\n"

    assert declared_arguments(BuildSpec(context="/x", dockerfile_inline=text)) == {
        "BASE": "busybox",
        "TAG": None,
        "A": None,
        "B": "1",
        "C": None,
    }


def test_a_dockerfile_that_is_not_there_declares_nothing(tmp_path: Path) -> None:
    assert declared_arguments(BuildSpec(context=str(tmp_path), dockerfile=str(tmp_path / "Dockerfile"))) == {}
