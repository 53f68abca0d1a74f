"""The page about settings names every setting with its default, and its example is read as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tonnage.adapters.private_engine.layout import DIRECTORY_VARIABLE
from tonnage.model.stack import ProbeSpec, ServiceSettings, Stack
from tonnage.runtime.load_stack import StackRequest, load_stack
from tonnage.runtime.settings import rank
from tonnage.sources.compose.x_tonnage import SERVICE, STACK_KEYS
from tonnage.units import parse_seconds

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "settings.md").read_text()
ROWS = {
    row[0].strip("`"): row
    for line in PAGE.splitlines()
    if (row := [cell.strip() for cell in line.strip("|").split("|")])
}


def default(key: str) -> str:
    return ROWS[key][1].strip("`")


def test_every_setting_of_the_stack_is_there_with_its_default_and_its_variable() -> None:
    nothing = Stack(name="", directory="/srv", files=(), services=())
    for setting in rank(nothing, environment={}, flags={}):
        variable = f"TONNAGE_{setting.key.replace('-', '_').upper()}"
        if setting.key in STACK_KEYS:
            assert default(setting.key) == setting.value
            assert ROWS[setting.key][3] == f"`{variable}`"
        elif setting.key in ROWS:
            assert ROWS[setting.key][1].replace("`", "") == setting.value
        else:
            assert variable in ROWS
    assert DIRECTORY_VARIABLE in ROWS


def test_every_setting_of_a_service_is_there_with_its_default() -> None:
    assert set(SERVICE.keys) <= {key.split(".")[0] for key in ROWS}
    probe, settings = ProbeSpec(port=1), ServiceSettings()
    assert default("probe.path") == probe.path
    assert default("probe.status") == str(probe.status)
    assert parse_seconds(default("probe.timeout")) == probe.timeout_s
    assert parse_seconds(default("stability")) == settings.stability_s
    assert default("switch") == settings.switch


@pytest.mark.parametrize("page", ["docs/settings.md", "README.md"])
def test_the_example_is_read_as_it_stands(page: str, tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[2] / page).read_text()
    example, *others = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    # Those below it are parts of a file.
    assert all("x-tonnage:" in each for each in others)
    (tmp_path / "compose.yaml").write_text(example)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    request = StackRequest(
        files=(), directory="", project_name="", profiles=(), env_files=(), working_directory=str(tmp_path)
    )
    stack = load_stack(request, environment={}, compose=None)
    assert {service.name: service.settings.one_shot for service in stack.services} == {"web": False, "migrate": True}
