"""Intent: a user without root deploys to an engine of their own, which nobody names.

Steps: look at it; forecast; deploy; deploy a change; go back; reclaim some bytes; all as that user.
State checked: what is told of the engine, exit codes, what answers, bytes measured beside bytes forecast.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.engine_root import EngineName
from tests.rootless_engine import rootless_engine, why_no_rootless
from tests.scenarios.driving import CHECK, QUICK, SERVES, TONNAGE
from tests.scenarios.watching import page, soon

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.rootless_engine import RootlessEngine

pytestmark = pytest.mark.engine
PORT = 18_112
LAYER_BYTES = 64 * 2**20
"""Enough that what else an engine writes meanwhile is little."""


@pytest.fixture
def rootless(request: pytest.FixtureRequest) -> Iterator[RootlessEngine]:
    """Start an engine of a user."""
    why = why_no_rootless()
    if not why and request.config.getoption("--engine") != EngineName():
        why = "only this machine's own engine is started so"
    if why:
        pytest.skip(why)
    with tempfile.TemporaryDirectory(prefix="tonnage-rootless-", dir="/var/tmp") as place:
        Path(place).chmod(0o755)
        with rootless_engine(Path(place)) as engine:
            yield engine


def test_a_stack_is_deployed_to_the_engine_of_a_user(rootless: RootlessEngine) -> None:
    stack = Stack(rootless)
    told = stack.told("doctor")
    assert told.returncode == 0, told.stderr
    assert "rootless" in told.stdout

    stack.write("web 1")
    forecast = json.loads(stack.done("forecast", "--json"))["services"][0]["disk_bytes"]
    stack.done("deploy")
    assert page("127.0.0.1", PORT) == "web 1"
    steps = json.loads(stack.done("report", "--json"))["runs"][0]["steps"]
    [measured] = next(each for each in steps if each["kind"] == "build")["measured"]
    assert abs(measured["kept_bytes"] - forecast["likely"]) < 0.03 * forecast["likely"], (measured, forecast)

    stack.write("web 2")
    stack.done("deploy")
    assert page("127.0.0.1", PORT) == "web 2"
    stack.done("rollback")
    assert soon(lambda: page("127.0.0.1", PORT) == "web 1")
    assert stack.told("reclaim", "--free", "1MB", "--only", "image", "--only", "cache", "--yes").returncode in {0, 4}
    assert page("127.0.0.1", PORT) == "web 1"


class Stack:
    """A stack in a directory of the user."""

    def __init__(self, engine: RootlessEngine) -> None:
        self._engine = engine
        self.directory = engine.home / "stack"
        self.directory.mkdir()

    def write(self, text: str) -> None:
        """Write the stack, with what its page says."""
        service = {"build": ".", "ports": [f"127.0.0.1:{PORT}:8080"], "healthcheck": CHECK, **QUICK}
        (self.directory / "compose.yaml").write_text(json.dumps({"name": "rootless", "services": {"web": service}}))
        (self.directory / "index.html").write_text(text)
        lines = (
            "FROM busybox:latest",
            f"RUN dd if=/dev/urandom of=/layer bs=1048576 count={LAYER_BYTES // 2**20}",
            "COPY index.html /www/index.html",
            SERVES,
        )
        (self.directory / "Dockerfile").write_text("\n".join(lines) + "\n")

    def told(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command as the user."""
        return self._engine.run(TONNAGE, *words, directory=self.directory)

    def done(self, *words: str) -> str:
        """Run the command, which must succeed, and return what it prints."""
        ended = self.told(*words)
        assert ended.returncode == 0, (words, ended.stderr)
        return ended.stdout
