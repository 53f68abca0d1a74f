"""What apt's own commands need for a moment and leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.forecast.costs.effect_sizes import InstructionEffects, sized_effects
from tonnage.model.forecast.debian_package import AptForecast, Chosen
from tonnage.model.forecast.effects import AptInstall, AptRemove, AptUpdate
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade, total
from tonnage.model.stack import Place

if TYPE_CHECKING:
    from tonnage.model.forecast.effects import AnyEffect

DEBS = Estimate(2_000_003, 2_000_003, 2_000_003, Grade.DECLARED)
CACHES = Estimate(68_000_000, 80_000_000, 92_000_000, Grade.DECLARED)
PLACE = Place(file="Dockerfile", line=2)
UPDATE = AptUpdate(command="apt-get update", place=PLACE)


def install(
    *, caches: Estimate, keeps_debs: bool, downloads_only: bool = False, updated: bool = True
) -> tuple[Estimate, Estimate]:
    """Return what an install needs on top, and what it leaves of apt's caches."""
    brought = AptForecast(
        image=DEBS,
        disk=DEBS,
        debs=DEBS,
        caches=caches,
        packages=(Chosen(name="nginx", version="1", installed_bytes=1_000_003, deb_bytes=500_009),),
    )
    effect = AptInstall(
        command="apt-get install nginx", place=PLACE, packages=("nginx",), downloads_only=downloads_only
    )
    effects: list[AnyEffect] = [UPDATE, effect] if updated else [effect]
    found = InstructionEffects(packages={len(effects) - 1: brought}, keeps_debs=keeps_debs)
    sized = sized_effects(effects, found)[-1]
    return sized.transient, total(piece.disk for piece in sized.writes if "caches" in piece.name)


@pytest.mark.parametrize(
    ("keeps_debs", "fetched_bytes"), [(True, 0), (False, 2_000_003)], ids=["files stay", "files go"]
)
def test_one_of_apts_caches_is_there_twice_at_the_end_of_an_install(*, keeps_debs: bool, fetched_bytes: int) -> None:
    transient, left = install(caches=CACHES, keeps_debs=keeps_debs)
    assert (transient.likely_bytes, transient.high_bytes) == (40_000_000 + fetched_bytes, 46_000_000 + fetched_bytes)
    assert left == NOTHING


@pytest.mark.parametrize(
    ("keeps_debs", "fetched_bytes"), [(True, 0), (False, 2_000_003)], ids=["files stay", "files go"]
)
def test_one_of_apts_caches_stays_a_second_time_where_an_earlier_instruction_updated(
    *, keeps_debs: bool, fetched_bytes: int
) -> None:
    transient, left = install(caches=CACHES, keeps_debs=keeps_debs, updated=False)
    assert (transient.likely_bytes, transient.high_bytes) == (fetched_bytes, fetched_bytes)
    assert (left.likely_bytes, left.high_bytes) == (40_000_000, 46_000_000)


def test_an_image_whose_apt_keeps_no_caches_needs_no_room_for_them() -> None:
    for updated in (True, False):
        assert install(caches=NOTHING, keeps_debs=True, updated=updated) == (NOTHING, NOTHING)


def test_fetching_alone_writes_no_cache_anew() -> None:
    for updated in (True, False):
        found = install(caches=CACHES, keeps_debs=True, downloads_only=True, updated=updated)
        assert found == (NOTHING, NOTHING)


def test_a_removal_in_an_instruction_of_its_own_writes_the_records_anew_and_costs_them() -> None:
    place = Place(file="Dockerfile", line=3)
    purge = AptRemove(command="apt-get purge -y git", place=place, packages=("git",))
    clean = AptRemove(command="apt-get autoremove -y", place=place)
    install = AptInstall(command="apt-get install git", place=place, packages=("git",))

    def written(*effects: AptInstall | AptRemove, keeps: bool = False) -> list[int]:
        sized = sized_effects(effects, InstructionEffects(keeps_caches=keeps))
        return [piece.image.likely_bytes for each in sized for piece in each.writes if "records" in piece.name]

    assert written(purge, clean) == [1_500_000]
    assert written(purge, clean, keeps=True) == [42_000_000]
    assert written(install, purge) == []
