"""``tonnage reclaim`` as a whole command, on the simulated engine."""

from __future__ import annotations

import io
import json
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from tests.simulator import Heard
from tests.unit.cli.simulated_ports import EmptyMachine

from tonnage.errors import EngineUnreachableError
from tonnage.model.inventory import Container
from tonnage.model.reclaim.candidate import Findings
from tonnage.sources.compose.files import HERE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.unit.cli.simulated_ports import World

    from tonnage.small_files import FileKind

UNUSED_BYTES = 2_000_000_011


@pytest.fixture
def crowded(world: World) -> World:
    """An engine with something unused, something needed, and something in use."""
    simulator = world.simulator
    # On the simulated disk a layer takes nothing besides its contents.
    simulator.identity = replace(simulator.identity, storage_driver="simulated")
    simulator.add_image("unused:1", (("unused", UNUSED_BYTES),))
    simulator.add_image("", (("nameless", 500_000_009),))
    simulator.add_image("used:1", (("used", 1_000_000_007),))
    simulator.add_container("theirs-web-1", "used:1", project="theirs", service="web")
    simulator.add_volume("data", 300_000_007)
    simulator.clock.sleep(1_000.0)
    return world


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return the JSON document that was printed."""
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_without_yes_nothing_is_removed(crowded: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert crowded.run("reclaim", "--free", "400MB") == 0
    shown = capsys.readouterr().out
    assert "nothing was removed" in shown
    assert not [act for act in crowded.simulator.log if act.startswith("remove")]


def test_the_cheapest_goes_and_no_more(crowded: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert crowded.run("reclaim", "--free", "400MB", "--yes", "--json") == 0
    document = told(capsys)
    assert [(each["kind"], each["promised_bytes"]) for each in document["removed"]] == [("image", 500_000_009)]
    assert document["enough"]
    assert document["after_bytes"] - document["available_bytes"] == 500_000_009
    assert crowded.simulator.store.find("unused:1")


def test_what_was_pulled_within_five_minutes_stays_and_goes_later(
    crowded: World, capsys: pytest.CaptureFixture[str]
) -> None:
    crowded.simulator.add_to_registry("theirs:2", [("pulled", 700_000_003)])
    crowded.simulator.acts.pull("theirs:2", progress=Heard(), cancel=threading.Event())
    for passed_s, stays in ((299.0, True), (2.0, False)):
        crowded.simulator.clock.sleep(passed_s)
        crowded.run("reclaim", "--free", "3GB", "--json")
        kept = {each["name"]: each["reason"] for each in told(capsys)["protected"]}
        assert ("pulled or tagged less than" in kept.get("theirs:2", "")) is stays


def test_what_a_run_of_another_stack_needs_stays_and_the_run_is_named(
    crowded: World, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = crowded.simulator.facts.engine()
    with crowded.ports.engines.lock(engine, "shop", ("unused:1",)) as lock:
        lock.claim(7_000_000_019)
        assert crowded.run("reclaim", "--free", "2GB", "--yes", "--json") == 4
        document = told(capsys)
        [reason] = [each["reason"] for each in document["protected"] if each["name"] == "unused:1"]
        assert reason.startswith("the run of stack shop (process ")
        assert any("shop" in note and "it may still write 7.00 GB" in note for note in document["notes"])
    assert crowded.run("reclaim", "--free", "2GB", "--yes") == 0


def test_more_takes_what_costs_more_and_leaves_what_is_used_or_named_by_the_stack(crowded: World) -> None:
    assert crowded.run("reclaim", "--free", "2GB", "--yes") == 0
    names = set(crowded.simulator.store.names)
    assert "unused:1" not in names
    assert {"used:1", "busybox:latest"} <= names


def test_too_little_is_told_with_exit_code_4(crowded: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert crowded.run("reclaim", "--free", "3GB", "--json") == 4
    assert told(capsys)["short_bytes"] == 3_000_000_000 - UNUSED_BYTES - 500_000_009
    assert crowded.run("reclaim", "--free", "3GB", "--yes") == 4


def test_more_than_the_disk_is_refused(crowded: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert crowded.run("reclaim", "--until", "15GB", "--yes") == 2
    assert "can never be available" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--until", "14G"), "ambiguous"),
        (("--until", "many"), "not a size"),
        (("--yes",), "no target given"),
        (("--until", "1GB", "--free", "1GB"), "exclude each other"),
        (("--wait", "1GB", "--yes"), "only waits"),
        (("--until", "1GB", "--background"), "needs --yes"),
        (("--only", "boats"), "no kind"),
        (("--volume", "nothing"), "no volume"),
        (("web",), "not on services"),
    ],
)
def test_wrong_usage_is_told(
    crowded: World, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert crowded.run("reclaim", *arguments) == 2
    assert said in capsys.readouterr().err


def test_what_is_kept_by_a_pattern_stays(crowded: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert crowded.run("reclaim", "--free", "1GB", "--keep", "unused:*", "--json") == 4
    kept = [each for each in told(capsys)["protected"] if each["reason"] == "--keep unused:*"]
    assert [each["name"] for each in kept] == ["unused:1"]


def test_only_the_kinds_asked_for_go(crowded: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert crowded.run("reclaim", "--only", "cache", "--json") == 0
    assert told(capsys)["chosen"] == []


def test_a_volume_goes_only_when_it_is_named(crowded: World) -> None:
    assert crowded.run("reclaim", "--free", "2700MB", "--yes") == 4
    assert "data" in crowded.simulator.volumes
    assert crowded.run("reclaim", "--free", "200MB", "--volume", "data", "--yes") == 0
    assert "data" not in crowded.simulator.volumes


def test_everything_asks_for_the_name_of_the_stack(
    crowded: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    assert crowded.run("reclaim", "--everything", "--yes") == 2
    assert "did not match" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.StringIO("hello\n"))
    assert crowded.run("reclaim", "--everything", "--yes") == 0
    assert set(crowded.simulator.store.names) == {"busybox:latest", "used:1"}
    assert "data" in crowded.simulator.volumes


def test_what_rollback_goes_to_stays(crowded: World) -> None:
    from tests.unit.cli.simulated_ports import BETTER  # noqa: PLC0415

    assert crowded.run("deploy") == 0
    crowded.recipe(BETTER)
    assert crowded.run("deploy") == 0
    crowded.simulator.clock.sleep(1_000.0)
    before = set(crowded.simulator.store.names)
    assert crowded.run("reclaim", "--free", "3GB", "--yes") == 4
    assert before - set(crowded.simulator.store.names) == {"unused:1"}
    assert crowded.run("rollback") == 0


def test_an_engine_that_does_not_answer_is_told_and_costs_exit_code_4(
    crowded: World, capsys: pytest.CaptureFixture[str]
) -> None:
    crowded.ports.reachable = False
    assert crowded.run("reclaim", "--free", "1B", "--mount", str(crowded.directory)) == 4
    shown = capsys.readouterr().err
    assert "there is no engine" in shown
    assert "Start it." in shown


class WithCaches(EmptyMachine):
    """A machine whose caches may go, unless they have to be kept; the containers of its dead engine are known."""

    def __init__(self, containers: tuple[Container, ...]) -> None:
        self.known = containers
        self.kept: dict[str, str] = {}

    def containers(self, host: str) -> tuple[Container, ...]:
        del host
        return self.known

    def find_places(self, **asked: object) -> Findings:
        kept = asked["kept"]
        assert isinstance(kept, dict)
        self.kept = kept
        return Findings()


def test_what_stacks_mount_stays_also_when_the_engine_is_dead(
    crowded: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "compose.yaml").write_text("services: {late: {image: a, volumes: ['/srv/models:/models']}}\n")
    with (crowded.directory / "compose.yaml").open("a") as file:
        file.write("    volumes: ['/srv/own:/own']\n")
    labels = {
        "com.docker.compose.project.working_dir": str(theirs),
        "com.docker.compose.project.config_files": str(theirs / "compose.yaml"),
    }
    known = Container(
        container_id="1", name="web", image_id="", project="theirs", labels=labels, binds=("/srv/mounted",)
    )
    machine = WithCaches((known,))
    crowded.ports.machine = machine
    crowded.ports.reachable = False
    assert crowded.run("reclaim", "--mount", str(crowded.directory)) == 0
    assert machine.kept == {
        "/srv/mounted": "the container web mounts it",
        "/srv/models": "late of the stack theirs mounts it",
        "/srv/own": "web of the stack hello mounts it",
    }
    (theirs / "compose.yaml").write_text("services: [")
    assert crowded.run("reclaim", "--free", "1B", "--yes", "--mount", str(crowded.directory)) == 4
    assert "cannot determine what must be kept" in capsys.readouterr().err


def test_a_journal_that_cannot_be_read_keeps_everything(crowded: World, capsys: pytest.CaptureFixture[str]) -> None:
    (crowded.directory / "state").mkdir()
    (crowded.directory / "state" / "journal.sqlite").write_bytes(b"no database" * 500)
    assert crowded.run("reclaim", "--free", "1B", "--yes") == 4
    assert "cannot determine what must be kept" in capsys.readouterr().err
    assert not [act for act in crowded.simulator.log if act.startswith("remove")]


def test_a_compose_file_that_cannot_be_read_keeps_everything(crowded: World) -> None:
    (crowded.directory / "compose.yaml").write_text("services: [")
    assert crowded.run("reclaim", "--free", "1B", "--yes") == 4
    assert not [act for act in crowded.simulator.log if act.startswith("remove")]


def label(world: World, **labels: str) -> None:
    """Let the container of the other project say where its compose files are."""
    container = next(each for each in world.simulator.living() if each.name == "theirs-web-1")
    container.labels |= {f"com.docker.compose.project.{name}": value for name, value in labels.items()}


def kept(world: World, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Return what stays, by name, with its reason."""
    capsys.readouterr()
    assert world.run("reclaim", "--json") == 0
    return {each["name"]: each["reason"] for each in told(capsys)["protected"]}


def test_what_the_compose_file_of_another_project_names_stays(
    crowded: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    label(crowded, working_dir=str(tmp_path), config_files="stack.yaml,gone.yaml")
    (tmp_path / "stack.yaml").write_text("services: {worker: {image: 'docker.io/library/unused:1'}}\n")
    assert kept(crowded, capsys)["unused:1"] == "worker of the stack theirs is run from it"


@pytest.mark.parametrize("text", ["services: [", "services: {web: {image: 'a:${NOT_SET:?}'}}", "\0\xff"])
def test_a_compose_file_of_another_project_that_cannot_be_understood_keeps_everything(
    crowded: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    label(crowded, working_dir=str(tmp_path), config_files=str(tmp_path / "stack.yaml"))
    (tmp_path / "stack.yaml").write_bytes(text.encode("latin-1"))
    assert crowded.run("reclaim", "--free", "1B", "--yes") == 4
    said = capsys.readouterr().err
    assert "cannot determine what must be kept" in said
    assert "theirs" in said
    assert not [act for act in crowded.simulator.log if act.startswith("remove")]
    assert crowded.run("plan", "--keep-free", "12GB") == 3
    assert "nothing can be reclaimed for this" in capsys.readouterr().out
    # A plan that fits without reclaiming does not look at other projects.
    assert crowded.run("plan") == 0
    assert "nothing can be reclaimed for this" not in capsys.readouterr().out


def test_compose_files_that_are_gone_or_are_no_files_are_told(
    crowded: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.mkfifo(theirs / "pipe.yaml")
    for files in ("-", "gone.yaml", "pipe.yaml", "/dev/zero"):
        label(crowded, working_dir=str(theirs), config_files=files)
        assert crowded.run("reclaim", "--free", "400MB") == 0
        assert f"the compose file {files} of theirs is gone" in " ".join(capsys.readouterr().out.split())
    # It may have another name by now.
    (theirs / "compose.yaml").write_text("services: {worker: {image: 'unused:1'}}\n")
    assert kept(crowded, capsys)["unused:1"] == "worker of the stack theirs is run from it"


class FilesBelow:
    """Files of another machine, which are below a directory of this one."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.broken = False

    def at(self, path: str) -> str:
        if self.broken:
            raise EngineUnreachableError("ssh to ssh://vm.example.org failed")
        return f"{self.root}{path}"

    def read(self, path: str, what: FileKind, *, piped: bool = False) -> bytes:
        return HERE.read(self.at(path), what, piped=piped)

    def kind(self, path: str) -> str:
        return HERE.kind(self.at(path))


@pytest.fixture
def elsewhere(crowded: World, tmp_path: Path) -> FilesBelow:
    """Let the engine be behind ssh, with one more project that was deployed on that machine from ``/srv/theirs``."""
    simulator = crowded.simulator
    simulator.identity = replace(simulator.identity, endpoint="ssh://vm.example.org")
    there = FilesBelow(tmp_path / "vm")

    def reach(endpoint: str, paths: Sequence[str]) -> FilesBelow:
        assert endpoint == "ssh://vm.example.org"
        assert paths
        return there

    crowded.ports.files.remote = reach  # type: ignore[method-assign]
    (there.root / "srv" / "theirs" / "worker").mkdir(parents=True)
    label(crowded, working_dir="/srv/theirs", config_files="/srv/theirs/stack.yaml")
    return there


def test_what_compose_files_on_the_machine_of_the_engine_name_stays(
    crowded: World, elsewhere: FilesBelow, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = elsewhere.root / "srv" / "theirs"
    (directory / "stack.yaml").write_text(
        "include: [more.yaml]\nservices: {worker: {image: '${WHICH}:1', env_file: worker.env}}\n"
    )
    (directory / ".env").write_text("WHICH=unused\n")
    (directory / "worker.env").write_text("A=b\n")
    (directory / "more.yaml").write_text("services: {more: {image: 'further:3', profiles: [rarely]}}\n")
    crowded.simulator.add_image("further:3", (("further", 70_000_001),))
    stays = kept(crowded, capsys)
    assert stays["unused:1"] == "worker of the stack theirs is run from it"
    assert stays["further:3"] == "more of the stack theirs is run from it"


def test_compose_files_of_a_project_that_was_sent_from_here_are_read_here(
    crowded: World, elsewhere: FilesBelow, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = tmp_path / "sent"
    sent.mkdir()
    label(crowded, working_dir=str(sent), config_files=str(sent / "stack.yaml"))
    assert "unused:1" not in kept(crowded, capsys)
    assert crowded.run("reclaim") == 0
    assert f"the compose file {sent / 'stack.yaml'} of theirs is gone" in " ".join(capsys.readouterr().out.split())
    (sent / "stack.yaml").write_text("services: {worker: {image: 'unused:1'}}\n")
    assert kept(crowded, capsys)["unused:1"] == "worker of the stack theirs is run from it"
    assert elsewhere.root.exists()


@pytest.mark.parametrize("what", ["broken file", "no answer"])
def test_what_cannot_be_read_on_the_machine_of_the_engine_keeps_everything(
    crowded: World, elsewhere: FilesBelow, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    (elsewhere.root / "srv" / "theirs" / "stack.yaml").write_text("services: [")
    elsewhere.broken = what == "no answer"
    assert crowded.run("reclaim", "--free", "1B", "--yes") == 4
    said = capsys.readouterr().err
    assert "cannot determine what must be kept" in said
    assert ("ssh" if elsewhere.broken else "stack.yaml") in said
    assert not [act for act in crowded.simulator.log if act.startswith("remove")]


def test_what_a_stack_names_that_was_deployed_from_elsewhere_stays(
    crowded: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = tmp_path / "theirs"
    label(crowded, working_dir=str(theirs), config_files="/run/resolved-copy.yaml")
    container = next(each for each in crowded.simulator.living() if each.name == "theirs-web-1")
    container.labels["tonnage.config"] = "as it was deployed"
    assert "unused:1" not in kept(crowded, capsys)
    theirs.mkdir()
    (theirs / "compose.yml").write_text("services: {worker: {image: 'unused:1'}}\n")
    assert kept(crowded, capsys)["unused:1"] == "worker of the stack theirs is run from it"


def test_enough_is_told_without_asking_the_engine(crowded: World, capsys: pytest.CaptureFixture[str]) -> None:
    crowded.ports.reachable = False
    assert crowded.run("reclaim", "--until", "1B", "--mount", str(crowded.directory), "--json") == 0
    document = told(capsys)
    assert document["enough"]
    assert document["removed"] == []


def test_enough_for_a_plan_or_on_an_engine_elsewhere_is_told_without_looking_at_what_is_there(
    crowded: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = crowded.directory / "plan.json"
    assert crowded.run("plan", "--out", str(plan)) == 0
    monkeypatch.setattr(type(crowded.simulator.facts), "images", never_asked)
    for target in (("--until", "1MB"), ("--free", "0B"), ("--for", str(plan))):
        capsys.readouterr()
        assert crowded.run("reclaim", *target, "--yes") == 0
        assert "nothing to do: that much is available" in capsys.readouterr().out
    assert crowded.run("reclaim", "--wait", "1MB", "-H", "ssh://vm.example.org") == 0
    assert crowded.run("reclaim", "--wait", "13.9GB", "-H", "ssh://vm.example.org") == 4
    said = capsys.readouterr().out
    assert f"{crowded.simulator.disk.mount} has" in said


def never_asked(*_asked: object) -> None:
    raise AssertionError("nothing of this has to be known")


def test_waiting_for_nothing_ends_at_once(crowded: World, capsys: pytest.CaptureFixture[str]) -> None:
    size = os.statvfs(crowded.directory)
    whole = size.f_blocks * size.f_frsize
    assert crowded.run("reclaim", "--wait", f"{whole}B", "--mount", str(crowded.directory)) == 4
    assert "is running in the background" in capsys.readouterr().err


def test_the_journal_tells_of_it(crowded: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert crowded.run("reclaim", "--free", "400MB", "--yes") == 0
    assert "freed 500 MB" in capsys.readouterr().out
    assert crowded.run("report", "--json") == 0
    run = told(capsys)["runs"][0]
    assert run["purpose"] == "reclaim"
    assert run["outcome"] == "done"
    assert run["steps"][0]["measured"][0]["kept_bytes"] == -500_000_009


def test_nothing_of_this_machine_goes_for_an_engine_elsewhere_that_does_not_answer(
    crowded: World, capsys: pytest.CaptureFixture[str]
) -> None:
    crowded.ports.reachable = False
    assert crowded.run("reclaim", "-H", "ssh://user@machine", "--free", "1B", "--yes") == 6
    assert "come free" not in capsys.readouterr().out


def test_everything_without_anybody_to_ask_removes_nothing(
    crowded: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert crowded.run("reclaim", "--everything", "--yes") == 2
    assert crowded.run("reclaim", "--everything", "--yes", "--background") == 2
    assert "asks for a name" in capsys.readouterr().err
    assert not [act for act in crowded.simulator.log if act.startswith("remove")]


def test_a_repository_is_kept_with_all_its_tags_and_a_pattern_that_keeps_nothing_is_told(
    crowded: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert crowded.run("reclaim", "--free", "1GB", "--keep", "unused", "--keep", "unsued:1", "--json") == 4
    ended = capsys.readouterr()
    document = json.loads(ended.out)
    assert [each["name"] for each in document["protected"] if each["reason"] == "--keep unused"] == ["unused:1"]
    assert [note for note in document["notes"] if "--keep" in note] == [
        "--keep unsued:1 matches nothing that was found and could be removed"
    ]


def test_a_stopped_container_goes_without_its_volumes(crowded: World) -> None:
    simulator = crowded.simulator
    ended = simulator.add_container("ended", "used:1", running=False)
    simulator.add_volume("anonymous", 700_000_001)
    ended.anonymous_volumes = ("anonymous",)
    simulator.disk.write(f"container {ended.container_id}", 900_000_011)
    assert crowded.run("reclaim", "--only", "container", "--free", "800MB", "--yes") == 0
    assert ended.container_id not in simulator.containers
    assert "anonymous" in simulator.volumes


def test_what_a_swarm_keeps_of_a_service_stays(crowded: World, capsys: pytest.CaptureFixture[str]) -> None:
    simulator = crowded.simulator
    task = simulator.add_container("web.1.abc", "unused:1", running=False)
    task.labels["com.docker.swarm.service.name"] = "shop_web"
    assert kept(crowded, capsys) | {
        "web.1.abc": "the swarm keeps it of the service shop_web",
        "unused:1": "image of the stopped container web.1.abc of a swarm",
    } == kept(crowded, capsys)


def test_the_image_of_a_stopped_container_does_not_follow_it_in_the_same_run(
    crowded: World, capsys: pytest.CaptureFixture[str]
) -> None:
    simulator = crowded.simulator
    ended = simulator.add_container("ended", "unused:1", running=False)
    simulator.disk.write(f"container {ended.container_id}", 900_000_011)
    assert kept(crowded, capsys)["unused:1"] == "image of the stopped container ended"
    assert crowded.run("reclaim", "--free", "2500MB", "--yes") == 4
    assert ended.container_id not in simulator.containers
    assert simulator.store.find("unused:1")
    assert crowded.run("reclaim", "--free", "1900MB", "--yes") == 0
    assert not simulator.store.find("unused:1")


def test_in_containerd_registries_are_asked_for_what_may_be_pulled_again(
    crowded: World, capsys: pytest.CaptureFixture[str]
) -> None:
    simulator = crowded.simulator
    simulator.identity = replace(simulator.identity, image_store="containerd")
    mine = simulator.add_image("training/model:only-here", (("mine", 900_000_011),))
    pulled = simulator.add_image("team/base:1", (("pulled", 900_000_017),))
    simulator.clock.sleep(1_000.0)
    name = f"team/base@{pulled.image_id}"
    crowded.ports.registries_have = frozenset({name})
    assert crowded.run("reclaim", "--only", "image", "--everything") == 0
    shown = capsys.readouterr().out
    assert "docker pull team/base:1" in shown
    assert "docker pull training/model" not in shown
    assert {name, f"training/model@{mine.image_id}"} <= set(crowded.ports.asked_for)


def test_registries_are_not_asked_where_no_image_is_to_go_nor_by_an_engine_whose_digests_tell(crowded: World) -> None:
    simulator = crowded.simulator
    assert crowded.run("reclaim", "--free", "400MB") == 0
    simulator.identity = replace(simulator.identity, image_store="containerd")
    assert crowded.run("reclaim", "--only", "cache", "--everything") == 0
    assert crowded.ports.asked_for == []


def test_a_container_whose_image_lost_its_name_keeps_nothing_else_from_going(
    crowded: World, capsys: pytest.CaptureFixture[str]
) -> None:
    simulator = crowded.simulator
    simulator.identity = replace(simulator.identity, image_store="containerd")
    simulator.acts.untag("used:1")
    assert crowded.run("reclaim", "--free", "400MB", "--yes") == 0
    shown = capsys.readouterr().out
    assert "has lost its name" in shown
    assert "theirs-web-1" in shown


def test_what_was_begun_is_ended_when_nobody_reads_it(
    crowded: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            del text
            raise BrokenPipeError

    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", Gone())
        patch.setattr("tonnage.cli.app.let_go_of_output", lambda: None)
        assert crowded.run("reclaim", "--free", "400MB", "--yes") == 141
    capsys.readouterr()
    assert crowded.run("report", "--json") == 0
    assert told(capsys)["runs"][0]["outcome"] == "done"


class HoldingMachine(EmptyMachine):
    """A machine on which programs hold removed files open, and something lies below a mount."""

    def held_open(self, mount: str) -> list[tuple[str, int]]:
        assert mount
        return [("postgres (4711)", 944_000_017), ("tail (12)", 999_999)]

    def hidden(self, mount: str) -> list[tuple[str, int]]:
        assert mount
        return [("/var/lib/docker/below", 300_000_007)]


@pytest.mark.parametrize("yes", [(), ("--yes",)])
def test_where_bytes_are_missing_it_says_who_holds_them(
    crowded: World, capsys: pytest.CaptureFixture[str], yes: tuple[str, ...]
) -> None:
    crowded.ports.machine = HoldingMachine()
    assert crowded.run("reclaim", "--free", "3GB", *yes, "--json") == 4
    captured = capsys.readouterr()
    (held, hidden) = json.loads(captured.out)["reasons"]
    assert held == "postgres (4711) holds 944 MB of removed files open: they are freed when it ends."
    assert "300 MB are in /var/lib/docker/below" in hidden
    assert held in captured.err


def test_where_enough_came_free_nobody_is_named(crowded: World, capsys: pytest.CaptureFixture[str]) -> None:
    crowded.ports.machine = HoldingMachine()
    assert crowded.run("reclaim", "--free", "400MB", "--yes", "--json") == 0
    assert json.loads(capsys.readouterr().out)["reasons"] == []
