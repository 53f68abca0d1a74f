"""Every reader of what a stranger wrote takes or refuses whatever it is given.

No other exception, nothing asked, started or written, bounded time and memory. ``--long`` makes a hundred times as many
inputs. A fault is printed with the smallest input that shows it: add that to ``found`` of its subject.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.fuzz.registry import SUBJECTS
from tests.fuzz.subject import LONG_TIMES

ROOT = Path(__file__).resolve().parents[2]
# The short form takes seconds, the long one an hour.
PROCESSES = 2
pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]


@pytest.fixture(scope="module")
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What fuzzing each subject told: by name, with a fault for one whose process ended before it told."""
    # The order of the tests follows from the commit, and so do the inputs.
    seed = int(getattr(request.config.option, "randomly_seed", 1) or 1)
    times = LONG_TIMES if request.config.getoption("--long") else 1
    directory = tmp_path_factory.mktemp("fuzz")

    def run(number: int) -> list[dict[str, Any]]:
        found = []
        left = sorted(SUBJECTS)[number::PROCESSES]
        while left:
            at = directory / f"at-{number}"
            # Without -P, what is imported late would be looked for in the directory of this run.
            command = [sys.executable, "-P", "-W", "error", "-m", "tests.fuzz.fuzz", "--at", str(at)]
            command += ["--seed", str(seed), "--times", str(times), *left]
            surroundings = {
                "PATH": os.defpath,
                "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}",
                "HOME": str(directory),
            }
            done = subprocess.run(
                command, cwd=directory, env=surroundings, capture_output=True, text=True, check=False
            )  # fmt: skip
            answers = [json.loads(line) for line in done.stdout.splitlines()]
            found += answers
            left = left[len(answers) :]
            if left:
                told_last = f"it ended with {done.returncode} at {at.read_text().strip()}: {done.stderr[-2000:]}"
                fault = {"kind": told_last, "text": ""}
                found.append({"subject": left.pop(0), "inputs": 0, "refused": 0, "faults": [fault]})
        return found

    with ThreadPoolExecutor(PROCESSES) as pool:
        return {each["subject"]: each for part in pool.map(run, range(PROCESSES)) for each in part}


@pytest.mark.parametrize("name", sorted(SUBJECTS))
def test_whatever_is_read_is_taken_or_refused(told: dict[str, dict[str, Any]], name: str) -> None:
    faults = [f"{each['kind']}\n    {each['text']!r}" for each in told[name]["faults"]]
    assert not faults, "\n".join(faults)


def test_as_many_inputs_were_read_as_are_promised(
    told: dict[str, dict[str, Any]], request: pytest.FixtureRequest
) -> None:
    is_long = request.config.getoption("--long")
    assert sum(each["inputs"] for each in told.values()) >= (1_000_000 if is_long else 10_000)
    # What people write most is read most.
    of_compose = sum(each["inputs"] for name, each in told.items() if name.startswith("compose file"))
    assert of_compose >= (1_000_000 if is_long else 500)


def test_readers_are_not_always_refusing(told: dict[str, dict[str, Any]]) -> None:
    assert not [name for name, each in told.items() if each["refused"] > 0.95 * each["inputs"]]
