"""What a deploy needs and does not make is missed before anything is built, all of it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from tests.unit.decide import observed

from tonnage.decide.deploy.needed import build_paths_of, check_needed, paths_of, programs_of
from tonnage.errors import UsageError
from tonnage.model.inventory import Volume
from tonnage.model.network import Network
from tonnage.model.stack import BuildSpec, Mount, Place, Port

if TYPE_CHECKING:
    from tonnage.model.inventory import Inventory
    from tonnage.model.stack import ComposeMapping, Service, Stack

IMAGE = observed.image(1, "shop-web:latest")
EXTERNAL = {"proxy": {"name": "proxy", "external": True}}


def service(config: ComposeMapping | None = None, **changes: Any) -> Service:  # noqa: ANN401 - as the model
    return observed.service(config=config or {}, place=Place("/srv/shop/compose.yaml", 17), **changes)


def stack(web: Service, **shared: ComposeMapping) -> Stack:
    places = (("networks.proxy", Place("/srv/shop/compose.yaml", 23)),)
    return replace(observed.stack(web), shared=shared, shared_places=places)


def seen(**changes: Any) -> Inventory:  # noqa: ANN401 - as the model
    return replace(
        observed.inventory(images=(IMAGE,)),
        networks=tuple(Network(name=name) for name in ("bridge", "host", "none")),
        **changes,
    )


def refused(of: Stack, inventory: Inventory | None = None) -> UsageError:
    with pytest.raises(UsageError) as error:
        check_needed(of, inventory or seen(), {"web"}, {"web"})
    return error.value


def test_an_external_network_is_missed_where_it_is_written_with_the_command_that_makes_it() -> None:
    of = stack(service({"networks": {"proxy": None}}), networks=EXTERNAL)
    error = refused(of)
    assert error.what == "the external network proxy, which web needs, is not on this engine"
    assert error.place == "/srv/shop/compose.yaml:23"
    assert error.todo.endswith("\n  docker network create proxy")
    there = replace(seen(), networks=(Network(name="proxy", network_id="4711"),))
    assert check_needed(of, there, {"web"}) == ()
    # Nothing is started, so nothing is needed.
    assert check_needed(of, seen(), set()) == ()


def test_a_node_of_a_swarm_may_not_see_a_network_that_is_there() -> None:
    inventory = seen()
    inventory = replace(inventory, engine=replace(inventory.engine, swarm=True))
    assert check_needed(stack(service({"networks": {"proxy": None}}), networks=EXTERNAL), inventory, {"web"}) == ()


def test_an_external_volume_is_missed_by_its_own_name() -> None:
    web = service(mounts=(Mount(kind="volume", source="data", target="/data"),))
    of = stack(web, volumes={"data": {"name": "models-17", "external": True}})
    assert refused(of).what == "the external volume models-17, which web needs, is not on this engine"
    assert check_needed(of, seen(volumes=(Volume(name="models-17"),)), {"web"}) == ()
    assert check_needed(stack(web, volumes={"data": {"name": "shop_data"}}), seen(), {"web"}) == ()


def test_everything_that_is_missing_is_told_at_once() -> None:
    web = service(
        {"networks": {"proxy": None}, "devices": ["/dev/video17:/dev/video0:rwm"]},
        mounts=(Mount(kind="volume", source="data", target="/data"),),
    )
    of = stack(web, networks=EXTERNAL, volumes={"data": {"name": "data", "external": True}})
    error = refused(of, seen(missing=frozenset({"/dev/video17"})))
    assert error.what.startswith("3 things that the stack shop needs")
    assert [line.partition(": ")[2].partition(",")[0] for line in error.why.splitlines()] == [
        "the external network proxy", "the external volume data", "the device /dev/video17",
    ]  # fmt: skip
    assert "  docker network create proxy" in error.todo.splitlines()
    assert "  docker volume create data" in error.todo.splitlines()


def bind(**bound: object) -> ComposeMapping:
    return {"volumes": [{"type": "bind", "source": "/srv/app.conf", "target": "/etc/app.conf", "bind": bound}]}


def test_a_mounted_file_is_missed_unless_the_engine_is_to_make_a_directory_of_it_which_is_told() -> None:
    missing = seen(missing=frozenset({"/srv/app.conf"}))
    assert refused(stack(service(bind())), missing).what == (
        "the directory or file /srv/app.conf that is mounted at /etc/app.conf, which web needs, does not exist"
    )
    (note,) = check_needed(stack(service(bind(create_host_path=True))), missing, {"web"})
    assert note.endswith("the engine makes an empty directory of it at /etc/app.conf")
    assert check_needed(stack(service(bind())), seen(), {"web"}) == ()


@pytest.mark.parametrize(
    ("config", "shared", "path"),
    [
        ({"secrets": [{"source": "token"}]}, {"secrets": {"token": {"file": "/srv/token"}}}, "/srv/token"),
        ({"configs": [{"source": "app"}]}, {"configs": {"app": {"file": "/srv/app"}}}, "/srv/app"),
        ({"devices": [{"source": "/dev/kfd", "target": "/dev/kfd"}]}, {}, "/dev/kfd"),
        (
            {"volumes": [{"type": "volume", "source": "data", "target": "/data"}]},
            {"volumes": {"data": {"driver_opts": {"type": "none", "o": "rw,bind", "device": "/srv/data"}}}},
            "/srv/data",
        ),
    ],
)
def test_paths_of_every_kind_are_needed(config: ComposeMapping, shared: ComposeMapping, path: str) -> None:
    of = stack(service(config), **shared)
    assert [need.path for need in paths_of(of, {"web"})] == [path]
    assert path in refused(of, seen(missing=frozenset({path}))).what


def test_what_is_no_path_of_the_machine_is_none_that_is_needed() -> None:
    config = {
        "devices": ["vendor.com/gpu=all"],
        "secrets": [{"source": "token"}],
        "configs": [{"source": "inline"}],
        "volumes": [{"type": "volume", "source": "nfs", "target": "/data"}, {"type": "tmpfs", "target": "/tmp"}],
    }
    shared: dict[str, Any] = {
        "secrets": {"token": {"environment": "TOKEN"}},
        "configs": {"inline": {"content": "a"}},
        "volumes": {"nfs": {"driver_opts": {"type": "nfs", "o": "addr=10.0.0.1,rw", "device": ":/data"}}},
    }
    assert paths_of(stack(service(config), **shared), {"web"}) == ()


def test_the_file_of_a_builds_secret_is_needed_on_this_machine_when_it_is_built() -> None:
    web = service(build=BuildSpec(context="/srv/shop/web", secrets=("id=token,src=/srv/token", "id=other,env=OTHER")))
    of = stack(web)
    assert [need.path for need in build_paths_of(of, {"web"})] == ["/srv/token"]
    missing = seen(missing=frozenset({"/srv/token"}))
    assert "the file /srv/token of a secret" in refused(of, missing).what
    assert check_needed(of, missing, {"web"}, set()) == ()


def test_a_container_of_others_has_to_run_where_its_namespace_is_shared() -> None:
    of = stack(service({"network_mode": "container:gate"}))
    assert refused(of).what == "the container gate, which web names with network_mode, does not exist"
    gate = observed.container(observed.service("gate"), IMAGE, name="gate", project="", state="exited")
    assert refused(of, seen(containers=(gate,))).what.endswith("is exited")
    assert check_needed(of, seen(containers=(replace(gate, state="running"),)), {"web"}) == ()
    volumes = stack(service({"volumes_from": ["container:gate:ro"]}))
    assert check_needed(volumes, seen(containers=(gate,)), {"web"}) == ()


def test_a_fixed_name_that_another_container_has_is_taken() -> None:
    web = service(container_name="front")
    other = observed.container(observed.service("other"), IMAGE, name="front", project="elsewhere")
    assert refused(stack(web), seen(containers=(other,))).what == (
        "the name front, which web gives its container, is taken"
    )
    own = observed.container(web, IMAGE, name="front")
    assert check_needed(stack(web), seen(containers=(own,)), {"web"}) == ()


@pytest.mark.parametrize(
    ("listener", "published", "host_ip", "protocol", "taken"),
    [
        (("", 8017, "tcp"), "8017", "", "tcp", True),
        (("127.0.0.1", 8017, "tcp"), "8017", "", "tcp", True),
        (("", 8017, "tcp"), "8017", "127.0.0.1", "tcp", True),
        (("10.0.0.7", 8017, "tcp"), "8017", "127.0.0.1", "tcp", False),
        (("", 8018, "tcp"), "8017", "", "tcp", False),
        (("", 8017, "tcp"), "8017", "", "udp", False),
        (("", 8017, "udp"), "8017", "", "udp", True),
        (("", 8017, "udp"), "8017", "", "tcp", False),
        (("", 8017, "tcp"), "8010-8020", "", "tcp", False),
    ],
)
def test_a_program_that_listens_on_a_port_has_it(
    listener: tuple[str, int, str], published: str, host_ip: str, protocol: str, *, taken: bool
) -> None:
    web = service(ports=(Port(target=80, published=published, host_ip=host_ip, protocol=protocol),))
    inventory = seen(listening=(listener,))
    if taken:
        assert "port 8017 of the host, which is taken" in refused(stack(web), inventory).what
    else:
        assert check_needed(stack(web), inventory, {"web"}) == ()


def test_a_variable_that_is_not_set_is_missed_for_containers_and_told_for_builds() -> None:
    shared = {"secrets": {"token": {"environment": "TOKEN"}}, "configs": {"app": {"environment": "APP"}}}
    of = stack(service({"secrets": [{"source": "token"}], "configs": [{"source": "app"}]}), **shared)
    error = refused(replace(of, values=(("APP", ""),)))
    assert error.what == "the variable TOKEN is not set, which the secret token of web takes its content from"
    assert check_needed(replace(of, values=(("APP", ""), ("TOKEN", "t"))), seen(), {"web"}) == ()
    built = stack(service(build=BuildSpec(context="/srv/shop/web", secrets=("id=token,env=TOKEN",))))
    (note,) = check_needed(built, seen(), {"web"}, {"web"})
    assert note == "web: the variable TOKEN is not set: the secret token of its build is empty"
    assert check_needed(replace(built, values=(("TOKEN", "t"),)), seen(), {"web"}, {"web"}) == ()


@pytest.mark.parametrize(
    ("config", "shared", "key", "needed"),
    [
        ({"post_start": [{"command": ["true"]}]}, {}, "services.web.post_start", "2.30.0"),
        ({"pre_stop": [{"command": ["true"]}]}, {}, "services.web.pre_stop", "2.30.0"),
        ({"use_api_socket": True}, {}, "services.web.use_api_socket", "2.37.2"),
        ({"networks": {"a": {"gw_priority": 1}}}, {}, "services.web.networks.a.gw_priority", "2.33.1"),
        ({"networks": {"a": {"interface_name": "eth7"}}}, {}, "services.web.networks.a.interface_name", "2.36.0"),
        ({"networks": {"p": None}}, {"networks": {"p": {"enable_ipv4": False}}}, "networks.p.enable_ipv4", "2.33.1"),
        ({"volumes": [{"type": "image", "source": "i", "target": "/i"}]}, {}, "services.web.volumes.0.type", "2.35.0"),
        ({"configs": [{"source": "c"}]}, {"configs": {"c": {"content": "x"}}}, "configs.c.content", "2.23.1"),
    ],
)
def test_a_key_that_the_compose_of_this_machine_would_pass_over_is_refused_with_the_version_it_takes(
    config: ComposeMapping, shared: ComposeMapping, key: str, needed: str
) -> None:
    of = stack(service(config), **shared)
    error = refused(of, replace(seen(), compose="1.29.2"))
    assert error.what == f"{key} needs Docker Compose {needed}, and 1.29.2 is installed"
    assert error.place.startswith("/srv/shop/compose.yaml:")
    assert f"Docker Compose {needed}" in error.todo
    assert check_needed(of, replace(seen(), compose=needed), {"web"}) == ()
    assert check_needed(of, replace(seen(), compose="5.0.1"), {"web"}) == ()
    # What is not started, or used by nothing that is, needs nothing.
    assert check_needed(of, replace(seen(), compose="1.29.2"), set()) == ()
    assert check_needed(stack(service(), **shared), replace(seen(), compose="1.29.2"), {"web"}) == ()


def test_models_are_refused_with_the_reason_whichever_compose_is_there() -> None:
    error = refused(stack(service({"models": {"m": None}})))
    assert error.what == "web has models, which are not carried out"
    assert "their bytes are in no forecast" in error.todo


# -- devices that are reserved, and runtimes

GPU = {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
UNKNOWN = "web: whether this engine can give the device that it reserves ({}) is known only when its container starts"


def reserving(*devices: ComposeMapping) -> Service:
    return service({"deploy": {"resources": {"reservations": {"devices": list(devices)}}}})


def engine_with(**changes: Any) -> Inventory:  # noqa: ANN401 - as the model
    """Return an engine where programs were looked for and none was found."""
    inventory = seen(missing=frozenset(programs_of(stack(reserving(GPU)), {"web"})))
    return replace(inventory, engine=replace(inventory.engine, **changes))


@pytest.mark.parametrize(
    "web",
    [
        reserving(GPU),
        reserving({"capabilities": ["gpu"]}),
        reserving({"driver": "", "capabilities": ["compute", "gpu"], "device_ids": ["0"]}),
        service({"gpus": [{"count": -1}]}),
    ],
)
def test_a_gpu_is_missed_where_the_engine_has_no_driver_for_it(web: Service) -> None:
    error = refused(stack(web), engine_with(runtimes=("runc",), cdi_devices=()))
    assert error.what == "the GPU that web reserves cannot be given: this engine has no driver nvidia"
    assert error.place == "/srv/shop/compose.yaml:17"
    assert "nvidia-ctk runtime configure" in error.todo
    for has in ({"runtimes": ("nvidia", "runc")}, {"cdi_devices": ("nvidia.com/gpu=0",)}):
        assert check_needed(stack(web), engine_with(**has), {"web"}) == ()
    hook = frozenset({"/usr/bin/nvidia-container-runtime-hook"})
    found = engine_with()
    assert check_needed(stack(web), replace(found, missing=found.missing - hook), {"web"}) == ()


@pytest.mark.parametrize("changes", [{"endpoint": "tcp://vm:2376"}, {"image_store": "podman"}])
def test_where_it_cannot_be_known_that_is_said(changes: dict[str, str]) -> None:
    assert check_needed(stack(reserving(GPU)), engine_with(**changes), {"web"}) == (UNKNOWN.format("nvidia"),)


def test_devices_of_other_drivers_are_told_and_only_known_ones_are_missed() -> None:
    tpu = reserving({"driver": "acme", "capabilities": ["tpu"]})
    assert programs_of(stack(tpu), {"web"}) == ()
    assert check_needed(stack(tpu), engine_with(), {"web"}) == (UNKNOWN.format("acme"),)
    two = reserving({"driver": "cdi", "device_ids": ["acme.com/card=0", "acme.com/card=1"]})
    error = refused(stack(two), engine_with(cdi_devices=("acme.com/card=0",)))
    assert error.what == "the device acme.com/card=1, which web reserves, is not on this engine"
    assert check_needed(stack(two), engine_with(cdi_devices=None), {"web"}) == (UNKNOWN.format("cdi"),)


def test_a_runtime_that_the_engine_does_not_have_is_missed() -> None:
    web = service({"runtime": "nvidia"})
    error = refused(stack(web), engine_with(runtimes=("io.containerd.runc.v2", "runc")))
    assert error.what == "the runtime nvidia, which web needs, is none of this engine's"
    assert "It has io.containerd.runc.v2, runc." in error.todo
    assert check_needed(stack(web), engine_with(runtimes=("nvidia", "runc")), {"web"}) == ()
    assert check_needed(stack(web), engine_with(), {"web"}) == ()
    for shim in ("io.containerd.kata.v2", "/usr/local/bin/shim"):
        assert check_needed(stack(service({"runtime": shim})), engine_with(runtimes=("runc",)), {"web"}) == ()
