from __future__ import annotations

import copy
import dataclasses
import pickle
import re
from dataclasses import FrozenInstanceError, dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tonnage import lazily
from tonnage.lazily import dataclass as ours

if TYPE_CHECKING:
    from collections.abc import Callable


@ours(frozen=True, slots=True)
class Ours:
    """A part."""

    name: str
    size_bytes: int = 7
    labels: dict[str, str] = field(default_factory=dict)
    at_once: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Theirs:
    """A part."""

    name: str
    size_bytes: int = 7
    labels: dict[str, str] = field(default_factory=dict)
    at_once: bool = field(default=False, kw_only=True)


@ours(slots=True, kw_only=True)
class Changing:
    """Counts."""

    count: int = 0


@ours(frozen=True, slots=True)
class Single:
    """Has one field, and checks it."""

    size_bytes: int

    def __post_init__(self) -> None:
        if self.size_bytes < 0:
            raise ValueError(self.size_bytes)


@ours(frozen=True, slots=True)
class Empty:
    """Has no field."""


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (("a",), {}),
        (("a", 3), {"at_once": True}),
        ((), {"name": "a", "labels": {"b": "c"}}),
        ((), {}),
        (("a", 1, {}, True), {}),
        (("a",), {"other": 1}),
        (("a",), {"name": "b"}),
    ],
)
def test_an_instance_is_made_and_shown_as_pythons_own(given: tuple[Any, ...], named: dict[str, Any]) -> None:
    def outcome(kind: Callable[..., object]) -> str:
        try:
            return repr(kind(*given, **named))
        except TypeError as error:
            return str(error)

    assert outcome(Ours).replace("Ours", "Theirs") == outcome(Theirs)
    assert outcome(Ours).replace("Ours", "Theirs") == outcome(Theirs)


def test_equal_fields_of_one_class_are_equal_and_hash_alike() -> None:
    assert Ours("a") == Ours("a", 7)
    assert Ours("a") != Ours("b")
    theirs: object = Theirs("a")
    assert Ours("a") != theirs
    assert Single(3) == Single(3)
    assert hash(Single(3)) == hash(Single(3))
    assert Empty() == Empty()
    assert len({Empty(), Empty()}) == 1
    with pytest.raises(TypeError, match="unhashable"):
        hash(Ours("a"))
    with pytest.raises(TypeError, match="unhashable"):
        hash(Changing())


def test_what_is_made_for_one_instance_is_not_shared_with_another() -> None:
    assert Ours("a").labels is not Ours("a").labels


def test_a_frozen_instance_refuses_to_change_also_before_any_was_made() -> None:
    @ours(frozen=True, slots=True)
    class Fresh:
        """Was never made."""

        name: str

    bare = object.__new__(Fresh)
    for one in (bare, Fresh("a")):
        with pytest.raises(FrozenInstanceError):
            setattr(one, "name", "b")  # noqa: B010 - types know that it cannot be set
        with pytest.raises(FrozenInstanceError):
            delattr(one, "name")
    assert Changing(count=1) != Changing(count=2)
    changing = Changing()
    changing.count += 2
    assert changing == Changing(count=2)


def test_pythons_own_functions_for_dataclasses_work() -> None:
    one = Ours("a", labels={"b": "c"})
    assert dataclasses.replace(one, size_bytes=11) == Ours("a", 11, {"b": "c"})
    assert dataclasses.asdict(one) == dataclasses.asdict(Theirs("a", labels={"b": "c"}))
    assert [each.name for each in dataclasses.fields(Ours)] == [each.name for each in dataclasses.fields(Theirs)]
    assert copy.copy(one) == copy.deepcopy(one) == one
    assert pickle.loads(pickle.dumps(Single(3))) == Single(3)
    match one:
        case Ours(name, 7):
            assert name == "a"
        case _:
            pytest.fail("it has no places for patterns")


def test_what_a_class_checks_of_itself_is_checked() -> None:
    with pytest.raises(ValueError, match="-1"):
        Single(-1)


def test_what_a_class_defines_itself_stays() -> None:
    @ours(frozen=True, slots=True)
    class Named:
        """Compares by its first letter."""

        name: str

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Named) and self.name[:1] == other.name[:1]

        def __hash__(self) -> int:
            return hash(self.name[:1])

        def __repr__(self) -> str:
            return self.name

    assert Named("ab") == Named("ac")
    assert len({Named("ab"), Named("ac")}) == 1
    assert repr(Named("ab")) == "ab"


def test_a_regular_expression_is_compiled_when_it_is_first_asked() -> None:
    compiled: list[object] = []
    wrong = lazily.regex("(")
    with pytest.raises(re.error):
        wrong.match("(")
    found = lazily.regex(r"(?P<letter>[a-z])\d", re.IGNORECASE)
    for _ in range(2):
        match = found.fullmatch("A1")
        assert match is not None
        compiled.append(match.re)
    assert compiled[0] is compiled[1]
    assert found.sub("-", "a1b2") == "--"
    assert found.flags & re.IGNORECASE


def test_a_constructor_is_written_when_the_first_instance_is_made() -> None:
    @ours(frozen=True, slots=True)
    class Fresh:
        """Was never made."""

        name: str

    before = Fresh.__init__
    Fresh("a")
    assert Fresh.__init__ is not before
    assert Fresh.__init__.__qualname__.endswith("Fresh.__init__")
