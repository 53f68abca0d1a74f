"""The deliberate faults of ``bench/mutants`` fit the modules that they are meant for, so that the list stays alive."""

from __future__ import annotations

import tomllib
from collections import Counter

from tests.architecture.source_tree import ROOT, SOURCE

LISTED = tomllib.loads((ROOT / "bench" / "mutants" / "faults.toml").read_text())
FAULTS = LISTED["fault"]


def test_what_a_fault_changes_stands_exactly_once_in_its_module() -> None:
    counts = {
        (each["module"], each["old"]): (SOURCE / "tonnage" / each["module"]).read_text().count(each["old"])
        for each in FAULTS
    }
    assert {fault: count for fault, count in counts.items() if count != 1} == {}
    assert not [each["breaks"] for each in FAULTS if each["old"] == each["new"]]


def test_every_dangerous_module_has_its_share_of_faults_and_tests_that_are_there() -> None:
    assert len(FAULTS) == len(counts := {(each["module"], each["old"], each["new"]) for each in FAULTS}) == 64, counts
    assert min(Counter(each["module"] for each in FAULTS).values()) >= 4
    assert {each["module"] for each in FAULTS} == set(LISTED["tests"])
    assert not [path for paths in LISTED["tests"].values() for path in paths if not (ROOT / path).is_file()]
