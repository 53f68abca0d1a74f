#!/usr/bin/env python3
"""How many deliberate faults in the modules where a deploy or a reclaim may do harm the tests catch, without an engine.

    bench/mutants/mutants.py [--only PART-OF-A-MODULE] [--jobs N]

Each fault of faults.toml is put into a copy of the checkout, and the tests of its module are run there; nothing in the
checkout changes. A fault is caught when a test fails, not when the module cannot be imported any more. Prints what
became of each with the test that caught it, and the total; ends with 1 when fewer than 61 of 64 are caught, and with 2
when a fault does not fit its module any more or the tests fail without any. Takes some minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FAULTS = Path(__file__).with_name("faults.toml")
PACKAGE = "src/tonnage"
MOST_MISSED = 3
MOST_S = 120.0
COPIED = ("src", "tests", "examples", "pyproject.toml")
# A journal waits for the disk at every step.
MEMORY = Path("/dev/shm")  # noqa: S108 - below it each run makes a directory of its own
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", "node_modules")


def misfits(faults: list[dict[str, str]]) -> list[str]:
    """Return what is wrong with the list: each old text must stand exactly once in its module."""
    found = []
    for fault in faults:
        count = (ROOT / PACKAGE / fault["module"]).read_text().count(fault["old"])
        if count != 1:
            found.append(f"{fault['module']}: stands there {count} times: {fault['old']!r}")
    return found


def tests_in(copy: Path, paths: list[str]) -> tuple[str, str]:
    """Run tests in a copy.

    Returns:
        What came of it (passed, failed, hung or broken), and the test that failed first.
    """
    # What is installed would be found before the copy; of the plugins only what the settings name is needed.
    environment = {
        **os.environ,
        "PYTHONPATH": f"{copy / 'src'}",
        "PYTHONDONTWRITEBYTECODE": "",
        "TMPDIR": str(copy.parent),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "CI": "1",
    }
    environment.pop("PYTEST_ADDOPTS", None)
    arguments = ["-x", "-q", "-p", "pytest_timeout", "-p", "no:cacheprovider", *paths]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            timeout=MOST_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "hung", ""
    failed = re.search(r"^FAILED \S+::(\S+)", done.stdout, re.MULTILINE)
    if done.returncode == 0:
        return "passed", ""
    if done.returncode == 1 and failed:
        return "failed", failed[1]
    return "broken", (done.stdout + done.stderr)[-2000:]


def copy_of(place: Path) -> Path:
    """Copy what the tests need."""
    place.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=LEFT_OUT)
        else:
            shutil.copy2(source, place / name)
    return place


def try_fault(fault: dict[str, str], paths: list[str], copies: SimpleQueue[Path]) -> tuple[str, str]:
    """Put one fault into a copy that nobody uses now, run the tests, and take it out again."""
    copy = copies.get()
    module = copy / PACKAGE / fault["module"]
    before = module.read_text()
    try:
        _write(module, before.replace(fault["old"], fault["new"]))
        return tests_in(copy, paths)
    finally:
        _write(module, before)
        copies.put(copy)


def _write(module: Path, text: str) -> None:
    """Write a module so that Python does not take what it compiled before for it: by size and time, in seconds."""
    later_s = int(module.stat().st_mtime) + 1
    module.write_text(text)
    os.utime(module, (later_s, later_s))


def main() -> int:
    """Try every fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only faults of modules whose path holds this")
    parser.add_argument("--jobs", type=int, default=2, help="how many are tried at once")
    asked = parser.parse_args()
    listed: dict[str, Any] = tomllib.loads(FAULTS.read_text())
    faults = [each for each in listed["fault"] if asked.only in each["module"]]
    if wrong := misfits(faults):
        print("\n".join(wrong))
        return 2
    began_s = time.monotonic()
    caught = 0
    with tempfile.TemporaryDirectory(prefix="tonnage-mutants-", dir=MEMORY if MEMORY.is_dir() else None) as directory:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(asked.jobs):
            copies.put(copy_of(Path(directory) / str(number)))
        copy = copies.get()
        came, told = tests_in(copy, sorted({path for each in faults for path in listed["tests"][each["module"]]}))
        copies.put(copy)
        if came != "passed":
            print(f"without any fault the tests {came}: {told}")
            return 2
        with ThreadPoolExecutor(asked.jobs) as pool:
            results = pool.map(lambda each: try_fault(each, listed["tests"][each["module"]], copies), faults)
            for number, (fault, (came, told)) in enumerate(zip(faults, results, strict=True), start=1):
                is_caught = came in {"failed", "hung"}
                caught += is_caught
                word = "caught" if is_caught else {"passed": "SURVIVED", "broken": "BROKEN"}[came]
                print(f"{number:3} {word:8} {fault['module']}: {fault['breaks']}", flush=True)
                print(f"             {told if came != 'hung' else 'it never ended'}", flush=True)
    print(f"{caught} of {len(faults)} caught in {time.monotonic() - began_s:.0f} s")
    return int(len(faults) - caught > MOST_MISSED)


if __name__ == "__main__":
    sys.exit(main())
