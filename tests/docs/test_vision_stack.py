"""The files of examples/vision agree with each other, and are read without a word of complaint."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nas_service
import pytest
import rtmpose_service
import yolo_service
from packaging.requirements import Requirement
from serving.settings import Settings
from serving.uploads import FORM_BYTES

from tonnage.adapters.context.inputs_digest import build_inputs
from tonnage.runtime.load_stack import StackRequest, load_stack

if TYPE_CHECKING:
    from tonnage.model.stack import Stack

ROOT = Path(__file__).resolve().parents[2] / "examples" / "vision"
PORTS = {"yolo-combined": 8001, "mmpose": 8003, "yolo-nas": 8004}
MODELS = {
    "yolo-combined": yolo_service.SERVICE.models,
    "mmpose": rtmpose_service.SERVICE.models,
    "yolo-nas": nas_service.SERVICE.models,
}
BASE, GPU = "docker-compose.yml", "docker-compose.gpu.yml"
SCRIPT = re.compile(r"^RUN (case .*?[^\\])$", re.MULTILINE | re.DOTALL)


def dockerfile(service: str) -> str:
    return (ROOT / f"{service}-service" / "Dockerfile").read_text()


def leading(service: str) -> str:
    return dockerfile(service).split("# ---")[0]


def read(*files: str, **environment: str) -> Stack:
    request = StackRequest(files=files, working_directory=str(ROOT))
    return load_stack(request, environment=environment, compose=None)


def args(stack: Stack, service: str) -> dict[str, str]:
    build = stack.service(service).build
    assert build is not None
    return dict(build.args)


def test_the_leading_steps_of_all_services_are_the_same_and_contain_what_is_heavy() -> None:
    assert len({leading(service) for service in PORTS}) == 1
    steps = leading("mmpose")
    assert "pip install" in steps
    assert not any(name in steps for name in PORTS)
    for service in PORTS:
        assert dockerfile(service).count("RUN pip install") == 1
        assert f"COPY {service}-service/requirements/" in dockerfile(service)


@pytest.mark.parametrize("files", [(), (BASE,), (BASE, GPU)], ids=["development", "alone", "gpu"])
def test_every_set_of_compose_files_is_read(files: tuple[str, ...]) -> None:
    stack = read(*files)
    assert [service.name for service in stack.services] == [*PORTS, "gateway"]
    assert stack.notes == ()
    for name, port in PORTS.items():
        service = stack.service(name)
        assert service.build is not None
        assert Path(service.build.dockerfile) == ROOT / f"{name}-service" / "Dockerfile"
        assert service.settings.probe is not None
        assert service.settings.probe.port == port
        assert service.settings.weights is not None
        assert service.settings.weights.manifest == "/weights/manifest.json"
        assert service.settings.weights.models == MODELS[name]
        assert service.health is not None
        assert service.config["restart"] == "unless-stopped"
        [mount] = service.mounts
        assert (mount.source, mount.target, mount.read_only) == (str(ROOT / "weights"), "/weights", True)
        assert args(stack, name)["BACKEND"] == ("torch" if GPU in files else "onnx")
        assert bool(service.devices) == (GPU in files)


def test_alone_the_environment_chooses_the_backend_and_for_development_it_does_not() -> None:
    chosen = {"BACKEND": "torch", "TORCH_CPU_ONLY": "1", "TORCH_INDEX_URL": "https://example.org/cpu"}
    alone, development, gpu = read(BASE, **chosen), read(**chosen), read(BASE, GPU, **chosen)
    assert args(alone, "mmpose") == chosen
    assert args(development, "mmpose") == {"BACKEND": "onnx", "TORCH_CPU_ONLY": "", "TORCH_INDEX_URL": ""}
    assert args(gpu, "mmpose") == {"BACKEND": "torch", "TORCH_CPU_ONLY": "0", "TORCH_INDEX_URL": ""}
    assert [stack.service("mmpose").image for stack in (alone, development)] == [
        "vision/mmpose:torch",
        "vision/mmpose:onnx",
    ]


@pytest.mark.parametrize(
    ("changed", "built"),
    [
        *((f"{service}-service/main.py", {service}) for service in PORTS),
        ("serving/app.py", set(PORTS)),
        ("gateway/nginx.conf", {"gateway"}),
        ("weights/manifest.json", set()),
        ("README.md", set()),
    ],
)
def test_a_change_builds_those_services_whose_images_have_it(tmp_path: Path, changed: str, built: set[str]) -> None:
    there = shutil.copytree(ROOT, tmp_path / "vision")

    def digests() -> dict[str, str]:
        stack = load_stack(StackRequest(working_directory=str(there)), environment={}, compose=None)
        return {service.name: build_inputs(service).digest for service in stack.services}

    before = digests()
    with (there / changed).open("a") as file:
        file.write("# changed\n")
    after = digests()
    assert {name for name in before if before[name] != after[name]} == built


@pytest.mark.parametrize("service", PORTS)
def test_a_service_has_one_port_everywhere(service: str) -> None:
    port, text = PORTS[service], dockerfile(service)
    assert f"EXPOSE {port}\n" in text
    assert f'"--port", "{port}"' in text
    assert f"http://127.0.0.1:{port}/healthz" in text
    assert f"{service} {service}:{port};" in (ROOT / "gateway" / "nginx.conf").read_text()


def test_the_gateway_refuses_what_is_longer_than_the_services_read() -> None:
    text = (ROOT / "gateway" / "nginx.conf").read_text()
    assert f"client_max_body_size {Settings().max_image_bytes + FORM_BYTES};" in text


@pytest.mark.parametrize("name", [*(f"{service}-service" for service in PORTS), "gateway"])
def test_an_image_runs_without_root_and_checks_itself_without_curl(name: str) -> None:
    text = (ROOT / name / "Dockerfile").read_text()
    assert re.search(r"^USER (10001:10001|www-data)$", text, re.MULTILINE)
    assert re.search(r'^HEALTHCHECK .*\\\n +CMD \["python"', text, re.MULTILINE)
    assert "curl" not in text


def test_every_requirement_is_pinned() -> None:
    files = sorted(ROOT.glob("*/requirements/*.txt"))
    assert len(files) == 4 + 3 * len(PORTS)
    for file in files:
        lines = [line for line in file.read_text().splitlines() if line and not line.startswith(("#", "-"))]
        for line in lines:
            [only] = Requirement(line).specifier
            assert only.operator == "==", f"{file}: {line}"


@pytest.mark.parametrize("backend", ["onnx", "torch"])
def test_what_a_service_needs_beside_the_backend_replaces_nothing_of_it(backend: str) -> None:
    heavy = pins(ROOT / "serving" / "requirements" / f"{backend}.txt")
    for service in PORTS:
        own = pins(ROOT / f"{service}-service" / "requirements" / f"{backend}.txt")
        assert {name: pin for name, pin in own.items() if name in heavy} == {"numpy": heavy["numpy"]}


def test_the_smaller_torch_is_the_same_version_from_an_index_on_a_line_of_its_own() -> None:
    directory = ROOT / "serving" / "requirements"
    cuda, cpu = pins(directory / "torch.txt"), pins(directory / "torch-cpu.txt")
    assert cpu == cuda | {"torch": cuda["torch"] + "+cpu"}
    assert "--extra-index-url ${TORCH_INDEX_URL}" in (directory / "torch-cpu.txt").read_text().splitlines()


@pytest.mark.parametrize(
    ("backend", "cpu_only", "index", "list_or_complaint"),
    [
        ("onnx", "", "", "onnx.txt"),
        ("onnx", "1", "", "onnx.txt"),
        ("onnx", "1", "https://example.org/cpu", "onnx-cpu.txt"),
        ("torch", "", "", "torch.txt"),
        ("torch", "0", "", "torch.txt"),
        ("torch", "", "https://example.org/cpu", "torch-cpu.txt"),
        ("torch", "1", "https://example.org/cpu", "torch-cpu.txt"),
        ("torch", "1", "", "TORCH_CPU_ONLY=1 needs the CPU index: set TORCH_INDEX_URL to its address"),
        ("torch", "0", "https://example.org/cpu", "TORCH_INDEX_URL names a CPU index, but TORCH_CPU_ONLY is 0"),
        ("torch", "yes", "", "TORCH_CPU_ONLY is 'yes': it is 1, 0 or empty"),
        ("tensorrt", "", "", "BACKEND is 'tensorrt': it is onnx or torch"),
    ],
)
def test_build_arguments_choose_what_is_installed(
    tmp_path: Path, backend: str, cpu_only: str, index: str, list_or_complaint: str
) -> None:
    found = SCRIPT.search(leading("mmpose"))
    assert found
    # What is removed at the end of it would be removed on this machine: that part is left out, and there is no rm.
    script, *cleaning = found[1].replace("\\\n", "").split("&&")
    assert [words.split() for words in cleaning] == [["rm", "-rf", "/tmp/*", "/root/.cache"]]
    (tmp_path / "pip").write_text('#!/bin/sh\necho "pip $*"\n')
    (tmp_path / "pip").chmod(0o755)
    environment = {
        "PATH": str(tmp_path),
        "BACKEND": backend,
        "TORCH_CPU_ONLY": cpu_only,
        "TORCH_INDEX_URL": index,
    }
    done = subprocess.run(["/bin/sh", "-c", script], env=environment, capture_output=True, text=True, check=False)
    if list_or_complaint.endswith(".txt"):
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"pip install --no-cache-dir -r serving/requirements/{list_or_complaint}\n"
        assert (ROOT / "serving" / "requirements" / list_or_complaint).is_file()
    else:
        assert done.returncode == 2
        assert done.stdout == ""
        assert list_or_complaint in done.stderr


def test_the_smaller_torch_is_never_taken_from_the_default_index(tmp_path: Path) -> None:
    there = (
        ("default", "numpy", "1.26.4"),
        ("default", "torch", "2.3.1"),
        ("default", "torch", "2.4.0"),
        ("cpu", "torch", "2.3.1+cpu"),
    )
    for index, package, version in there:
        add_wheel(tmp_path / index / package, package, version)
    indexes = {name: (tmp_path / name).as_uri() for name in ("default", "cpu")}

    def resolve(cpu_index: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                *(Path(sys.executable).with_name("uv"), "pip", "compile", "--no-config", "--no-cache", "--no-header"),
                *("--no-annotate", "--python", sys.executable, "--index-url", indexes["default"]),
                ROOT / "serving" / "requirements" / "torch-cpu.txt",
            ],
            env={"PATH": "/usr/bin:/bin", "TORCH_INDEX_URL": cpu_index},
            capture_output=True,
            text=True,
            check=False,
        )

    done = resolve(indexes["cpu"])
    assert "torch==2.3.1+cpu" in done.stdout.splitlines(), done.stderr
    assert resolve(indexes["default"]).returncode == 1


def pins(file: Path) -> dict[str, str]:
    """Return name and version of what a file and those it includes list."""
    found: dict[str, str] = {}
    for line in file.read_text().splitlines():
        if line.startswith("-r "):
            found |= pins(file.parent / line.removeprefix("-r "))
        elif line and not line.startswith(("#", "-")):
            name, _, version = line.partition("==")
            found[name] = version
    return found


def add_wheel(directory: Path, package: str, version: str) -> None:
    """Put a wheel without content into a directory that serves as a page of an index."""
    import zipfile  # noqa: PLC0415 - for the one test that needs it

    directory.mkdir(parents=True, exist_ok=True)
    name = f"{package}-{version}-py3-none-any.whl"
    info = f"{package}-{version}.dist-info"
    with zipfile.ZipFile(directory / name, "w") as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: none\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    links = "".join(f'<a href="{file.name}">{file.name}</a>\n' for file in sorted(directory.glob("*.whl")))
    (directory / "index.html").write_text(f"<!DOCTYPE html><html><body>\n{links}</body></html>\n")
