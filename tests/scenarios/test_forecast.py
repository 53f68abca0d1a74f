"""Intent: what was forecast of a build is what a real engine then keeps, and what nobody could know is learned.

Steps: forecast a build of copied, rewritten and removed files, build it, compare; build a command that cannot be read,
and forecast it again in another service.
State checked: the image's size as the engine lists it, available bytes before and after, the journal. How far layers
compress is estimated where images lie in containerd, which keeps them compressed as well.
"""

from __future__ import annotations

import json
import os
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from tests.scenarios.watching import available_bytes

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine

COPIED_BYTES = 23_000_009
WRITTEN_BYTES = 17_011_000
DOCKERFILE = """\
FROM busybox:latest AS files
COPY data /data
RUN rm /data/small

FROM busybox:latest
COPY --from=files /data /srv/data
RUN chown -R 10001 /srv/data
RUN chmod 600 /srv/data/large
COPY data/small absent* /srv/
COPY absent* /srv/
CMD ["sleep", "1000"]
"""
OPAQUE = f"""\
FROM busybox:latest
RUN awk 'BEGIN {{ while (n++ < {WRITTEN_BYTES // 1000}) printf "%1000s", "x" }}' > /made
CMD ["sleep", "1000"]
"""


def forecast(project: Project, service: str) -> dict[str, Any]:
    ended = project.tonnage("forecast", "--json", service)
    assert ended.exit_code == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)["services"][0]
    return found


def write(project: Project, name: str, dockerfile: str) -> None:
    context = project.directory / name
    (context / "data").mkdir(parents=True)
    (context / "data" / "large").write_bytes(os.urandom(COPIED_BYTES))
    (context / "data" / "small").write_bytes(os.urandom(104_729))
    (context / "Dockerfile").write_text(dockerfile)
    project.services[name] = {"build": f"./{name}", "image": f"{project.name}/{name}"}
    project.write()


def is_compressed(project: Project) -> bool:
    return bool(project.real.client.info()["Driver"] == "overlayfs")


def listed_bytes(project: Project, reference: str) -> int:
    """What ``docker image ls`` shows of an image: in containerd what is unpacked and what is compressed."""
    listed: Any = project.real.client.api.images(reference)
    return int(listed[0]["Size"])


@pytest.mark.each_engine
def test_copied_and_rewritten_files_take_what_was_forecast(project: Project) -> None:
    declared = is_compressed(project)
    write(project, "web", DOCKERFILE)
    told = forecast(project, "web")
    before_bytes = available_bytes(project.real.mount)

    assert project.tonnage("build", "web").exit_code == 0

    kept_bytes = before_bytes - available_bytes(project.real.mount)
    measured, likely = listed_bytes(project, f"{project.name}/web"), told["image_bytes"]["likely"]
    assert abs(likely - measured) <= measured * (5 if declared else 1) // 100
    assert measured <= told["image_bytes"]["high"]
    assert abs(told["disk_bytes"]["likely"] - kept_bytes) <= kept_bytes * (8 if declared else 2) // 100
    assert kept_bytes <= told["disk_bytes"]["high"]
    assert told["image_bytes"]["grade"] == ("declared" if declared else "exact")


STAGED_BYTES = 13_000_027
STAGED = f"""\
FROM busybox:latest AS made
RUN head -c {STAGED_BYTES} /dev/urandom > /made
FROM busybox:latest
COPY --from=made /made /made
CMD ["sleep", "1000"]
"""


@pytest.mark.each_engine
@pytest.mark.only_on("a prune makes the builder forget everything else as well", store="classic")
def test_a_stage_that_went_from_the_cache_counts_where_it_is_built_again(project: Project) -> None:
    write(project, "web", STAGED)
    assert project.tonnage("build", "web").exit_code == 0
    api: Any = project.real.client.api
    # What no image has goes: the stage.
    api.prune_builds()
    (project.directory / "web" / "Dockerfile").write_text(STAGED.replace("sleep", "cat"))
    same = forecast(project, "web")["disk_bytes"]
    (project.directory / "web" / "Dockerfile").write_text(STAGED.replace("/made /made", "/made /taken"))
    told = forecast(project, "web")["disk_bytes"]
    before_bytes = available_bytes(project.real.mount)

    assert project.tonnage("build", "web").exit_code == 0

    kept_bytes = before_bytes - available_bytes(project.real.mount)
    assert same["likely"] < STAGED_BYTES // 10
    assert told["likely"] > 2 * STAGED_BYTES
    assert abs(told["likely"] - kept_bytes) <= kept_bytes // 50
    assert kept_bytes <= told["high"]


def test_what_a_command_writes_is_learned_for_every_service(project: Project) -> None:
    write(project, "web", OPAQUE)
    assert forecast(project, "web")["disk_bytes"]["grade"] == "unknown"
    assert project.tonnage("build", "web").exit_code == 0

    write(project, "worker", OPAQUE.replace("CMD", "ENV WORKER=1\nCMD"))
    told = forecast(project, "worker")["steps"][1]["image_bytes"]
    report = json.loads(project.tonnage("report", "--accuracy", "--json").stdout)["figures"]

    assert told["grade"] == "learned"
    assert abs(told["likely"] - WRITTEN_BYTES) <= WRITTEN_BYTES // 100
    assert {each["figure"] for each in report} >= {"image", "disk"}


# Pairs of instructions in contexts of the same files, and whether BuildKit finds the second one done.
PAIRS = {
    "elsewhere": ("COPY one/large /srv/", "COPY two/large /srv/", True),
    "last-name": ("COPY one /srv/", "COPY two /srv/", False),
    "pattern": ("COPY one/l* /srv/", "COPY two/l* /srv/", True),
    "owned": ("COPY one/large /srv/", "COPY --chown=1000 one/large /srv/", False),
    "added": ("COPY one/large /srv/", "ADD one/large /srv/", False),
    "configured": ("COPY one/large /srv/", "ENV SET=1\nCOPY one/large /srv/", True),
    "mode": ("COPY one/large /srv/", "COPY three/large /srv/", False),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_layers_are_shared_where_the_builder_shares_them(project: Project, pair: str) -> None:
    *instructions, shared = PAIRS[pair]
    content = os.urandom(7_000_003)
    for number, instruction in enumerate(instructions):
        context = project.directory / str(number)
        for name in ("one", "two", "three"):
            (context / name).mkdir(parents=True)
            (context / name / "large").write_bytes(content)
            os.utime(context / name / "large", (number, number))
        (context / "three" / "large").chmod(0o750)
        (context / "Dockerfile").write_text(f"FROM busybox:latest\n{instruction}\n")
        project.services[f"s{number}"] = {"build": f"./{number}", "image": f"{project.name}/{number}"}
    project.write()
    told = json.loads(project.tonnage("forecast", "--json").stdout)["stack"]["disk_bytes"]
    before_bytes = available_bytes(project.real.mount)

    assert project.tonnage("build").exit_code == 0

    kept_bytes = before_bytes - available_bytes(project.real.mount)
    layers = [project.real.client.images.get(f"{project.name}/{n}").attrs["RootFS"]["Layers"][-1] for n in (0, 1)]
    assert (layers[0] == layers[1]) == shared
    # What a layer takes beside its files is known within bounds.
    assert told["high"] - told["low"] <= told["likely"] // 10
    assert abs(told["likely"] - kept_bytes) <= kept_bytes // 50
    assert kept_bytes <= told["high"]


def test_what_is_mounted_is_kept_and_tells_commands_from_each_other(project: Project) -> None:
    for number in range(2):
        context = project.directory / str(number)
        context.mkdir()
        (context / "large").write_bytes(os.urandom(7_000_003))
        (context / "Dockerfile").write_text("FROM busybox:latest\nRUN --mount=target=/in cp /in/large /made\n")
        project.services[f"s{number}"] = {"build": f"./{number}", "image": f"{project.name}/{number}"}
    project.write()
    whole = json.loads(project.tonnage("forecast", "--json").stdout)
    before_bytes = available_bytes(project.real.mount)

    assert project.tonnage("build").exit_code == 0

    kept_bytes = before_bytes - available_bytes(project.real.mount)
    assert kept_bytes <= whole["stack"]["disk_bytes"]["high"]
    assert whole["stack"]["disk_bytes"]["low"] >= 14_000_000


def test_an_image_that_others_stand_on_is_counted_once(project: Project) -> None:
    for name, dockerfile in (
        ("base", "FROM busybox:latest\nCOPY large /srv/\nONBUILD COPY large /kept/\n"),
        ("web", f"FROM {project.name}/base\nCOPY large /web/\n"),
        ("tool", f"FROM scratch\nCOPY --from={project.name}/base /srv/large /large\n"),
    ):
        context = project.directory / name
        context.mkdir()
        (context / "large").write_bytes(os.urandom(7_000_003))
        (context / "Dockerfile").write_text(dockerfile)
        project.services[name] = {"build": f"./{name}", "image": f"{project.name}/{name}"}
    project.write()
    told = json.loads(project.tonnage("forecast", "--json").stdout)
    before_bytes = available_bytes(project.real.mount)

    for name in ("base", "web", "tool"):
        project.docker("build", "--quiet", "--tag", f"{project.name}/{name}", str(project.directory / name))

    kept_bytes = before_bytes - available_bytes(project.real.mount)
    for each in told["services"]:
        size = listed_bytes(project, f"{project.name}/{each['service']}")
        assert abs(each["image_bytes"]["likely"] - size) <= (size // 100 if is_compressed(project) else 0)
        assert each["image_bytes"]["grade"] == ("declared" if is_compressed(project) else "exact")
    assert abs(told["stack"]["disk_bytes"]["likely"] - kept_bytes) <= kept_bytes // 50
    assert kept_bytes <= told["stack"]["disk_bytes"]["high"]


# Commands of which each writes into a layer of its own what is known, or is known to be within bounds.
LINES = (
    "cat big > other",
    "cat big | tee two > three",
    "cp -a d /opt/",
    "ln big linked",
    "ln -s big pointing",
    "touch d/one",
    "chmod 600 d/two",
    "echo more >> /src/grown",
    "mv grown moved",
    "dd if=/dev/zero of=zero bs=1M count=3",
    "dd if=/dev/zero of=far bs=1M count=0 seek=7",
    "head -c 3000000 /dev/urandom > random",
    "truncate -s 9000000 hole",
    "sort d/one > sorted",
    "gzip -c d/two > packed.gz",
    "tar cf d.tar d",
    "tar xf a.tar -C /opt",
    "rm other",
    "cat big > gone && rm gone",
)


@pytest.mark.only_on("the history of an image tells blocks of the disk where it lies in containerd", store="classic")
def test_each_command_writes_what_was_forecast_of_it(project: Project) -> None:
    context = project.directory / "web"
    (context / "d").mkdir(parents=True)
    for name, size in (("big", 3_000_017), ("grown", 2_500_009), ("d/one", 2_000_003), ("d/two", 1_500_008)):
        (context / name).write_bytes(os.urandom(size))
    with tarfile.open(context / "a.tar", "w") as archive:
        archive.add(context / "d", "d")
    runs = "".join(f"RUN {line}\n" for line in LINES)
    (context / "Dockerfile").write_text(f"FROM busybox:latest\nWORKDIR /src\nCOPY . .\n{runs}")
    project.services["web"] = {"build": "./web", "image": f"{project.name}/web"}
    project.write()
    told = {step["text"]: step["image_bytes"] for step in forecast(project, "web")["steps"]}

    project.docker("build", "--quiet", "--tag", f"{project.name}/web", str(context))

    api: Any = project.real.client.api
    measured = [each["Size"] for each in api.history(f"{project.name}/web")][: len(LINES)][::-1]
    for line, size in zip(LINES, measured, strict=True):
        figures = told[f"RUN {line}"]
        assert figures["low"] <= size <= figures["high"], line
        if figures["grade"] == "exact":
            assert abs(figures["likely"] - size) <= size // 100, line
