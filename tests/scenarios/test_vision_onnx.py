"""Intent: the reference stack, deployed on a disk of 4 GB, gives right answers through its gateway, and bad input costs
nobody anything.

Steps: make weights, rehearse, ask with the stack's own client; send what is no image; take weights away, damage them,
let a service start without any; let a service be silent; let the gateway's port be taken.
State checked: answers, containers, images, exit codes, what the deploy says.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from rectangles import KEYPOINTS
from serving.settings import Settings
from tests.scenarios.vision_answers import assert_right
from tests.scenarios.vision_stack import (
    BASE,
    SERVICES,
    make_weights,
    vision_stack,
    why_there_is_no_base_image,
)
from tests.scenarios.watching import soon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.scenarios.vision_stack import VisionStack

pytestmark = [
    pytest.mark.engine,
    pytest.mark.long("a whole example takes minutes, and tests/vision tries its programs"),
]

MODELS = {"yolo-combined": ["yolo-detect", "yolo-pose"], "mmpose": ["rtmpose"], "yolo-nas": ["yolo-nas"]}
USER = "10001"
# A service starts in 2 s on an idle machine.
START_S = 300.0
# Who listens, takes nobody in and has no room left for who waits: then the system does not even refuse.
FULL = """
import socket
listening = socket.create_server(("0.0.0.0", 8003), backlog=0)
waiting = [socket.socket() for _ in range(4)]
for each in waiting:
    each.setblocking(False)
    each.connect_ex(("127.0.0.1", 8003))
"""
MISSING = "there is no yolo-nas.onnx in /weights"


def reverse(file: Path) -> None:
    file.write_bytes(file.read_bytes()[::-1])


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[VisionStack]:
    """The stack, deployed by a rehearsal; a test leaves it as it found it."""
    if reason := why_there_is_no_base_image():
        if request.config.getoption("--require-engine"):
            pytest.fail(f"--require-engine was given, but: {reason}", pytrace=False)
        pytest.skip(reason)
    with vision_stack(tmp_path_factory.mktemp("vision")) as made:
        make_weights(made.weights, "onnx")
        ended = made.rehearse("4GB", "--sequential")
        assert ended.exit_code == 0, ended.stderr
        yield made


def test_the_client_gets_right_answers_from_all_three_services_through_the_gateway(
    stack: VisionStack, tmp_path: Path
) -> None:
    image = tmp_path / "image.png"
    done = subprocess.run(
        [sys.executable, stack.directory / "make_test_image.py", image], check=True, capture_output=True, text=True
    )
    answers = stack.predict(image, tmp_path / "drawn.png")
    assert_right(answers, json.loads(done.stdout), KEYPOINTS)
    with Image.open(image) as before, Image.open(tmp_path / "drawn.png") as drawn:
        assert drawn.size == before.size
        assert drawn.convert("RGB").tobytes() != before.convert("RGB").tobytes()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_tells_what_it_has_loaded(stack: VisionStack, service: str) -> None:
    status, told = stack.ask(f"/{service}/healthz")
    assert (status, told["service"], told["backend"], told["loaded"]) == (200, service, "onnx", True)
    assert [model["model"] for model in told["models"]] == MODELS[service]
    for model in told["models"]:
        content = (stack.weights / model["file"]).read_bytes()
        assert (model["bytes"], model["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_not_root_and_cannot_change_its_weights(stack: VisionStack, service: str) -> None:
    container = stack.container(service)
    code, output = container.exec_run(["sh", "-c", "id -u; touch /weights/new"])
    assert code == 1
    # The two streams may come in any order.
    assert USER in output.decode().splitlines()
    assert b"Read-only file system" in output
    _, output = container.exec_run(["sh", "-c", "ls -A /root/.cache /tmp"], user="root")
    assert b"pip" not in output
    assert not any("/weights" in line for line in image_files(stack, service))


def test_the_services_share_all_layers_but_their_own_code(stack: VisionStack) -> None:
    layers = [stack.client.images.get(f"vision/{service}:onnx").attrs["RootFS"]["Layers"] for service in SERVICES]
    shared = [len(set(same)) == 1 for same in zip(*layers, strict=True)]
    heavy = 4  # the base image, /app, the lists of what is heavy, and what they list
    assert all(shared[:heavy])
    assert not shared[-1]


@pytest.mark.only_on("in containerd an image is told with its blobs", store="classic")
def test_the_readme_tells_how_big_the_images_are(stack: VisionStack) -> None:
    rows = re.findall(r"^\| `(\S+[:/]\S+)`.*?\| ([\d,]+) \|", (stack.directory / "README.md").read_text(), re.MULTILINE)
    told = {name: int(figure.replace(",", "")) for name, figure in rows}
    assert list(told) == [BASE, *(f"vision/{service}" for service in SERVICES), "vision/gateway"]
    for name, tag in ((BASE, ""), *((f"vision/{service}", ":onnx") for service in SERVICES), ("vision/gateway", "")):
        # Debian's packages in the base image change a little with every security fix.
        assert stack.client.images.get(name + tag).attrs["Size"] == pytest.approx(told[name], rel=0.03)


@pytest.mark.parametrize(
    ("body", "kind", "status", "reason"),
    [
        (b"GIF89a, or so it says", "image/png", 415, "not an image"),
        (b"", "image/png", 400, "empty"),
        (b"hello", "text/plain", 415, "content type"),
        (bytes(Settings().max_image_bytes + 1), "image/png", 413, "more than"),
        (bytes(30_000_001), "image/png", 413, "longer than"),
    ],
    ids=["no image", "empty", "wrong content type", "too long for a service", "too long for the gateway"],
)
@pytest.mark.parametrize("service", SERVICES)
def test_what_is_no_image_is_refused_with_a_reason(
    stack: VisionStack, service: str, body: bytes, kind: str, status: int, reason: str
) -> None:
    answered, told = stack.ask(f"/{service}/predict", body, kind)
    assert answered == status, told
    assert reason in told["detail"]
    assert stack.ask(f"/{service}/healthz")[0] == 200


def test_a_path_of_nobody_and_a_silent_service_are_told_in_the_same_form(stack: VisionStack) -> None:
    status, told = stack.ask("/yolo/predict")
    assert (status, list(told)) == (404, ["detail"])
    container = stack.container("mmpose")
    container.stop(timeout=10)
    try:
        assert stack.ask("/mmpose/healthz") == (502, {"detail": "The service mmpose does not answer."})
        assert stack.ask("/healthz")[0] == 200
    finally:
        container.start()
    assert soon(lambda: stack.ask("/mmpose/healthz")[0] == 200, within_s=START_S)


@pytest.mark.parametrize(
    ("place", "reason"),
    [("", "(111: Connection refused)"), (FULL, "(110: Connection timed out)")],
    ids=["refuses", "stays silent"],
)
def test_whoever_refuses_and_whoever_stays_silent_is_answered_for_alike(
    stack: VisionStack, place: str, reason: str
) -> None:
    container = stack.container("mmpose")
    [network] = container.attrs["NetworkSettings"]["Networks"]
    container.stop(timeout=10)
    before = len(stack.container("gateway").logs())
    # It has the name of the service, and its place in the network.
    other = stack.client.containers.create(BASE, ["python", "-c", f"{place}\nimport time; time.sleep(600)"])
    try:
        stack.client.networks.get(network).connect(other, aliases=["mmpose"])
        other.start()

        def has_logged() -> bool:
            assert stack.ask("/mmpose/healthz") == (502, {"detail": "The service mmpose does not answer."})
            return reason in stack.container("gateway").logs()[before:].decode()

        # At first the gateway may still ask at the old address.
        assert soon(has_logged, within_s=START_S)
    finally:
        other.remove(force=True)
        container.start()
    assert soon(lambda: stack.ask("/mmpose/healthz")[0] == 200, within_s=START_S)


def test_a_service_without_weights_starts_and_says_which_file_is_missing_where(
    stack: VisionStack, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    shutil.copy(stack.weights / "manifest.json", tmp_path)
    container = stack.client.containers.run(
        "vision/yolo-nas:onnx",
        detach=True,
        ports={"8004/tcp": 18004},
        volumes={str(tmp_path): {"bind": "/weights", "mode": "ro"}},
    )
    try:
        assert soon(lambda: answers(stack, 18004), within_s=START_S)
        status, told = stack.ask("/healthz", port=18004)
        assert (status, told["loaded"]) == (503, False)
        [model] = told["models"]
        assert MISSING in model["problem"]
        status, told = stack.ask("/predict", b"no matter", "image/png", port=18004)
        assert status == 503
        # It looks again: nobody has to restart it.
        shutil.copy(stack.weights / "yolo-nas.onnx", tmp_path)
        assert stack.ask("/healthz", port=18004)[0] == 200
    finally:
        container.remove(force=True)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (Path.unlink, "there is no such file; expected"),
        (reverse, "found "),
    ],
    ids=["missing", "damaged"],
)
@pytest.mark.parametrize("command", [("deploy", "yolo-nas"), ("rehearse", "--disk", "4GB")], ids=["deploy", "rehearse"])
def test_bad_weights_are_named_before_anything_is_built(
    stack: VisionStack, tmp_path: Path, command: tuple[str, ...], damage: Callable[[Path], None], said: str
) -> None:
    shutil.copytree(stack.weights, tmp_path / "weights")
    file = tmp_path / "weights" / "yolo-nas.onnx"
    damage(file)
    before = stack.container("yolo-nas").id
    ended = stack.tonnage(*command, WEIGHTS=str(tmp_path / "weights"))
    assert ended.exit_code == 2, ended.stderr
    assert "the weights /weights/yolo-nas.onnx of yolo-nas" in ended.stderr
    assert f"{file}: {said}" in ended.stderr
    assert "Put yolo-nas.onnx there; source: generated by make_test_weights.py" in ended.stderr
    assert "docker-compose.yml:" in ended.stderr
    assert stack.container("yolo-nas").id == before
    assert stack.ask("/yolo-nas/healthz")[0] == 200


def test_a_gateway_whose_port_is_taken_is_refused_with_who_holds_it(stack: VisionStack) -> None:
    squatter = stack.client.containers.run(
        BASE, ["sleep", "600"], name="squatter", ports={"8080/tcp": 18080}, detach=True, stop_signal="SIGKILL"
    )
    try:
        before = stack.container("gateway").id
        ended = stack.tonnage("deploy", "gateway", GATEWAY_PORT="18080")
        assert ended.exit_code == 2, ended.stderr
        assert "port 18080 of the host, which is taken" in ended.stderr
        assert "container squatter" in ended.stderr
        assert stack.container("gateway").id == before
    finally:
        squatter.remove(force=True)


def image_files(stack: VisionStack, service: str) -> list[str]:
    """Return the paths of the weights in an image, without what is mounted into its containers."""
    output = stack.client.containers.run(
        f"vision/{service}:onnx", ["find", "/", "-xdev", "-name", "*.onnx"], remove=True, user="root"
    )
    return output.decode().splitlines()


def answers(stack: VisionStack, port: int) -> bool:
    """Return whether somebody answers at a port."""
    try:
        return bool(stack.ask("/healthz", port=port)[0])
    except OSError:
        return False
