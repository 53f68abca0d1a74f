"""What --keep means: what a person would mean by it, and in doubt more of it."""

from __future__ import annotations

import pytest

from tonnage.decide.reclaim.choice import narrowed
from tonnage.model.reclaim.candidate import Candidate, CandidateId, CandidateKind, Findings

PLACE = "/mnt/opt/hostedtoolcache/CodeQL/2.23.6"
TOOL = Candidate(
    candidate_id=CandidateId(CandidateKind.PATH, PLACE),
    kind="sdk", name=PLACE, unique_bytes=7, cost_s=1.0, removal_s=1.0,
    reason="CodeQL bundle", paths=(PLACE,),
)  # fmt: skip
IMAGE = Candidate(
    candidate_id=CandidateId(CandidateKind.IMAGE, "sha256:1"),
    kind="image", name="Shop/web:2", unique_bytes=7, cost_s=1.0, removal_s=1.0,
    reason="unused", names=("Shop/web:2",),
)  # fmt: skip


def kept(pattern: str) -> list[str]:
    found = narrowed(Findings(candidates=(TOOL, IMAGE), protected=(), pieces=()), keep=[pattern])
    return [each.kind for each in found.protected]


@pytest.mark.parametrize(
    "pattern",
    [
        "CodeQL", "codeql", "Code*", "2.23.6", "CodeQL bundle", "hostedtoolcache", "*/CodeQL/*", PLACE,
        "/opt/hostedtoolcache", "/opt/hostedtoolcache/CodeQL", "/mnt/opt", "/OPT/*/CodeQL",
    ],
)  # fmt: skip
def test_a_directory_is_meant_by_its_names_and_by_what_it_lies_in(pattern: str) -> None:
    assert kept(pattern) == ["sdk"]


@pytest.mark.parametrize("pattern", ["Shop/web:2", "shop/web", "shop/*", "*/web"])
def test_an_image_is_meant_by_its_name_and_repository(pattern: str) -> None:
    assert kept(pattern) == ["image"]


@pytest.mark.parametrize("pattern", ["Code", "opt/hosted", "/hosted", "web", "2", "ql"])
def test_a_part_of_a_name_means_nothing(pattern: str) -> None:
    assert kept(pattern) == []
