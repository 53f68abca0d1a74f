from __future__ import annotations

from tonnage.decide.deploy.changes import with_what_is_built_on
from tonnage.model.inventory import Inputs
from tonnage.model.stack import BuildSpec, Service, Stack


def _service(name: str, *built_on: str) -> Service:
    build = BuildSpec(context=f"/{name}", built_on=built_on)
    return Service(name=name, image=f"{name}:1", build=build)


STACK = Stack(
    name="shop",
    directory="/srv/shop",
    files=(),
    services=(_service("web", "middle"), _service("middle", "base"), _service("base"), _service("other")),
)


def _digests(**own: str) -> dict[str, str]:
    inputs = {name: Inputs(service=name, digest=digest) for name, digest in own.items()}
    return {name: found.digest for name, found in with_what_is_built_on(STACK, inputs).items()}


def test_a_change_below_changes_all_that_is_built_on_it_and_nothing_else() -> None:
    before = _digests(web="w", middle="m", base="b", other="o")
    after = _digests(web="w", middle="m", base="b2", other="o")

    assert {name for name in before if before[name] != after[name]} == {"web", "middle", "base"}
    assert list(before) == ["web", "middle", "base", "other"]


def test_what_is_built_on_no_other_keeps_its_own_digest() -> None:
    found = _digests(web="w", middle="m", base="b", other="o")
    assert (found["base"], found["other"]) == ("b", "o")
