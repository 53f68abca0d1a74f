"""Dependencies first, otherwise as written."""

from __future__ import annotations

import pytest

from tonnage.decide.deploy.changes import in_order
from tonnage.errors import UsageError
from tonnage.model.stack import BuildSpec, Dependency, Place, Service, Stack


def stack(**needs: tuple[str, ...]) -> Stack:
    services = tuple(
        Service(
            name=name,
            image=f"{name}:1",
            depends_on=tuple(Dependency(service=other) for other in others),
            place=Place("compose.yaml", 7),
        )
        for name, others in needs.items()
    )
    return Stack(name="shop", directory="/srv/shop", files=(), services=services)


def names(of: Stack, *wanted: str) -> list[str]:
    return [service.name for service in in_order(of, wanted or [service.name for service in of.services])]


def test_services_that_do_not_depend_on_each_other_stay_as_written() -> None:
    assert names(stack(c=(), a=(), b=())) == ["c", "a", "b"]


def test_a_dependency_comes_before_what_needs_it() -> None:
    assert names(stack(web=("api",), api=("db",), db=())) == ["db", "api", "web"]


def test_what_an_image_is_built_on_comes_before_it() -> None:
    services = (
        Service(name="web", image="web:1", build=BuildSpec(context="/web", built_on=("base",))),
        Service(name="base", image="base:1", build=BuildSpec(context="/base")),
    )
    assert names(Stack(name="shop", directory="/srv/shop", files=(), services=services)) == ["base", "web"]


def test_order_is_kept_through_a_dependency_that_is_not_wanted() -> None:
    assert names(stack(web=("api",), api=("db",), db=()), "web", "db") == ["db", "web"]


def test_a_circle_is_named_with_its_place() -> None:
    with pytest.raises(UsageError) as caught:
        names(stack(a=("b",), b=("c",), c=("a",)))
    assert "a -> b -> c -> a" in caught.value.what
    assert caught.value.place == "compose.yaml:7"
