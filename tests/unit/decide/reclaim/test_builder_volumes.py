from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.decide import observed

from tonnage.decide.reclaim.engine_candidates import engine_findings
from tonnage.model.inventory import Volume
from tonnage.model.reclaim.candidate import Builders, Roots

if TYPE_CHECKING:
    from tonnage.model.inventory import Inventory

LEFT = Volume(name="buildx_buildkit_gha0_state", size_bytes=54_000_000_011)
USED = observed.image(1, "moby/buildkit:buildx-stable-1")
BUILDER = replace(observed.container(observed.service(), USED, state="exited"), name="buildx_buildkit_gha0", project="")
NEEDS = Roots(now_s=2_000_000_000.0, builders=Builders())
ONLY = ("builder-volume",)


def with_volumes(*volumes: Volume) -> Inventory:
    return replace(observed.inventory(), volumes=volumes)


def why(inventory: Inventory, needs: Roots = NEEDS, named: tuple[str, ...] = ONLY) -> str:
    """Return why the volume stays; empty when it may go."""
    found = engine_findings(inventory, needs, named=named)
    assert len(found.candidates) + len(found.protected) == 1
    assert {*(each.kind for each in found.candidates), *(each.kind for each in found.protected)} == {"builder-volume"}
    return found.protected[0].reason if found.protected else ""


def test_a_volume_that_a_builder_left_goes_where_it_is_named_and_gives_its_bytes() -> None:
    found = engine_findings(with_volumes(LEFT), NEEDS, named=ONLY)
    assert why(with_volumes(LEFT)) == ""
    assert sum(piece.size_bytes for piece in found.pieces) == LEFT.size_bytes
    assert found.notes == ()


def test_it_never_goes_unnamed_and_a_note_tells_its_bytes() -> None:
    found = engine_findings(with_volumes(LEFT, replace(LEFT, name="buildx_buildkit_x0_state", size_bytes=7)), NEEDS)
    assert not found.candidates
    assert {each.reason for each in found.protected} == {"only with --only builder-volume"}
    assert found.notes == ("2 volumes of builders that are gone hold 54.0 GB: only with --only builder-volume",)


def test_it_stays_while_a_container_of_its_builder_is_there_in_whatever_state() -> None:
    there = replace(observed.inventory(images=(USED,), containers=(BUILDER,)), volumes=(LEFT,))
    found = engine_findings(there, NEEDS, named=ONLY)
    assert [each.reason for each in found.protected if each.kind == "builder-volume"] == [
        "the container buildx_buildkit_gha0 of the builder is there"
    ]


@pytest.mark.parametrize(
    ("builders", "volume", "reason"),
    [
        (Builders(nodes=frozenset({"gha0"})), LEFT, "a builder with the node gha0 is configured"),
        (Builders(unknown="nobody knows"), LEFT, "nobody knows"),
        (Builders(), replace(LEFT, in_use=True), "a container mounts it"),
        (Builders(nodes=frozenset({"gha", "gha01"})), LEFT, ""),
    ],
)
def test_in_doubt_a_builder_is_there(builders: Builders, volume: Volume, reason: str) -> None:
    assert why(with_volumes(volume), replace(NEEDS, builders=builders)) == reason


def test_where_nobody_looked_for_builders_it_stays() -> None:
    assert why(with_volumes(LEFT), Roots(now_s=1.0)) == "it is not known which builders are configured"


@pytest.mark.parametrize("name", ["buildx_buildkit_gha0", "my_state", "buildx_state", "xbuildx_buildkit_gha0_state"])
def test_no_other_volume_is_taken_for_one(name: str) -> None:
    found = engine_findings(with_volumes(replace(LEFT, name=name)), NEEDS, named=ONLY)
    assert [(each.kind, each.reason) for each in found.protected] == [
        ("volume", "volumes are removed only when they are named")
    ]
