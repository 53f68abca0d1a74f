"""Formats of boxes, and which of many overlapping ones stay."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from serving.boxes import cxcywh_from_xyxy, overlap, suppress, xyxy_from_cxcywh

EVERYTHING = 10_000
SEEDS = st.integers(0, 2**32 - 1)


def crowd(seed: int, count: int, classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes in heaps, so that many overlap; some of them have equal scores."""
    random = np.random.default_rng(seed)
    middles = random.uniform(50, 600, (6, 2))[random.integers(0, 6, count)] + random.normal(0, 9, (count, 2))
    sizes = random.uniform(3, 120, (count, 2))
    boxes = xyxy_from_cxcywh(np.concatenate([middles, sizes], axis=1))
    scores = random.uniform(0, 1, count).round(random.integers(1, 9)).astype(np.float32)
    return boxes, scores, random.integers(0, classes, count)


@given(seed=SEEDS, count=st.integers(0, 181), confidence=st.floats(0, 0.95), iou=st.floats(0.05, 0.95))
def test_boxes_of_one_class_are_suppressed_as_opencv_does_it(
    seed: int, count: int, confidence: float, iou: float
) -> None:
    boxes, scores, classes = crowd(seed, count, 1)
    kept = suppress(boxes, scores, classes, confidence=confidence, iou=iou, most=EVERYTHING)
    rectangles = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    expected = cv2.dnn.NMSBoxes(rectangles.tolist(), scores.tolist(), confidence, iou) if count else []
    assert kept.tolist() == list(expected)


@given(seed=SEEDS, count=st.integers(1, 181), confidence=st.floats(0, 0.95), iou=st.floats(0.05, 0.95))
def test_boxes_of_several_classes_are_suppressed_as_opencv_does_it(
    seed: int, count: int, confidence: float, iou: float
) -> None:
    boxes, scores, classes = crowd(seed, count, 5)
    kept = suppress(boxes, scores, classes, confidence=confidence, iou=iou, most=EVERYTHING)
    rectangles = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    expected = cv2.dnn.NMSBoxesBatched(rectangles.tolist(), scores.tolist(), classes.tolist(), confidence, iou)
    # Rows of equal score may come in another order: which of them stay is what counts.
    assert sorted(kept.tolist()) == sorted(expected)
    assert (np.diff(scores[kept]) <= 0).all()


def test_what_is_left_are_the_first_of_all_that_would_stay() -> None:
    boxes, scores, classes = crowd(11, 181, 3)
    everything = suppress(boxes, scores, classes, confidence=0.1, iou=0.5, most=EVERYTHING)
    few = suppress(boxes, scores, classes, confidence=0.1, iou=0.5, most=7)
    assert few.tolist() == everything[:7].tolist()


def test_a_score_has_to_be_above_the_threshold() -> None:
    boxes = np.array([[0.0, 0, 7, 7], [50, 50, 61, 61]])
    kept = suppress(boxes, np.array([0.5, 0.53]), np.array([0, 0]), confidence=0.5, iou=0.7, most=9)
    assert kept.tolist() == [1]


def test_boxes_without_area_overlap_with_nothing() -> None:
    empty = np.array([[3.0, 3, 3, 3]])
    assert overlap(empty[0], empty).tolist() == [0.0]


@pytest.mark.parametrize("shape", [(4,), (0, 4), (5, 4), (2, 3, 4)])
def test_formats_keep_the_shape(shape: tuple[int, ...]) -> None:
    assert xyxy_from_cxcywh(np.ones(shape)).shape == shape
    assert cxcywh_from_xyxy(np.ones(shape)).shape == shape


EDGES = st_numpy.arrays(
    np.float64, st.tuples(st.integers(0, 13), st.just(4)), elements=st.floats(-8192, 8192, width=32)
)


@given(boxes=EDGES)
def test_edges_become_centre_and_size_and_edges_again(boxes: np.ndarray) -> None:
    assert np.allclose(xyxy_from_cxcywh(cxcywh_from_xyxy(boxes)), boxes, rtol=0, atol=1e-9)


@given(boxes=EDGES)
def test_centre_and_size_become_edges_and_centre_and_size_again(boxes: np.ndarray) -> None:
    assert np.allclose(cxcywh_from_xyxy(xyxy_from_cxcywh(boxes)), boxes, rtol=0, atol=1e-9)
