from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from tests.unit.decide import observed

from tonnage.decide.deploy.planning import plan_deploy
from tonnage.errors import UsageError
from tonnage.model.deploy.policy import Cleanup, Policy
from tonnage.model.deploy.run import History
from tonnage.model.inventory import Filesystem, Inputs
from tonnage.model.stack import Dependency, Place, Port

if TYPE_CHECKING:
    from tonnage.model.deploy.plan import Plan
    from tonnage.model.inventory import Container
    from tonnage.model.stack import Service

WEB = observed.service(
    build=None, ports=(Port(target=80, published="8017"),), place=Place("/srv/shop/compose.yaml", 17)
)
IMAGE = observed.image(1, "shop-web:latest")


def _holder(**changes: object) -> Container:
    other = observed.service("other")
    fields: dict[str, Any] = {"project": "elsewhere", "name": "elsewhere-1", "published": (("", 8017, "tcp"),)}
    return observed.container(other, IMAGE, **(fields | changes))


def _plan(*containers: Container, web: Service = WEB) -> Plan:
    return plan_deploy(
        observed.stack(web), observed.inventory(images=(IMAGE,), containers=containers), Policy(), History()
    )


def test_a_port_that_another_stacks_container_holds_is_refused_before_anything_is_done() -> None:
    with pytest.raises(UsageError) as refused:
        _plan(_holder())
    assert refused.value.what == "web publishes port 8017 of the host, which is taken"
    assert refused.value.why == "It is held by the container elsewhere-1 of the stack elsewhere."
    assert "\n  docker stop elsewhere-1\n" in refused.value.todo
    assert refused.value.place == "/srv/shop/compose.yaml:17"


def test_a_container_of_no_stack_is_named_alone() -> None:
    with pytest.raises(UsageError) as refused:
        _plan(_holder(project="", name="squatter"))
    assert refused.value.why == "It is held by the container squatter."


def test_a_service_that_is_no_more_in_the_stack_still_holds_its_port() -> None:
    with pytest.raises(UsageError, match="taken"):
        _plan(_holder(project="shop", service="old"))


def test_a_port_that_a_service_of_the_stack_lets_go_of_later_is_refused_before_anything_is_done() -> None:
    def moved(held: str, **first: object) -> Plan:
        web = replace(WEB, **first)
        other = observed.service("other", build=None, image=WEB.image, ports=(Port(target=80, published="8018"),))
        holder = observed.container(other, IMAGE, config=held, published=(("", 8017, "tcp"),))
        seen = observed.inventory(images=(IMAGE,), containers=(holder,))
        return plan_deploy(observed.stack(web, other), seen, Policy(), History())

    with pytest.raises(UsageError, match="web publishes port 8017 of the host, which is taken") as refused:
        moved("before it was moved")
    assert refused.value.why == "It is held by the container shop-other-1 of this stack, whose turn comes later."
    assert "\n  docker stop shop-other-1\n" in refused.value.todo
    with pytest.raises(UsageError) as refused:
        moved(observed.container(observed.service("other", build=None, image=WEB.image), IMAGE).config_digest)
    assert "of this stack, which this deploy does not replace" in refused.value.why
    after = (Dependency(service="other"),)
    names = [step.name for step in moved("before it was moved", depends_on=after).steps]
    assert names.index("other.switch") < names.index("web.switch")


@pytest.mark.parametrize(
    "published",
    [(), (("", 8019, "tcp"),), (("", 8017, "udp"),)],
)
def test_another_port_is_nobodys_matter(published: tuple[tuple[str, int, str], ...]) -> None:
    assert _plan(_holder(published=published)).steps


def test_ports_on_different_addresses_do_not_meet() -> None:
    web = observed.service(build=None, ports=(Port(target=80, published="8017", host_ip="192.0.2.1"),))
    assert _plan(_holder(published=(("192.0.2.2", 8017, "tcp"),)), web=web).steps
    for address in ("", "192.0.2.1"):
        with pytest.raises(UsageError, match="taken"):
            _plan(_holder(published=((address, 8017, "tcp"),)), web=web)


def test_the_stacks_own_services_let_go_of_their_ports() -> None:
    running = observed.container(WEB, IMAGE, config="other", published=(("", 8017, "tcp"),))
    assert _plan(running).steps


def test_a_service_that_is_left_alone_is_not_asked_about() -> None:
    running = observed.container(WEB, IMAGE)
    assert not _plan(running, _holder()).steps


def test_a_service_on_the_network_of_the_host_publishes_nothing() -> None:
    web = observed.service(build=None, ports=WEB.ports, network_mode="host")
    assert _plan(_holder(), web=web).steps


def _on(image_store: str, *disks: Filesystem, policy: Policy | None = None) -> Plan:
    seen = observed.inventory(inputs=(Inputs(service="web", digest="i1"),))
    seen = replace(seen, engine=replace(seen.engine, image_store=image_store), filesystems=disks or seen.filesystems)
    return plan_deploy(observed.stack(observed.service()), seen, policy or Policy(), History())


def _disk(mount: str, *roles: str) -> Filesystem:
    return Filesystem(mount=mount, roles=roles, size_bytes=20 * observed.GB, available_bytes=15 * observed.GB)


def test_what_was_learned_in_one_image_store_is_not_taken_for_the_other() -> None:
    classic, there = _on("classic"), _on("containerd", _disk("/images", "containerd"), _disk("/", "data-root"))
    keys, others = ({step.learn_key for step in plan.steps if step.learn_key} for plan in (classic, there))
    assert "shop/web/build-cold" in keys
    assert "shop/web/build-cold@containerd" in others
    assert not keys & others


def test_a_plan_is_for_the_filesystem_where_images_lie() -> None:
    plan = _on("containerd", _disk("/images", "containerd"), _disk("/", "data-root"))
    assert (plan.filesystem, plan.notes) == ("/images", ())


def test_a_plan_says_so_where_nobody_knows_where_images_lie() -> None:
    plan = _on("containerd", _disk("/", "data-root"))
    assert plan.filesystem == "/"
    assert "neither planned nor guarded" in plan.notes[-1]


@pytest.mark.parametrize(
    ("store", "cleanup", "cleaned"),
    [
        ("classic", Cleanup.AUTO, True),
        ("containerd", Cleanup.AUTO, False),
        ("containerd", Cleanup.ALWAYS, True),
        ("classic", Cleanup.ALWAYS, True),
    ],
)
def test_build_cache_stays_after_a_deploy_where_builds_would_run_anew_without_a_part_of_it(
    store: str, cleanup: Cleanup, *, cleaned: bool
) -> None:
    for policy in (Policy(cleanup=cleanup), Policy(cleanup=cleanup, cleanup_after=False)):
        plan = _on(store, _disk("/images", "data-root", "containerd"), policy=policy)
        assert any(step.name == "web.clean" for step in plan.steps) == (cleaned and policy.cleanup_after)
    [build] = [step for step in plan.steps if step.name == "web.build"]
    assert [step.name for step in build.at_reserve] == ["web.give-back"]


@pytest.mark.parametrize("state", ["paused", "restarting"])
def test_what_is_not_serving_is_proven_although_nothing_changed(state: str) -> None:
    web = observed.service(build=None)
    ran = observed.version(observed.stack(web), web, IMAGE, "")
    seen = observed.inventory(images=(IMAGE,), containers=(observed.container(web, IMAGE, state=state),))
    plan = plan_deploy(observed.stack(web), seen, Policy(), History(versions=(ran,)))
    assert [(step.name, step.cause) for step in plan.steps] == [
        ("web.prove", f"nothing changed, but shop-web-1 is {state}")
    ]
