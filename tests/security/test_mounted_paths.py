"""A stranger's files name paths of this machine: a plan that is made for nobody looks at none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.cli.simulated_ports import make_world

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

STRANGE = """\
services:
  db:
    volumes: [{type: bind, source: /home/someone/.ssh/id_rsa, target: /key}]
    secrets: [passwords]
secrets: {passwords: {file: /etc/shadow}}
"""


def test_an_untrusted_plan_looks_for_no_path_and_reads_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def missing(_endpoint: str, paths: list[str]) -> tuple[str, ...]:
        looked.extend(paths)
        return ()

    def content_digest(path: str) -> str:
        looked.append(path)
        return ""

    world = make_world(tmp_path)
    monkeypatch.setattr(world.ports.files, "missing", missing)
    monkeypatch.setattr(world.ports.files, "content_digest", content_digest)
    (world.directory / "compose.override.yaml").write_text(STRANGE)
    assert world.run("plan", "--untrusted") == 0
    assert looked == []
    assert world.run("plan") == 0
    assert set(looked) >= {"/etc/shadow", "/home/someone/.ssh/id_rsa"}
