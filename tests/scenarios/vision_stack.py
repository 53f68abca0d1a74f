"""examples/vision as its user has it: a copy with weights of its own, on the engine of a rehearsal that was kept."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
from tests.scenarios.driving import TONNAGE, Running

from tonnage.adapters.private_engine import remove_rehearsal
from tonnage.adapters.private_engine.layout import DIRECTORY_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.scenarios.driving import Ended

ROOT = Path(__file__).resolve().parents[2]
SERVICES = {"yolo-combined": 8001, "mmpose": 8003, "yolo-nas": 8004}
BASE = "python:3.11-slim"
OURS = ("COMPOSE_", "TONNAGE_", "TORCH_", "DOCKER_")
NAMES = ("BACKEND", "GATEWAY_PORT", "WEIGHTS")


def why_there_is_no_base_image() -> str:
    """Return why the base image cannot be made here; empty when it can."""
    return "" if shutil.which("mmdebstrap") else "the program mmdebstrap is missing"


@dataclass(slots=True)
class VisionStack:
    """The stack, and what its user types and asks.

    Args:
        directory: The copy of examples/vision.
        work: Where everything else goes: weights, journal, output.
        address: Address at which published ports answer; empty while there is no engine.
        endpoint: The engine.
    """

    directory: Path
    work: Path
    address: str = ""
    endpoint: str = ""
    _started: list[Running] = field(default_factory=list)

    @property
    def weights(self) -> Path:
        """The directory of the weights."""
        return self.directory / "weights"

    @property
    def client(self) -> docker.DockerClient:
        """The engine, looked at by its own interface."""
        return docker.DockerClient(base_url=self.endpoint)

    @property
    def rehearsals(self) -> Path:
        """Where the disks of rehearsals are."""
        return Path(f"/var/tmp/tonnage-vision-{os.getpid()}")

    def environment(self, **more: str) -> dict[str, str]:
        """Return the user's environment: no engine but that of the rehearsal, and no settings of the tester's own."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if (name == "TONNAGE_DOCKER" or not name.startswith(OURS)) and name not in NAMES
        }
        return {
            **kept,
            "DOCKER_HOST": self.endpoint or f"unix://{self.work}/nobody.sock",
            "TONNAGE_STATE_DIR": str(self.work / "state"),
            "TONNAGE_CACHE_DIR": str(self.work / "cache"),
            DIRECTORY_VARIABLE: str(self.rehearsals),
            "COLUMNS": "200",
            **more,
        }

    def tonnage(self, *arguments: str, within_s: float = 120.0, **environment: str) -> Ended:
        """Run ``tonnage`` in the stack's directory to its end."""
        output = self.work / "output" / str(len(self._started))
        running = Running([TONNAGE, *arguments], self.directory, self.environment(**environment), output)
        self._started.append(running)
        return running.wait(within_s=within_s)

    def rehearse(self, disk: str, *arguments: str, within_s: float = 480.0, **environment: str) -> Ended:
        """Rehearse on a disk of a size, and keep the engine."""
        base = f"{BASE}={base_image()}"
        ended = self.tonnage(
            *("rehearse", "--disk", disk, "--keep", "--import", base, *arguments), within_s=within_s, **environment
        )
        for line in ended.stderr.splitlines():
            if "export DOCKER_HOST=" in line:
                self.endpoint = line.partition("=")[2].strip()
            if " answer at " in line:
                self.address = line.split(" answer at ")[1].split(". ")[0]
        return ended

    def ask(self, path: str, body: bytes | None = None, kind: str = "", *, port: int = 8080) -> tuple[int, Any]:
        """Ask for a path; return the status and what JSON says."""
        request = urllib.request.Request(f"http://{self.address}:{port}{path}", body)
        if kind:
            request.add_header("Content-Type", kind)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def predict(self, image: Path, output: Path) -> list[dict[str, Any]]:
        """Let the client of the stack ask all three services, each through the gateway."""
        urls = [f"--url=http://{self.address}:8080/{name}/predict" for name in SERVICES]
        done = subprocess.run(
            [sys.executable, self.directory / "client.py", image, *urls, "--boxes=found", f"--output={output}"],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answers: list[dict[str, Any]] = json.loads(done.stdout)
        return answers

    def container(self, service: str) -> Any:  # noqa: ANN401 - the SDK has no types of its own for it
        """Return the only container of a service."""
        labels = ["com.docker.compose.project=vision", f"com.docker.compose.service={service}"]
        [only] = self.client.containers.list(all=True, filters={"label": labels})
        return only

    def close(self) -> None:
        """End what runs, and remove the engine."""
        for running in self._started:
            running.end()
        for entry in self.rehearsals.glob("r??????"):
            remove_rehearsal(entry.name, environment=self.environment())


@contextlib.contextmanager
def vision_stack(work: Path) -> Iterator[VisionStack]:
    """Copy the stack without weights and without what was compiled; leaving the context removes its engine."""
    left_out = shutil.ignore_patterns("__pycache__", "*.onnx", "*.torchscript", "manifest.json")
    shutil.copytree(ROOT / "examples" / "vision", work / "vision", ignore=left_out)
    stack = VisionStack(directory=work / "vision", work=work)
    try:
        yield stack
    finally:
        stack.close()


def base_image() -> str:
    """Make the base image from Debian packages, if there is none yet; return its archive."""
    done = subprocess.run(
        [ROOT / "script" / "base-image"],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def make_weights(directory: Path, backend: str) -> None:
    """Let the stack's own program make weights, next to itself."""
    done = subprocess.run(
        [sys.executable, directory / "make_test_weights.py", f"--backend={backend}"],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
