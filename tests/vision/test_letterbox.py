"""Fitting an image into a network's input, compared with OpenCV, and the way back."""

from __future__ import annotations

import cv2
import nas_service
import numpy as np
import pytest
import yolo_service
from hypothesis import given, settings
from hypothesis import strategies as st
from serving.letterbox import as_input, fit
from serving.models import Model
from serving.sampling import resize
from serving.settings import Settings
from serving.weights import WeightsFile

SIDE = st.integers(1, 1409)
SEEDS = st.integers(0, 2**32 - 1)


def noise(seed: int, width: int, height: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def letterbox_of_ultralytics(image: np.ndarray, size: int) -> np.ndarray:
    """What ultralytics 8.3 does with its default settings (data/augment.py, LetterBox)."""
    rows, columns = image.shape[:2]
    scale = min(size / rows, size / columns)
    width, height = round(columns * scale), round(rows * scale)
    half_x, half_y = (size - width) / 2, (size - height) / 2
    if (columns, rows) != (width, height):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    top, bottom = round(half_y - 0.1), round(half_y + 0.1)
    left, right = round(half_x - 0.1), round(half_x + 0.1)
    return cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(114, 114, 114))


def padding_of_super_gradients(image: np.ndarray, inner: int, outer: int) -> np.ndarray:
    """What super-gradients 3.7 does for YOLO-NAS: the longest side rescaled, then padding around the middle."""
    rows, columns = image.shape[:2]
    scale = min(inner / rows, inner / columns)
    width, height = round(columns * scale), round(rows * scale)
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    top, left = (outer - height) // 2, (outer - width) // 2
    ends = outer - height - top, outer - width - left
    return cv2.copyMakeBorder(image, top, ends[0], left, ends[1], cv2.BORDER_CONSTANT, value=(114, 114, 114))


def farthest(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.abs(one.astype(int) - other.astype(int)).max())


@settings(max_examples=40)
@given(seed=SEEDS, width=SIDE, height=SIDE, to_width=st.integers(1, 701), to_height=st.integers(1, 701))
def test_resizing_gives_the_pixels_of_opencv(seed: int, width: int, height: int, to_width: int, to_height: int) -> None:
    image = noise(seed, width, height)
    expected = cv2.resize(image, (to_width, to_height), interpolation=cv2.INTER_LINEAR)
    assert farthest(resize(image, to_width, to_height), expected.reshape(to_height, to_width, 3)) <= 1


@settings(max_examples=40)
@given(seed=SEEDS, width=st.integers(2, 1409), height=st.integers(2, 1409))
def test_the_letterbox_gives_the_pixels_of_opencv(seed: int, width: int, height: int) -> None:
    image = noise(seed, width, height)
    assert farthest(fit(image, 640, 640).apply(image), letterbox_of_ultralytics(image, 640)) <= 1


@settings(max_examples=40)
@given(seed=SEEDS, width=st.integers(2, 1409), height=st.integers(2, 1409))
def test_the_preprocessing_of_yolo_nas_gives_the_pixels_of_opencv(seed: int, width: int, height: int) -> None:
    image = noise(seed, width, height)
    assert farthest(fit(image, 640, 640, margin=4).apply(image), padding_of_super_gradients(image, 636, 640)) <= 1


@given(data=st.data(), width=SIDE, height=SIDE, margin=st.integers(0, 7))
def test_a_point_comes_back_to_where_it_was(data: st.DataObject, width: int, height: int, margin: int) -> None:
    points = np.array([data.draw(st.tuples(st.floats(0, width), st.floats(0, height))) for _ in range(3)])
    placed = fit(np.zeros((height, width, 3), dtype=np.uint8), 640, 448, margin=margin)
    there = placed.forward(points)
    assert (there >= 0).all()
    assert (there <= (640, 448)).all()
    assert np.allclose(placed.back(there), points, rtol=0, atol=1e-6)


def test_boxes_end_at_the_edge_of_the_image() -> None:
    placed = fit(np.zeros((301, 499, 3), dtype=np.uint8), 640, 640)
    assert placed.boxes_back(np.array([[-31.0, 0, 999, 640]])).tolist() == [[0, 0, 499, 301]]


@pytest.mark.parametrize(("width", "height"), [(1, 1409), (1409, 1), (1, 1)])
def test_a_line_of_one_pixel_stays_a_line(width: int, height: int) -> None:
    image = noise(3, width, height)
    assert fit(image, 640, 640).apply(image).shape == (640, 640, 3)


def test_an_input_has_planes_of_red_green_and_blue_from_0_to_1() -> None:
    image = np.zeros((2, 3, 3), dtype=np.uint8)
    image[1, 2] = (255, 51, 102)
    batch = as_input(image)
    assert batch.shape == (1, 3, 2, 3)
    assert batch[0, :, 1, 2].tolist() == pytest.approx([1, 0.2, 0.4])
    assert batch[0, :, 0, 0].tolist() == [0, 0, 0]


def watched(seen: list[np.ndarray], *outputs: np.ndarray) -> Model:
    """A network that keeps what it is given, and finds nothing."""

    def run(batch: np.ndarray) -> list[np.ndarray]:
        seen.append(batch)
        return list(outputs)

    return Model(WeightsFile("a", "a", "onnx", 1, "", "", "", 640, 640, ()), run)


def test_yolo_nas_is_given_what_super_gradients_would_give_it() -> None:
    seen: list[np.ndarray] = []
    image = noise(5, 997, 613)
    network = watched(seen, np.zeros((1, 7, 4), np.float32), np.zeros((1, 7, 3), np.float32))
    assert nas_service.predict(image, {"yolo-nas": network}, {}, Settings()) == {"detections": []}
    expected = padding_of_super_gradients(image, 636, 640).transpose(2, 0, 1) / 255
    assert np.abs(seen[0][0] - expected).max() < 1.01 / 255


def test_both_yolo_networks_are_given_what_ultralytics_would_give_them() -> None:
    seen: list[np.ndarray] = []
    image = noise(5, 997, 613)
    networks = {
        "yolo-detect": watched(seen, np.zeros((1, 84, 7), np.float32)),
        "yolo-pose": watched(seen, np.zeros((1, 56, 7), np.float32)),
    }
    assert yolo_service.predict(image, networks, {}, Settings()) == {"detections": [], "poses": []}
    expected = letterbox_of_ultralytics(image, 640).transpose(2, 0, 1) / 255
    for batch in seen:
        assert np.abs(batch[0] - expected).max() < 1.01 / 255
    assert len(seen) == len(networks)
