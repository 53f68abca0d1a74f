"""Weights that are missing, damaged or of another network: the message names the file, its place, and why."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from serving.weights import WeightsError, checksum, find, read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fastapi.testclient import TestClient

    Start = Callable[..., TestClient]


@pytest.fixture
def own(weights: Path, tmp_path: Path) -> Path:
    """A copy of the weights that a test may damage."""
    return shutil.copytree(weights, tmp_path / "weights")


def change(directory: Path, model: str, **values: object) -> None:
    manifest = json.loads((directory / "manifest.json").read_text())
    for entry in manifest["files"]:
        if entry["model"] == model:
            entry.update(values)
    (directory / "manifest.json").write_text(json.dumps(manifest))


def problem(client: TestClient) -> str:
    """The one problem that the health endpoint tells."""
    answer = client.get("/healthz")
    assert answer.status_code == 503
    told: dict[str, Any] = answer.json()
    assert (told["status"], told["loaded"]) == ("unavailable", False)
    [message] = {model["problem"] for model in told["models"] if "problem" in model}
    refused = client.post("/predict", files={"image": ("a.png", b"x", "image/png")})
    assert (refused.status_code, refused.json()["detail"]) == (503, message)
    return str(message)


def test_a_healthy_service_tells_its_models_backend_and_checksums(start: Start, weights: Path) -> None:
    answer = start("yolo-combined").get("/healthz")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["service"], told["backend"], told["loaded"]) == ("yolo-combined", "onnx", True)
    manifest = {file.model: file for file in read_manifest(weights)}
    assert [model["model"] for model in told["models"]] == ["yolo-detect", "yolo-pose"]
    for model in told["models"]:
        assert (model["loaded"], model["sha256"]) == (True, manifest[model["model"]].sha256)
        assert model["path"] == str(weights / model["file"])


def test_a_service_without_any_weights_starts_and_names_the_manifest(start: Start, tmp_path: Path) -> None:
    assert problem(start("mmpose", weights_dir=tmp_path)) == f"The manifest manifest.json is missing in {tmp_path}."


def test_a_missing_file_is_named_with_its_place(start: Start, own: Path) -> None:
    (own / "yolo-pose.onnx").unlink()
    client = start("yolo-combined", weights_dir=own)
    assert problem(client) == f"The weights of yolo-pose are missing: there is no yolo-pose.onnx in {own}."
    assert [model["loaded"] for model in client.get("/healthz").json()["models"]] == [True, False]


def test_weights_that_arrive_later_are_loaded(start: Start, own: Path, weights: Path) -> None:
    (own / "rtmpose.onnx").unlink()
    client = start("mmpose", weights_dir=own)
    assert client.get("/healthz").status_code == 503
    shutil.copy(weights / "rtmpose.onnx", own)
    assert client.get("/healthz").status_code == 200


def test_a_manifest_that_arrives_later_is_read(start: Start, tmp_path: Path, weights: Path) -> None:
    client = start("mmpose", weights_dir=tmp_path)
    assert client.get("/healthz").status_code == 503
    for file in weights.iterdir():
        shutil.copy(file, tmp_path)
    assert client.get("/healthz").status_code == 200


def test_one_changed_bit_is_a_checksum_mismatch(start: Start, own: Path) -> None:
    path = own / "yolo-nas.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    told = problem(start("yolo-nas", weights_dir=own))
    file = find(read_manifest(own), "yolo-nas", "onnx", own)
    assert str(path) in told
    assert "checksum mismatch" in told
    assert f"expected {file.sha256}" in told


def test_a_file_that_was_cut_short_is_told_with_both_lengths(own: Path) -> None:
    file = find(read_manifest(own), "rtmpose", "onnx", own)
    (own / file.file).write_bytes((own / file.file).read_bytes()[:4099])
    with pytest.raises(WeightsError, match=rf"\(4099 bytes\), expected {file.sha256} \({file.file_bytes} bytes\)"):
        checksum(file, own)


def test_a_file_that_no_backend_reads_is_named(start: Start, own: Path) -> None:
    content = b"this is no network"
    (own / "rtmpose.onnx").write_bytes(content)
    change(own, "rtmpose", sha256=hashlib.sha256(content).hexdigest())
    told = problem(start("mmpose", weights_dir=own))
    assert told.startswith(f"The weights {own / 'rtmpose.onnx'} cannot be loaded by the backend onnx: ")


def test_the_weights_of_another_network_are_told_by_the_shape_of_their_output(start: Start, own: Path) -> None:
    other = find(read_manifest(own), "yolo-detect", "onnx", own)
    change(own, "yolo-nas", file=other.file, sha256=other.sha256)
    told = problem(start("yolo-nas", weights_dir=own))
    assert told == (
        f"The weights {own / 'yolo-detect.onnx'} are not of yolo-nas: "
        "its outputs have the shapes (1, 7, 8400), not (1, N, 4) and (1, N, classes)."
    )


def test_an_input_of_another_size_than_the_manifest_says_is_told(start: Start, own: Path) -> None:
    change(own, "yolo-nas", input=[320, 320])
    assert "cannot be run with an input of 320 x 320" in problem(start("yolo-nas", weights_dir=own))


def test_a_backend_without_weights_is_told(start: Start, own: Path) -> None:
    told = problem(start("yolo-nas", weights_dir=own, backend="torch"))
    assert told == f"The manifest {own / 'manifest.json'} has no file of yolo-nas for the backend torch."


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "has another form"),
        ('{"version": 2, "files": []}', "has version 2"),
        ('{"version": 1, "files": [{"file": "a"}]}', "has an entry without"),
        ('{"version": 1, "files": 3}', "has another form"),
        ('{"version": 1, "files": ["a"]}', "has another form"),
    ],
)
def test_a_manifest_of_another_form_is_refused_with_its_path(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(WeightsError, match=reason) as refusal:
        read_manifest(tmp_path)
    assert str(tmp_path / "manifest.json") in str(refusal.value)


def test_weights_that_are_a_directory_are_refused(own: Path) -> None:
    (own / "rtmpose.onnx").unlink()
    (own / "rtmpose.onnx").mkdir()
    with pytest.raises(WeightsError, match="cannot be read: Is a directory"):
        checksum(find(read_manifest(own), "rtmpose", "onnx", own), own)
