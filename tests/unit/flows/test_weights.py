"""Weights that are missing or damaged end a deploy before anything is built or switched."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.host.checksums import Checksums

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.unit.cli.simulated_ports import World

    from tonnage.model.stack import NeededFile, SeenFile

Captured = pytest.CaptureFixture[str]
CONTENT = b"weights" * 1009
SHA256 = hashlib.sha256(CONTENT).hexdigest()
COMPOSE = """\
name: hello
services:
  web:
    build: ./web
    environment: {BACKEND: onnx}
    volumes: ["./weights:/weights:ro"]
    x-tonnage:
      weights: WEIGHTS
  db:
    image: busybox:latest
    command: ["sleep", "100000"]
"""
MANIFEST = {
    "version": 1,
    "files": [
        {
            "file": "small/a.onnx",
            "model": "a",
            "backend": "onnx",
            "bytes": len(CONTENT),
            "sha256": SHA256,
            "source": "made by make.py",
            "input": [64, 64],
        },
        {"file": "a.pt", "model": "a", "backend": "torch", "bytes": 7, "sha256": "0" * 64},
        {"file": "b.onnx", "model": "b", "backend": "onnx", "bytes": 7, "sha256": "1" * 64},
    ],
}
OF_A = "{manifest: /weights/manifest.json, models: [a]}"


@pytest.fixture
def file(world: World) -> Path:
    """The file of the model ``a``, as its manifest describes it."""
    file = world.directory / "weights" / "small" / "a.onnx"
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    (world.directory / "weights" / "manifest.json").write_text(json.dumps(MANIFEST))
    write(world, OF_A)
    return file


def write(world: World, weights: str) -> None:
    (world.directory / "compose.yaml").write_text(COMPOSE.replace("WEIGHTS", weights))


def test_with_its_weights_a_service_is_deployed(world: World, file: Path) -> None:
    assert file.exists()
    assert world.run("plan") == 0
    assert world.run("deploy") == 0
    assert {each.service for each in world.simulator.facts.containers("hello")} == {"db", "web"}


@pytest.mark.parametrize("command", ["plan", "deploy"])
def test_weights_are_read_once_also_those_of_dependencies(
    world: World, file: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    class Counting(Checksums):
        def look(self, needed: Sequence[NeededFile], tell: Callable[[str], None]) -> dict[str, SeenFile]:
            looked.extend(each.path for each in needed)
            return dict(super().look(needed, tell))

    counting = property(lambda _ports: Counting(world.directory / "checksums.json"))
    monkeypatch.setattr(type(world.ports), "weights", counting)
    (world.directory / "compose.yaml").write_text(
        (world.directory / "compose.yaml").read_text() + "    depends_on: [web]\n"
    )
    assert world.run(command, "db") == 0
    assert looked == [str(file)]


@pytest.mark.parametrize("command", [("plan",), ("deploy",), ("rehearse", "--disk", "4GB"), ("doctor",)])
def test_without_its_weights_nothing_is_built(
    world: World, file: Path, command: tuple[str, ...], capsys: Captured
) -> None:
    file.unlink()

    assert world.run(*command) == 2
    said = capsys.readouterr()
    told = said.err
    assert "compose.yaml:8: the weights /weights/small/a.onnx of web are missing" in told
    # Doctor says what to do beside the check, and not again at its end.
    assert "Put a.onnx there; source: made by make.py." in " ".join((said.out + told).split())
    assert not world.simulator.facts.containers("hello")
    if command != ("doctor",):
        assert f"{file}: there is no such file; expected {len(CONTENT)} bytes with sha256 {SHA256}." in told


def test_a_file_of_another_length_is_told_with_both(world: World, file: Path, capsys: Captured) -> None:
    file.write_bytes(CONTENT[1:])

    assert world.run("deploy") == 2
    assert f"{file}: found {len(CONTENT) - 1} bytes; expected {len(CONTENT)} bytes" in capsys.readouterr().err


def test_a_damaged_file_is_told_with_both_checksums(world: World, file: Path, capsys: Captured) -> None:
    file.write_bytes(CONTENT[::-1])

    assert world.run("plan") == 2
    told = capsys.readouterr().err
    assert "are damaged, or others" in told
    assert f"with sha256 {hashlib.sha256(CONTENT[::-1]).hexdigest()}; expected" in told
    assert SHA256 in told


def test_weights_of_services_that_are_left_alone_do_not_matter(world: World, file: Path) -> None:
    file.unlink()

    assert world.run("deploy", "db") == 0
    assert world.run("build") == 0
    assert world.run("plan", "--build") == 0


def test_a_running_version_can_be_verified_without_weights(world: World, file: Path) -> None:
    assert world.run("deploy") == 0
    file.unlink()

    assert world.run("verify") == 0
    assert world.run("status") == 0


@pytest.mark.parametrize("weights", ["/weights/manifest.json", "{manifest: /weights/manifest.json}"])
def test_without_models_every_file_of_the_backend_is_needed(
    world: World, file: Path, capsys: Captured, weights: str
) -> None:
    assert file.exists()
    write(world, weights)

    assert world.run("plan") == 2
    told = capsys.readouterr().err
    assert "/weights/b.onnx of web are missing" in told
    assert "a.pt" not in told


def test_files_are_described_in_the_compose_file_too(world: World, file: Path, capsys: Captured) -> None:
    write(world, f'{{files: [{{file: /weights/small/a.onnx, bytes: {len(CONTENT)}, sha256: "{SHA256}"}}]}}')
    assert world.run("plan") == 0

    file.unlink()
    assert world.run("plan") == 2
    assert "Put a.onnx there, or correct what is expected." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ("{manifest: /weights/manifest.json, models: [c]}", "has no file of c for the backend onnx"),
        (
            "{manifest: /weights/manifest.json, backend: tensorrt}",
            "a.onnx (a onnx), a.pt (a torch), b.onnx (b onnx)",
        ),
        ("/weights/others.json", "weights/others.json."),
        ("/models/manifest.json", "Add a volume whose target is /models, or above it."),
        ("weights/manifest.json", "compose.yaml:8: services.web.x-tonnage.weights.manifest is 'weights/manifest.json'"),
        ("{manifests: /weights/manifest.json}", "compose.yaml:8: the key 'manifests' is not known"),
        ("{models: [a]}", "compose.yaml:8: services.web.x-tonnage.weights has neither 'manifest' nor 'files'"),
        ("{files: [{file: /weights/a, bytes: 7, sha256: abc}]}", "text such as the 64 hexadecimal digits"),
        ("{files: [{file: /weights/a, bytes: 7}]}", "has no 'sha256'"),
        ("{files: [{file: /weights/a, bytes: -7, sha256: " + "a" * 64 + "}]}", "must be a number of bytes"),
        ("7", "must be a mapping"),
    ],
)
def test_what_cannot_be_meant_is_refused(world: World, file: Path, capsys: Captured, weights: str, said: str) -> None:
    assert file.exists()
    write(world, weights)

    assert world.run("plan") == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "has no list 'files'"),
        ('{"version": 2, "files": []}', "has version 2"),
        ('{"files": [{"file": "a.onnx", "bytes": true, "sha256": ""}]}', "'a.onnx', without a usable 'bytes'"),
        ('{"files": [{"bytes": 7}]}', "number 1, without a usable 'file'"),
        ('{"files": []}', "no file at all"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_named(
    world: World, file: Path, capsys: Captured, manifest: str, said: str
) -> None:
    assert file.exists()
    path = world.directory / "weights" / "manifest.json"
    path.write_text(manifest)

    assert world.run("plan") == 2
    told = capsys.readouterr().err
    assert said in told
    assert str(path) in told


def test_with_to_the_files_that_are_sent_are_checked(world: World, file: Path, capsys: Captured) -> None:
    there = ("--to", "ssh://ops@vm.example.org/srv/shop")
    assert world.run("plan", *there) == 0

    file.unlink()
    assert world.run("plan", *there) == 2
    assert f"{file}: there is no such file" in capsys.readouterr().err


def test_weights_on_another_machine_are_left_to_it_with_a_note(world: World, file: Path, capsys: Captured) -> None:
    text = (world.directory / "compose.yaml").read_text()
    (world.directory / "compose.yaml").write_text(text.replace("./weights:", "/srv/weights:"))
    file.unlink()

    assert world.run("plan", "--to", "ssh://ops@vm.example.org/srv/shop") == 0
    note = "the weights of web were not checked: /srv/weights is where the engine is"
    assert note in capsys.readouterr().out


def test_weights_in_a_volume_are_left_to_the_service_with_a_note(world: World, file: Path, capsys: Captured) -> None:
    assert file.exists()
    text = (world.directory / "compose.yaml").read_text()
    text = text.replace("./weights:", "models:") + "volumes: {models: {}}\n"
    (world.directory / "compose.yaml").write_text(text)
    note = "the weights of web were not checked: /weights is the volume"

    assert world.run("plan", "--json") == 0
    assert note in json.dumps(json.loads(capsys.readouterr().out)["notes"])
    world.run("doctor")
    assert f"warning weights {note}" in " ".join(capsys.readouterr().out.split())
