"""What the services answer over HTTP: to images, and to everything that is none."""

from __future__ import annotations

import importlib.util
import io
import json
import struct
import zlib
from typing import TYPE_CHECKING, Any

import make_test_image
import make_test_weights
import numpy as np
import pytest
import rectangles
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from serving.images import RejectedImageError, decode
from serving.settings import SettingError, Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fastapi.testclient import TestClient
    from httpx2 import Response

    Start = Callable[..., TestClient]

NAMES = ("yolo-combined", "mmpose", "yolo-nas")
# What interpolation at the edge of a rectangle may move it by, in pixels of the image.
NEAR = 1.5


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def small(kind: str = "PNG") -> bytes:
    return encoded(Image.new("RGB", (61, 47), (9, 9, 9)), kind)


def head_of_png(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and has no pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return head + struct.pack(">I", 11) + b"IDAT"


def send(client: TestClient, content: bytes, kind: str = "image/png", **fields: str) -> Response:
    return client.post("/predict", files={"image": ("image", content, kind)}, data=fields)


def refusal(answer: Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["detail"]


def assert_found(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Every expected box is there, with its class, and no other."""
    assert len(found) == len(expected)
    for wanted in expected:
        near = [each for each in found if np.abs(np.subtract(each["box"], wanted["box"])).max() <= NEAR]
        assert len(near) == 1, f"{wanted} in {found}"
        assert near[0].get("class") == wanted.get("class")


def assert_keypoints(person: dict[str, Any], box: tuple[int, int, int, int]) -> None:
    expected = np.array(box[:2]) + rectangles.PLACES * (np.array(box[2:]) - box[:2])
    found = [(point["x"], point["y"]) for point in person["keypoints"]]
    assert np.abs(np.subtract(found, expected)).max() <= 2 * NEAR
    assert [point["name"] for point in person["keypoints"]] == list(rectangles.KEYPOINTS)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
def test_yolo_combined_finds_objects_and_people(start: Start, kind: str) -> None:
    options = {"quality": 95} if kind in ("JPEG", "WEBP") else {}
    answer = send(start("yolo-combined"), encoded(make_test_image.draw(), kind, **options), f"image/{kind.lower()}")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["service"], told["image"]) == ("yolo-combined", {"width": 960, "height": 720})
    expected = make_test_image.expected()
    assert_found(told["detections"], expected["detections"])
    assert_found(told["poses"], expected["poses"])
    for person in told["poses"]:
        assert_keypoints(person, min(make_test_image.PEOPLE, key=lambda box: abs(box[0] - person["box"][0])))


def test_yolo_nas_finds_objects(start: Start) -> None:
    told = send(start("yolo-nas"), encoded(make_test_image.draw())).json()
    assert_found(told["detections"], make_test_image.expected()["detections"])


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="torch is not installed")
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", NAMES)
def test_torchscript_gives_the_same_answers(start: Start, tmp_path: Path, name: str) -> None:
    assert make_test_weights.main(["--into", str(tmp_path), "--backend", "torch"]) == 0
    client = start(name, backend="torch", weights_dir=tmp_path)
    told = client.get("/healthz").json()
    assert (told["backend"], told["loaded"]) == ("torch", True)
    content, boxes = encoded(make_test_image.draw()), json.dumps(make_test_image.PEOPLE)
    one, other = (send(each, content, boxes=boxes).json() for each in (client, start(name)))
    for answer in (one, other):
        del answer["seconds"]
        for person in answer.get("poses", []):
            person["score"] = pytest.approx(person["score"], abs=1e-4)
            for point in person["keypoints"]:
                point["score"] = pytest.approx(point["score"], abs=1e-4)
    assert one == other


def test_mmpose_finds_a_pose_in_each_box(start: Start) -> None:
    boxes = json.dumps(make_test_image.PEOPLE)
    told = send(start("mmpose"), encoded(make_test_image.draw()), boxes=boxes).json()
    assert [tuple(person["box"]) for person in told["poses"]] == list(make_test_image.PEOPLE)
    for person, box in zip(told["poses"], make_test_image.PEOPLE, strict=True):
        assert_keypoints(person, box)
        assert person["score"] > 0.9


def test_mmpose_takes_the_whole_image_without_boxes(start: Start) -> None:
    image = Image.new("RGB", (300, 500), (9, 9, 9))
    image.paste((255, 255, 255), (53, 41, 247, 459))
    [person] = send(start("mmpose"), encoded(image)).json()["poses"]
    assert person["box"] == [0, 0, 300, 500]
    assert_keypoints(person, (53, 41, 247, 459))


def test_no_boxes_are_no_poses(start: Start) -> None:
    assert send(start("mmpose"), small(), boxes="[]").json()["poses"] == []


def test_an_image_may_be_the_whole_body(start: Start) -> None:
    content = encoded(make_test_image.draw())
    client = start("mmpose")
    boxes = json.dumps(make_test_image.PEOPLE)
    answer = client.post("/predict", content=content, headers={"Content-Type": "image/png"}, params={"boxes": boxes})
    assert answer.json()["poses"] == send(client, content, boxes=boxes).json()["poses"]


def test_an_image_is_turned_upright_as_its_exif_tag_says(start: Start) -> None:
    image = Image.new("RGB", (640, 320), (9, 9, 9))
    image.paste((255, 0, 0), (64, 32, 264, 132))
    exif = Image.Exif()
    exif[0x0112] = 6
    told = send(start("yolo-nas"), encoded(image, "PNG", exif=exif)).json()
    assert told["image"] == {"width": 320, "height": 640}
    assert_found(told["detections"], [{"class": "red", "box": [320 - 132, 64, 320 - 32, 264]}])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_images_without_three_colours_are_read_too(start: Start, mode: str) -> None:
    answer = send(start("yolo-nas"), encoded(Image.new(mode, (61, 47))))
    assert answer.status_code == 200
    assert answer.json()["detections"] == []


def test_thresholds_are_settings(start: Start) -> None:
    content = encoded(make_test_image.draw())
    assert send(start("yolo-nas", confidence=0.81), content).json()["detections"][0]["class"] == "blue"
    assert send(start("yolo-nas", confidence=0.95), content).json()["detections"] == []
    assert len(send(start("yolo-nas", max_detections=2), content).json()["detections"]) == 2


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_image_is_refused(start: Start, name: str) -> None:
    wanted = (415, "This is not an image in one of the formats JPEG, PNG, WEBP, BMP.")
    client = start(name)
    assert refusal(send(client, b"%PDF-1.7 this is none")) == wanted
    gif = encoded(Image.new("L", (7, 7)), "GIF")
    assert refusal(send(client, gif, "application/octet-stream")) == wanted


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_body_is_refused(start: Start, name: str) -> None:
    client = start(name)
    wanted = (400, "The image is empty: 0 bytes were sent.")
    assert refusal(client.post("/predict", content=b"", headers={"Content-Type": "image/png"})) == wanted
    assert refusal(send(client, b"")) == wanted


@pytest.mark.parametrize("name", NAMES)
def test_another_content_type_is_refused(start: Start, name: str) -> None:
    client = start(name)
    for kind in ("text/plain", "application/json", "image/gif", "application/octet-stream"):
        status, message = refusal(client.post("/predict", content=small(), headers={"Content-Type": kind}))
        assert status == 415
        assert message.startswith(f"The content type is {kind}; send a form")
    assert refusal(client.post("/predict"))[1].startswith("The content type is missing; ")
    assert refusal(send(client, small(), "text/plain")) == (
        415,
        "The file's content type is text/plain; send image/jpeg or image/png or image/webp or image/bmp.",
    )


def test_capital_letters_and_parameters_of_a_content_type_do_not_count(start: Start) -> None:
    client = start("yolo-nas")
    for kind in ("IMAGE/PNG", "image/png; name=a.png"):
        assert send(client, small(), kind).status_code == 200
        assert client.post("/predict", content=small(), headers={"Content-Type": kind}).status_code == 200


@pytest.mark.parametrize("name", NAMES)
def test_a_path_that_is_almost_right_is_not_redirected_past_the_gateway(start: Start, name: str) -> None:
    client = start(name)
    for answer in (client.post("/predict/", follow_redirects=False), client.get("/healthz/", follow_redirects=False)):
        assert refusal(answer) == (404, "Not Found")


def test_an_image_of_too_many_bytes_is_refused_however_it_is_sent(start: Start) -> None:
    content = small()
    client = start("mmpose", max_image_bytes=len(content) - 1)
    raw = {"Content-Type": "image/png"}

    def pieces() -> Iterator[bytes]:
        yield content[:53]
        yield content[53:]

    assert refusal(send(client, content))[0] == 413
    assert refusal(client.post("/predict", content=content, headers=raw))[0] == 413
    # Without a length in the head.
    assert refusal(client.post("/predict", content=pieces(), headers=raw))[0] == 413
    enough = start("mmpose", max_image_bytes=len(content))
    assert send(enough, content).status_code == 200
    assert enough.post("/predict", content=content, headers=raw).status_code == 200


def test_a_form_that_never_ends_is_not_read_to_its_end(start: Start) -> None:
    sent_bytes = 0

    def pieces() -> Iterator[bytes]:
        nonlocal sent_bytes
        yield b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        for _ in range(1000):
            sent_bytes += 65_521
            yield bytes(65_521)

    client = start("mmpose", max_image_bytes=100_003)
    answer = client.post("/predict", content=pieces(), headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert refusal(answer)[0] == 413


def test_an_image_of_too_many_pixels_is_refused_by_its_head_alone(start: Start) -> None:
    client = start("mmpose", max_image_pixels=1_000_003)
    assert refusal(send(client, head_of_png(1009, 997))) == (
        413,
        "The image has 1009 x 997 = 1005973 pixels; at most 1000003 are decoded.",
    )
    # One that Pillow itself would call a bomb.
    assert refusal(send(start("mmpose"), head_of_png(65_521, 65_521)))[0] == 413


def test_a_damaged_image_is_refused(start: Start) -> None:
    client = start("yolo-nas")
    status, message = refusal(send(client, head_of_png(7, 7)))
    assert (status, message[:21]) == (400, "The image is damaged:")
    cut = encoded(make_test_image.draw(), "JPEG")[:9001]
    assert refusal(send(client, cut, "image/jpeg"))[0] == 400


@pytest.mark.filterwarnings("ignore")
@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(["PNG", "JPEG", "WEBP", "BMP"]))
def test_whatever_bytes_are_damaged_it_is_an_image_or_it_is_refused(seed: int, kind: str) -> None:
    random = np.random.default_rng(seed)
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {} if kind == "BMP" else {"exif": exif}
    image = Image.fromarray(random.integers(0, 256, (13, 11, 3), dtype=np.uint8))
    content = bytearray(encoded(image, kind, **options))
    for _ in range(random.integers(1, 6)):
        content[random.integers(min(len(content), 211))] = random.integers(256)
    status = 200
    try:
        assert decode(bytes(content), max_bytes=100_003, max_pixels=1_000_003).shape[2] == 3
    except RejectedImageError as error:
        status = error.status
    assert status in (200, 400, 413, 415)


def test_a_form_without_the_image_is_refused(start: Start) -> None:
    client = start("mmpose")
    wanted = (400, "The form has no file in the field image.")
    assert refusal(client.post("/predict", files={"picture": ("a.png", small(), "image/png")})) == wanted
    assert refusal(client.post("/predict", files={"other": ("a", b"")}, data={"image": "text"})) == wanted


@pytest.mark.parametrize("content", [b"", b"--b\r\n", b"nothing like a form"])
@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=b", "multipart/form-data"])
def test_a_broken_form_is_refused(start: Start, kind: str, content: bytes) -> None:
    answer = start("mmpose").post("/predict", content=content, headers={"Content-Type": kind})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("boxes", "reason"),
    [
        ("[[1, 2, 3", "is not JSON"),
        ('{"a": 1}', "has to be a list"),
        (json.dumps([[1, 2, 3, 4]] * 101), "at most 100"),
        ("[[1, 2, 3]]", "Box 1 has to be four numbers"),
        ('[[1, 2, 30, 40], [1, 2, 3, "4"]]', "Box 2 has to be four numbers"),
        ("[[1, 2, NaN, 4]]", "Box 1 has to be four numbers"),
        ("[[1, 2, Infinity, 4]]", "Box 1 has to be four numbers"),
        ("[[true, 2, 3, 4]]", "Box 1 has to be four numbers"),
        ("[[30, 2, 30, 40]]", "Box 1 is empty"),
        ("[[100, 2, 130, 40]]", "Box 1 is outside of the image, which has 61 x 47 pixels"),
        ("[[-1e300, 0, 1e300, 40]]", "Box 1 reaches too far beyond the image"),
        ("[" * 100_000, ""),
    ],
)
def test_boxes_that_cannot_be_used_are_refused(start: Start, boxes: str, reason: str) -> None:
    status, message = refusal(send(start("mmpose"), small(), boxes=boxes))
    assert status == 400
    assert reason in message


def test_metrics_are_in_the_format_of_prometheus(start: Start) -> None:
    client = start("yolo-nas", concurrency=1)
    for _ in range(3):
        send(client, small())
    send(client, b"none")
    client.get("/healthz")
    client.get("/somewhere/else")
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert samples["vision_info", ("backend", "onnx"), ("service", "yolo-nas")] == 1
    assert samples["vision_loaded",] == 1
    assert samples["vision_requests_total", ("path", "/predict"), ("status", "200")] == 3
    assert samples["vision_requests_total", ("path", "/predict"), ("status", "415")] == 1
    assert samples["vision_requests_total", ("path", "/healthz"), ("status", "200")] == 1
    assert samples["vision_requests_total", ("path", "other"), ("status", "404")] == 1
    assert samples["vision_predict_seconds_count",] == 3
    assert samples["vision_predict_seconds_bucket", ("le", "+Inf")] == 3
    buckets = [value for name, value in samples.items() if name[0] == "vision_predict_seconds_bucket"]
    assert buckets == sorted(buckets)
    assert 0 < samples["vision_predict_seconds_sum",] < 30


def test_settings_come_from_the_environment(tmp_path: Path) -> None:
    environment = {"BACKEND": "torch", "WEIGHTS_DIR": str(tmp_path), "MAX_IMAGE_BYTES": "1009", "IOU": "0.53"}
    assert read_settings(environment) == Settings("torch", tmp_path, max_image_bytes=1009, iou=0.53)
    assert read_settings({"BACKEND": "", "CONFIDENCE": ""}) == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BACKEND", "tensorflow"),
        ("MAX_IMAGE_BYTES", "20MB"),
        ("MAX_IMAGE_PIXELS", "0"),
        ("MAX_DETECTIONS", "-3"),
        ("CONFIDENCE", "1.1"),
        ("IOU", "nan"),
        ("CONFIDENCE", "half"),
        ("CONCURRENCY", "²"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=name):
        read_settings({name: value})
