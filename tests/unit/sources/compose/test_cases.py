"""Compose files in, the canonical form or the complaint out: one directory under ``cases/`` for each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from tonnage.errors import UsageError
from tonnage.runtime.load_stack import StackRequest, load_stack
from tonnage.sources.compose.canonical import canonical, map_texts
from tonnage.sources.compose.file_selection import select_files
from tonnage.sources.compose.loading import load_files

if TYPE_CHECKING:
    from tonnage.model.stack import Stack

CASES = Path(__file__).parent / "cases"
GOOD = sorted(path.name for path in CASES.iterdir() if not path.name.startswith("bad-"))
BAD = sorted(path.name for path in CASES.iterdir() if path.name.startswith("bad-"))


@dataclass(frozen=True, slots=True)
class Case:
    directory: Path
    asked: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        return {str(key): str(value) for key, value in self.asked.get("environment", {}).items()}

    @property
    def request(self) -> StackRequest:
        return StackRequest(
            files=tuple(self.asked.get("files", ())),
            profiles=tuple(self.asked.get("profiles", ())),
            env_files=tuple(self.asked.get("env_files", ())),
            working_directory=str(self.directory / self.asked.get("working_directory", "")),
        )

    def shown(self, text: str) -> str:
        return text.replace(str(self.directory), "CASE").replace(str(CASES), "CASES")

    def stack(self) -> Stack:
        return load_stack(self.request, environment=self.environment, compose=None)

    def form(self) -> dict[str, Any]:
        request = self.request
        selection = select_files(
            files=request.files,
            directory=request.directory,
            profiles=request.profiles,
            env_files=request.env_files,
            working_directory=request.working_directory,
            environment=self.environment,
        )
        loaded = load_files(selection, project_name="")
        return canonical(loaded, profiles=selection.profiles)


@cache
def compose_schema() -> Any:  # noqa: ANN401 - jsonschema has no types
    vendored = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    return jsonschema.Draft202012Validator(json.loads(vendored.read_text()))


def open_case(name: str) -> Case:
    asked = CASES / name / "request.json"
    return Case(CASES / name, json.loads(asked.read_text()) if asked.is_file() else {})


@dataclass(frozen=True, slots=True)
class PrintedByCompose:
    """What Compose v2 prints: ``$`` doubled, keys sorted, and no ``x-`` keys of services."""

    form: dict[str, Any]
    version: str = "2.40.3"

    def config(self, request: StackRequest) -> str:
        assert request.working_directory
        services = {
            name: {
                "command": None,
                "entrypoint": None,
                **{key: value for key, value in service.items() if not key.startswith("x-")},
            }
            for name, service in self.form["services"].items()
        }
        return self._printed(services)

    def config_in_yaml(self, request: StackRequest) -> str:
        assert request.working_directory
        return self._printed(self.form["services"])

    def _printed(self, services: dict[str, Any]) -> str:
        doubled = map_texts({**self.form, "services": services}, lambda text: text.replace("$", "$$"))
        return json.dumps(doubled, sort_keys=True)


@pytest.mark.parametrize("name", GOOD)
def test_a_stack_has_the_expected_canonical_form(name: str) -> None:
    case = open_case(name)
    shown = case.shown(json.dumps({"form": case.form(), "notes": case.stack().notes}, indent=2, ensure_ascii=False))

    assert json.loads(shown) == json.loads((case.directory / "expected.json").read_text())


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_stack_is_refused_with_the_expected_message_and_place(name: str) -> None:
    case = open_case(name)

    with pytest.raises(UsageError) as refused:
        case.stack()

    assert case.shown(str(refused.value)) + "\n" == (case.directory / "expected.txt").read_text()
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("name", GOOD)
def test_the_canonical_form_satisfies_the_schema_of_the_compose_specification(name: str) -> None:
    compose_schema().validate(open_case(name).form())


@pytest.mark.parametrize("name", GOOD)
def test_compose_v2_and_the_built_in_reader_lead_to_the_same_stack(name: str) -> None:
    case = open_case(name)

    printed = load_stack(case.request, environment=case.environment, compose=PrintedByCompose(case.form()))

    built_in = case.stack()
    assert printed.services == built_in.services
    assert printed == built_in
