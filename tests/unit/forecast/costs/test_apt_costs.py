from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.costs.apt.costs import apt_forecast, choose
from tonnage.model.forecast.base_image import AptState
from tonnage.model.forecast.debian_package import DebPackage, ListBytes, Relation, newest_first
from tonnage.model.forecast.estimate import NOTHING, Grade

if TYPE_CHECKING:
    from collections.abc import Sequence


def needs(*names: str) -> tuple[tuple[Relation, ...], ...]:
    """Each name is one need; ``a|b`` are alternatives, ``a>=2`` is a version."""
    return tuple(tuple(relation(each) for each in name.split("|")) for name in names)


def relation(text: str) -> Relation:
    for operator in (">=", "<<", "="):
        name, found, version = text.partition(operator)
        if found:
            return Relation(name, operator, version)
    return Relation(text)


def package(name: str, version: str = "1", **fields: object) -> DebPackage:
    return replace(DebPackage(name=name, version=version, installed_bytes=7_919, deb_bytes=1_009), **fields)


class Index:
    """Packages in memory."""

    def __init__(self, *packages: DebPackage, releases: dict[str, str] | None = None) -> None:
        self._packages = packages
        self._releases = releases or {}

    def candidates(self, name: str, release: str = "") -> Sequence[DebPackage]:
        found = [each for each in self._packages if each.name == name]
        allowed = [each for each in found if self._releases.get(each.version, release) == release]
        newest = sorted(allowed, key=lambda each: newest_first(each.version))
        return sorted(newest, key=lambda each: self._releases.get(each.version) != release)

    def providers(self, name: str) -> Sequence[DebPackage]:
        return [each for each in self._packages if any(given.name == name for given in each.provides)]

    def usual(self) -> Sequence[DebPackage]:
        return [each for each in self._packages if each.essential]

    def lists(self) -> ListBytes:
        return ListBytes()


def state(**installed: str) -> AptState:
    return AptState(installed={"dpkg": "1", **installed})


def names(index: Index, *wanted: str, there: AptState | None = None, **options: bool | str) -> list[str]:
    choice = choose(index, wanted, there or state(), **options)  # type: ignore[arg-type]
    return sorted(f"{each.name}={each.version}" for each in choice.packages)


def test_what_a_package_needs_comes_with_it() -> None:
    index = Index(package("a", depends=needs("b")), package("b", depends=needs("c", "dpkg")), package("c"))
    assert names(index, "a") == ["a=1", "b=1", "c=1"]


def test_what_is_installed_is_not_installed_again_but_brought_up_to_date() -> None:
    index = Index(package("a", depends=needs("b")), package("b"), package("c", "2"))
    assert names(index, "a", "b", there=state(b="1")) == ["a=1"]
    assert names(index, "c", there=state(c="1")) == ["c=2"]
    (chosen,) = choose(index, ["c"], state(c="1")).packages
    assert chosen.upgrade


def test_an_older_version_that_is_not_enough_is_replaced() -> None:
    index = Index(package("a", depends=needs("b>=2")), package("b", "2"))
    assert names(index, "a", there=state(b="1")) == ["a=1", "b=2"]
    assert names(index, "a", there=state(b="3")) == ["a=1"]


def test_the_first_alternative_is_taken_unless_another_is_there() -> None:
    index = Index(package("a", depends=needs("b|c")), package("b"), package("c"))
    assert names(index, "a") == ["a=1", "b=1"]
    assert names(index, "a", there=state(c="1")) == ["a=1"]


def test_a_name_that_is_only_provided_is_satisfied_by_who_provides_it() -> None:
    index = Index(
        package("a", depends=needs("mail")),
        package("heavy", provides=(Relation("mail"),), priority="extra"),
        package("light", provides=(Relation("mail"),), priority="standard"),
    )
    assert names(index, "a") == ["a=1", "light=1"]
    assert names(index, "a", there=AptState(installed={"x": "1"}, provided={"mail": ""})) == ["a=1"]


def test_a_provided_version_has_to_be_enough() -> None:
    index = Index(package("a", depends=needs("tool>=2")), package("tool", "2"))
    there = AptState(installed={"x": "1"}, provided={"tool": "1.5"})
    assert names(index, "a", there=there) == ["a=1", "tool=2"]
    assert names(index, "a", there=replace(there, provided={"tool": "2.5"})) == ["a=1"]


def test_recommended_packages_come_unless_they_are_turned_off() -> None:
    index = Index(package("a", recommends=needs("b", "none")), package("b", depends=needs("c")), package("c"))
    assert names(index, "a") == ["a=1", "b=1", "c=1"]
    assert names(index, "a", recommends=False) == ["a=1"]
    assert names(index, "a", there=replace(state(), recommends=False)) == ["a=1"]
    assert [each.name for each in choose(index, ["a"], state()).packages if each.recommended] == ["b"]


def test_a_version_and_a_release_can_be_named() -> None:
    index = Index(package("a", "1"), package("a", "2"), package("a", "3"), releases={"3": "backports"})
    assert names(index, "a") == ["a=2"]
    assert names(index, "a=1") == ["a=1"]
    assert names(index, "a/backports") == ["a=3"]
    assert names(index, "a", release="backports") == ["a=3"]
    assert names(index, "a:amd64") == ["a=2"]


def test_what_no_source_has_is_told() -> None:
    index = Index(package("a", depends=needs("gone|away")))
    choice = choose(index, ["a", "none", "a=9"], state())
    assert set(choice.missing) >= {"gone | away", "none"}


def test_packages_that_need_each_other_come_once() -> None:
    index = Index(package("a", depends=needs("b")), package("b", depends=needs("a")))
    assert names(index, "a") == ["a=1", "b=1"]


def test_an_alternative_that_conflicts_is_passed_over() -> None:
    index = Index(
        package("a", recommends=needs("b|c")), package("b", conflicts=(Relation("d"),)), package("c"), package("d")
    )
    assert names(index, "a", there=state(d="1")) == ["a=1", "c=1"]


def test_an_upgrade_takes_what_is_newer() -> None:
    index = Index(package("a", "2"), package("b"), package("c", "2"))
    assert names(index, there=state(a="1", b="1"), upgrades=True) == ["a=2"]


def test_of_an_image_that_is_not_known_the_usual_packages_are_assumed() -> None:
    index = Index(
        package("base", essential=True, depends=needs("lib")), package("lib"), package("a", depends=needs("lib"))
    )
    choice = choose(index, ["a"], AptState())
    assert [each.name for each in choice.packages] == ["a"]
    assert choice.assumed
    forecast = apt_forecast(choice, ListBytes(), AptState())
    assert forecast.image.low_bytes < forecast.image.likely_bytes < forecast.image.high_bytes
    assert forecast.notes


def test_what_is_kept_depends_on_how_apt_is_set_up() -> None:
    index = Index(package("a"))
    lists = ListBytes(
        release_bytes=10_007, plain_bytes=50_000_017, translation_bytes=30_000_001, fetched_bytes=9_000_011
    )
    plain = apt_forecast(choose(index, ["a"], state()), lists, state())
    slim = replace(state(), keeps_caches=False, lists_compressed=True, translations=False)
    small = apt_forecast(choose(index, ["a"], slim), lists, slim)
    assert plain.debs.likely_bytes == small.debs.likely_bytes == 1_009
    assert plain.lists.likely_bytes > 80_000_000
    assert 18_000_000 < small.lists.likely_bytes < 19_000_000
    assert plain.caches.likely_bytes > 60_000_000
    assert small.caches == NOTHING
    assert plain.image.grade is Grade.DECLARED
