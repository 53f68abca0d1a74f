"""Sizes of packages for Node.js, from a registry on the loopback."""

from __future__ import annotations

import gzip
import json
import random
from typing import TYPE_CHECKING

import pytest
from tests.answering import Answer, answering

from tonnage.adapters.web.client import Web
from tonnage.adapters.web.disk_cache import DiskCache
from tonnage.forecast.node.npm_settings import npm_settings
from tonnage.forecast.node.registry import MOST_ASKED, NodeRegistry
from tonnage.model.forecast.estimate import Grade
from tonnage.model.forecast.node_packages import NodePackage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.answering import Answering, Asked

    from tonnage.model.forecast.node_packages import NodeSize

HELD_BYTES = 700_416
ARCHIVE = gzip.compress(random.Random(7).randbytes(HELD_BYTES))


@pytest.fixture
def server() -> Iterator[Answering]:
    with answering() as found:
        yield found


def asked(
    server: Answering, tmp_path: Path, *packages: NodePackage, offline: bool = False
) -> tuple[Mapping[NodePackage, NodeSize], str]:
    environment = {"npm_config_registry": server.address}
    with Web({}, offline=offline) as web:
        registry = NodeRegistry(web, DiskCache(tmp_path), npm_settings(environment), str)
        return registry.sizes(packages)


def entry(**dist: object) -> Answer:
    return Answer(body=json.dumps({"dist": dist}).encode())


def test_a_registry_that_tells_bytes_and_files_is_believed_as_declared(server: Answering, tmp_path: Path) -> None:
    package = NodePackage(name="@acme/web", version="1.2.3")
    server.routes["/@acme%2Fweb/1.2.3"] = entry(unpackedSize=1_234_567, fileCount=89)
    sizes, why = asked(server, tmp_path, package)

    assert not why
    assert sizes[package].image.likely_bytes == 1_234_567
    assert sizes[package].disk.low_bytes <= 1_234_567 + 89 * 2048 <= sizes[package].disk.high_bytes
    assert sizes[package].image.grade is Grade.DECLARED


def test_without_sizes_the_end_of_the_archive_tells_what_it_holds(server: Answering, tmp_path: Path) -> None:
    package = NodePackage(name="web", version="1.2.3")
    server.routes["/web/1.2.3"] = entry(tarball=f"{server.address}/web/-/web-1.2.3.tgz")

    def end(request: Asked) -> Answer:
        assert request.headers["range"] == "bytes=-8"
        where = f"bytes {len(ARCHIVE) - 8}-{len(ARCHIVE) - 1}/{len(ARCHIVE)}"
        return Answer(206, ARCHIVE[-8:], {"Content-Range": where})

    server.routes["/web/-/web-1.2.3.tgz"] = end
    sizes, _ = asked(server, tmp_path, package)

    assert sizes[package].image.low_bytes < sizes[package].image.likely_bytes < HELD_BYTES
    assert sizes[package].image.high_bytes == HELD_BYTES
    assert sizes[package].packed.likely_bytes == len(ARCHIVE)


def test_what_was_told_once_is_never_asked_for_again(server: Answering, tmp_path: Path) -> None:
    package = NodePackage(name="web", version="1.2.3")
    server.routes["/web/1.2.3"] = entry(unpackedSize=10_007)
    first, _ = asked(server, tmp_path, package)
    again, why = asked(server, tmp_path, package, offline=True)

    assert first == again
    assert not why
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_registry_that_refuses_is_left_alone(server: Answering, tmp_path: Path, status: int) -> None:
    packages = [NodePackage(name=f"p{number}", version="1.0.0") for number in range(300)]
    server.routes |= {f"/p{number}/1.0.0": Answer(status) for number in range(300)}
    sizes, why = asked(server, tmp_path, *packages)

    assert not sizes
    assert f"answers {status}" in why
    # Three of them, and those that were under way.
    assert len(server.asked) < 3 * 3 + 16 * 3


def test_a_page_for_people_in_place_of_an_entry_is_no_size(server: Answering, tmp_path: Path) -> None:
    package = NodePackage(name="web", version="1.2.3")
    server.routes["/web/1.2.3"] = Answer(body=b"<html>Sign in</html>")

    assert asked(server, tmp_path, package)[0] == {}


@pytest.mark.parametrize("told", [-1, 1 << 60, "many", None, 1.5])
def test_a_size_that_no_package_has_is_not_believed(server: Answering, tmp_path: Path, told: object) -> None:
    package = NodePackage(name="web", version="1.2.3")
    server.routes["/web/1.2.3"] = entry(unpackedSize=told)

    assert asked(server, tmp_path, package)[0] == {}


def test_no_more_packages_are_asked_for_than_a_project_has(server: Answering, tmp_path: Path) -> None:
    packages = [NodePackage(name=f"p{number}", version="1.0.0") for number in range(MOST_ASKED + 40)]
    with Web({}, offline=False) as web:
        registry = NodeRegistry(web, DiskCache(tmp_path), npm_settings({}), str)
        _, why = registry.sizes(packages)

    assert f"more than {MOST_ASKED} packages" in why
    assert not server.asked


def test_a_lock_that_names_addresses_leads_to_its_own_registry(server: Answering, tmp_path: Path) -> None:
    package = NodePackage(name="web", version="1.2.3", address=f"{server.address}/npm/web/-/web-1.2.3.tgz")
    server.routes["/npm/web/1.2.3"] = entry(unpackedSize=10_007)
    with Web({}) as web:
        sizes, _ = NodeRegistry(web, DiskCache(tmp_path), npm_settings({}), str).sizes([package])

    assert sizes[package].image.likely_bytes == 10_007
