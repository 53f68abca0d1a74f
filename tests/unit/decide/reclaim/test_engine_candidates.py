from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.decide import observed

from tonnage.decide.reclaim.choice import decide
from tonnage.decide.reclaim.costs import NOT_TO_BE_HAD_AGAIN_S
from tonnage.decide.reclaim.engine_candidates import engine_findings
from tonnage.errors import CannotReclaimError
from tonnage.model.inventory import CacheRecord
from tonnage.model.reclaim.candidate import CandidateKind, Roots

if TYPE_CHECKING:
    from tonnage.model.inventory import Container, Image, Inventory
    from tonnage.model.reclaim.candidate import Candidate

NOW_S = 1_800_000_000.0
SIZE_BYTES = 52_428_811
NEEDS = Roots(now_s=NOW_S)


def in_containerd(*images: Image, containers: tuple[Container, ...] = ()) -> Inventory:
    there = observed.inventory(images=images, containers=containers)
    return replace(there, engine=replace(there.engine, image_store="containerd", storage_driver="overlayfs"))


def listed(number: int, name: str) -> Image:
    """Return an image as the list of containerd's store has it."""
    image = observed.image(number, f"{name}:1", unique_bytes=SIZE_BYTES)
    return replace(image, digests=(f"{name}@{image.image_id}",), only_here=True, named_s=1.0)


def only(inventory: Inventory, kind: CandidateKind = CandidateKind.IMAGE) -> Candidate:
    [found] = [each for each in engine_findings(inventory, NEEDS).candidates if each.candidate_id.kind is kind]
    return found


def test_an_image_that_no_registry_is_known_to_have_is_never_called_pullable() -> None:
    found = only(in_containerd(listed(1, "training/model")))
    assert "docker pull" not in found.back
    assert found.back.startswith("no registry is known to have it")
    assert "pulled" not in found.breaks
    assert found.cost_s > NOT_TO_BE_HAD_AGAIN_S


def test_an_image_that_a_registry_said_it_has_can_be_pulled() -> None:
    found = only(in_containerd(replace(listed(1, "team/base"), only_here=False)))
    assert found.back == "docker pull team/base:1"
    assert found.cost_s < NOT_TO_BE_HAD_AGAIN_S


def test_what_can_be_pulled_goes_before_what_exists_only_here() -> None:
    pulled = replace(listed(2, "team/base"), only_here=False)
    findings = engine_findings(in_containerd(listed(1, "training/model"), pulled), NEEDS)
    choice = decide(findings, available_bytes=0, target_bytes=SIZE_BYTES - 1)
    assert [each.name for each in choice.chosen] == ["team/base:1"]


def test_a_running_container_whose_image_lost_its_name_keeps_its_layers_and_nothing_else() -> None:
    lost = observed.image(9, "my/loose:1")
    runs = observed.container(observed.service(), lost, project="", image_reference="my/loose:1")
    findings = engine_findings(in_containerd(listed(1, "unused"), containers=(runs,)), NEEDS)
    assert [each.name for each in findings.candidates] == ["unused:1"]
    [kept] = [each for each in findings.protected if each.kind == CandidateKind.IMAGE]
    assert (kept.name, kept.candidate_id.key) == ("my/loose:1", lost.image_id)
    assert "has lost its name" in kept.reason


def test_the_image_that_has_that_name_now_stays_as_well() -> None:
    lost = observed.image(9, "my/loose:1")
    runs = observed.container(observed.service(), lost, project="", image_reference="my/loose:1")
    findings = engine_findings(in_containerd(listed(1, "my/loose"), containers=(runs,)), NEEDS)
    assert findings.candidates == ()


def test_in_the_classic_store_a_running_image_that_is_not_listed_is_a_contradiction() -> None:
    runs = observed.container(observed.service(), observed.image(9, "my/loose:1"), project="")
    with pytest.raises(CannotReclaimError):
        engine_findings(observed.inventory(images=(), containers=(runs,)), NEEDS)


def test_a_record_that_wrote_nothing_gives_its_directories() -> None:
    record = CacheRecord(
        record_id="r", kind="regular", description="WORKDIR /x", size_bytes=0, in_use=False, shared=False
    )
    inventory = replace(observed.inventory(images=()), cache=(record,))
    inventory = replace(inventory, engine=replace(inventory.engine, storage_driver="overlay2"))
    assert [each.size_bytes for each in engine_findings(inventory, NEEDS).pieces] == [40_960]
