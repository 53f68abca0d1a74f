"""Runs the steps of a workflow or of a composite action as GitHub's runner does.

Each ``run`` goes to bash as a file, with the files that a step may write (``GITHUB_ENV``, ``GITHUB_OUTPUT``,
``GITHUB_PATH``, ``GITHUB_STEP_SUMMARY``), with conditions, and with the end of a job at the first step that fails.
Steps that use another action are passed over.

Source: GitHub's references "Workflow syntax", "Workflow commands" and "Variables"; a step without a shell is run by
``bash -e``, one with ``shell: bash`` by ``bash --noprofile --norc -eo pipefail``.
"""

from __future__ import annotations

import itertools
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from tests.ci.expressions import Expressions

Part = dict[str, Any]
_FILES = ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")
_STRICT = ["bash", "--noprofile", "--norc", "-eo", "pipefail"]


@dataclass(frozen=True, slots=True)
class StepResult:
    """How a step ended: ``success``, ``failure`` or ``skipped``."""

    name: str
    outcome: str
    exit_code: int = 0
    stdout: str = ""
    stderr: str = ""


@dataclass(slots=True)
class Result:
    """How a job or an action ended."""

    steps: list[StepResult] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    skipped: bool = False

    @property
    def failed(self) -> bool:
        return any(step.outcome == "failure" for step in self.steps)

    def step(self, name: str) -> StepResult:
        return next(step for step in self.steps if step.name == name)

    def ended(self, outcome: str) -> list[str]:
        """Return the names of the steps that ended so."""
        return [step.name for step in self.steps if step.outcome == outcome]

    def told(self) -> str:
        """Return everything that was printed, to be read when a test fails."""
        return "\n".join(
            f"== {step.name}: {step.outcome} {step.exit_code}\n{step.stdout}{step.stderr}" for step in self.steps
        )


@dataclass(slots=True)
class Runner:
    """One runner.

    Args:
        workspace: What was checked out.
        temp: A directory of its own.
        environment: What the machine sets.
        contexts: What expressions see besides: ``vars``, ``secrets``, ``github``, ``inputs``. Variables and secrets are
            those of the job's environment where it has one.
    """

    workspace: Path
    temp: Path
    environment: dict[str, str]
    contexts: dict[str, dict[str, Any]] = field(default_factory=dict)
    without: tuple[str, ...] = ()

    def action(self, file: Path, **inputs: str) -> Result:
        """Run a composite action with these inputs, ``-`` written as ``_``."""
        content = _read(file)
        outside = _Job(self, _extra(self.contexts, "inputs"), {})
        given = {
            name: outside.expressions.text(str(each.get("default", ""))) for name, each in content["inputs"].items()
        }
        for name, value in inputs.items():
            assert name.replace("_", "-") in given, name
            given[name.replace("_", "-")] = value
        job = _Job(self, {"inputs": given, **_extra(self.contexts, "inputs")}, {"GITHUB_ACTION_PATH": str(file.parent)})
        for step in content["runs"]["steps"]:
            job.run(step)
        job.result.outputs = {name: job.expressions.text(each["value"]) for name, each in content["outputs"].items()}
        return job.result

    def workflow(self, file: Path, **inputs: object) -> dict[str, list[Result]]:
        """Run the jobs of a workflow, one after the other; each with every value of its matrix."""
        content = _read(file)
        given = {}
        dispatch = (content["on"] or {}).get("workflow_dispatch") or {}
        for name, each in dispatch.get("inputs", {}).items():
            given[name] = inputs.get(name, each.get("default"))
        results: dict[str, list[Result]] = {}
        for name, job in content["jobs"].items():
            matrix = (job.get("strategy") or {}).get("matrix") or {}
            rows = matrix.get("include") or [
                dict(zip(matrix, values, strict=True)) for values in itertools.product(*matrix.values())
            ]
            before = [one for each in _names(job.get("needs")) for one in results[each]]
            results[name] = [self._job(content, job, given, row, before) for row in rows]
        return results

    def _job(
        self, content: Part, job: Part, inputs: dict[str, object], row: dict[str, Any], before: list[Result]
    ) -> Result:
        contexts = {"inputs": inputs, "matrix": row, **_extra(self.contexts, "inputs")}
        directory = (job.get("defaults") or {}).get("run", {}).get("working-directory", ".")
        running = _Job(self, contexts, {}, directory)
        running.failed = any(each.failed or each.skipped for each in before)
        # The variables of an environment are known once the job has a runner, not when its condition is looked at.
        early = _Job(self, {**contexts, "vars": {}} if "environment" in job else contexts, {}, directory)
        early.failed = running.failed
        if not early.expressions.holds(job.get("if", "success()")):
            running.result.skipped = True
            return running.result
        running.failed = False
        for variables in (content.get("env"), job.get("env")):
            for name, value in (variables or {}).items():
                running.environment[name] = running.expressions.text(value)
        for step in job["steps"]:
            running.run(step)
        return running.result


class _Job:
    """A job that runs: what its steps left for the next ones."""

    def __init__(
        self, runner: Runner, contexts: dict[str, dict[str, Any]], variables: dict[str, str], directory: str = "."
    ) -> None:
        self.result = Result()
        self.failed = False
        self.environment = {**runner.environment, **variables}
        self.environment |= {"GITHUB_WORKSPACE": str(runner.workspace), "RUNNER_TEMP": str(runner.temp)}
        self.environment |= {"CI": "true", "GITHUB_ACTIONS": "true"}
        self._runner = runner
        self._directory = directory
        self._steps: dict[str, Any] = {}
        everything = {
            "vars": {}, "secrets": {}, "github": {}, "matrix": {}, "inputs": {}, "env": self.environment,
            "runner": {"temp": str(runner.temp)}, **contexts, "steps": self._steps,
        }  # fmt: skip
        self.expressions = Expressions(
            everything,
            {
                "always": lambda: True,
                "success": lambda: not self.failed,
                "failure": lambda: self.failed,
                "cancelled": lambda: False,
            },
        )

    def run(self, step: Part) -> None:
        """Run one step, or pass over it."""
        name = str(step.get("name", step.get("uses", "")))
        if "run" not in step or name in self._runner.without:
            self.result.steps.append(StepResult(name, "skipped"))
            return
        if not self.expressions.holds(str(step.get("if", "success()"))):
            self._end(step, StepResult(name, "skipped"), {})
            return
        place = Path(tempfile.mkdtemp(prefix="runner-", dir=self._runner.temp))
        files = {variable: place / variable for variable in _FILES}
        for file in files.values():
            file.touch()
        script = place / "script.sh"
        script.write_text(self.expressions.text(step["run"]))
        shell = _STRICT if step.get("shell") == "bash" else ["bash", "-e"]
        environment = {
            **self.environment,
            **{key: self.expressions.text(value) for key, value in (step.get("env") or {}).items()},
            **{variable: str(file) for variable, file in files.items()},
        }
        directory = self._runner.workspace / self.expressions.text(step.get("working-directory", self._directory))
        done = subprocess.run(
            [*shell, str(script)],
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        self._take(files)
        outcome = "failure" if done.returncode else "success"
        self._end(
            step, StepResult(name, outcome, done.returncode, done.stdout, done.stderr), _pairs(files["GITHUB_OUTPUT"])
        )

    def _take(self, files: dict[str, Path]) -> None:
        self.environment.update(_pairs(files["GITHUB_ENV"]))
        for line in files["GITHUB_PATH"].read_text().splitlines():
            self.environment["PATH"] = f"{line}:{self.environment['PATH']}"
        self.result.summary += files["GITHUB_STEP_SUMMARY"].read_text()

    def _end(self, step: Part, ended: StepResult, outputs: dict[str, str]) -> None:
        self.result.steps.append(ended)
        if "id" in step:
            self._steps[step["id"]] = {"outcome": ended.outcome, "outputs": outputs}
        if ended.outcome == "failure" and not step.get("continue-on-error"):
            self.failed = True


def _pairs(file: Path) -> dict[str, str]:
    """Read ``NAME=VALUE`` lines, and values of several lines between delimiters."""
    found: dict[str, str] = {}
    lines = iter(file.read_text().splitlines())
    for line in lines:
        name, sign, end = line.partition("<<")
        if sign and "=" not in name:
            found[name] = "\n".join(iter(partial(next, lines), end))
            continue
        name, sign, value = line.partition("=")
        assert sign, f"not NAME=VALUE: {line!r}"
        found[name] = value
    return found


def _read(file: Path) -> Part:
    content: Part = YAML(typ="safe").load(file.read_text())
    return content


def _names(needs: object) -> list[str]:
    return [needs] if isinstance(needs, str) else list(needs or ())  # type: ignore[call-overload]


def _extra(contexts: dict[str, dict[str, Any]], *without: str) -> dict[str, dict[str, Any]]:
    return {name: value for name, value in contexts.items() if name not in without}
