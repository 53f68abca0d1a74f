from __future__ import annotations

import io
from typing import Any

from msgspec.structs import replace
from rich.console import Console
from tests.unit.views.samples import INVENTORY, LINES, MOUNT, STACK

from tonnage.model.deploy.run import OtherRun
from tonnage.model.reports.activity import Activity, RunAtWork, Trend
from tonnage.model.stack import ServiceSettings, Stack
from tonnage.views.text.activity import trend_form, trend_text
from tonnage.views.text.status import InPlace, engine_use, status_form, status_text, watch_lines

TEXT = """\
engine 20.10.24 (overlay2, classic store) at unix:///run/test.sock

/var/lib/docker (data-root)
  ####################--------------------------------|...
  9.12 GB available of 14.0 GB
  reserve 1.00 GB, usable 8.12 GB

the engine keeps
  images       2    330 B
  containers   3  8.21 kB
  build cache  2  1.01 kB
  volumes      1  unknown

stack hello
  service  state     health    running  version
  db       absent    -         0/1      -
  web      running   starting  2/2      aaaaaaaaaaaa+bbbbbbbbbbbb
  job      exited 3  -         0/1      bbbbbbbbbbbb"""


def test_status_shows_disk_line_use_and_services() -> None:
    assert status_text(INVENTORY, reserves=LINES, stack=STACK, width=60, ascii_only=True) == TEXT


def test_layers_that_images_share_are_counted_once() -> None:
    assert engine_use(INVENTORY)["images"] == {"count": 2, "bytes": 330}


def test_images_in_containerd_take_their_blobs_besides_each_counted_once() -> None:
    seen = tuple(replace(image, blobs={"sha256:shared": 1000, image.image_id: 7}) for image in INVENTORY.images)
    assert engine_use(replace(INVENTORY, images=seen))["images"] == {"count": 2, "bytes": 330 + 1014}
    layers = {layer.chain_id for image in INVENTORY.images for layer in image.layers}
    about = tuple(
        replace(image, layers=tuple(replace(layer, blob_bytes=11) for layer in image.layers))
        for image in INVENTORY.images
    )
    assert engine_use(replace(INVENTORY, images=about))["images"] == {"count": 2, "bytes": 330 + 11 * len(layers)}


def test_sizes_that_the_engine_does_not_tell_are_null() -> None:
    assert engine_use(INVENTORY)["volumes"] == {"count": 1, "bytes": None}


def test_without_a_stack_there_are_no_services() -> None:
    nothing = Stack(name="", directory="/srv", files=(), services=())

    assert "stack" not in status_text(INVENTORY, reserves=LINES, stack=nothing)
    assert status_form(INVENTORY, reserves=LINES, stack=nothing)["services"] == []


def test_a_version_that_runs_has_the_name_that_rollback_lists() -> None:
    digest = "0123456789abcdef"
    names = [f"localhost/tonnage/hello/web:{tag}" for tag in ("v4-0123456789ab", "v3-fedcba987654", "withdrawn-v9")]
    image = replace(INVENTORY.images[0], references=(*names, "localhost/tonnage/hello/job:v7-0123456789ab"))
    one = replace(INVENTORY.containers[0], config_digest=digest)
    inventory = replace(INVENTORY, images=(image,), containers=(one,))

    told = status_text(inventory, reserves=LINES, stack=STACK)
    assert "  web      running  healthy  1/2      v4 aaaaaaaaaaaa" in told
    other = replace(inventory, containers=(replace(one, config_digest="changed by hand"),))
    assert "  web      running  healthy  1/2      aaaaaaaaaaaa" in status_text(other, reserves=LINES, stack=STACK)


def test_only_the_named_services_are_told_about() -> None:
    services = status_form(INVENTORY, reserves=LINES, stack=STACK, services=("job",))["services"]

    assert isinstance(services, list)
    assert [(each["service"], each["state"]) for each in services] == [("job", "exited")]


def test_the_worst_health_of_all_replicas_counts() -> None:
    sick = replace(INVENTORY.containers[1], health="unhealthy")
    inventory = replace(INVENTORY, containers=(INVENTORY.containers[0], sick))
    services = status_form(inventory, reserves=LINES, stack=STACK, services=("web",))["services"]

    assert isinstance(services, list)
    assert services[0]["health"] == "unhealthy"


def test_states_and_counts_are_values_and_not_text() -> None:
    done = replace(INVENTORY.containers[2], exit_code=0)
    one_shot = replace(STACK.services[2], settings=ServiceSettings(one_shot=True))
    stack = replace(STACK, services=(*STACK.services[:2], one_shot))
    inventory = replace(INVENTORY, containers=(*INVENTORY.containers[:2], done))
    services: Any = status_form(inventory, reserves=LINES, stack=stack)["services"]

    told = [
        [each[name] for name in ("state", "exit_code", "done", "health", "running", "replicas")] for each in services
    ]
    assert told == [
        ["absent", None, False, None, 0, 1],
        ["running", None, False, "starting", 2, 2],
        ["exited", 0, True, None, 0, 1],
    ]
    assert "  job      exited 0  -         done" in status_text(inventory, reserves=LINES, stack=stack)


def test_containers_that_differ_are_mixed_and_the_worst_end_counts() -> None:
    ended = replace(INVENTORY.containers[0], state="exited", exit_code=137)
    inventory = replace(INVENTORY, containers=(ended, INVENTORY.containers[1]))
    services: Any = status_form(inventory, reserves=LINES, stack=STACK, services=("web",))["services"]

    assert (services[0]["state"], services[0]["states"], services[0]["exit_code"]) == (
        "mixed",
        ["exited", "running"],
        137,
    )
    assert (services[0]["running"], services[0]["done"]) == (1, False)


def test_a_look_for_a_log_is_one_line_for_each_filesystem() -> None:
    assert watch_lines(INVENTORY, {MOUNT: 1_000_000_007}, now_s=1_763_463_967.0) == [
        "2025-11-18T11:06:07Z /var/lib/docker: 9.12 GB available, reserve 1.00 GB, usable 8.12 GB"
    ]


def test_a_look_says_which_runs_are_at_work_and_how_fast_the_disk_fills() -> None:
    other = OtherRun(stack="shop", pid=7, user="ann", command="tonnage deploy")
    trend = Trend(change_bytes=-812_000_000, seconds=58.0)
    activity = Activity(runs=(RunAtWork(run=other, step="web.build", seconds=70.0),), trends={MOUNT: trend})
    text = status_text(INVENTORY, reserves=LINES, stack=STACK, activity=activity)

    assert "running: the run of stack shop (process 7 of user ann: tonnage deploy), step web.build, for 1 min" in text
    assert "  -14.0 MB/s over 1 min, reserve reached in 10 min, full in 11 min\n" in text
    [line] = watch_lines(INVENTORY, LINES, activity=activity)
    assert "full in 11 min, running: the run of stack shop" in line
    form = status_form(INVENTORY, reserves=LINES, stack=STACK, activity=activity)
    assert form["runs"] == [
        {"stack": "shop", "pid": 7, "user": "ann", "command": "tonnage deploy", "step": "web.build", "seconds": 70.0}
    ]
    assert "no deploy is running" in status_text(INVENTORY, reserves=LINES, stack=STACK, activity=Activity())


def test_a_disk_that_empties_or_stands_still_is_never_full() -> None:
    room = {"available_bytes": 5_000_000_000, "reserve_bytes": 1_000_000_000}
    assert trend_text(Trend(change_bytes=90_000_000, seconds=30.0), **room) == "+3.00 MB/s over 30 s"
    assert trend_text(Trend(change_bytes=-900, seconds=30.0), **room) == ""
    assert trend_text(None, **room) == ""
    slow = Trend(change_bytes=-1_000_000_000, seconds=86_400.0, since="run 7")
    assert trend_text(slow, **room) == (
        "-1.00 GB available since run 7, 24 h 00 min ago, reserve reached in 4 days, full in 5 days"
    )
    assert trend_form(slow, **room) == {
        "change_bytes": -1_000_000_000,
        "seconds": 86_400.0,
        "bytes_per_s": slow.bytes_per_s,
        "until_reserve_s": 345_600.0,
        "until_full_s": 432_000.0,
    }


def test_a_look_on_a_low_terminal_has_no_blank_lines() -> None:
    shown = {}
    for height in (16, 40):
        console = Console(file=io.StringIO(), width=60, height=height, force_terminal=True, _environ={"TERM": "xterm"})
        with InPlace(console, stack=STACK, services=()) as view:
            view.show(INVENTORY, LINES)
        assert isinstance(console.file, io.StringIO)
        shown[height] = console.file.getvalue()
    assert "stack hello" in shown[16]
    assert "job      exited 3" in shown[16]
    assert "\n\n" not in shown[16].replace("\r", "").rstrip()
    assert "..." not in shown[40]
