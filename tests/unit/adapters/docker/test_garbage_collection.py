from __future__ import annotations

from pathlib import Path

import pytest

from tonnage.adapters.docker.garbage_collection import read_rules, settings_file, told_rules
from tonnage.adapters.docker.tools import BuilderKind, BuildTool
from tonnage.decide.reclaim.garbage_collection import modelled_policy
from tonnage.model.reclaim.garbage_collection import CollectionSettings

RECORDED = Path(__file__).parents[3] / "wire" / "buildx_inspect"
DISK_BYTES = 20_461_731_840


def tool(folder: Path, prints: str, *, code: int = 0) -> BuildTool:
    (folder / "told").write_text(prints)
    program = folder / "docker"
    program.write_text(f'#!/bin/sh\n[ "$*" = "buildx inspect default" ] && cat {folder}/told\nexit {code}\n')
    program.chmod(0o755)
    return BuildTool(str(program), BuilderKind.RAWJSON, buildx=True, version="28.5.2")


@pytest.mark.parametrize(("recorded", "version"), [("28.5-classic", "28.5.2"), ("26.1-classic", "26.1.5")])
def test_what_an_engine_told_is_what_its_version_is_known_to_do(recorded: str, version: str) -> None:
    told = read_rules((RECORDED / f"{recorded}.txt").read_text())

    known = modelled_policy(version, DISK_BYTES, CollectionSettings()).rules
    assert len(told) == len(known)
    for one, other in zip(told, known, strict=True):
        assert (one.filters, one.unused_s, one.every_kind) == (other.filters, other.unused_s, other.every_kind)
        # buildx writes four figures.
        for name in ("reserved_bytes", "max_used_bytes", "min_free_bytes"):
            assert getattr(one, name) == pytest.approx(getattr(other, name), rel=0.001)


def test_a_buildx_that_tells_one_limit_of_three_is_not_believed(tmp_path: Path) -> None:
    text = "Status: running\nGC Policy rule#0:\n All: false\n Keep Bytes: 1.863GiB\n"
    one = tool(tmp_path, text)

    assert told_rules(one, {}, three_limits=True) is None
    found = told_rules(one, {}, three_limits=False)
    assert found is not None
    assert found[0].reserved_bytes == int(1.863 * 2**30)


def test_a_builder_that_does_not_tell_is_none_that_has_no_rules(tmp_path: Path) -> None:
    assert told_rules(None, {}, three_limits=True) is None
    assert told_rules(tool(tmp_path, "", code=1), {}, three_limits=True) is None
    assert told_rules(tool(tmp_path, "Status: inactive\n"), {}, three_limits=True) == ()
    odd = "Status: running\nGC Policy rule#0:\n Max Used Space: 3PiB\n"
    assert told_rules(tool(tmp_path, odd), {}, three_limits=True) is None


def test_what_follows_the_rules_is_none_of_them() -> None:
    text = "GC Policy rule#0:\n All: false\nFile#a:\n > x\n Max Used Space: 7MiB\nGC Policy rule#9:\n All: true\n"
    assert [rule.max_used_bytes for rule in read_rules(text)] == [0]


def test_the_configuration_of_a_rootless_engine_lies_with_its_user() -> None:
    assert str(settings_file({"HOME": "/home/jo"}, rootless=False)) == "/etc/docker/daemon.json"
    assert str(settings_file({"HOME": "/home/jo"}, rootless=True)) == "/home/jo/.config/docker/daemon.json"
    assert str(settings_file({"XDG_CONFIG_HOME": "/c"}, rootless=True)) == "/c/docker/daemon.json"
