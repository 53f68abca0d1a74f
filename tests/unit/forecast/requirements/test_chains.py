"""Who brought a package."""

from __future__ import annotations

from tonnage.forecast.requirements.chains import chains
from tonnage.model.forecast.python_lock import Lock, Target, Wheel
from tonnage.model.forecast.requirements import Requirement, RequirementKind
from tonnage.model.stack import Place


def asked(name: str, line: int | None) -> Requirement:
    return Requirement(text=name, kind=RequirementKind.NAMED, name=name, place=Place("/app/requirements.txt", line))


def lock(*needs: tuple[str, str]) -> Lock:
    names = sorted({name for pair in needs for name in pair})
    wheels = tuple(Wheel(name=name, version="1", filename=f"{name}.whl", url="u") for name in names)
    return Lock(target=Target(python="3.11"), wheels=wheels, needs=needs)


def test_a_package_is_told_with_everything_between_it_and_the_line() -> None:
    found = chains(lock(("sentence-transformers", "torch"), ("torch", "triton")), [asked("Sentence_Transformers", 4)])
    assert found["triton"] == ("torch", "sentence-transformers", "requirements.txt:4")
    assert found["sentence-transformers"] == ("requirements.txt:4",)


def test_the_shortest_way_is_told_and_circles_end() -> None:
    needs = (("a", "b"), ("b", "c"), ("c", "a"), ("d", "c"))
    assert chains(lock(*needs), [asked("a", 1), asked("d", None)])["c"] == ("d", "requirements.txt")


def test_what_no_line_asks_for_is_told_by_its_file_where_that_is_known() -> None:
    assert chains(lock(("a", "b")), []) == {}
    assert chains(lock(("a", "b")), [], "uv.lock") == {"a": ("uv.lock",), "b": ("uv.lock",)}
