"""The generated networks: they find the rectangles of an image, in the output formats of the real ones."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING

import make_test_image
import make_test_weights
import nas_decoding
import numpy as np
import pytest
import rectangles
import simcc
import yolo_decoding
from serving import backends
from serving.letterbox import as_input

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.backends import Network

COMMITTED = Path(make_test_weights.__file__).parent / "manifest.json"
BOX = (103, 57, 311, 402)
PURE = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
# The services run TorchScript with the version of torch that their requirements name; newer ones call it deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
BACKENDS = [
    "onnx",
    pytest.param(
        "torch",
        marks=[
            pytest.mark.slow,
            pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="torch is not installed"),
        ],
    ),
]


@pytest.fixture(scope="module", params=BACKENDS)
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Network]:
    backend = str(request.param)
    directory = tmp_path_factory.mktemp(backend)
    files = {entry["model"]: entry["file"] for entry in make_test_weights.make(backend, directory)}
    return lambda name: backends.load(backend, directory / files[name])


def scene(size: tuple[int, int], *drawn: tuple[str, tuple[int, int, int, int]]) -> np.ndarray:
    image = np.full((size[1], size[0], 3), 31, dtype=np.uint8)
    for colour, (left, top, right, bottom) in drawn:
        image[top:bottom, left:right] = PURE[colour]
    return image


def random_box(random: np.random.Generator) -> tuple[int, int, int, int]:
    left, top = (int(edge) for edge in random.integers(0, 632, 2))
    # Eight pixels always hold the middle of a place of the finest grid.
    right, bottom = (int(random.integers(edge + 8, 641)) for edge in (left, top))
    return left, top, right, bottom


@pytest.mark.parametrize("colour", rectangles.COLOURS)
def test_a_rectangle_is_an_object_of_its_colour_at_its_place(network: Callable[[str], Network], colour: str) -> None:
    detect, nas = network("yolo-detect"), network("yolo-nas")
    random = np.random.default_rng(len(colour))
    for box in [random_box(random) for _ in range(4)]:
        batch = as_input(scene((640, 640), (colour, box)))
        [output] = detect(batch)
        assert output.shape == (1, 7, 8400)
        objects = yolo_decoding.objects(output)
        [row] = objects.choose(confidence=0.25, iou=0.7, most=9)
        assert objects.boxes[row].tolist() == list(box)
        assert rectangles.COLOURS[objects.classes[row]] == colour
        boxes, scores = nas(batch)
        assert (boxes.shape, scores.shape) == ((1, 8400, 4), (1, 8400, 3))
        found = nas_decoding.objects([boxes, scores], confidence=0.25)
        [row] = found.choose(confidence=0.25, iou=0.7, most=9)
        assert found.boxes[row].tolist() == list(box)
        assert rectangles.COLOURS[found.classes[row]] == colour


def test_rectangles_that_touch_and_rectangles_of_one_colour_are_told_apart(network: Callable[[str], Network]) -> None:
    drawn = [("red", (40, 40, 200, 200)), ("green", (200, 40, 333, 200)), ("red", (40, 300, 97, 401))]
    [output] = network("yolo-detect")(as_input(scene((640, 640), *drawn)))
    objects = yolo_decoding.objects(output)
    rows = objects.choose(confidence=0.25, iou=0.7, most=9)
    found = {(rectangles.COLOURS[objects.classes[row]], tuple(objects.boxes[row].tolist())) for row in rows}
    assert found == {(colour, tuple(map(float, box))) for colour, box in drawn}


def test_a_white_rectangle_is_a_person_with_17_keypoints(network: Callable[[str], Network]) -> None:
    [output] = network("yolo-pose")(as_input(scene((640, 640), ("white", BOX), ("red", (400, 400, 600, 600)))))
    assert output.shape == (1, 56, 8400)
    people = yolo_decoding.poses(output)
    [row] = people.choose(confidence=0.25, iou=0.7, most=9)
    assert people.boxes[row].tolist() == list(BOX)
    expected = np.array(BOX[:2]) + rectangles.PLACES * (np.array(BOX[2:]) - BOX[:2])
    assert np.allclose(people.keypoints[row, :, :2], expected, atol=1e-3)


def test_a_crop_of_a_white_rectangle_has_17_keypoints(network: Callable[[str], Network]) -> None:
    box = (31, 17, 151, 241)
    crop = scene((192, 256), ("white", box)).astype(np.float32)
    batch = ((crop - rectangles.MEAN) / rectangles.DEVIATION).astype(np.float32).transpose(2, 0, 1)[None]
    outputs = network("rtmpose")(np.ascontiguousarray(batch))
    assert [output.shape for output in outputs] == [(1, 17, 384), (1, 17, 512)]
    found = simcc.keypoints(outputs, 192, 256)
    expected = np.array(box[:2]) + rectangles.PLACES * (np.array(box[2:]) - box[:2])
    assert np.abs(found[:, :2] - expected).max() <= 0.25
    assert found[:, 2].min() > 0.99


@pytest.mark.parametrize("level", [0, 31, 114])
def test_nothing_is_found_where_nothing_is_bright(network: Callable[[str], Network], level: int) -> None:
    image = np.full((640, 640, 3), level, dtype=np.uint8)
    for name, decode in (("yolo-detect", yolo_decoding.objects), ("yolo-pose", yolo_decoding.poses)):
        assert not decode(network(name)(as_input(image))[0]).scores.any()
    assert not nas_decoding.objects(network("yolo-nas")(as_input(image)), confidence=0.01).scores.size


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="torch is not installed")
@pytest.mark.parametrize("name", list(rectangles.NETWORKS))
def test_both_formats_give_the_same_numbers(name: str, tmp_path: Path) -> None:
    found = []
    width, height = rectangles.NETWORKS[name][0]
    batch = np.random.default_rng(5).uniform(0, 1, (1, 3, height // 8, width // 8)).astype(np.float32)
    batch = np.ascontiguousarray(batch.repeat(8, axis=2).repeat(8, axis=3))
    for backend in ("onnx", "torch"):
        files = {entry["model"]: entry["file"] for entry in make_test_weights.make(backend, tmp_path)}
        found.append(backends.load(backend, tmp_path / files[name])(batch))
    for one, other in zip(*found, strict=True):
        assert np.allclose(one, other, rtol=0, atol=1e-4)


def test_the_manifest_of_the_repository_has_the_checksums_of_what_is_generated(weights: Path) -> None:
    committed = json.loads(COMMITTED.read_text())["files"]
    made = json.loads((weights / "manifest.json").read_text())["files"]
    assert [entry for entry in committed if entry["backend"] == "onnx"] == made


def test_what_is_generated_is_put_beside_what_the_manifest_has_already(tmp_path: Path) -> None:
    own = {"file": "mine.onnx", "model": "mine", "backend": "onnx", "note": "stays as it is"}
    old = {"file": "real.onnx", "model": "rtmpose", "backend": "onnx"}
    other = {"file": "real.pt", "model": "rtmpose", "backend": "torch"}
    (tmp_path / "manifest.json").write_text(json.dumps({"version": 1, "files": [own, old, other]}))
    assert make_test_weights.main(["--into", str(tmp_path), "--backend", "onnx"]) == 0
    files = json.loads((tmp_path / "manifest.json").read_text())["files"]
    assert own in files
    assert old not in files
    assert other in files
    assert len(files) == 2 + len(rectangles.NETWORKS)


@pytest.mark.parametrize("content", ["{", "[]", '{"files": [{"file": "a"}]}', '{"files": ["a"]}'])
def test_what_is_no_manifest_is_named_and_nothing_is_generated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text(content)
    assert make_test_weights.main(["--into", str(tmp_path), "--backend", "onnx"]) == 1
    assert f"error: {manifest} is no manifest, and is left as it is: " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [manifest]
    assert manifest.read_text() == content


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert make_test_weights.main(["--into", str(tmp_path / "file" / "weights"), "--backend", "onnx"]) == 1
    assert make_test_image.main([str(tmp_path / "file" / "image.png")]) == 1
    assert make_test_image.main([str(tmp_path / "image.unknown")]) == 1
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[0] for line in told] == ["error"] * 3
    assert ".unknown" in told[2]


@pytest.mark.skipif(bool(importlib.util.find_spec("torch")), reason="torch is installed")
def test_torchscript_without_torch_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make_test_weights.main(["--into", str(tmp_path), "--backend", "torch"]) == 1
    assert "not installed: torch" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
