"""Whatever packages there are: what is chosen is complete, and nothing is chosen without a cause."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.forecast.costs.test_apt_costs import Index

from tonnage.forecast.costs.apt.costs import choose
from tonnage.model.forecast.base_image import AptState
from tonnage.model.forecast.debian_package import DebPackage, Relation

NAMES = [f"p{number}" for number in range(9)]


@st.composite
def packages(draw: st.DrawFn) -> DebPackage:
    relations = st.lists(st.sampled_from(NAMES).map(Relation), min_size=1, max_size=3).map(tuple)
    return DebPackage(
        name=draw(st.sampled_from(NAMES[:7])),
        version="1",
        installed_bytes=draw(st.integers(0, 10_007)),
        depends=tuple(draw(st.lists(relations, max_size=3))),
        recommends=tuple(draw(st.lists(relations, max_size=2))),
        provides=tuple(draw(st.lists(st.sampled_from(NAMES).map(Relation), max_size=1))),
    )


archives = st.lists(packages(), max_size=7, unique_by=lambda package: package.name)
wishes = st.lists(st.sampled_from(NAMES), max_size=3)
present = st.dictionaries(st.sampled_from(NAMES), st.just("1"), max_size=3)


@settings(max_examples=50)
@given(archives, wishes, present)
def test_everything_that_is_needed_is_there_or_is_told_to_be_missing(
    archive: list[DebPackage], wanted: list[str], installed: dict[str, str]
) -> None:
    by_name = {package.name: package for package in archive}
    choice = choose(Index(*archive), wanted, AptState(installed={"dpkg": "1", **installed}))
    chosen = {each.name for each in choice.packages}
    there = chosen | set(installed)
    # What is installed is what the archive has: it provides the same.
    names = there | {given.name for each in there & set(by_name) for given in by_name[each].provides}
    for name in chosen:
        for alternatives in by_name[name].depends:
            told = " | ".join(relation.name for relation in alternatives) in choice.missing
            assert told or names & {relation.name for relation in alternatives}


@settings(max_examples=50)
@given(archives, wishes, present)
def test_each_package_has_a_cause_and_none_is_installed_twice(
    archive: list[DebPackage], wanted: list[str], installed: dict[str, str]
) -> None:
    choice = choose(Index(*archive), wanted, AptState(installed={"dpkg": "1", **installed}))
    chosen = [each.name for each in choice.packages]
    assert len(chosen) == len(set(chosen))
    assert not set(chosen) & set(installed)
    assert all(each.because in chosen for each in choice.packages if each.because)


@settings(max_examples=50)
@given(archives, wishes)
def test_without_recommended_packages_there_are_never_more(archive: list[DebPackage], wanted: list[str]) -> None:
    there = AptState(installed={"dpkg": "1"})
    fewer = {each.name for each in choose(Index(*archive), wanted, there, recommends=False).packages}
    assert fewer <= {each.name for each in choose(Index(*archive), wanted, there).packages}


@settings(max_examples=50)
@given(archives, wishes, present)
def test_the_more_is_installed_the_fewer_needed_packages_come(
    archive: list[DebPackage], wanted: list[str], installed: dict[str, str]
) -> None:
    first = choose(Index(*archive), wanted, AptState(installed={"dpkg": "1", **installed}), recommends=False)
    after = {"dpkg": "1", **installed, **{each.name: each.version for each in first.packages}}
    provided = {given.name: given.version for each in archive if each.name in after for given in each.provides}
    second = choose(Index(*archive), wanted, AptState(installed=after, provided=provided), recommends=False)
    assert not second.packages
