"""Fuzzes subjects in this process: ``python -m tests.fuzz.fuzz --seed 7 --times 1 [SUBJECT...]``.

Prints one line of JSON for each subject. It runs in a process of its own, because what it forbids holds for all that
comes after in a process. Where that ends without having told of a subject, the last number in ``--at`` is the input.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from tests.fuzz.inputs import Bender, number_of, smallest
from tests.fuzz.safety import Safety
from tests.fuzz.subject import LONG_TIMES

from tonnage.errors import TonnageError
from tonnage.escapes import shortened, visible
from tonnage.views.text.error import failure_text

if TYPE_CHECKING:
    from tests.fuzz.subject import Subject

ROOT = Path(__file__).resolve().parents[2]
_MOST_FAULTS = 5
_REFUSED = "refused"
_LONGEST_SHOWN = 300_000


class Fault(Struct, frozen=True):
    """What an input led to that it may not lead to.

    Args:
        kind: The exception, and where it was raised: two inputs with the same kind have the same cause.
        text: The input, made as small as it got.
    """

    kind: str
    text: str


class Told(Struct, frozen=True):
    """What fuzzing a subject told."""

    subject: str
    inputs: int
    refused: int
    faults: tuple[Fault, ...] = ()


class Fuzzer:
    """Reads inputs, and remembers each kind of fault once."""

    def __init__(self, subject: Subject, safety: Safety) -> None:
        self._subject = subject
        self._safety = safety
        self.refused = 0
        self.faults: dict[str, Fault] = {}

    def take_seed(self, text: str) -> None:
        """Read what is right: from what is refused at once, nothing is learned."""
        before = self.refused
        self.take(text)
        if self.refused > before:
            self.faults["refused"] = Fault("it is a seed, and refused", text)

    def take(self, text: str) -> None:
        """Read one input."""
        kind = self._fault(text)
        self.refused += kind == _REFUSED
        if kind and kind != _REFUSED and kind not in self.faults:
            shorter = text if "EndlessError" in kind else smallest(text, lambda each: self._fault(each) == kind)
            self.faults[kind] = Fault(kind, shorter)

    def _fault(self, text: str) -> str:
        """Return the kind of fault that an input leads to; empty where it is read or refused as it should be."""
        try:
            with self._safety.reading(self._subject.reads):
                self._subject.read(text)
        except self._subject.refuses as error:
            return _REFUSED if _is_shown(error) else f"{type(error).__name__} is shown with what is no text"
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - every other one is a fault
            return _kind(error)
        return ""


def _is_shown(error: BaseException) -> bool:
    """Whether a failure is told in text, and not at any length."""
    if not isinstance(error, TonnageError):
        return True
    text = visible(shortened(failure_text(error, width=80)))
    return (
        all(line.isprintable() or not line.isascii() for line in text.replace("\t", " ").split("\n"))
        and len(text) < _LONGEST_SHOWN
    )


def _kind(error: BaseException) -> str:
    """Return an exception and the place in the package that it came through last."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [each for each in frames if "/tonnage/" in each.filename or "/subjects/" in each.filename]
    place = f"{Path(ours[-1].filename).name}:{ours[-1].name}:{ours[-1].lineno}" if ours else ""
    said = str(error)[:200] if type(error).__module__ == "tests.fuzz.safety" else str(error)[:80]
    # Where something endless is interrupted is chance.
    return (
        type(error).__name__ if type(error).__name__ == "EndlessError" else f"{type(error).__name__} in {place}: {said}"
    )


def fuzzed(subject: Subject, safety: Safety, *, seed: int, times: int, at: Path) -> Told:
    """Fuzz one subject: its seeds as they are, and then inputs that are made of them."""
    fuzzer = Fuzzer(subject, safety)
    for text in subject.seeds:
        fuzzer.take_seed(text)
    for text in subject.found:
        fuzzer.take(text)
    bender = Bender(subject.seeds, subject.words)
    count = 0
    with at.open("w", encoding="utf-8") as stream:
        for index in range(max(subject.inputs * times, subject.long_inputs if times >= LONG_TIMES else 0)):
            stream.seek(0)
            stream.write(f"{subject.name} {index:9}\n")
            stream.flush()
            fuzzer.take(bender.bent(number_of(seed, subject.name, index)))
            count += 1
            if len(fuzzer.faults) >= _MOST_FAULTS:
                break
    return Told(
        subject.name, count + len(subject.seeds) + len(subject.found), fuzzer.refused, tuple(fuzzer.faults.values())
    )


def main() -> None:
    """Fuzz what the command line names."""
    # It imports all that is fuzzed, which the tests of the harness itself need nothing of.
    from tests.fuzz.registry import SUBJECTS  # noqa: PLC0415

    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--at", type=Path, required=True)
    parser.add_argument("subjects", nargs="*", default=sorted(SUBJECTS))
    asked = parser.parse_args()
    safety = Safety(ROOT / "src", ROOT / "tests")
    for name in asked.subjects:
        told = fuzzed(SUBJECTS[name], safety, seed=asked.seed, times=asked.times, at=asked.at)
        faults = [{"kind": each.kind, "text": each.text} for each in told.faults]
        sys.stdout.write(
            json.dumps({"subject": told.subject, "inputs": told.inputs, "refused": told.refused, "faults": faults})
            + "\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
