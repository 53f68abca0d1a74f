from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tonnage.decide.reports.generated_files import carried_over, is_ours, is_unchanged, lost_marks, sealed

FRESH = "a: 1\n# keep: mine\nb: 2\n# end: mine\nc: 3\n"
LINES = st.text(st.sampled_from("abc:# \n"), max_size=40).map(lambda text: text + "\n" if text else "")


def test_a_sealed_text_is_ours_and_unchanged() -> None:
    assert is_ours(sealed(FRESH))
    assert is_unchanged(sealed(FRESH))
    assert not is_ours(FRESH)
    assert not is_unchanged(FRESH)


def test_a_change_between_the_marks_is_none_and_one_elsewhere_is() -> None:
    assert is_unchanged(sealed(FRESH).replace("b: 2", "b: 7\nd: 8"))
    assert not is_unchanged(sealed(FRESH).replace("c: 3", "c: 7"))
    assert is_ours(sealed(FRESH).replace("c: 3", "c: 7"))


@given(LINES)
def test_what_stands_between_the_marks_is_carried_over(mine: str) -> None:
    existing = sealed(FRESH).replace("b: 2\n", mine)
    fresh = sealed(FRESH.replace("a: 1", "a: 9"))

    merged = carried_over(fresh, existing)
    assert merged == fresh.replace("b: 2\n", mine)
    assert is_unchanged(merged)


def test_marks_without_a_place_are_told_when_something_stands_between_them() -> None:
    existing = sealed("# keep: gone\nx\n# end: gone\n# keep: empty\n# end: empty\n" + FRESH)

    assert lost_marks(sealed(FRESH), existing) == ("gone",)


def test_marks_of_one_name_keep_what_stands_between_each_of_them() -> None:
    both = "# keep: mine\n# end: mine\nb: 2\n# keep: mine\n# end: mine\n"
    existing = sealed(both).replace("# keep: mine\n", "# keep: mine\nonly: here\n", 1)

    assert carried_over(sealed(both), existing) == existing
    assert lost_marks(sealed(FRESH), existing.replace("b: 2\n# keep: mine\n", "b: 2\n# keep: mine\nx\n")) == ("mine",)
