"""A small stack in a directory, and the installed command driven at it as a program of its own.

What the command prints is looked at only where the scenario is about what people are told; all else is read from the
engine, the disk, the journal and the process table.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.scenarios.seeing import Engine

from tonnage.runtime.journal.writer import Journal

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.real_engine import RealEngine

    from tonnage.model.deploy.run import Run, StepOutcome

TONNAGE = str(Path(sys.executable).with_name("tonnage"))
CHECK = {"test": ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/"], "interval": "300ms", "retries": 3}
SERVES = 'CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]'
# As the first process of its container httpd does not hear SIGTERM, and nothing here is worth waiting ten seconds for.
QUICK = {"stop_signal": "SIGKILL", "x-tonnage": {"stability": "500ms"}}


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has ended."""

    exit_code: int
    stdout: str
    stderr: str
    seconds: float


class Running:
    """A command that was started: the leader of a process group of its own, as a shell makes one for each command."""

    def __init__(self, arguments: list[str], directory: Path, environment: dict[str, str], output: Path) -> None:
        output.mkdir(parents=True)
        self._output = output
        self._began = time.monotonic()
        with (output / "stdout").open("wb") as stdout, (output / "stderr").open("wb") as stderr:
            self._process = subprocess.Popen(
                arguments,
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def goes_on(self) -> bool:
        """Return whether it has not ended yet."""
        return self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its group: what a terminal does at Ctrl-C."""
        os.killpg(self._process.pid, number)

    def until(self, condition: Callable[[], object], what: str, *, within_s: float = 300.0) -> None:
        """Wait for something while the command goes on."""
        end = time.monotonic() + within_s
        while not condition():
            assert self._process.poll() is None, f"ended before {what}:\n{self._ended(0.0).stderr}"
            assert time.monotonic() < end, f"not within {within_s} s: {what}\n{self._ended(0.0).stderr}"
            time.sleep(0.02)

    def wait(self, *, within_s: float = 600.0) -> Ended:
        """Wait for its end."""
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not end within {within_s} s:\n{self._ended(within_s).stderr}") from None
        return self._ended(time.monotonic() - self._began)

    def end(self) -> None:
        """End it, when it still runs, as a terminal that is closed does: it may undo what it has begun."""
        if self._process.poll() is None:
            self.signal(signal.SIGHUP)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(60.0)
        self.kill()

    def kill(self) -> None:
        """Kill it without a word, and leave to their fate the programs that it started."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()

    def _ended(self, seconds: float) -> Ended:
        stdout, stderr = ((self._output / name).read_text(errors="replace") for name in ("stdout", "stderr"))
        return Ended(self._process.poll() or 0, stdout, stderr, seconds)


@dataclass(slots=True)
class Project:
    """One compose project, its directory, and a user with a journal of their own.

    Args:
        real: The engine.
        directory: The project's directory, which is there.
        name: Its name; no other test uses it.
        state: Where the journal is.
        temporary: Where temporary files are made; None for where the tester's are.
        services: What stands in the compose file; changes are written with :meth:`write`.
    """

    real: RealEngine
    directory: Path
    name: str
    state: Path
    temporary: Path | None = None
    services: dict[str, dict[str, Any]] = field(default_factory=dict)
    top: dict[str, Any] = field(default_factory=dict)
    _started: list[Running] = field(default_factory=list)

    @property
    def engine(self) -> Engine:
        """What is on the engine."""
        return Engine(self.real.client, self.name)

    @property
    def environment(self) -> dict[str, str]:
        """The user's environment: nothing of the tester's own settings of Compose and Tonnage is in it."""
        kept = {
            name: value
            for name, value in self.real.environment.items()
            if not name.startswith(("COMPOSE_", "TONNAGE_")) or name == "TONNAGE_DOCKER"
        }
        if self.temporary is not None:
            self.temporary.mkdir(exist_ok=True)
            kept["TMPDIR"] = str(self.temporary)
        return {
            **kept,
            "TONNAGE_STATE_DIR": str(self.state),
            "TONNAGE_CACHE_DIR": f"{self.state}-cache",
            "TONNAGE_TRACEBACK": "1",
            "COLUMNS": "200",
        }

    def web(self, name: str, text: str, *, run: str = "", cmd: str = SERVES, **keys: Any) -> None:  # noqa: ANN401 - as YAML
        """Add or change a service that serves one page on port 8080 of its container."""
        context = self.directory / name
        context.mkdir(exist_ok=True)
        (context / "index.html").write_text(text)
        lines = ["FROM busybox:latest", f"RUN {run}" if run else "", "COPY index.html /www/index.html", cmd]
        (context / "Dockerfile").write_text("\n".join(line for line in lines if line) + "\n")
        before = self.services.get(name, {"build": f"./{name}", "healthcheck": CHECK, **QUICK})
        self.services[name] = {**before, **keys}
        self.write()

    def write(self) -> None:
        """Write the compose file. JSON is YAML."""
        volumes: dict[str, object] = {
            source: {}
            for service in self.services.values()
            for source in (text.split(":")[0] for text in service.get("volumes", ()))
            if not source.startswith((".", "/"))
        }
        # Compose 1 wants a version and knows no name; the directory has that one.
        named = {} if "version" in self.top else {"name": self.name}
        content = {**named, "services": self.services, "volumes": volumes, **self.top}
        (self.directory / "compose.yaml").write_text(json.dumps(content, indent=1))

    def start(self, *arguments: str, environment: dict[str, str] | None = None) -> Running:
        """Start ``tonnage`` in the project's directory."""
        output = self.directory.with_name(f"output-{self.name}") / str(len(self._started))
        running = Running([TONNAGE, *arguments], self.directory, {**self.environment, **(environment or {})}, output)
        self._started.append(running)
        return running

    def tonnage(self, *arguments: str, within_s: float = 600.0, environment: dict[str, str] | None = None) -> Ended:
        """Run ``tonnage`` in the project's directory to its end."""
        return self.start(*arguments, environment=environment).wait(within_s=within_s)

    def deploy(self, *arguments: str) -> Ended:
        """Deploy, which must succeed."""
        ended = self.tonnage("deploy", *arguments)
        assert ended.exit_code == 0, ended.stderr
        return ended

    def docker(self, *arguments: str, environment: dict[str, str] | None = None) -> str:
        """Run the docker command that Tonnage builds with, as its user would by hand."""
        from tonnage.adapters.docker.tools import Tools  # noqa: PLC0415 - for the one scenario that needs it

        environment = {**self.environment, "DOCKER_BUILDKIT": "1", **(environment or {})}
        program = Tools(environment).need_build().program
        return self._by_hand([program, *arguments], environment).stdout

    def compose(self, *arguments: str) -> str:
        """Run Compose on the project, without what only Tonnage reads."""
        from tonnage.adapters.docker.tools import Tools  # noqa: PLC0415 - for the few scenarios that need it

        environment = self.environment
        plain = {
            name: {key: value for key, value in service.items() if key != "x-tonnage"}
            for name, service in self.services.items()
        }
        file = self.directory / "plain.json"
        file.write_text(json.dumps({"version": "3.7", "services": plain, **self.top}))
        command = [*Tools(environment).need_compose().command, "--project-name", self.name, "--file", str(file)]
        return self._by_hand([*command, *arguments], environment).stderr

    def compose_as_written(self, *arguments: str) -> str:
        """Run Compose in the project's directory as its user would, on the files that are there."""
        from tonnage.adapters.docker.tools import Tools  # noqa: PLC0415 - for the few scenarios that need it

        return self._by_hand([*Tools(self.environment).need_compose().command, *arguments], self.environment).stderr

    def _by_hand(self, command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=600, env=environment, cwd=self.directory
        )

    def runs(self) -> tuple[Run, ...]:
        """Return what the journal tells, newest first."""
        journal = Journal.open_existing(self.state / "journal.sqlite")
        if journal is None:
            return ()
        with journal:
            return journal.runs(100)

    def step(self, name: str) -> StepOutcome:
        """Return one step of the newest run."""
        return next(step for step in self.runs()[0].steps if step.name == name)

    def step_names(self) -> list[str]:
        """Return the names of the steps of the newest run."""
        return [step.name for step in self.runs()[0].steps]

    def close(self) -> None:
        """End what still runs."""
        for running in self._started:
            running.end()
