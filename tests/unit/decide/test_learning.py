from __future__ import annotations

from tonnage.decide.learning import learn_key, with_learned
from tonnage.model.build_work import Deed, Piece, StepWork
from tonnage.model.forecast import UNKNOWN, Estimate, Grade, assumed, exactly
from tonnage.model.policy import Taught

TEXT = "RUN make all"
TAUGHT = Taught(
    image=Estimate(97_000_003, 101_000_003, 103_000_003, Grade.LEARNED),
    disk=UNKNOWN,
    transient=Estimate(7, 11, 13, Grade.LEARNED),
    runs=3,
)


def step(*pieces: Piece) -> StepWork:
    return StepWork(line=3, text=TEXT, deeds=(Deed(writes=pieces),), learn_key=learn_key("web", TEXT))


def test_an_instruction_is_known_again_however_its_blanks_are_written() -> None:
    assert learn_key("web", "RUN  make \\\n  all") == learn_key("web", TEXT)
    assert learn_key("worker", TEXT) != learn_key("web", TEXT)
    assert learn_key("web", "RUN make some") != learn_key("web", TEXT)


def test_what_was_measured_replaces_what_was_assumed() -> None:
    piece = Piece(name="make", image=assumed(500_000_000), disk=assumed(500_000_000), download=assumed(500_000_000))

    learned = with_learned(step(piece), {learn_key("web", TEXT): TAUGHT})

    [found] = learned.deeds[0].writes
    assert found.image == TAUGHT.image
    assert found.disk.grade is Grade.LEARNED
    assert found.disk.likely_bytes >= TAUGHT.image.likely_bytes
    assert found.download.high_bytes <= TAUGHT.image.high_bytes
    assert learned.deeds[-1].transient == TAUGHT.transient
    assert "3 earlier builds" in learned.how


def test_what_is_exact_keeps_its_figure_and_the_rest_takes_the_difference() -> None:
    wheel = Piece(name="torch", image=exactly(90_000_001), disk=exactly(90_000_001))
    other = Piece(name="make", image=assumed(500_000_000), disk=assumed(500_000_000))

    [first, second] = with_learned(step(wheel, other), {learn_key("web", TEXT): TAUGHT}).deeds[0].writes

    assert first == wheel
    assert second.image.likely_bytes == 11_000_002


def test_an_instruction_that_is_exact_learns_nothing() -> None:
    work = step(Piece(name="torch", image=exactly(7), disk=exactly(4096)))

    assert with_learned(work, {learn_key("web", TEXT): TAUGHT}) is work


def test_another_instruction_teaches_nothing() -> None:
    work = step(Piece(name="make", image=assumed(7), disk=assumed(7)))

    assert with_learned(work, {learn_key("web", "RUN other"): TAUGHT}) is work
