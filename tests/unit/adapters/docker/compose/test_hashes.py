from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.unit.adapters.docker.compose.test_command import _tool, _web

from tonnage.adapters.docker.compose.hashes import config_hashes, counts_dependencies, own_image_name
from tonnage.model.compose_labels import StackOrigin
from tonnage.model.inventory import Container

if TYPE_CHECKING:
    from pathlib import Path

HASHES = "a" * 64, "b" * 64
JOINED = Container(container_id="c17", name="shop-db-1", project="shop", service="db", state="running", image_id="db")


def _hashes(folder: Path, script: str, generation: int = 2, **origin: object) -> dict[str, str]:
    joins = {"web": {"image": "web", "network_mode": "service:db"}, "db": {"image": "db"}}
    mounts = {"side": {"image": "s", "volumes_from": ["db"]}}
    definition = {"name": "shop", "services": {**joins, **mounts}}
    given = {"directory": str(folder), "place": "", "files": (), "env_files": (), **origin}
    known = StackOrigin(project="shop", definition=definition, **given)  # type: ignore[arg-type]
    return config_hashes(_tool(folder, script, generation), known, [JOINED], {"PATH": "/usr/bin:/bin"})


def test_compose_tells_what_it_counts_of_each_service(tmp_path: Path) -> None:
    script = f'cp "$8" {tmp_path}/given; echo "$@" > {tmp_path}/told; echo warning'
    script += f"; echo web {HASHES[0]}; echo side {HASHES[1]}; echo other {HASHES[1]}"
    # Nothing is told of what it was not asked about, and of what it counts by ids that no file can say.
    assert _hashes(tmp_path, script) == {"web": HASHES[0]}
    assert (tmp_path / "told").read_text().endswith(" config --hash *\n")
    # The second generation counts the container that is joined.
    assert _web((tmp_path / "given").read_text())["network_mode"] == "container:c17"
    assert _hashes(tmp_path, script, 1) == {"web": HASHES[0]}
    assert _web((tmp_path / "given").read_text())["network_mode"] == "service:db"
    assert _hashes(tmp_path, f"echo web {HASHES[0]}; exit 1") == {}


def test_compose_1_is_asked_about_the_files_of_the_user(tmp_path: Path) -> None:
    told, files = tmp_path / "told", (f"{tmp_path}/a.yml", f"{tmp_path}/b.yml")
    script = f'echo "$@" >> {told}; pwd >> {told}; echo web {HASHES[0]}; echo side {HASHES[1]}'
    found = _hashes(tmp_path, script, 1, files=files, env_files=(f"{tmp_path}/v.env",))
    assert found == {"web": HASHES[0], "side": HASHES[1]}
    assert told.read_text().splitlines() == [
        (
            f"--ansi never --project-name shop --project-directory {tmp_path} --file {files[0]} --file {files[1]}"
            f" --env-file {tmp_path}/v.env config --hash web,db,side"
        ),
        str(tmp_path),
    ]


@pytest.mark.parametrize("why", ["they are on another machine", "it refuses them"])
def test_where_compose_1_cannot_read_the_files_it_is_asked_about_the_project_as_it_is_known(
    tmp_path: Path, why: str
) -> None:
    place = "/srv/shop" if why == "they are on another machine" else ""
    script = f'case "$*" in *a.yml*) echo web {HASHES[1]}; exit 1 ;; esac; echo web {HASHES[0]}'
    assert _hashes(tmp_path, script, 1, files=(f"{tmp_path}/a.yml",), place=place) == {"web": HASHES[0]}


def test_compose_1_gives_what_has_no_name_one_of_its_own() -> None:
    services = {"web": {"build": {"context": "."}}, "api": {"build": {"context": "."}, "image": "api:1"}}
    assert own_image_name({"name": "_shop", "services": services}, "web") == "shop_web"
    assert own_image_name({"name": "_shop", "services": services}, "api") == ""


@pytest.mark.parametrize(("second", "counts"), [(HASHES[0], False), (HASHES[1], True)])
def test_compose_shows_whether_it_counts_what_a_service_depends_on(tmp_path: Path, second: str, counts: bool) -> None:  # noqa: FBT001 - a case
    script = f'cp "$8" {tmp_path}/given; echo a {HASHES[0]}; echo b {second}'
    assert counts_dependencies(_tool(tmp_path, script, 2), {"PATH": "/usr/bin:/bin"}) is counts
    services = json.loads((tmp_path / "given").read_text())["services"]
    assert {**services["b"], "depends_on": None} == {**services["a"], "depends_on": None}
