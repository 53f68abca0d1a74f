"""What apt's own commands need for a moment and leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.forecast.commands.effects import effects
from tonnage.forecast.costs.apt.caches import AptLeft
from tonnage.forecast.costs.effect_sizes import InstructionEffects, sized_effects
from tonnage.forecast.costs.layer_costs import layer_cost
from tonnage.model.forecast.debian_package import AptForecast, Chosen
from tonnage.model.forecast.effects import AptClean, AptInstall, AptRemove, AptUpdate, Remove
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade, total
from tonnage.model.stack import Place
from tonnage.sources.dockerfile.parser import read_dockerfile
from tonnage.sources.dockerfile.recipe import recipe

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


CLEAN = AptClean(command="apt-get clean", place=PLACE, archives=True)
UNLIST = AptClean(command="rm -rf /var/lib/apt/lists/*", place=PLACE, lists=True, archives_alone=True)
RM = Remove(command="rm -rf /var/cache/apt", place=PLACE, paths=("/var/cache/apt",))
INSTALL = AptInstall(command="apt-get install nginx", place=PLACE, packages=("nginx",))


@pytest.mark.parametrize(
    ("before", "likely_bytes"),
    [
        ([[UPDATE]], 40_000_000),
        ([[UPDATE, CLEAN]], 80_000_000),
        ([[UPDATE], [RM]], 80_000_000),
        ([[UPDATE, CLEAN], [INSTALL]], 40_000_000),
        ([[CLEAN], [UPDATE]], 40_000_000),
        ([[UPDATE, UNLIST]], 40_000_000),
    ],
)
def test_an_install_writes_both_caches_where_an_earlier_instruction_removed_them(
    before: list[list[AnyEffect]], likely_bytes: int
) -> None:
    left = AptLeft()
    for each in before:
        left = left.then(each)
    brought = AptForecast(image=DEBS, disk=DEBS, debs=DEBS, caches=CACHES)
    sized = sized_effects([INSTALL], InstructionEffects(packages={0: brought}, keeps_debs=True, apt_left=left))[0]
    assert total(each.disk for each in sized.writes if "caches" in each.name).likely_bytes == likely_bytes


@pytest.mark.parametrize(
    ("before", "low_bytes"), [([UPDATE], 0), ([UPDATE, UNLIST], 2_000_003), ([], 2_000_003), ([CLEAN], 2_000_003)]
)
def test_an_update_may_find_the_lists_as_an_earlier_instruction_left_them(
    before: list[AnyEffect], low_bytes: int
) -> None:
    brought = AptForecast(image=DEBS, disk=DEBS, debs=DEBS, lists=DEBS)
    found = InstructionEffects(packages={-1: brought}, apt_left=AptLeft().then(before))
    lists = next(each for each in sized_effects([UPDATE], found)[0].writes if each.name == "package lists")
    assert (lists.disk.low_bytes, lists.disk.high_bytes) == (low_bytes, 2_000_003)


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
    clean = AptRemove(command="apt-get autoremove -y", place=place, unneeded=True)
    install = AptInstall(command="apt-get install git", place=place, packages=("git",))

    def written(*effects: AptInstall | AptRemove, keeps: bool = False) -> list[int]:
        sized = sized_effects(effects, InstructionEffects(keeps_caches=keeps))
        return [piece.image.likely_bytes for each in sized for piece in each.writes if "records" in piece.name]

    assert written(purge, clean) == [1_500_000]
    assert written(purge, clean, keeps=True) == [42_000_000]
    assert written(install, purge) == [600_000]


MADE = {"make": "", "wget": "", "libguile": "make", "libpsl": "wget"}
MARKED = "apt-mark auto '.*' > /dev/null; apt-mark manual $saved > /dev/null"


@pytest.mark.parametrize(
    ("commands", "stay"),
    [
        ("apt-get autoremove -y", "make wget libguile libpsl"),
        ("apt-get purge -y --auto-remove", "make wget libguile libpsl"),
        (f"{MARKED}; apt-get purge -y --auto-remove -o APT::AutoRemove::RecommendsImportant=false", ""),
        (f"{MARKED}; apt-mark manual make; apt-get autoremove -y", "make"),
        ("apt-mark auto make; apt-get autoremove -y", "wget libpsl"),
        ("apt-mark auto make; apt-mark manual make; apt-get autoremove -y", "make wget libguile libpsl"),
        (f"{MARKED}", "make wget libguile libpsl"),
        ("apt-get purge -y --auto-remove make", "wget libpsl"),
        ("apt-get purge -y make; apt-get autoremove -y", "wget libpsl"),
    ],
)
def test_what_was_marked_as_come_for_others_may_go(commands: str, stay: str) -> None:
    each = 1_000_003
    brought = AptForecast(
        image=Estimate(each * 4, each * 4, each * 4, Grade.DECLARED),
        disk=Estimate(each * 4, each * 4, each * 4, Grade.DECLARED),
        debs=DEBS,
        packages=tuple(
            Chosen(name=name, version="1", installed_bytes=each, deb_bytes=9, because=because)
            for name, because in MADE.items()
        ),
    )
    dockerfile = read_dockerfile(f"FROM x\nRUN apt-get install -y make wget; {commands}\n")
    [step] = recipe(dockerfile, target="").stages[0].steps
    told = effects(step)
    sized = sized_effects(told, InstructionEffects(packages={0: brought}))
    packages = [piece for piece in layer_cost(sized).pieces if piece.package]
    assert [piece.package for piece in packages if piece.image.low_bytes] == stay.split()
    assert all(piece.image.likely_bytes == piece.image.low_bytes for piece in packages)
    assert all(piece.image.high_bytes == each for piece in packages)


@pytest.mark.parametrize(
    ("commands", "likely_bytes"),
    [
        ("update install clean purge", 5_000_000),
        ("update install purge clean", 80_000_000),
        ("update install", 80_000_000),
    ],
)
def test_without_lists_apt_writes_its_caches_anew_and_small(commands: str, likely_bytes: int) -> None:
    known: dict[str, AnyEffect] = {
        "update": UPDATE,
        "install": AptInstall(command="apt-get install wget", place=PLACE, packages=("wget",)),
        "clean": AptClean(command="rm -rf /var/lib/apt/lists/*", place=PLACE, lists=True),
        "purge": AptRemove(command="apt-get purge -y wget", place=PLACE, packages=("wget",)),
    }
    told = [known[name] for name in commands.split()]
    brought = AptForecast(image=DEBS, disk=DEBS, debs=DEBS, caches=CACHES)
    pieces = layer_cost(sized_effects(told, InstructionEffects(packages={0: brought, 1: brought}))).pieces
    assert total(piece.disk for piece in pieces if "caches" in piece.name).likely_bytes == likely_bytes
