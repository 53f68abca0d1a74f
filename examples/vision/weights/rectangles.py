"""What the networks for tests do, in figures that their ONNX and their TorchScript form share.

They find rectangles of one bright colour: red, green and blue ones are objects of three classes, white ones are people
with 17 keypoints at fixed places of the rectangle. How they do it is like a real network without anchors: each place of
three grids (every 8, 16 and 32 pixels) tells how far the edges of the rectangle that it lies in are away, so that one
rectangle is found many times and non-maximum suppression has something to do.
"""

from __future__ import annotations

import numpy as np

SIZE = 640
STRIDES = (8, 16, 32)
# The middle of every place of all three grids is on a row and on a column of this coarse one.
STEP = 4
# Above it, a pixel is bright; the bars of a letterbox are at 0.45.
BRIGHT = 0.5

CROP_WIDTH, CROP_HEIGHT = 192, 256
SPLIT = 2
SIGMA = 6.0
MEAN = (123.675, 116.28, 103.53)
DEVIATION = (58.395, 57.12, 57.375)

COLOURS = ("red", "green", "blue")
# Where in a white rectangle the keypoints of COCO are: from the left and from the top, as parts of its size.
KEYPOINTS = {
    "nose": (0.5, 0.125),
    "left_eye": (0.5625, 0.09375),
    "right_eye": (0.4375, 0.09375),
    "left_ear": (0.625, 0.125),
    "right_ear": (0.375, 0.125),
    "left_shoulder": (0.75, 0.25),
    "right_shoulder": (0.25, 0.25),
    "left_elbow": (0.875, 0.375),
    "right_elbow": (0.125, 0.375),
    "left_wrist": (0.875, 0.5),
    "right_wrist": (0.125, 0.5),
    "left_hip": (0.625, 0.5625),
    "right_hip": (0.375, 0.5625),
    "left_knee": (0.625, 0.75),
    "right_knee": (0.375, 0.75),
    "left_ankle": (0.625, 0.9375),
    "right_ankle": (0.375, 0.9375),
}
PLACES = np.array(list(KEYPOINTS.values()), dtype=np.float32)

# Name: format, width and height of the input, and labels.
NETWORKS: dict[str, tuple[tuple[int, int], tuple[str, ...]]] = {
    "yolo-detect": ((SIZE, SIZE), COLOURS),
    "yolo-pose": ((SIZE, SIZE), tuple(KEYPOINTS)),
    "yolo-nas": ((SIZE, SIZE), COLOURS),
    "rtmpose": ((CROP_WIDTH, CROP_HEIGHT), tuple(KEYPOINTS)),
}


def first_and_step(stride: int) -> tuple[int, int]:
    """Return where on the coarse grid the middles of a grid's places begin, and how far apart they are."""
    return stride // 2 // STEP - 1, stride // STEP
