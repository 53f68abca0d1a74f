"""Sends an image to the services, and draws the boxes and keypoints that they find on it.

    python client.py IMAGE --url URL [--url URL]... [--boxes JSON|found] [--output FILE]

Each URL is one service's /predict. With --boxes, services get boxes of people: either those given, or with "found"
those that the services before found. Answers are printed as JSON. Needs the package pillow.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageOps

TIMEOUT_S = 60
TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".bmp": "image/bmp"}
COLOURS = ("orange", "cyan", "magenta", "yellow", "lime", "deeppink", "dodgerblue", "white")
# Keypoints below it are guesses, and not drawn.
SURE = 0.3
BONES = (
    ("left_ankle", "left_knee"),
    ("left_knee", "left_hip"),
    ("right_ankle", "right_knee"),
    ("right_knee", "right_hip"),
    ("left_hip", "right_hip"),
    ("left_shoulder", "left_hip"),
    ("right_shoulder", "right_hip"),
    ("left_shoulder", "right_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("right_shoulder", "right_elbow"),
    ("left_elbow", "left_wrist"),
    ("right_elbow", "right_wrist"),
    ("nose", "left_eye"),
    ("nose", "right_eye"),
    ("left_eye", "left_ear"),
    ("right_eye", "right_ear"),
)


class ServiceError(Exception):
    """A service did not answer, or refused."""


def ask(url: str, image: Path, boxes: list[list[float]] | None = None) -> dict[str, Any]:
    """Send an image to a service.

    Args:
        url: The service's /predict.
        image: File of the image.
        boxes: Boxes of people in pixels, if the service is to be given any.

    Raises:
        ServiceError: When it does not answer, or refuses; with its own message.
    """
    boundary = uuid.uuid4().hex
    kind = TYPES.get(image.suffix.lower(), "application/octet-stream")
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="image"\r\n'
    head += f"Content-Type: {kind}\r\n\r\n"
    body = head.encode() + image.read_bytes() + b"\r\n"
    if boxes is not None:
        part = f'--{boundary}\r\nContent-Disposition: form-data; name="boxes"\r\n\r\n{json.dumps(boxes)}\r\n'
        body += part.encode()
    body += f"--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    try:
        request = urllib.request.Request(url, body, headers)  # noqa: S310 - the user's own choice
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:  # noqa: S310 - as above
            answer: dict[str, Any] = json.load(reply)
    except urllib.error.HTTPError as error:
        raise ServiceError(f"{url} answered {error.code}: {_detail(error.read())}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ServiceError(f"{url} did not answer: {error}") from error
    return answer


def draw(image: Image.Image, answer: dict[str, Any]) -> None:
    """Draw what a service found.

    Args:
        image: Is drawn on.
        answer: The service's answer.
    """
    pen = ImageDraw.Draw(image)
    width = max(round(max(image.size) / 320), 1)
    for found in answer.get("detections", []):
        colour = COLOURS[found["class_id"] % len(COLOURS)]
        pen.rectangle(found["box"], outline=colour, width=width)
        pen.text((found["box"][0] + 2 * width, found["box"][1] + 2 * width), _title(found), fill=colour)
    for number, person in enumerate(answer.get("poses", [])):
        colour = COLOURS[number % len(COLOURS)]
        pen.rectangle(person["box"], outline=colour, width=width)
        sure = {point["name"]: (point["x"], point["y"]) for point in person["keypoints"] if point["score"] >= SURE}
        for first, second in BONES:
            if first in sure and second in sure:
                pen.line((*sure[first], *sure[second]), fill=colour, width=width)
        for x, y in sure.values():
            pen.ellipse((x - 2 * width, y - 2 * width, x + 2 * width, y + 2 * width), fill="red")


def main(arguments: list[str]) -> int:
    """Ask every service, print what each answers, draw it, and return the exit code."""
    parser = argparse.ArgumentParser(description="Send an image to the services, and draw what they find.")
    parser.add_argument("image", type=Path)
    parser.add_argument("--url", action="append", required=True, help="a service's /predict; may be given repeatedly")
    parser.add_argument("--boxes", help='boxes of people as JSON, or "found" for those that were found before')
    parser.add_argument("--output", type=Path, help="where to write the image with what was found")
    asked = parser.parse_args(arguments)
    answers = []
    try:
        boxes = None if asked.boxes in (None, "found") else json.loads(asked.boxes)
        for url in asked.url:
            answer = ask(url, asked.image, boxes)
            answers.append(answer)
            people = [person["box"] for person in answer.get("poses", [])]
            if asked.boxes == "found" and people:
                boxes = people
        if asked.output:
            with Image.open(asked.image) as opened:
                image = ImageOps.exif_transpose(opened).convert("RGB")
            for answer in answers:
                draw(image, answer)
            image.save(asked.output)
    except (ServiceError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    print(json.dumps(answers, indent=2))  # noqa: T201
    return 0


def _title(found: dict[str, Any]) -> str:
    return f"{found['class']} {found['score']:.2f}"


def _detail(body: bytes) -> str:
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return body[:200].decode(errors="replace")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
