"""The services as processes of their own, as their images start them, and the client that asks them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import client
import make_test_image
import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

# On one worker, which starts the services once.
pytestmark = pytest.mark.xdist_group("vision-processes")

STACK = Path(client.__file__).parent
MAX_IMAGE_BYTES = 5_000_003


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def command(name: str, port: int, directory: Path) -> list[str]:
    """Copy what the image holds, and say how it is started."""
    app = directory / name
    shutil.copytree(STACK / "serving", app / "serving", ignore=shutil.ignore_patterns("__pycache__"))
    for module in (STACK / f"{name}-service").glob("*.py"):
        shutil.copy(module, app)
    return [sys.executable, "-m", "uvicorn", "main:app", "--app-dir", str(app), "--port", str(port)]


@contextmanager
def serving(directory: Path, weights: Path, *names: str) -> Iterator[list[str]]:
    """Run services at the same time, and give the address of each."""
    environment = os.environ | {"WEIGHTS_DIR": str(weights), "MAX_IMAGE_BYTES": str(MAX_IMAGE_BYTES)}
    with ExitStack() as running:
        started = []
        for name in names:
            port = free_port()
            output = running.enter_context((directory / f"{name}.log").open("wb"))
            process = subprocess.Popen(command(name, port, directory), env=environment, stdout=output, stderr=output)
            running.callback(process.wait)
            running.callback(process.terminate)
            started.append((port, process, directory / f"{name}.log"))
        for port, process, log in started:
            wait_for(port, process, log)
        yield [f"http://127.0.0.1:{port}" for port, _, _ in started]


@pytest.fixture(scope="module")
def urls(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    with serving(tmp_path_factory.mktemp("apps"), weights, "yolo-combined", "mmpose", "yolo-nas") as addresses:
        yield addresses


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"the service did not start:\n{log.read_text()}")


def test_the_client_asks_all_three_services_and_draws_what_they_find(
    urls: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image, drawn = tmp_path / "image.png", tmp_path / "drawn.png"
    make_test_image.main([str(image)])
    expected = json.loads(capsys.readouterr().out)
    asked = [argument for url in urls for argument in ("--url", f"{url}/predict")]
    assert client.main([str(image), *asked, "--boxes", "found", "--output", str(drawn)]) == 0
    answers = json.loads(capsys.readouterr().out)
    assert [answer["service"] for answer in answers] == ["yolo-combined", "mmpose", "yolo-nas"]
    assert len(answers[0]["detections"]) == len(answers[2]["detections"]) == len(expected["detections"])
    # Two networks and two ways of decoding agree on where the keypoints are.
    for one, other in zip(answers[0]["poses"], answers[1]["poses"], strict=True):
        assert one["box"] == other["box"]
        for point, again in zip(one["keypoints"], other["keypoints"], strict=True):
            assert abs(point["x"] - again["x"]) < 2.5
            assert abs(point["y"] - again["y"]) < 2.5
    before, after = np.asarray(Image.open(image)), np.asarray(Image.open(drawn))
    left, top, right, bottom = (round(edge) for edge in answers[0]["detections"][0]["box"])
    assert (
        before[top + 40 : bottom - 40, left + 80 : right - 4] == after[top + 40 : bottom - 40, left + 80 : right - 4]
    ).all()
    assert (before[top, left:right] != after[top, left:right]).any()
    nose = answers[0]["poses"][0]["keypoints"][0]
    assert after[round(nose["y"]), round(nose["x"])].tolist() == [255, 0, 0]


def test_a_large_upload_gets_its_refusal_also_over_the_wire(urls: list[str], tmp_path: Path) -> None:
    image = tmp_path / "image.png"
    image.write_bytes(bytes(30_000_001))
    for url in urls:
        with pytest.raises(client.ServiceError, match="answered 413: The upload has more than the 50"):
            client.ask(f"{url}/predict", image)


def test_a_large_upload_that_asks_first_is_refused_before_it_is_sent(urls: list[str]) -> None:
    host, port = urls[0].removeprefix("http://").split(":")
    head = f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Type: image/png\r\nContent-Length: 30000001\r\n"
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_a_service_without_weights_starts_and_tells_the_client_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = tmp_path / "image.png"
    make_test_image.draw().save(image)
    (tmp_path / "empty").mkdir()
    with serving(tmp_path, tmp_path / "empty", "mmpose") as [url]:
        with pytest.raises(urllib.error.HTTPError, match="503") as refusal:
            urllib.request.urlopen(f"{url}/healthz", timeout=10)
        told = json.loads(refusal.value.read())
        refusal.value.close()
        assert told["models"][0]["problem"] == f"The manifest manifest.json is missing in {tmp_path / 'empty'}."
        assert client.main([str(image), "--url", f"{url}/predict"]) == 1
    assert f"503: The manifest manifest.json is missing in {tmp_path / 'empty'}." in capsys.readouterr().err


def test_a_port_in_use_ends_the_service_with_the_address(weights: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = subprocess.run(
            command("mmpose", port, tmp_path),
            env=os.environ | {"WEIGHTS_DIR": str(weights)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert ended.returncode != 0
    assert "address already in use" in ended.stderr
    assert str(port) in ended.stderr


def test_a_setting_that_cannot_be_used_ends_the_service_and_is_named(tmp_path: Path) -> None:
    ended = subprocess.run(
        command("mmpose", free_port(), tmp_path),
        env=os.environ | {"BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode != 0
    assert "BACKEND is 'tensorflow', but it has to be one of: onnx, torch." in ended.stderr


def test_the_client_tells_when_nobody_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = tmp_path / "image.png"
    make_test_image.draw().save(image)
    url = f"http://127.0.0.1:{free_port()}/predict"
    assert client.main([str(image), "--url", url]) == 1
    assert f"error: {url} did not answer: " in capsys.readouterr().err


def test_the_client_tells_when_what_answers_does_not_speak_http(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = tmp_path / "image.png"
    image.write_bytes(b"")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/predict"

        def greet() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        greeting = threading.Thread(target=greet)
        greeting.start()
        assert client.main([str(image), "--url", url]) == 1
        greeting.join()
    assert f"error: {url} did not answer: SSH-2.0-OpenSSH_9.2" in capsys.readouterr().err
