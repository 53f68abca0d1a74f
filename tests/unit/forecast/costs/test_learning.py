from __future__ import annotations

from tonnage.forecast.costs.layer_costs import layer_cost
from tonnage.forecast.costs.learning import lesson_of, with_lesson
from tonnage.model.forecast.estimate import UNKNOWN, Estimate, Grade, assumed, exactly
from tonnage.model.forecast.learned import LearnedInstruction, learn_key, lesson_keys
from tonnage.model.forecast.sized_effects import Aside, Lesson, SizedEffect, WrittenBytes

TEXT = "RUN make all"
BASE = ("debian:bookworm",)
TAUGHT = LearnedInstruction(
    image=Estimate(97_000_003, 101_000_003, 103_000_003, Grade.LEARNED),
    disk=UNKNOWN,
    transient=Estimate(7, 11, 13, Grade.LEARNED),
    runs=3,
)
OWN = Lesson(taught=TAUGHT, source="measured")
UNREAD = WrittenBytes(name="make", image=assumed(500_000_000), disk=assumed(500_000_000), download=assumed(500_000_000))


def taught_by(service: str, before: tuple[str, ...] | None = BASE, text: str = TEXT) -> dict[str, LearnedInstruction]:
    return {key: TAUGHT for key in lesson_keys(learn_key(service, text, before)) if key}


def test_an_instruction_is_known_again_however_its_blanks_are_written() -> None:
    assert learn_key("shop/web", "RUN  make \\\n  all", BASE) == learn_key("shop/web", TEXT, BASE)
    assert lesson_of(learn_key("shop/web", "RUN make some", BASE), taught_by("shop/web")) is None


def test_what_one_image_store_taught_is_not_taken_for_the_other() -> None:
    assert lesson_of(learn_key("shop/web", TEXT, BASE, "containerd"), taught_by("shop/web")) is None
    taught = {key: TAUGHT for key in lesson_keys(learn_key("shop/web", TEXT, BASE, "containerd")) if key}
    assert lesson_of(learn_key("shop/web", TEXT, BASE), taught) is None
    assert lesson_of(learn_key("shop/web", TEXT, BASE, "containerd"), taught) is not None


def test_a_service_is_taught_by_itself_whatever_was_put_before_the_instruction() -> None:
    learned = lesson_of(learn_key("shop/web", TEXT, ("debian:trixie", "RUN true")), taught_by("shop/web", None))

    assert learned is not None
    assert learned.taught == TAUGHT
    assert not learned.guess


def test_the_same_instructions_on_the_same_image_teach_other_services_with_a_wider_range() -> None:
    learned = lesson_of(learn_key("blog/app", TEXT, BASE), taught_by("shop/web"))

    assert learned is not None
    assert not learned.guess
    assert learned.taught.image.likely_bytes == TAUGHT.image.likely_bytes
    assert learned.taught.image.low_bytes < TAUGHT.image.low_bytes
    assert learned.taught.image.high_bytes > TAUGHT.image.high_bytes
    assert not learned.taught.disk.known


def test_the_same_words_beside_other_files_or_after_other_instructions_teach_a_guess() -> None:
    for before in (None, ("debian:trixie",), (*BASE, "RUN git clone https://example.test/other .")):
        learned = lesson_of(learn_key("blog/app", TEXT, before), taught_by("shop/web"))
        assert learned is not None
        assert learned.guess
    learned = lesson_of(learn_key("blog/app", TEXT, BASE), taught_by("shop/web", None))
    assert learned is not None
    assert learned.guess


def test_what_was_measured_replaces_what_was_assumed() -> None:
    learned = with_lesson(layer_cost((SizedEffect(writes=(UNREAD,)),)), OWN)

    [found] = learned.pieces
    assert found.image == learned.image == TAUGHT.image
    assert found.disk.grade is Grade.LEARNED
    assert found.disk.likely_bytes >= TAUGHT.image.likely_bytes
    assert learned.download.high_bytes <= TAUGHT.image.high_bytes
    assert learned.transient == TAUGHT.transient
    assert learned.visible == (found,)


def test_a_guess_is_likely_but_promises_no_more_than_what_was_assumed() -> None:
    learned = with_lesson(
        layer_cost((SizedEffect(writes=(UNREAD,)),)), Lesson(taught=TAUGHT, guess=True, source="guessed")
    )

    assert learned.image == Estimate(0, TAUGHT.image.likely_bytes, 500_000_000, Grade.UNKNOWN)
    assert learned.transient.grade is not Grade.LEARNED


def test_a_guess_changes_nothing_that_somebody_declared() -> None:
    size = Estimate(90, 100, 110, Grade.DECLARED)
    cost = layer_cost((SizedEffect(writes=(WrittenBytes(name="curl", image=size, disk=size),)),))

    assert with_lesson(cost, Lesson(taught=TAUGHT, guess=True, source="guessed")).disk == size


def test_what_is_exact_keeps_its_figure_and_the_rest_takes_the_difference() -> None:
    wheel = WrittenBytes(name="torch", image=exactly(90_000_001), disk=exactly(90_000_001))

    [first, second] = with_lesson(layer_cost((SizedEffect(writes=(wheel, UNREAD)),)), OWN).pieces

    assert first == wheel
    assert second.image.likely_bytes == 11_000_002


def test_files_of_earlier_layers_that_are_written_again_are_not_counted_twice() -> None:
    earlier = WrittenBytes(name="data", place="/srv/data", image=exactly(60_000_000), disk=exactly(60_000_000))
    cost = layer_cost((SizedEffect(rewrites=("/srv/data",)), SizedEffect(writes=(UNREAD,))), (earlier,))

    assert with_lesson(cost, OWN).image.likely_bytes == TAUGHT.image.likely_bytes


def test_what_stays_beside_the_layer_is_not_counted_into_it() -> None:
    disk = Estimate(101_000_003, 101_000_003, 101_000_003, Grade.LEARNED)
    aside = Aside(key="cache:/root/.npm", name="cache", disk=exactly(40_000_000))
    cost = layer_cost((SizedEffect(writes=(UNREAD,), asides=(aside,)),))

    learned = with_lesson(
        cost, Lesson(taught=LearnedInstruction(image=disk, disk=disk, transient=UNKNOWN, runs=1), source="x")
    )

    assert learned.disk.likely_bytes == 61_000_003


def in_containerd(*, guess: bool = False) -> Lesson:
    taught = LearnedInstruction(
        image=Estimate(101_000_003, 101_000_003, 101_000_003, Grade.LEARNED),
        disk=UNKNOWN,
        transient=UNKNOWN,
        runs=2,
        compressed=Estimate(29_000_011, 29_000_011, 29_000_011, Grade.LEARNED),
    )
    return Lesson(taught=taught, guess=guess, source="measured")


def test_how_far_a_layer_compresses_is_learned_however_well_its_files_are_known() -> None:
    wheel = WrittenBytes(
        name="torch", image=exactly(98_000_017), disk=exactly(101_000_003), compressed=exactly(60_000_011)
    )
    cost = layer_cost((SizedEffect(writes=(wheel,)),))

    learned = with_lesson(cost, in_containerd())

    assert learned.disk == cost.disk
    assert learned.compressed.likely_bytes == 29_000_011
    assert learned.compressed.low_bytes < 29_000_011 < learned.compressed.high_bytes < 33_000_000
    assert learned.compressed.grade is Grade.LEARNED
    # What was tried on the files of now says more than files of earlier.
    assert with_lesson(cost, in_containerd(), tried=True).compressed == cost.compressed


def test_what_an_unread_command_writes_compresses_as_it_did() -> None:
    learned = with_lesson(layer_cost((SizedEffect(writes=(UNREAD,)),)), in_containerd())
    guessed = with_lesson(layer_cost((SizedEffect(writes=(UNREAD,)),)), in_containerd(guess=True))

    assert (learned.disk.likely_bytes, learned.compressed.likely_bytes) == (101_000_003, 29_000_011)
    assert guessed.compressed.likely_bytes == 29_000_011
    assert (guessed.compressed.low_bytes, guessed.compressed.grade) == (0, Grade.UNKNOWN)


def test_an_instruction_that_is_exact_learns_nothing() -> None:
    cost = layer_cost((SizedEffect(writes=(WrittenBytes(name="torch", image=exactly(7), disk=exactly(4096)),)),))

    assert with_lesson(cost, OWN) == cost
