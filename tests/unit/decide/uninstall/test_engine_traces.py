"""What of an engine ``uninstall`` removes, and what never."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.views.samples import INVENTORY

from tonnage.decide.uninstall.engine_traces import engine_traces, freeable_bytes
from tonnage.model.deploy.image_names import is_ours
from tonnage.model.inventory import Container, Image, Layer
from tonnage.model.reports.traces import TraceKind

if TYPE_CHECKING:
    from tonnage.model.inventory import Inventory
    from tonnage.model.reports.traces import Trace

ID = "sha256:" + "7" * 64
OURS = "localhost/tonnage/hello/web:v1-0123456789ab"
SHARED = f"localhost/tonnage/shared:{'a' * 24}"


def image(
    *references: str,
    image_id: str = ID,
    layers: tuple[tuple[str, int], ...] = (("own", 1_009),),
    digests: tuple[str, ...] = (),
    only_here: bool = False,
) -> Image:
    found = tuple(Layer(chain_id=chain, diff_id=chain, size_bytes=size) for chain, size in layers)
    size_bytes = sum(size for _, size in layers)
    return Image(
        image_id=image_id,
        references=references,
        layers=found,
        size_bytes=size_bytes,
        unique_bytes=size_bytes,
        shared_bytes=0,
        digests=digests,
        only_here=only_here,
    )


def inventory(*images: Image, containers: tuple[Container, ...] = ()) -> Inventory:
    return replace(INVENTORY, images=images, containers=containers)


def only(seen: Inventory) -> Trace:
    [trace] = engine_traces(seen)
    return trace


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        (OURS, True),
        ("localhost/tonnage/hello/web:v17", True),
        ("localhost/tonnage/hello/web:withdrawn-v2-0123456789ab", True),
        ("localhost/tonnage/hello/web:v2-0123456789ab.record", True),
        ("localhost/tonnage/hello/web:candidate", True),
        ("localhost/tonnage/hello/web:unproven", True),
        ("localhost/tonnage/hello:adopted-0123456789ab.record", True),
        (SHARED, True),
        ("localhost/tonnage/hello/web:latest", False),
        ("localhost/tonnage/hello:v1.2", False),
        ("localhost/tonnage_web:v1", False),
        ("example.org/tonnage/hello/web:v1", False),
        ("tonnage:v1", False),
    ],
)
def test_only_names_that_tonnage_gives_are_ours(name: str, ours: bool) -> None:  # noqa: FBT001 - a case
    assert is_ours(name) is ours
    assert bool(engine_traces(inventory(image(name)))) is ours


def test_an_image_that_has_names_of_ours_alone_goes_with_all_of_them() -> None:
    trace = only(inventory(image(OURS, SHARED)))
    assert (trace.kind, trace.names, trace.stays) == (TraceKind.IMAGE, (OURS, SHARED), "")


def test_an_image_with_another_name_stays_and_loses_only_ours() -> None:
    trace = only(inventory(image(OURS, "hello-web:latest")))
    assert (trace.kind, trace.name) == (TraceKind.NAME, OURS)
    assert "hello-web:latest" in trace.about


def test_an_image_that_a_registry_has_by_its_digest_stays() -> None:
    digest = f"example.org/web@{ID}"
    assert only(inventory(image(OURS, digests=(digest,)))).kind is TraceKind.NAME
    local = only(inventory(image(OURS, digests=(digest,), only_here=True)))
    assert (local.kind, local.names) == (TraceKind.IMAGE, (OURS, digest))


@pytest.mark.parametrize("state", ["running", "exited", "created"])
def test_an_image_that_a_container_uses_stays_with_its_name(state: str) -> None:
    user = Container(container_id="1", name="hello-web-1", image_id=ID, project="hello", service="web", state=state)
    trace = only(inventory(image(OURS), containers=(user,)))
    assert trace.stays == "the container hello-web-1 uses it"


def test_a_container_of_a_check_that_was_cut_short_goes_first_with_its_image() -> None:
    left = Container(container_id="9", name="hello-web-candidate", image_id=ID, project="hello", service="web")
    candidate = "localhost/tonnage/hello/web:candidate"
    traces = engine_traces(inventory(image(candidate), containers=(left,)))
    assert [(each.kind, each.name, each.stays) for each in traces] == [
        (TraceKind.CONTAINER, "hello-web-candidate", ""),
        (TraceKind.IMAGE, candidate, ""),
    ]


def test_a_container_of_that_name_that_is_no_check_stays() -> None:
    other = Container(
        container_id="9", name="hello-web-candidate", image_id=ID, project="hello", service="web-candidate"
    )
    nobody = replace(other, project="", service="")
    assert engine_traces(inventory(containers=(other, nobody))) == ()


def test_layers_that_something_else_has_are_not_given_back() -> None:
    going = image(OURS, layers=(("base", 5_003), ("own", 1_009)))
    more = image(SHARED, image_id="sha256:" + "8" * 64, layers=(("base", 5_003), ("wheels", 211)))
    base = image("base:1", image_id="sha256:" + "9" * 64, layers=(("base", 5_003),))
    alone, beside = inventory(going, more), inventory(going, more, base)
    assert freeable_bytes(alone, engine_traces(alone)) == 5_003 + 1_009 + 211
    assert freeable_bytes(beside, engine_traces(beside)) == 1_009 + 211
