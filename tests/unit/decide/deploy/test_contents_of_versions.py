"""What secrets and configs held is kept by nobody: a version that is gone back to has what they hold now."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.builders import context
from tests.unit.decide.observed import container, image, inventory, service, stack, version

from tonnage.decide.deploy.changes import config_digest, is_configured, with_recorded
from tonnage.decide.deploy.restore import restore_steps
from tonnage.decide.deploy.rollback import plan_rollback
from tonnage.errors import UsageError
from tonnage.model.deploy.plan import Switch
from tonnage.model.deploy.policy import Policy
from tonnage.model.deploy.run import History

if TYPE_CHECKING:
    from tonnage.model.deploy.plan import Plan, Version
    from tonnage.model.inventory import Container
    from tonnage.model.stack import Service, Stack

CONFIG = {"secrets": [{"source": "tok"}], "configs": [{"source": "inline"}]}
IMAGE = image(1, "shop-web:latest", inputs="one")


def at(level: str, *, held: str, inline: str = "same") -> tuple[Service, Stack]:
    web = service(build=None, image="shop-web", config={**CONFIG, "image": "shop-web", "environment": {"LEVEL": level}})
    web = replace(web, contents=(("configs.inline", _digest(inline)), ("secrets.tok", held)))
    shared = {"secrets": {"tok": {"environment": "TOK"}}, "configs": {"inline": {"content": inline}}}
    return web, replace(stack(web), shared=shared)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def proven(level: str, number: int, **contents: str) -> Version:
    web, of = at(level, **contents)
    return replace(version(of, web, IMAGE, "one"), number=number, containers=(f"c{number}",))


def running(config: str, container_id: str = "c2", *, is_proven: bool = True) -> Container:
    web, _ = at("2", held="h")
    return replace(container(web, IMAGE), config_digest=config, container_id=container_id, is_proven=is_proven)


def rollback(first: Version, second: Version, web: Service, of: Stack) -> Plan:
    seen = inventory(images=(IMAGE,), containers=(running(config_digest(web)),))
    return plan_rollback(of, seen, Policy(), History(versions=(first, second)))


def test_a_version_whose_secrets_hold_the_same_comes_back_as_it_was() -> None:
    web, of = at("2", held="one")
    made = rollback(proven("1", 1, held="one"), proven("2", 2, held="one"), web, of)
    switch = next(step for step in made.steps if step.name == "web.switch")
    assert "hold now" not in switch.cause
    recorded = next(step.version for step in made.steps if step.name == "web.good")
    assert recorded is not None
    assert recorded.config_digest == config_digest(at("1", held="one")[0])


def test_what_a_secret_held_is_not_claimed_to_be_back() -> None:
    web, of = at("2", held="two")
    made = rollback(proven("1", 1, held="one"), proven("2", 2, held="two"), web, of)
    switch = next(step for step in made.steps if step.name == "web.switch")
    assert "with what its secrets and configs hold now (tok): their earlier contents are not stored" in switch.cause
    recorded = next(step.version for step in made.steps if step.name == "web.good")
    assert recorded is not None
    assert recorded.config_digest == config_digest(at("1", held="two")[0])


def test_what_stands_in_the_project_comes_back_with_it() -> None:
    web, of = at("2", held="one", inline="second")
    made = rollback(proven("1", 1, held="one", inline="first"), proven("2", 2, held="one", inline="second"), web, of)
    recorded = next(step.version for step in made.steps if step.name == "web.good")
    assert recorded is not None
    assert recorded.config_digest == config_digest(at("1", held="one", inline="first")[0])
    switch = next(step.action for step in made.steps if step.name == "web.switch")
    assert isinstance(switch, Switch)
    assert switch.project["configs"]["inline"] == {"content": "first"}


@pytest.mark.parametrize("services", [(), ("web",)])
@pytest.mark.parametrize(("before", "further"), [(None, ""), ("1", "tonnage rollback --to v1")])
def test_a_version_that_differs_by_what_nobody_keeps_is_not_gone_back_to(
    services: tuple[str, ...], before: str | None, further: str
) -> None:
    web, of = at("2", held="two")
    seen = inventory(images=(IMAGE,), containers=(running(config_digest(web), "c3"),))
    earliest = () if before is None else (proven(before, 1, held="one"),)
    known = History(versions=(*earliest, proven("2", 2, held="one"), proven("2", 3, held="two")))
    with pytest.raises(UsageError, match="v2 differs only by the contents of its secrets and configs") as error:
        plan_rollback(of, seen, Policy(), known, services)
    assert ("--to" in error.value.todo) == bool(further)
    assert further in error.value.todo
    # Whoever asked for all is not told to ask for all.
    assert ("tonnage rollback\n" in error.value.todo) == bool(services)


def test_the_way_back_says_with_what_secrets_hold_now() -> None:
    web, of = at("2", held="two")
    ran = proven("1", 1, held="one")
    back = restore_steps(context(of, web, inventory(images=(IMAGE,)), versions=(ran,)), ran)
    assert back[0].cause.endswith("has to run again, with what its secrets and configs hold now (tok)")
    ran = proven("1", 1, held="two")
    back = restore_steps(context(of, web, inventory(images=(IMAGE,)), versions=(ran,)), ran)
    assert back[0].cause.endswith("has to run again")


def test_containers_that_nobody_proved_are_not_taken_for_having_the_secrets_of_a_version() -> None:
    web, of = at("2", held="one")
    mine = replace(proven("2", 2, held="one"), config_hash="f00d")
    labels = {"com.docker.compose.config-hash": "f00d"}
    made = [replace(running("", each), labels=labels) for each in ("c2", "made-again")]
    seen = with_recorded(of, inventory(images=(IMAGE,), containers=tuple(made)), (mine,))
    assert [is_configured(web, each, seen) for each in seen.containers] == [True, False]
    plain = replace(web, contents=())
    bare = replace(mine, config_digest=config_digest(plain))
    seen = with_recorded(of, inventory(images=(IMAGE,), containers=tuple(made)), (bare,))
    assert [is_configured(plain, each, seen) for each in seen.containers] == [True, True]
