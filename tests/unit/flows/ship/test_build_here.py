from __future__ import annotations

from tonnage.flows.ship.build_here import built_for
from tonnage.model.stack import BuildSpec, Dependency, Service, Stack


def service(name: str, *needs: str, built: bool = True) -> Service:
    depends_on = tuple(Dependency(service=each) for each in needs)
    return Service(name=name, image=name, build=BuildSpec(context="/x") if built else None, depends_on=depends_on)


STACK = Stack(
    name="shop",
    directory="/srv",
    files=(),
    services=(service("base"), service("api", "base", "db"), service("db", built=False), service("web", "api")),
)


def test_what_a_deploy_starts_is_built_and_no_more() -> None:
    assert built_for(STACK, ("web",)) == ("base", "api", "web")
    assert built_for(STACK, ("base",)) == ("base",)
    assert built_for(STACK, ("db",)) == ()
    assert built_for(STACK, ()) == ("base", "api", "web")
