"""The crop for a person and the decoding of what comes out, compared with rtmlib."""

from __future__ import annotations

import affine_crop
import numpy as np
import pytest
import simcc
from hypothesis import given, settings
from hypothesis import strategies as st
from rtmlib import RTMPose
from rtmlib.tools.pose_estimation.pre_processings import bbox_xyxy2cs, top_down_affine
from serving.models import OutputError

SEEDS = st.integers(0, 2**32 - 1)
INPUTS = st.sampled_from([(192, 256), (288, 384), (256, 256)])


def rtmlib_of(size: tuple[int, int]) -> RTMPose:
    """Rtmlib's class without its network, which is loaded when one is made."""
    made = RTMPose.__new__(RTMPose)
    made.model_input_size = size
    made.mean = (123.675, 116.28, 103.53)
    made.std = (58.395, 57.12, 57.375)
    return made


def box_in(random: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A box that may reach a bit beyond the image."""
    left, right = np.sort(random.uniform(-0.2 * width, 1.2 * width, 2))
    top, bottom = np.sort(random.uniform(-0.2 * height, 1.2 * height, 2))
    return np.array([left, top, max(right, left + 4), max(bottom, top + 4)])


@given(seed=SEEDS, size=INPUTS)
def test_the_region_is_the_one_of_rtmlib(seed: int, size: tuple[int, int]) -> None:
    random = np.random.default_rng(seed)
    box = box_in(random, 997, 613)
    region = affine_crop.region_of(box, *size)
    centre, scale = bbox_xyxy2cs(box, padding=1.25)
    _, expected = top_down_affine(size, scale, centre, np.zeros((9, 9, 3), dtype=np.uint8))
    assert (region.width, region.height) == pytest.approx(tuple(expected))
    assert (region.left + region.width / 2, region.top + region.height / 2) == pytest.approx(tuple(centre))


@settings(max_examples=60)
@given(seed=SEEDS, size=INPUTS, width=st.integers(30, 1201), height=st.integers(30, 1201))
def test_the_crop_gives_the_pixels_of_rtmlib(seed: int, size: tuple[int, int], width: int, height: int) -> None:
    random = np.random.default_rng(seed)
    image, box = random.integers(0, 256, (height, width, 3), dtype=np.uint8), box_in(random, width, height)
    centre, scale = bbox_xyxy2cs(box, padding=1.25)
    expected, _ = top_down_affine(size, scale, centre, image)
    cut = affine_crop.region_of(box, *size).crop(image)
    assert np.abs(cut.astype(int) - expected.astype(int)).max() <= 1


@given(seed=SEEDS, size=INPUTS)
def test_the_input_is_normalised_as_rtmlib_does_it(seed: int, size: tuple[int, int]) -> None:
    random = np.random.default_rng(seed)
    # A box that the crop takes as it is: then no pixel is interpolated.
    image = random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    box = np.array([0.1 * size[0], 0.1 * size[1], 0.9 * size[0], 0.9 * size[1]])
    expected, _, _ = rtmlib_of(size).preprocess(image, box.tolist())
    batch = affine_crop.as_input(affine_crop.region_of(box, *size).crop(image))
    assert batch.dtype == np.float32
    assert np.abs(batch[0].transpose(1, 2, 0) - expected).max() < 1e-4


@given(seed=SEEDS, size=INPUTS, points=st.integers(1, 133), kind=st.sampled_from(["any", "none", "zero", "flat"]))
def test_keypoints_are_decoded_as_rtmlib_does_it(seed: int, size: tuple[int, int], points: int, kind: str) -> None:
    random = np.random.default_rng(seed)
    along_x = random.normal(0, 0.4, (1, points, 2 * size[0])).astype(np.float32)
    along_y = random.normal(0, 0.4, (1, points, 2 * size[1])).astype(np.float32)
    if kind == "none":
        along_x, along_y = -np.abs(along_x), -np.abs(along_y)
    if kind == "zero":
        along_x, along_y = along_x * 0, along_y * 0
    if kind == "flat":
        along_x, along_y = along_x.round(), along_y.round()
    box = box_in(random, 997, 613)
    region = affine_crop.region_of(box, *size)
    found = simcc.keypoints([along_x, along_y], *size)
    centre = np.array([region.left + region.width / 2, region.top + region.height / 2])
    scale = np.array([region.width, region.height])
    places, scores = rtmlib_of(size).postprocess([along_x, along_y], centre, scale)
    assert np.allclose(region.back(found[:, :2]), places[0], rtol=0, atol=1e-6)
    assert np.allclose(found[:, 2], scores[0], rtol=0, atol=1e-6)


@given(seed=SEEDS, size=INPUTS)
def test_a_point_comes_back_to_where_it_was(seed: int, size: tuple[int, int]) -> None:
    random = np.random.default_rng(seed)
    region = affine_crop.region_of(box_in(random, 997, 613), *size)
    points = random.uniform(0, 600, (17, 2))
    steps = (region.width / size[0], region.height / size[1])
    assert np.allclose(region.back((points - (region.left, region.top)) / steps), points)


@pytest.mark.parametrize(
    "shapes", [[(1, 17, 384)], [(1, 17, 384), (1, 16, 512)], [(2, 17, 384), (2, 17, 512)], [(1, 17, 24), (1, 17, 32)]]
)
def test_outputs_of_another_form_are_refused_with_their_shapes(shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(OutputError) as refusal:
        simcc.keypoints([np.zeros(shape, dtype=np.float32) for shape in shapes], 192, 256)
    assert str(shapes[-1]) in str(refusal.value)
