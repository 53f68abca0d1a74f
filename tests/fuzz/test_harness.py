"""The harness finds what it is there for: each forbidden deed of a reader is a fault, and told once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.fuzz.inputs import Bender, number_of, smallest

ROOT = Path(__file__).resolve().parents[2]
DEEDS = {
    "socket.create_connection(('127.0.0.1', 9), 1)": "ForbiddenError",
    "subprocess.run(['true'])": "ForbiddenError",
    "open('marker', 'w')": "ForbiddenError",
    "open('/etc/hostname')": "ForbiddenError",
    "os.listdir('/')": "ForbiddenError",
    "[0] * 10**9": "MemoryError",
    "loop()": "EndlessError",
    "int('x')": "ValueError",
}
CODE = """
import contextlib, json, os, pathlib, socket, subprocess, sys
sys.path[:0] = [{root!r}, {source!r}]
from tests.fuzz import safety
from tests.fuzz.fuzz import fuzzed
from tests.fuzz.subject import Subject
safety.CPU_S = 0.3
def loop():
    while True: pass
watched = safety.Safety()
def told(deed):
    def read(text):
        if "b" in text:
            # One that takes every exception must be found too.
            with contextlib.suppress(OSError):
                exec(deed)
    subject = Subject(name="x", read=read, seeds=("aaaa",), words=("b",), inputs=60)
    found = fuzzed(subject, watched, seed=1, times=1, at=pathlib.Path("/dev/null"))
    return [(each.kind.split()[0], each.text) for each in found.faults]
print(json.dumps({{deed: told(deed) for deed in {deeds!r}}}))
"""


def test_what_no_reader_may_do_is_found_and_told_with_a_small_input(tmp_path: Path) -> None:
    code = CODE.format(root=str(ROOT), source=str(ROOT / "src"), deeds=list(DEEDS))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert {deed: [kind for kind, _ in faults] for deed, faults in found.items()} == {d: [k] for d, k in DEEDS.items()}
    assert {faults[0][1] for deed, faults in found.items() if DEEDS[deed] != "EndlessError"} == {"b"}
    assert not list(tmp_path.iterdir())


def test_the_same_seed_makes_the_same_inputs() -> None:
    def inputs(seed: int) -> list[str]:
        bender = Bender(["a = 1\nb", '{"c": 2}'])
        return [bender.bent(number_of(seed, "x", index)) for index in range(50)]

    assert inputs(7) == inputs(7) != inputs(8)


def test_the_smallest_input_that_fails_is_found() -> None:
    assert smallest("x" * 400 + "ab" + "y" * 400, lambda text: "a" in text and "b" in text) == "ab"
