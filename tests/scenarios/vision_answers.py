"""Whether answers of the vision services are right: what is in the image is known, for it was drawn."""

from __future__ import annotations

from typing import Any

Box = list[float]
# Pixels by which an edge may be off: the networks look at a smaller image.
EDGE = 1.5
# Part of a person's height by which a keypoint may be off.
POINT = 0.02


def assert_right(answers: list[dict[str, Any]], expected: dict[str, Any], places: dict[str, Any]) -> None:
    """Check the answers of yolo-combined, mmpose and yolo-nas, in this order.

    Args:
        answers: The answers.
        expected: What was drawn.
        places: Where in the box of a person each keypoint is, as parts of its width and height.
    """
    combined, mmpose, nas = answers
    assert [answer["service"] for answer in answers] == ["yolo-combined", "mmpose", "yolo-nas"]
    for answer in (combined, nas):
        found = [(thing["class"], thing["box"]) for thing in answer["detections"]]
        assert_same_boxes(found, [(thing["class"], thing["box"]) for thing in expected["detections"]])
        assert all(0.25 < thing["score"] <= 1 for thing in answer["detections"])
    for answer in (combined, mmpose):
        assert_same_boxes(
            [("person", person["box"]) for person in answer["poses"]],
            [("person", person["box"]) for person in expected["poses"]],
        )
        for person in answer["poses"]:
            assert_at_their_places(person, places)


def assert_same_boxes(found: list[tuple[str, Box]], expected: list[tuple[str, Box]]) -> None:
    """Check that each expected box was found once, and nothing else."""
    assert len(found) == len(expected), found
    for name, box in expected:
        [_] = [each for each in found if each[0] == name and _distance(each[1], box) <= EDGE]


def assert_at_their_places(person: dict[str, Any], places: dict[str, Any]) -> None:
    """Check the keypoints of one person."""
    left, top, right, bottom = person["box"]
    assert [point["name"] for point in person["keypoints"]] == list(places)
    for point in person["keypoints"]:
        x, y = places[point["name"]]
        off = (point["x"] - left - x * (right - left), point["y"] - top - y * (bottom - top))
        assert max(map(abs, off)) <= POINT * (bottom - top), point
        assert point["score"] > 0.5


def _distance(one: Box, other: Box) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))
