"""Recorded and constructed engine replies become the model; ``README.md`` beside tells which is which."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tonnage.adapters.docker import wire
from tonnage.adapters.docker.connect import DockerConnection, spoken_version
from tonnage.adapters.images import layers
from tonnage.errors import EngineLacksError
from tonnage.forecast.costs.seen_builds import seen_builds
from tonnage.model.inventory import Inventory, Volume
from tonnage.model.stack import BuildSpec, Service

if TYPE_CHECKING:
    from tonnage.model.inventory import Image

HERE = Path(__file__).parent
CLASSIC = ("26.1-classic", "28.5-classic")
CONTAINERD = ("26.1-containerd", "28.5-containerd")
CONSTRUCTED = ("29.0-containerd",)


def recorded(name: str, engine: str = "20.10") -> Any:  # noqa: ANN401 - JSON
    return json.loads((HERE / engine / f"{name}.json").read_text())


def constructed(name: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads((HERE / "constructed" / f"{name}.json").read_text())


def images(listed: Any, details: Any, histories: Any, store: str) -> dict[str, Image]:  # noqa: ANN401 - JSON
    summaries = wire.image_summaries(listed)
    found = layers.agreed([wire.image(one, details[one.id], histories[one.id], store) for one in summaries])
    return {(image.references or (image.image_id,))[0]: image for image in layers.with_unique(found)}


def recorded_images(engine: str = "20.10") -> dict[str, Image]:
    listed, details, histories = (recorded(name, engine) for name in ("images", "image_details", "image_histories"))
    return images(listed, details, histories, wire.info(recorded("info", engine)).image_store)


def constructed_images(name: str) -> dict[str, Image]:
    told = constructed(name)
    return images(told["images"], told["details"], told["histories"], wire.info(told["info"]).image_store)


def test_20_10_tells_of_itself() -> None:
    engine = wire.engine(wire.info(recorded("info")), "unix:///var/run/docker.sock", "1.41")
    assert (engine.version, engine.storage_driver, engine.image_store) == ("20.10.24", "overlay2", "classic")
    assert (engine.data_root, engine.swarm, engine.rootless) == ("/var/lib/docker", False, False)
    assert engine.engine_id.count(":") == 11
    assert engine.engine_id.endswith(f"@{engine.data_root}")


def test_unique_and_shared_bytes_of_20_10_are_those_that_the_engine_computes_itself() -> None:
    told = wire.shared_sizes(recorded("df"))
    found = tuple(recorded_images().values())
    undecided = layers.undecided(found)
    assert {name for image in found if image.image_id in undecided for name in image.references} == {
        "c:1",
        "c:2",
        "c:3",
    }
    decided = {image.image_id: image.shared_bytes for image in found if image.image_id not in undecided}
    assert decided == {key: size for key, size in told.items() if key not in undecided}
    assert all(image.unique_bytes + image.shared_bytes == image.size_bytes for image in found)


def test_what_does_not_follow_from_the_layers_is_taken_from_the_engine() -> None:
    found = layers.told_unique(tuple(recorded_images().values()), wire.shared_sizes(recorded("df")))
    unique = {image.references[0]: image.unique_bytes for image in found}
    assert (unique["c:1"], unique["c:2"], unique["c:3"]) == (100_001, 100_002, 100_003)


def test_layers_of_a_buildkit_image_have_their_bytes() -> None:
    image = recorded_images()["example.org/s:one"]
    assert image.references == ("example.org/s:one", "s:1")
    assert [layer.size_bytes for layer in image.layers] == [1982424, 300007, 0, 500009, 0, 0, 100001]
    assert sum(layer.size_bytes or 0 for layer in image.layers) == image.size_bytes


def test_layers_of_a_classic_builders_image_are_unknown_where_two_steps_can_have_made_them() -> None:
    image = recorded_images()["c:1"]
    assert [layer.size_bytes for layer in image.layers] == [1982424, 300007, None, None, 0, 100001]


def test_images_on_one_base_share_its_chain_and_no_other_layer() -> None:
    found = recorded_images()
    assert found["s:2"].chain[0] == found["c:2"].chain[0] == found["busybox:latest"].chain[0]
    assert not set(found["s:2"].chain[1:]) & set(found["c:2"].chain[1:])
    assert found["s:2"].chain[:6] == found["s:3"].chain[:6]


def test_containers_of_20_10_are_what_they_were() -> None:
    found = {name: wire.container(reply) for name, reply in recorded("container_details").items()}
    assert (found["dies"].state, found["dies"].exit_code, found["dies"].health) == ("exited", 3, "none")
    assert found["host"].exit_code is None
    answers = {name: wire.reach(reply).address for name, reply in recorded("container_details").items()}
    assert (answers["host"], answers["web"]) == ("127.0.0.1", "172.17.0.2")
    assert found["restarting"].restart_count > 0
    assert found["web"].ended_s is None
    assert found["dies"].ended_s is not None
    sick = found["sick"]
    assert (sick.project, sick.service, sick.number, sick.one_off) == ("shop", "api", 2, False)
    assert (sick.health, sick.state, sick.image_reference) == ("unhealthy", "running", "busybox")


def test_the_last_line_of_the_healthcheck_that_failed_last_is_read() -> None:
    reply = recorded("container_details")["sick"]
    logged = reply["State"]["Health"]["Log"]
    assert wire.container(reply).health_said == ""
    logged[0]["Output"] = "too early"
    logged[-1]["Output"] = "Traceback:\n  urlopen\nConnectionRefusedError: refused\n\n"
    assert wire.container(reply).health_said == "ConnectionRefusedError: refused"


def test_every_container_in_the_list_is_known_by_its_id() -> None:
    ids = {reply["Id"] for reply in recorded("container_details").values()}
    assert set(wire.container_ids(recorded("containers"))) == ids


def test_volumes_have_a_size_only_when_it_was_asked_for() -> None:
    listed, containers, usages = recorded("volumes"), recorded("containers"), recorded("df")
    without = {volume.name: volume for volume in wire.volumes(listed, containers)}
    assert without["vol1"] == Volume(name="vol1", driver="local", in_use=True)
    assert without["shop_db"] == Volume(name="shop_db", driver="local", project="shop")
    assert {volume.size_bytes for volume in wire.volumes(listed, containers, usages)} == {0}


def test_what_was_pulled_is_told_by_name_or_digest_and_the_engine_has_a_clock_of_its_own() -> None:
    lines = (HERE / "20.10" / "events.jsonl").read_text()
    assert [name.partition("@")[0] for name in wire.pulled(lines)] == [
        "registry.example.org/quick:1",
        "registry.example.org/quick",
    ]
    assert wire.pulled("\n") == ()
    assert wire.clock_s(wire.info(recorded("info") | {"SystemTime": "2026-11-28T11:17:24.5Z"})) == 1795864644.5
    assert wire.clock_s(wire.info(recorded("info") | {"SystemTime": ""})) is None


def test_a_cache_record_of_20_10_has_its_one_parent() -> None:
    told = recorded("df")["BuildCache"]
    found = {record.record_id: record for record in wire.cache(recorded("df"))}
    assert {one["ID"]: (one["Parent"],) if one["Parent"] else () for one in told} == {
        key: record.parents for key, record in found.items()
    }
    assert sum(record.size_bytes for record in found.values()) == sum(one["Size"] for one in told) > 0


@pytest.mark.parametrize("engine", [*CLASSIC, *CONTAINERD])
def test_later_engines_tell_of_themselves(engine: str) -> None:
    told = wire.engine(wire.info(recorded("info", engine)), "unix:///x.sock", "1.45")
    version, _, store = engine.partition("-")
    assert (told.version.startswith(version), told.image_store) == (True, store)
    assert told.storage_driver == {"classic": "overlay2", "containerd": "overlayfs"}[store]
    assert (told.data_root, told.swarm, told.rootless, told.os_type) == ("/var/lib/docker", False, False, "linux")


@pytest.mark.parametrize("engine", [*CLASSIC, *CONTAINERD])
def test_cache_records_of_later_engines_have_the_parents_that_are_told_with_a_space_before_their_name(
    engine: str,
) -> None:
    told = recorded("df", engine)["BuildCache"]
    found = {record.record_id: record for record in wire.cache(recorded("df", engine))}
    assert {one["ID"]: tuple(one.get(" Parents", ())) for one in told} == {
        key: record.parents for key, record in found.items()
    }
    by_text = {record.description.rpartition(">")[2]: record for record in found.values()}
    assert found[by_text["/c1"].parents[0]].description.endswith(">b")
    assert all(parent in found for record in found.values() for parent in record.parents)


@pytest.mark.parametrize("engine", CONTAINERD)
def test_a_record_that_joins_links_stands_on_all_of_them(engine: str) -> None:
    found = {record.record_id: record for record in wire.cache(recorded("df", engine))}
    joined = next(record for record in found.values() if "LINK COPY --link copied" in record.description)
    assert [found[parent].description.partition("] ")[2] for parent in joined.parents] == [
        "",
        "COPY --link --from=made /made /made",
        "COPY --link copied /copied",
    ]


@pytest.mark.parametrize("engine", CONTAINERD)
def test_in_containerd_only_what_a_base_brought_is_shared(engine: str) -> None:
    told = recorded("df", engine)
    assert sum(one["Shared"] for one in told["BuildCache"]) > 1
    shared = [record for record in wire.cache(told, "containerd") if record.shared]
    assert [(record.description, record.parents) for record in shared] == [("", ())]
    assert {record.record_id for record in wire.cache(told, "classic") if record.shared} == {
        one["ID"] for one in told["BuildCache"] if one["Shared"]
    }


def test_parents_are_read_as_they_are_documented_as_well() -> None:
    told = {"BuildCache": [{"ID": "p1", "Parents": None}, {"ID": "k1", "Parents": ["p1"]}]}
    assert [record.parents for record in wire.cache(told)] == [(), ("p1",)]


@pytest.mark.parametrize("engine", CLASSIC)
def test_shared_bytes_on_later_classic_engines_are_those_that_the_engine_computes_itself(engine: str) -> None:
    told = wire.shared_sizes(recorded("df", engine))
    found = tuple(recorded_images(engine).values())
    assert layers.undecided(found) == frozenset()
    assert {image.image_id: image.shared_bytes for image in found} == told
    assert [layer.size_bytes for layer in recorded_images(engine)["example.org/s:one"].layers] == [
        1984162,
        300007,
        0,
        500009,
        100001,
    ]


@pytest.mark.parametrize("engine", CONTAINERD)
def test_images_in_containerd_have_blobs_besides_their_layers(engine: str) -> None:
    found = recorded_images(engine)
    one = found["example.org/s:one"]
    assert [layer.size_bytes for layer in one.layers] == [2011136, 319488, 8192, 512000, 106496]
    assert one.size_bytes > sum(layer.size_bytes or 0 for layer in one.layers) + 100_001 + 500_009 + 300_007
    assert one.chain[:4] == found["s:2"].chain[:4]


@pytest.mark.parametrize("engine", [*CLASSIC, *CONTAINERD])
def test_only_what_came_from_a_registry_has_a_digest_in_the_classic_store_and_everything_in_containerd(
    engine: str,
) -> None:
    found = recorded_images(engine)
    assert [one.partition("@")[0] for one in found["registry.example.org/pulled:1"].digests] == [
        "registry.example.org/pulled"
    ]
    assert bool(found["s:2"].digests) is (engine in CONTAINERD)
    assert not found["s:2"].pullable
    assert found["registry.example.org/pulled:1"].pullable is (engine in CLASSIC)
    lines = (HERE / engine / "events.jsonl").read_text()
    assert wire.pulled(lines) == ("registry.example.org/pulled:1",)


@pytest.mark.parametrize("engine", [*CLASSIC, *CONTAINERD])
def test_containers_of_later_engines_are_what_they_were(engine: str) -> None:
    replies = recorded("container_details", engine)
    found = {name: wire.container(reply) for name, reply in replies.items()}
    assert (found["dies"].state, found["dies"].exit_code, found["dies"].health) == ("exited", 3, "none")
    assert (found["dies"].writable_bytes or 0) >= 30_011
    assert found["dies"].ended_s is not None
    sick = found["sick"]
    assert (sick.project, sick.service, sick.number, sick.one_off) == ("shop", "api", 2, False)
    assert (sick.health, sick.state, sick.image_reference) == ("unhealthy", "running", "busybox")
    assert found["web"].published == (("", 8017, "tcp"),)
    assert wire.reach(replies["host"]).address == "127.0.0.1"
    assert wire.reach(replies["web"]).address.startswith("172.17.0.")
    assert {c.container_id for c in found.values()} == set(wire.container_ids(recorded("containers", engine)))
    volumes = wire.volumes(*(recorded(name, engine) for name in ("volumes", "containers", "df")))
    assert {(one.name, one.project, one.size_bytes, one.in_use) for one in volumes} == {
        ("vol1", "", 0, True),
        ("shop_db", "shop", 0, False),
    }


@pytest.mark.parametrize(("engine", "listed"), [*((e, True) for e in CLASSIC), *((e, False) for e in CONTAINERD)])
def test_in_containerd_an_image_that_lost_its_name_is_not_listed_while_a_container_runs_it(
    engine: str, *, listed: bool
) -> None:
    runs = wire.container(recorded("container_details", engine)["loose"])
    assert (runs.image_id in {image.image_id for image in recorded_images(engine).values()}) is listed
    assert runs.image_reference == "loose:1"


@pytest.mark.parametrize("name", CONSTRUCTED)
def test_engines_that_cannot_be_had_are_read_as_they_are_documented(name: str) -> None:
    told = constructed(name)
    engine = wire.engine(wire.info(told["info"]), "unix:///x.sock", "1.51")
    assert engine.image_store == name.partition("-")[2]
    assert engine.version.startswith(name.partition("-")[0])
    assert len(constructed_images(name)) == 2
    assert wire.container(told["container"]).service == "api"


@pytest.mark.parametrize("engine", ["20.10", *CLASSIC, *CONTAINERD])
def test_images_have_the_same_content_when_containers_get_the_same_of_them(engine: str) -> None:
    summaries = wire.image_summaries(recorded("images", engine))
    details, histories = recorded("image_details", engine), recorded("image_histories", engine)
    found = {one.id: wire.image(one, details[one.id], histories[one.id], "").content_digest for one in summaries}
    # Two ways of copying the same two files onto the same base leave, in containerd, the same layers.
    assert len(set(found.values())) == len(found) - (engine in CONTAINERD)
    for one in summaries:
        detail = json.loads(json.dumps(details[one.id]))
        config = detail["Config"] = detail.get("Config") or {}
        labels = {"tonnage.inputs": "x", "com.docker.compose.version": "2.40.3", **(config.get("Labels") or {})}
        # What engines of one age tell as empty, others leave out.
        config |= {
            "Labels": labels,
            "OnBuild": None,
            "Volumes": {},
            "Hostname": "",
            "Image": "sha256:the step before",
        }
        assert wire.image(one, detail, histories[one.id], "").content_digest == found[one.id]
        for changed in ({"Cmd": ["other"]}, {"Env": ["A=1"]}, {"User": "17"}, {"Labels": {"kind": "other"}}):
            other = {**detail, "Config": {**config, **changed}}
            assert wire.image(one, other, histories[one.id], "").content_digest != found[one.id]


def test_a_container_of_28_5_in_containerd_says_which_manifest_it_was_made_from() -> None:
    told = wire.image_summaries(recorded("images_manifests", "28.5-containerd"))
    histories, details = (recorded(name, "28.5-containerd") for name in ("image_histories", "image_details"))
    found = {
        one.repo_tags[0]: wire.image(one, details[one.id], histories[one.id], "containerd")
        for one in told
        if one.repo_tags
    }
    containers = {name: wire.container(one) for name, one in recorded("container_details", "28.5-containerd").items()}
    assert containers["web"].manifest_digest in found["s:2"].manifest_digests
    assert containers["web"].manifest_digest != containers["web"].image_id
    # Of what a builder attached no container is made.
    assert all(len(image.manifest_digests) == 1 for image in found.values())
    for engine in ("26.1-containerd", "28.5-classic"):
        assert wire.container(recorded("container_details", engine)["web"]).manifest_digest == ""


@pytest.mark.parametrize("engine", CONTAINERD)
def test_shared_bytes_of_images_in_containerd_have_the_blobs_that_the_engine_leaves_out(engine: str) -> None:
    name = "images_manifests" if engine.startswith("28") else "images"
    summaries = wire.image_summaries(recorded(name, engine))
    details = recorded("image_details", engine)
    blobs = {one.id: wire.content_bytes(one, details[one.id]) for one in summaries}
    found = layers.with_blobs(tuple(recorded_images(engine).values()), {}, blobs)
    counted = {image.references[0]: image for image in layers.with_unique(found)}
    told = {(one["RepoTags"] or [""])[-1]: one["SharedSize"] for one in recorded("df", engine)["Images"]}
    # 100,001 random bytes unpacked into whole blocks, as a blob, and some kB of configuration and attestation.
    assert 206_000 < counted["s:2"].unique_bytes < 225_000
    unpacked = {"s:2": 106_496}
    assert counted["s:2"].size_bytes - told["s:2"] - unpacked["s:2"] > 1_900_000
    assert counted["busybox:1.36"].unique_bytes < 5_000


@pytest.mark.parametrize("name", CONSTRUCTED)
def test_disk_usage_of_1_52_is_read_item_by_item(name: str) -> None:
    told = constructed(name)
    verbose = told["df_verbose"]
    assert wire.shared_sizes(verbose) == wire.shared_sizes(told["df"])
    assert [(one.record_id, one.parents) for one in wire.cache(verbose)] == [("p1", ()), ("k1", ("p1",))]
    listed = {"Volumes": [{"Name": "kept"}]}
    assert [one.size_bytes for one in wire.volumes(listed, [], verbose)] == [17]
    assert wire.cache({"BuildCacheUsage": {"TotalBuildCacheRecords": 3}}) == ()


def test_an_engine_says_that_it_is_rootless_or_in_a_swarm() -> None:
    told = recorded("info", "28.5-classic")
    told |= {
        "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"],
        "Swarm": {"LocalNodeState": "active"},
    }
    engine = wire.engine(wire.info(told), "unix:///x.sock", "1.51")
    assert (engine.rootless, engine.swarm) == (True, True)


def test_an_image_without_layers_is_still_an_image() -> None:
    image = constructed_images("29.0-containerd")[f"sha256:{'e' * 64}"]
    assert (image.layers, image.unique_bytes) == ((), 10_002_433)


def test_a_container_on_the_hosts_network_answers_there_and_its_death_is_told() -> None:
    told = constructed("29.0-containerd")["container"]
    container = wire.container(told)
    assert wire.reach(told).address == "127.0.0.1"
    assert (container.state, container.exit_code, container.oom_killed) == ("exited", 137, True)


def test_ports_of_the_machine_are_told_once_for_both_families_of_addresses() -> None:
    ports = {
        "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8017"}, {"HostIp": "::", "HostPort": "8017"}],
        "53/udp": [{"HostIp": "127.0.0.1", "HostPort": "5017"}],
        "97/tcp": None,
    }
    told = wire.container({"Id": "c", "NetworkSettings": {"Networks": {}, "Ports": ports}})
    assert told.published == (("", 8017, "tcp"), ("127.0.0.1", 5017, "udp"))


@pytest.mark.parametrize(
    ("engine", "spoken"), [("20.10", "1.41"), ("26.1-classic", "1.45"), ("28.5-containerd", "1.51")]
)
def test_the_newest_version_that_both_sides_know_is_spoken(engine: str, spoken: str) -> None:
    assert spoken_version(recorded("version", engine)) == spoken
    assert spoken_version(constructed("29.0-containerd")["version"]) == "1.51"


@pytest.mark.parametrize(
    ("newest", "oldest", "spoken"), [("1.55", "1.40", "1.51"), ("1.55", "1.44", "1.51"), ("1.56", "1.52", "1.52")]
)
def test_what_was_tried_is_spoken_before_what_is_newer(newest: str, oldest: str, spoken: str) -> None:
    assert spoken_version({"Version": "29", "ApiVersion": newest, "MinAPIVersion": oldest, "Os": "linux"}) == spoken


def test_an_engine_before_20_10_is_refused_with_its_version() -> None:
    with pytest.raises(EngineLacksError, match=r"too old: Docker 19\.03\.15") as caught:
        spoken_version({"Version": "19.03.15", "ApiVersion": "1.40", "MinAPIVersion": "1.12", "Os": "linux"})
    assert "1.40" in caught.value.why
    assert caught.value.exit_code == 7


def test_an_engine_for_windows_containers_is_refused() -> None:
    with pytest.raises(EngineLacksError, match="Windows containers"):
        spoken_version({"Version": "27.0.0", "ApiVersion": "1.46", "Os": "windows"})


def test_a_reply_of_another_form_is_no_surprise_later() -> None:
    with pytest.raises(msgspec.ValidationError):
        wire.info({"DockerRootDir": 7})


@pytest.mark.parametrize(
    ("spoken", "typed", "manifests", "usage"),
    [
        ("1.41", False, False, {}),
        ("1.45", True, False, {}),
        ("1.51", True, True, {}),
        ("1.52", True, True, {"verbose": "1"}),
        ("1.55", True, True, {"verbose": "1"}),
    ],
)
def test_an_engine_is_asked_for_what_its_version_tells(
    spoken: str, *, typed: bool, manifests: bool, usage: dict[str, str]
) -> None:
    asked = DockerConnection("unix:///x.sock", pytest.fail, spoken)
    assert (asked.typed_usage, asked.tells_manifests, asked.usage_of) == (typed, manifests, usage)


@pytest.mark.parametrize("engine", ["20.10", *CLASSIC])
def test_commands_of_earlier_builds_are_told_by_images_and_by_records(engine: str) -> None:
    found = recorded_images(engine)
    told = wire.engine(wire.info(recorded("info", engine)), "unix:///x.sock", "1.41")
    inventory = Inventory(
        engine=told, filesystems=(), images=tuple(found.values()), cache=wire.cache(recorded("df", engine))
    )
    built = BuildSpec(context="/x")
    seen = seen_builds(inventory, [Service(name=name, image=name, build=built) for name in found])
    sizes = {words.replace("> /", ">/"): size for each in seen.images.values() for words, size in each.items()}
    records = {words.replace("> /", ">/"): sizes for words, sizes in seen.records.items()}
    assert sizes["RUN head -c 300007 /dev/urandom >/a"] == 300_007
    assert records["RUN head -c 300007 /dev/urandom >/a"] == (300_007, 300_007)
