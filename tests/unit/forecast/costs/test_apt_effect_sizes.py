"""What apt's own commands need for a moment and leave."""

from __future__ import annotations

import pytest

from tonnage.forecast.costs.effect_sizes import InstructionEffects, sized_effects
from tonnage.model.forecast.debian_package import AptForecast, Chosen
from tonnage.model.forecast.effects import AptInstall, AptRemove
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade
from tonnage.model.stack import Place

DEBS = Estimate(2_000_003, 2_000_003, 2_000_003, Grade.DECLARED)
CACHES = Estimate(68_000_000, 80_000_000, 92_000_000, Grade.DECLARED)


def transient(*, caches: Estimate, keeps_debs: bool, downloads_only: bool = False) -> tuple[int, int]:
    """Return the likely and the high figure of what an install needs on top."""
    brought = AptForecast(
        image=DEBS,
        disk=DEBS,
        debs=DEBS,
        caches=caches,
        packages=(Chosen(name="nginx", version="1", installed_bytes=1_000_003, deb_bytes=500_009),),
    )
    effect = AptInstall(
        command="apt-get install nginx",
        place=Place(file="Dockerfile", line=2),
        packages=("nginx",),
        downloads_only=downloads_only,
    )
    (sized,) = sized_effects([effect], InstructionEffects(packages={0: brought}, keeps_debs=keeps_debs))
    return sized.transient.likely_bytes, sized.transient.high_bytes


@pytest.mark.parametrize(
    ("keeps_debs", "fetched_bytes"), [(True, 0), (False, 2_000_003)], ids=["files stay", "files go"]
)
def test_one_of_apts_caches_is_there_twice_at_the_end_of_an_install(*, keeps_debs: bool, fetched_bytes: int) -> None:
    assert transient(caches=CACHES, keeps_debs=keeps_debs) == (40_000_000 + fetched_bytes, 46_000_000 + fetched_bytes)


def test_an_image_whose_apt_keeps_no_caches_needs_no_room_for_them() -> None:
    assert transient(caches=NOTHING, keeps_debs=True) == (0, 0)


def test_fetching_alone_writes_no_cache_anew() -> None:
    assert transient(caches=CACHES, keeps_debs=True, downloads_only=True) == (0, 0)


def test_a_removal_in_an_instruction_of_its_own_writes_the_records_anew_and_costs_them() -> None:
    place = Place(file="Dockerfile", line=3)
    purge = AptRemove(command="apt-get purge -y git", place=place, packages=("git",))
    clean = AptRemove(command="apt-get autoremove -y", place=place)
    install = AptInstall(command="apt-get install git", place=place, packages=("git",))

    def written(*effects: AptInstall | AptRemove, keeps: bool = False) -> list[int]:
        sized = sized_effects(effects, InstructionEffects(keeps_debs=keeps))
        return [piece.image.likely_bytes for each in sized for piece in each.writes if "records" in piece.name]

    assert written(purge, clean) == [1_500_000]
    assert written(purge, clean, keeps=True) == [42_000_000]
    assert written(install, purge) == []
