"""Outputs of YOLOv8, YOLO11 and YOLO-NAS networks: boxes that are put into them come out."""

from __future__ import annotations

import cv2
import nas_decoding
import numpy as np
import pytest
import yolo_decoding
from hypothesis import given
from hypothesis import strategies as st
from serving.boxes import cxcywh_from_xyxy
from serving.models import OutputError

SEEDS = st.integers(0, 2**32 - 1)


def random_boxes(random: np.random.Generator, count: int) -> np.ndarray:
    corners = random.uniform(0, 560, (count, 2))
    return np.concatenate([corners, corners + random.uniform(5, 80, (count, 2))], axis=1).astype(np.float32)


@given(seed=SEEDS, count=st.integers(1, 211), classes=st.integers(1, 80), iou=st.floats(0.1, 0.9))
def test_objects_are_those_that_opencv_would_keep(seed: int, count: int, classes: int, iou: float) -> None:
    random = np.random.default_rng(seed)
    boxes, scores = random_boxes(random, count), random.uniform(0, 1, (count, classes)).astype(np.float32)
    output = np.concatenate([cxcywh_from_xyxy(boxes), scores], axis=1).T[None]
    found = yolo_decoding.objects(output)
    assert np.allclose(found.boxes, boxes, rtol=0, atol=1e-3)
    kept = found.choose(confidence=0.25, iou=iou, most=1000)
    # OpenCV reads the same output on its own way: centre and size into corner and size.
    rows = output[0].T.astype(np.float64)
    rectangles = [(x - width / 2, y - height / 2, width, height) for x, y, width, height in rows[:, :4]]
    best = [int(np.argmax(row)) for row in rows[:, 4:]]
    sure = [float(row[kind]) for row, kind in zip(rows[:, 4:], best, strict=True)]
    expected = cv2.dnn.NMSBoxesBatched(rectangles, sure, best, 0.25, iou)
    assert sorted(kept.tolist()) == sorted(expected)
    assert [int(found.classes[row]) for row in kept] == [best[row] for row in kept]
    assert [float(found.scores[row]) for row in kept] == [sure[row] for row in kept]


@given(seed=SEEDS, count=st.integers(1, 97), points=st.integers(1, 26))
def test_keypoints_stay_with_their_person(seed: int, count: int, points: int) -> None:
    random = np.random.default_rng(seed)
    boxes, scores = random_boxes(random, count), random.uniform(0, 1, (count, 1)).astype(np.float32)
    keypoints = random.uniform(0, 640, (count, points, 3)).astype(np.float32)
    output = np.concatenate([cxcywh_from_xyxy(boxes), scores, keypoints.reshape(count, -1)], axis=1).T[None]
    found = yolo_decoding.poses(output)
    assert np.allclose(found.boxes, boxes, rtol=0, atol=1e-3)
    assert (found.keypoints == keypoints).all()
    assert (found.scores == scores[:, 0]).all()


@pytest.mark.parametrize("shape", [(84, 8400), (2, 84, 8400), (1, 4, 8400), (1, 3, 640, 640)])
def test_objects_of_another_form_are_refused_with_their_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(OutputError) as refusal:
        yolo_decoding.objects(np.zeros(shape, dtype=np.float32))
    assert str(shape) in str(refusal.value)


@pytest.mark.parametrize("shape", [(1, 5, 8400), (1, 57, 8400), (1, 55, 8400)])
def test_poses_of_another_form_are_refused_with_their_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(OutputError) as refusal:
        yolo_decoding.poses(np.zeros(shape, dtype=np.float32))
    assert str(shape) in str(refusal.value)


@given(seed=SEEDS, count=st.integers(1, 101), classes=st.integers(1, 13), iou=st.floats(0.1, 0.9))
def test_objects_of_yolo_nas_are_those_that_opencv_would_keep(seed: int, count: int, classes: int, iou: float) -> None:
    random = np.random.default_rng(seed)
    boxes, scores = random_boxes(random, count), random.uniform(0, 0.6, (count, classes)).astype(np.float32)
    found = nas_decoding.objects([boxes[None], scores[None], np.zeros((1, 7), dtype=np.float32)], confidence=0.25)
    kept = found.choose(confidence=0.25, iou=iou, most=10_000)
    flat = [(box, kind, float(score)) for box, row in zip(boxes, scores, strict=True) for kind, score in enumerate(row)]
    rectangles = [(*map(float, box[:2]), float(box[2] - box[0]), float(box[3] - box[1])) for box, _, _ in flat]
    expected = cv2.dnn.NMSBoxesBatched(
        rectangles, [score for _, _, score in flat], [kind for _, kind, _ in flat], 0.25, iou
    )
    got = {(*found.boxes[row].tolist(), int(found.classes[row]), float(found.scores[row])) for row in kept}
    assert got == {(*flat[row][0].tolist(), flat[row][1], flat[row][2]) for row in expected}
    assert len(kept) == len(expected)


def test_one_place_may_hold_objects_of_two_classes() -> None:
    boxes = np.array([[[3, 5, 107, 211]]], dtype=np.float32)
    scores = np.array([[[0.6, 0.1, 0.9]]], dtype=np.float32)
    found = nas_decoding.objects([boxes, scores], confidence=0.25)
    assert found.classes.tolist() == [2, 0]
    assert found.choose(confidence=0.25, iou=0.7, most=9).tolist() == [0, 1]


@pytest.mark.parametrize(
    "shapes", [[(1, 8400, 4)], [(1, 8400, 4), (1, 8399, 80)], [(1, 8400, 5), (1, 8400, 80)], [(8400, 4), (8400, 80)]]
)
def test_outputs_of_yolo_nas_of_another_form_are_refused_with_their_shapes(shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(OutputError) as refusal:
        nas_decoding.objects([np.zeros(shape, dtype=np.float32) for shape in shapes], confidence=0.25)
    assert str(shapes[-1]) in str(refusal.value)
