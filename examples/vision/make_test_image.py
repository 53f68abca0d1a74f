"""Draws an image in which the networks of weights/make_test_weights.py find something, and prints what.

python make_test_image.py IMAGE

Rectangles in red, green and blue are objects; white ones are people. All else is noise that is too dark to count.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 960, 720
# Left, top, right, bottom; the pixels of the last row and column are not part of it.
OBJECTS: tuple[tuple[str, tuple[int, int, int, int]], ...] = (
    ("red", (60, 50, 300, 220)),
    ("green", (360, 80, 500, 330)),
    ("blue", (90, 420, 250, 660)),
    ("red", (560, 520, 880, 640)),
)
PEOPLE: tuple[tuple[int, int, int, int], ...] = ((620, 60, 760, 400), (330, 400, 480, 690))
COLOURS = {"red": (230, 20, 25), "green": (15, 225, 30), "blue": (25, 20, 235), "white": (240, 245, 250)}


def draw() -> Image.Image:
    """Return the image."""
    dark = random.Random(7).randbytes(WIDTH * HEIGHT * 3)  # noqa: S311 - it is only noise
    image = Image.frombytes("RGB", (WIDTH, HEIGHT), dark).point([level // 6 for level in range(256)] * 3)
    pen = ImageDraw.Draw(image)
    for colour, (left, top, right, bottom) in (*OBJECTS, *(("white", box) for box in PEOPLE)):
        pen.rectangle((left, top, right - 1, bottom - 1), fill=COLOURS[colour])
    return image


def expected() -> dict[str, Any]:
    """Return what is in the image, in the form of an answer but without scores."""
    objects = [{"class": colour, "box": list(box)} for colour, box in OBJECTS]
    return {"detections": objects, "poses": [{"box": list(box)} for box in PEOPLE]}


def main(arguments: list[str]) -> int:
    """Write the image, and return the exit code."""
    parser = argparse.ArgumentParser(description="Draw an image in which the networks for tests find something.")
    parser.add_argument("image", type=Path, help="where to write it; the suffix chooses the format")
    try:
        draw().save(parser.parse_args(arguments).image)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    print(json.dumps(expected(), indent=2))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
