"""Tables of reclaim and doctor at the width of a terminal: no line longer, no word broken, nothing lost."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tonnage.model.reclaim.candidate import Candidate, CandidateId, CandidateKind, Findings, Protected
from tonnage.model.reclaim.outcome import ReclaimChoice
from tonnage.model.reports.checklist import Item, ItemState
from tonnage.views.text.checks import Check, checks_text, items_text
from tonnage.views.text.forecast import _shortened
from tonnage.views.text.layout import folded
from tonnage.views.text.reclaim import choice_text

WHY = "no container uses it and no stack on this engine names it"
BREAKS = "containers that are started from it by hand"
BACK = "pulled again from its registry, 412 MB"
CHOICE = ReclaimChoice(
    available_bytes=3_000_000_007,
    target_bytes=14_000_000_003,
    chosen=(
        Candidate(
            candidate_id=CandidateId(CandidateKind.IMAGE, "i"), kind=CandidateKind.IMAGE, name="ghcr.io/acme/old:1.2.3",
            unique_bytes=412_000_001, cost_s=7.0, removal_s=0.1, reason=WHY, breaks=BREAKS, back=BACK,
        ),
    ),
    freed_bytes=412_000_001,
    findings=Findings(
        protected=(
            Protected(
                candidate_id=CandidateId(CandidateKind.IMAGE, "j"), kind=CandidateKind.IMAGE, name="ghcr.io/acme/web:2",
                reason="the container shop-web-1 of the stack shop uses it, and a rollback would go back to it",
                size_bytes=5,
            ),
        ),
        notes=("directories that only root may read were left out, as nobody here may look into them",),
    ),
)  # fmt: skip
CHECKS = (
    Check(name="engine", state="failed", found="no permission on the engine's socket /run/docker.sock", todo=WHY),
    Check(name="disk", state="failed", found="no permission on the engine's socket /run/docker.sock", todo=WHY),
    Check(name="needed", state="ok", found="networks, volumes, files and devices exist; names and ports are free"),
    Check(name="compose", state="ok", found="same"),
    Check(name="builder", state="ok", found="same"),
)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_longer_than_the_terminal_and_no_word_is_broken(width: int) -> None:
    for text, whole in (
        (choice_text(CHOICE, mount="/", width=width), choice_text(CHOICE, mount="/")),
        (checks_text(CHECKS, width=width), checks_text(CHECKS)),
    ):
        assert max(map(len, text.splitlines())) <= width
        assert sorted(text.split()) == sorted(whole.split())


def test_where_there_is_room_a_row_stays_one_line() -> None:
    [line] = [line for line in choice_text(CHOICE, mount="/", width=300).splitlines() if "acme/old" in line]
    assert f"{WHY}; effect: {BREAKS}; recreated by: {BACK}" in line


def test_what_two_checks_found_alike_is_written_once() -> None:
    lines = checks_text(CHECKS).splitlines()
    assert sum("no permission" in line for line in lines) == 1
    assert sum(WHY in line for line in lines) == 1
    assert "failed  disk     see engine" in lines
    assert sum(line.endswith("same") for line in lines) == 2


def test_an_item_that_was_never_done_is_to_do_and_not_failed() -> None:
    text = items_text([Item(name="rollback tested", state=ItemState.FAILED, found="never on this machine")])
    assert text == "to do  rollback tested  never on this machine"


def test_how_a_figure_is_known_is_left_out_last() -> None:
    chain = "<- pandas <- Dockerfile:4 (declared)"
    assert _shortened(chain, 40) == chain
    assert _shortened(chain, 34) == "<- ... <- Dockerfile:4 (declared)"
    assert _shortened(chain, 28) == "<- Dockerfile:4 (declared)"


def test_records_that_alone_are_removed_show_what_they_free_together_and_what_is_kept_is_listed_once() -> None:
    records = tuple(
        Candidate(
            candidate_id=CandidateId(CandidateKind.CACHE, f"r{number}"), kind=CandidateKind.CACHE, name=f"r{number}",
            unique_bytes=11, cost_s=0.0, removal_s=0.1, reason="left by a failed run", breaks="", back="no need to",
        )
        for number in range(4)
    )  # fmt: skip
    choice = replace(CHOICE, chosen=records, freed_bytes=90_211)
    told = choice_text(choice, mount="/")
    assert "  90.2 kB  0.0 s  cache  4 records" in told
    assert "kept:" in told
    with_an_image = replace(choice, chosen=(*records, *CHOICE.chosen))
    assert any(line.split()[:2] == ["44", "B"] for line in choice_text(with_an_image, mount="/").splitlines())
    assert "kept:" not in choice_text(choice, mount="/", again=True)


@pytest.mark.parametrize("figure", ["25 s", "2.71 GB", "1 min 59 s", "5 %"])
@pytest.mark.parametrize("width", range(24, 40))
def test_a_figure_and_its_unit_stay_on_one_line(figure: str, width: int) -> None:
    lines = folded([f"two to build, one to switch; {figure} and {figure} more"], width)
    assert sum(line.count(figure) for line in lines) == 2
    assert " ".join(line.strip() for line in lines) == f"two to build, one to switch; {figure} and {figure} more"
