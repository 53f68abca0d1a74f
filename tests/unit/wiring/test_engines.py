from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.answering import answering
from tests.unit.adapters.docker.test_tools import stand_in_docker, standalone_compose
from tests.unit.adapters.registry.test_registry import Fleet

from tonnage.errors import CannotFetchError, EngineLacksError, EngineUnreachableError, LockHeldError, UsageError
from tonnage.flows.requests import LookupScope
from tonnage.model.forecast.estimate import EngineKind
from tonnage.model.unknowns import unknowns
from tonnage.runtime.deploy.observe import observe
from tonnage.wiring.ports import Ports

if TYPE_CHECKING:
    from tests.unit.wiring.conftest import StandInEngine


def test_a_base_image_behind_the_mirror_of_the_engine_is_forecast(engine: StandInEngine) -> None:
    with answering() as server:
        Fleet(server).serve()
        engine.info["RegistryConfig"] = {"Mirrors": [f"{server.address}/"]}
        ports = engine.ports()
        with ports.engines.facts("") as facts:
            facts.engine()
            with ports.lookups(facts) as lookups:
                found = lookups.base_image("fleet/base:1.7", "linux/amd64")

    assert found.config.environment["A"] == "b=c"
    assert engine.asked.count("/info") == 1


@pytest.mark.parametrize("told", [True, False])
def test_a_registry_is_spoken_to_without_tls_only_where_the_engine_was_told_so(
    engine: StandInEngine, *, told: bool
) -> None:
    host = "registry.example.org:5000"
    with answering() as server:
        Fleet(server).serve()
        server.routes = {f"http://{host}{path}": route for path, route in server.routes.items()}
        engine.info["RegistryConfig"] = {"IndexConfigs": {host: {"Secure": not told}}}
        # Requests without TLS come to this server, all others to nobody.
        ports = engine.ports(HTTP_PROXY=server.address, HTTPS_PROXY="http://127.0.0.1:9")
        with ports.engines.facts("") as facts, ports.lookups(facts) as lookups:
            if told:
                assert lookups.base_image(f"{host}/fleet/base:1.7", "linux/amd64").config.environment["A"] == "b=c"
            else:
                with pytest.raises(CannotFetchError):
                    lookups.base_image(f"{host}/fleet/base:1.7", "linux/amd64")


def test_without_an_engine_lookups_read_registries_all_the_same(tmp_path: Path) -> None:
    with answering() as server:
        name = Fleet(server).serve()
        with Ports({"TONNAGE_CACHE_DIR": str(tmp_path)}).lookups(None) as lookups:
            assert lookups.base_image(name, "linux/amd64").config.environment["A"] == "b=c"


def test_offline_lookups_ask_no_registry(tmp_path: Path) -> None:
    with answering() as server:
        name = Fleet(server).serve()
        lookups = Ports({"TONNAGE_CACHE_DIR": str(tmp_path)}).lookups(None, (), LookupScope(offline=True))
        with lookups as opened, pytest.raises(CannotFetchError):
            opened.base_image(name, "linux/amd64")
        assert not server.asked


def test_facts_tell_the_filesystem_of_the_state_too(engine: StandInEngine) -> None:
    with engine.ports().engines.facts("") as facts:
        assert "state" in {role for disk in facts.filesystems() for role in disk.roles}
        assert facts.images() == ()


IN_CONTAINERD = [["driver-type", "io.containerd.snapshotter.v1"]]
LISTENS = """
import ctypes, time
ctypes.CDLL(None).prctl(15, b"containerd")
print("ready", flush=True)
time.sleep(600)
"""


def test_the_filesystem_of_containerds_root_comes_first_where_images_lie_in_it(
    engine: StandInEngine, tmp_path: Path
) -> None:
    address = f"{tmp_path}/containerd.sock"
    engine.info |= {"DriverStatus": IN_CONTAINERD, "Containerd": {"Address": address}}
    engine.info["DockerRootDir"] = "/proc"
    options = ["--address", address, f"--root={tmp_path}"]
    with subprocess.Popen([sys.executable, "-c", LISTENS, *options], stdout=subprocess.PIPE) as listening:
        try:
            assert listening.stdout is not None
            listening.stdout.readline()
            with engine.ports().engines.facts("") as facts:
                seen = observe(facts)
        finally:
            listening.kill()
    first, *others = seen.filesystems
    assert "containerd" in first.roles
    assert "data-root" in {role for disk in others for role in disk.roles}
    assert unknowns(seen) == ()


def test_where_images_lie_is_said_to_be_unknown_where_no_containerd_tells(engine: StandInEngine) -> None:
    engine.info |= {"DriverStatus": IN_CONTAINERD, "Containerd": {"Address": "/run/nobody/containerd.sock"}}
    with engine.ports().engines.facts("") as facts:
        seen = observe(facts)
    assert "data-root" in seen.filesystems[0].roles
    [unknown] = unknowns(seen)
    assert "neither planned nor guarded" in unknown


def test_an_engine_that_is_opened_has_a_gauge_and_refuses_what_no_program_can_do(engine: StandInEngine) -> None:
    with engine.ports().engines.open("") as access:
        mount = access.facts.filesystems()[0].mount
        gauge = access.gauge([mount])
        assert gauge.available()[mount] > 0
        gauge.close()
        assert access.acts({}, None, ())


def test_an_engine_that_is_not_there_is_told(tmp_path: Path) -> None:
    nowhere = f"unix://{tmp_path}/none.sock"
    with pytest.raises(EngineUnreachableError, match="there is no engine"), Ports({}).engines.facts(nowhere):
        pass


def test_two_runs_of_one_stack_exclude_each_other_and_those_of_two_stacks_do_not(engine: StandInEngine) -> None:
    engines = engine.ports().engines
    with engines.facts("") as facts:
        told = facts.engine()
    again = engines.lock(told, "shop")
    with engines.lock(told, "shop"), engines.lock(told, "blog"), pytest.raises(LockHeldError), again:
        pass


def test_the_kind_of_engine_is_told_by_its_store_and_by_the_builder(engine: StandInEngine, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    stand_in_docker(tmp_path / "bin", "28.2.2")
    with engine.ports().engines.facts("") as facts:
        classic_store = facts.engine()
    engine.info["DriverStatus"] = [["driver-type", "io.containerd.snapshotter.v1"]]
    with engine.ports().engines.facts("") as facts:
        containerd_store = facts.engine()

    engines = engine.ports().engines
    assert engines.kind(classic_store) is EngineKind.CLASSIC
    assert engines.kind(containerd_store) is EngineKind.CONTAINERD
    assert engines.kind(None) is EngineKind.BUILDKIT


def test_the_data_root_is_the_one_that_the_engine_tells(engine: StandInEngine, tmp_path: Path) -> None:
    engines = engine.ports().engines

    assert engines.data_root("") == str(tmp_path / "docker")
    assert engines.data_root("ssh://vm.example.org") == engines.usual_data_root("ssh://vm.example.org") == ""
    assert Path(engines.usual_data_root("")).is_dir()


def test_programs_are_looked_for_where_the_environment_says(engine: StandInEngine, tmp_path: Path) -> None:
    for found in (engine.ports().programs.builder_found, engine.ports().programs.compose_found):
        with pytest.raises(EngineLacksError):
            found()
    assert engine.ports().programs.compose() is None
    (tmp_path / "bin").mkdir()
    docker = stand_in_docker(tmp_path / "bin", "28.2.2", compose="2.24.0")
    programs = engine.ports().programs
    programs.look_ahead()

    assert programs.builder_found().startswith(f"{docker} 28.2.2")
    assert programs.compose_found() == f"{docker} compose 2.24.0"
    assert programs.compose() is not None


def test_an_old_compose_reads_nothing(engine: StandInEngine, tmp_path: Path) -> None:
    standalone_compose(tmp_path / "bin", "1.29.2")

    assert engine.ports().programs.compose() is None


def test_images_are_copied_from_the_engine_that_was_named_or_is_there(engine: StandInEngine, tmp_path: Path) -> None:
    nowhere = f"unix://{tmp_path}/none.sock"
    with engine.ports().rehearsals.image_source("") as source:
        assert source is not None
    with Ports({**engine.environment, "DOCKER_HOST": nowhere}).rehearsals.image_source("") as source:
        assert source is None
    with pytest.raises(EngineUnreachableError), engine.ports().rehearsals.image_source(nowhere):
        pass


def test_what_a_rehearsal_lacks_is_told_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tonnage.adapters.private_engine.programs._ADMIN_DIRECTORIES", "")
    directory = tmp_path / "rehearsals"
    rehearsals = Ports({"PATH": str(tmp_path), "TONNAGE_REHEARSE_DIR": str(directory)}).rehearsals

    assert rehearsals.root() == str(directory)
    with pytest.raises(EngineLacksError, match="cannot rehearse"):
        rehearsals.check()
    with pytest.raises(EngineLacksError, match="the program dockerd"), rehearsals.start(3_000_000_019, keep=False):
        pass
    with pytest.raises((EngineLacksError, UsageError)):
        rehearsals.remove("r1a2b3c")
    assert not directory.exists()
