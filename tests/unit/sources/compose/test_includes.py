"""What files mean that include and extend each other, as Compose 2.40.3 printed it for the same files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tonnage.errors import UsageError
from tonnage.runtime.load_stack import StackRequest, load_stack
from tonnage.sources.compose.canonical import canonical
from tonnage.sources.compose.file_selection import select_files
from tonnage.sources.compose.loading import load_files

if TYPE_CHECKING:
    from pathlib import Path

MAIN = "services: {m: {image: i}}\n"


def services(root: Path, files: dict[str, str], *named: str, start: str = "", directory: str = "") -> dict[str, Any]:
    """Return the services of files, with the directory of the project as ROOT."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    here = root / start
    here.mkdir(exist_ok=True)
    request = StackRequest(files=named, directory=directory, working_directory=str(here))
    load_stack(request, environment={}, compose=None, builds=False)
    selection = select_files(
        files=named,
        directory=directory,
        profiles=(),
        env_files=(),
        working_directory=str(here),
        environment={},
    )
    form = canonical(load_files(selection, project_name="n"), profiles=())
    return {name: without_networks(service, str(root)) for name, service in form["services"].items()} | {
        f"volume {name}": volume for name, volume in without_networks(form.get("volumes") or {}, str(root)).items()
    }


def without_networks(value: Any, root: str) -> Any:  # noqa: ANN401 - JSON of any shape
    if isinstance(value, dict):
        return {key: without_networks(entry, root) for key, entry in value.items() if key != "networks"}
    if isinstance(value, list):
        return [without_networks(entry, root) for entry in value]
    return value.replace(root, "ROOT") if isinstance(value, str) else value


def test_an_included_file_has_the_directory_and_the_variables_of_its_own(tmp_path: Path) -> None:
    found = services(
        tmp_path,
        {
            "compose.yaml": f"include: [sub/i.yaml]\n{MAIN}",
            "sub/i.yaml": "services: {a: {build: {dockerfile: D, args: [T]}, environment: [T], env_file: e.env}}\n"
            "volumes: {v: {driver: local, driver_opts: {o: bind, device: ./d}}}\n",
            "sub/.env": "T=sub\n",
            "sub/e.env": "Q=$T\n",
        },
    )

    assert found["a"]["build"]["context"] == "ROOT/sub"
    assert "args" not in found["a"]["build"], "Compose takes arguments from the variables of the stack"
    assert found["a"]["environment"] == {"T": "sub", "Q": "sub"}


@pytest.mark.parametrize(
    ("driver", "device"), [("driver: local, ", "ROOT/sub/d"), ("", "./d"), ("driver: other, ", "./d")]
)
def test_the_device_of_a_local_volume_is_a_path_in_the_directory_of_its_file(
    tmp_path: Path, driver: str, device: str
) -> None:
    volume = f"{{{driver}driver_opts: {{o: bind, device: ./d}}}}"
    files = {"sub/i.yaml": f"services: {{a: {{image: i, volumes: ['vol:/v']}}}}\nvolumes: {{vol: {volume}}}\n"}

    found = services(tmp_path, {"compose.yaml": f"include: [sub/i.yaml]\n{MAIN}", **files})

    assert found["volume vol"]["driver_opts"]["device"] == device


@pytest.mark.parametrize(
    ("entry", "image"),
    [
        ("path: sub/i.yaml", "isub"),
        ("path: sub/i.yaml, env_file: /dev/null", "inone"),
        ("path: sub/i.yaml, env_file: [/dev/null, t.env]", "it"),
        ("path: sub/i.yaml, env_file: []", "isub"),
        ("path: sub/i.yaml, project_directory: oth", "ioth"),
        ("path: sub/i.yaml, project_directory: ''", "isub"),
        ("path: sub/i.yaml, anything: else", "isub"),
    ],
)
def test_the_variables_of_an_included_file_come_from_where_its_entry_says(
    tmp_path: Path, entry: str, image: str
) -> None:
    files = {"sub/i.yaml": "services: {a: {image: 'i${T:-none}'}}\n", "sub/.env": "T=sub\n", "t.env": "T=t\n"}

    found = services(tmp_path, {"compose.yaml": f"include: [{{{entry}}}]\n{MAIN}", "oth/.env": "T=oth\n", **files})

    assert found["a"]["image"] == image


def test_names_in_a_list_are_variables_of_the_included_file_and_in_a_mapping_of_the_stack(tmp_path: Path) -> None:
    files = {
        "compose.yaml": f"include: [sub/i.yaml]\n{MAIN}",
        "sub/i.yaml": "services: {a: {image: i, environment: {T: }}, b: {image: i, environment: [T]}}\n",
        "sub/.env": "T=sub\n",
        ".env": "U=top\n",
    }

    found = services(tmp_path, files)

    assert [found[name]["environment"] for name in "ab"] == [{"T": None}, {"T": "sub"}]


def test_what_a_name_resets_is_looked_for_in_mappings_alone(tmp_path: Path) -> None:
    later = "services: {a: {environment: {A: !reset null}}}\n"
    for number, (written, kept) in enumerate((("{A: b, C: d}", {"C"}), ("[A=b, C=d]", {"A", "C"}))):
        files = {"compose.yaml": f"services: {{a: {{image: i, environment: {written}}}}}\n", "o.yaml": later}
        found = services(tmp_path / str(number), files | {"x/.keep": ""}, "compose.yaml", "o.yaml")
        assert set(found["a"]["environment"]) == kept


def test_of_a_file_to_extend_only_the_services_that_are_extended_are_read(tmp_path: Path) -> None:
    files = {
        "compose.yaml": "services: {a: {extends: {file: sub/x.yaml, service: a}}}\n",
        "sub/x.yaml": "include: [gone.yaml]\nunknown: 1\nservices:\n"
        "  a: {extends: b, build: .}\n  b: {env_file: e.env}\n  c: {unknown: 1}\n"
        "  d: {extends: {file: gone.yaml, service: d}}\n",
        "sub/e.env": "A=b\n",
    }

    found = services(tmp_path, files)

    assert found["a"]["build"]["context"] == "ROOT/sub"
    assert found["a"]["environment"] == {"A": "b"}
    with pytest.raises(UsageError, match=r"'unknown' is not known in services\.c"):
        services(tmp_path, {**files, "compose.yaml": "services: {a: {extends: {file: sub/x.yaml, service: c}}}\n"})


@pytest.mark.parametrize("nothing", ["", "# a comment\n", "{}\n"])
def test_a_file_that_holds_nothing_changes_nothing(tmp_path: Path, nothing: str) -> None:
    found = services(tmp_path, {"compose.yaml": MAIN, "o.yaml": nothing}, "compose.yaml", "o.yaml")

    assert found["m"]["image"] == "i"
    with pytest.raises(UsageError, match="the compose file is empty"):
        services(tmp_path, {"compose.yaml": nothing})


def test_what_an_included_file_overrides_and_resets_ends_in_it(tmp_path: Path) -> None:
    files = {
        "compose.yaml": "services: {a: {image: i, environment: {A: b}, command: [x]}}\n",
        "o.yaml": "include: [{path: [x.yaml, y.yaml]}]\n",
        "x.yaml": "services: {a: {image: j, environment: {C: d}, command: [y]}}\n",
        "y.yaml": "services: {a: {environment: !override {E: f}}}\n",
    }

    found = services(tmp_path, files, "compose.yaml", "o.yaml")

    assert found["a"]["environment"] == {"A": "b", "E": "f"}
    assert found["a"]["command"] == ["y"]


@pytest.mark.parametrize(
    ("own", "included", "fits"),
    [
        ("{image: i}", "{image: i}", True),
        ("{image: i}", "{image: j}", False),
        ("{image: i, ports: ['80']}", "{image: i, ports: ['80']}", False),
        ("{image: i, environment: {A: b}}", "{image: i, environment: {A: b}}", True),
        ("{image: i, environment: {A: b}}", "{image: i, environment: [A=b]}", False),
        ("{build: .}", "{build: .}", False),
    ],
)
def test_the_same_name_twice_is_refused_unless_both_are_written_in_full(
    tmp_path: Path, own: str, included: str, *, fits: bool
) -> None:
    files = {"compose.yaml": f"include: [x.yaml]\nservices: {{m: {own}}}\n", "x.yaml": f"services: {{m: {included}}}\n"}

    if fits:
        assert list(services(tmp_path, files)) == ["m"]
    else:
        with pytest.raises(UsageError, match=r"services\.m is in this file and in an included one"):
            services(tmp_path, files)


@pytest.mark.parametrize(
    ("file", "variable"),
    [
        ("oci://example.org/stack", "OCI"),
        ("https://example.org/team/stack.git#main", "GIT"),
        ("git@example.org:team/stack", "GIT"),
        ("ssh://git@example.org/team/stack", "GIT"),
    ],
)
def test_a_file_that_has_to_be_fetched_is_refused_with_what_allows_it(tmp_path: Path, file: str, variable: str) -> None:
    for text in (f"include: ['{file}']\n{MAIN}", f"services: {{m: {{extends: {{file: '{file}', service: a}}}}}}\n"):
        with pytest.raises(UsageError) as refused:
            services(tmp_path, {"compose.yaml": text})
        assert "nothing is fetched to read a stack" in refused.value.what
        assert f"COMPOSE_EXPERIMENTAL_{variable}_REMOTE=true" in refused.value.todo
        assert refused.value.place == f"{tmp_path / 'compose.yaml'}:1"


@pytest.mark.parametrize(
    "files",
    [
        {"compose.yaml": "include: [compose.yaml]\n"},
        {
            "compose.yaml": f"include: [{{path: [x.yaml, compose.yaml]}}]\n{MAIN}",
            "x.yaml": "services: {a: {image: i}}\n",
        },
        {"compose.yaml": "include: [x.yaml]\n", "x.yaml": "include: [y.yaml]\n", "y.yaml": "include: [x.yaml]\n"},
        {"compose.yaml": "services: {a: {image: i, extends: a}}\n"},
        {
            "compose.yaml": "services: {a: {extends: {file: x.yaml, service: a}}}\n",
            "x.yaml": "services: {a: {extends: {file: compose.yaml, service: a}}}\n",
        },
    ],
)
def test_a_circle_is_refused_with_its_members(tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"each other in a circle: .+ -> .+") as refused:
        services(tmp_path, files)

    assert refused.value.todo
    assert refused.value.place


def test_only_the_env_file_beside_the_file_that_was_named_is_read(tmp_path: Path) -> None:
    files = {
        "compose.yaml": "services: {a: {image: 'i${T:-}${U:-}'}}\n",
        ".env": "T=top\n",
        "oth/.env": "T=oth\nU=oth\n",
    }

    assert services(tmp_path, files, "../compose.yaml", start="oth")["a"]["image"] == "itop"
    assert services(tmp_path, files, start="oth")["a"]["image"] == "iothoth"
    assert services(tmp_path, files, "../compose.yaml", start="oth", directory=".")["a"]["image"] == "iothoth"


def test_a_service_of_no_replicas_takes_no_port(tmp_path: Path) -> None:
    for no_replicas in ("scale: 0", "deploy: {replicas: 0}"):
        text = f"services: {{a: {{image: i, ports: ['80:80'], {no_replicas}}}, b: {{image: i, ports: ['80:80']}}}}\n"
        assert set(services(tmp_path, {"compose.yaml": text})) == {"a", "b"}
