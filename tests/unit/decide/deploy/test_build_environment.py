from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.decide.observed import service

from tonnage.decide.deploy.build_environment import CPU_INDEX, PASSED, with_build_environment
from tonnage.model.stack import BuildSpec

if TYPE_CHECKING:
    from tonnage.model.stack import Service

NOTHING = dict.fromkeys(PASSED)


def web(*args: tuple[str, str], devices: tuple[str, ...] = ()) -> Service:
    return replace(service(), build=BuildSpec(context="/shop/web", args=args), devices=devices)


def passed(
    asked: Service, declared: dict[str, str | None] | None = None, environment: dict[str, str] | None = None
) -> dict[str, str]:
    found = with_build_environment(asked, NOTHING if declared is None else declared, environment or {})
    assert found.build is not None
    return dict(found.build.args)


def test_pip_is_told_to_keep_nothing_and_not_to_ask() -> None:
    assert passed(web()) == {"PIP_NO_CACHE_DIR": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def test_a_build_that_declares_nothing_gets_nothing() -> None:
    asked = web(("COLOUR", "red"))

    assert with_build_environment(asked, {}, {"TORCH_INDEX_URL": "https://example.org/cpu"}) is asked


def test_the_compose_file_goes_before_the_environment_and_that_before_the_dockerfile() -> None:
    declared = {**NOTHING, "PIP_NO_CACHE_DIR": "0"}

    assert passed(web(("PIP_NO_CACHE_DIR", "no")), declared, {"PIP_NO_CACHE_DIR": "2"})["PIP_NO_CACHE_DIR"] == "no"
    assert passed(web(), declared, {"PIP_NO_CACHE_DIR": "2"})["PIP_NO_CACHE_DIR"] == "2"
    assert "PIP_NO_CACHE_DIR" not in passed(web(), declared, {"PIP_NO_CACHE_DIR": ""})


@pytest.mark.parametrize(
    ("devices", "environment", "cpu_only"),
    [
        ((), {}, None),
        ((), {"TORCH_INDEX_URL": "https://example.org/cpu"}, "1"),
        (("nvidia: all",), {"TORCH_INDEX_URL": "https://example.org/cu121"}, None),
        (("nvidia: all",), {"TORCH_CPU_ONLY": "1"}, "1"),
        ((), {"TORCH_INDEX_URL": "https://example.org/cpu", "TORCH_CPU_ONLY": "0"}, "0"),
    ],
)
def test_torch_without_cuda_is_assumed_where_there_is_no_device_and_an_index_that_has_it(
    devices: tuple[str, ...], environment: dict[str, str], cpu_only: str | None
) -> None:
    assert passed(web(devices=devices), environment=environment).get("TORCH_CPU_ONLY") == cpu_only


@pytest.mark.parametrize(
    ("default", "environment", "index"),
    [
        (None, {"TORCH_CPU_ONLY": "1"}, CPU_INDEX),
        ("https://example.org/whl/cu121", {"TORCH_CPU_ONLY": "true"}, CPU_INDEX),
        ("https://example.org/whl/cpu/", {"TORCH_CPU_ONLY": "1"}, None),
        (None, {"TORCH_CPU_ONLY": "0"}, None),
        (None, {"TORCH_CPU_ONLY": "1", "TORCH_INDEX_URL": "https://example.org/cpu"}, "https://example.org/cpu"),
    ],
)
def test_who_asks_for_torch_without_cuda_gets_the_index_that_has_it(
    default: str | None, environment: dict[str, str], index: str | None
) -> None:
    assert passed(web(), {"TORCH_INDEX_URL": default}, environment).get("TORCH_INDEX_URL") == index


def test_a_service_that_is_only_an_image_stays_as_it_is() -> None:
    asked = replace(service(), build=None)

    assert with_build_environment(asked, {}, {}) is asked
