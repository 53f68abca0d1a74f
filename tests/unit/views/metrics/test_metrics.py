"""Metrics as prometheus-client's parsers read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from prometheus_client.openmetrics.parser import text_string_to_metric_families as _read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_plain
from tests.unit.views.samples import AVAILABLE_BYTES, INVENTORY, LINE_BYTES, LINES, MOUNT, RUN, STACK

from tonnage.views.metrics.exposition import Family, Sample, exposition
from tonnage.views.metrics.status import STATES, silent_families, status_families

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tonnage.model.inventory import Inventory

read_openmetrics: Callable[[str], Iterable[Any]] = _read_openmetrics
NOW_S = 1_795_000_123.25
Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


def values(inventory: Inventory = INVENTORY, *, openmetrics: bool = False) -> Values:
    families = status_families(inventory, reserves=LINES, stack=STACK, runs=(RUN,), now_s=NOW_S)
    text = exposition(families, openmetrics=openmetrics)
    read = read_openmetrics if openmetrics else read_plain
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in read(text)
        for sample in family.samples
    }


def at(found: Values, name: str, **labels: str) -> float:
    return found[f"tonnage_{name}", frozenset(labels.items())]


@pytest.mark.parametrize("openmetrics", [False, True])
def test_both_formats_are_read_by_the_parsers_of_prometheus(*, openmetrics: bool) -> None:
    found = values(openmetrics=openmetrics)

    assert at(found, "filesystem_avail_bytes", mountpoint=MOUNT) == AVAILABLE_BYTES
    assert at(found, "filesystem_headroom_bytes", mountpoint=MOUNT) == AVAILABLE_BYTES - LINE_BYTES
    assert at(found, "filesystem_files_free", mountpoint=MOUNT) == 901_013
    assert at(found, "filesystem_role", mountpoint=MOUNT, role="data-root") == 1
    assert at(found, "engine_used_bytes", kind="images") == 330
    assert at(found, "service_running", project="hello", service="web") == 2
    assert at(found, "service_healthy", project="hello", service="web") == 0
    assert at(found, "service_exit_code", project="hello", service="job") == 3
    assert at(found, "service_state", project="hello", service="db", state="absent") == 1
    assert at(found, "last_run_success", project="hello", purpose="deploy") == 0
    assert at(found, "last_run_duration_seconds", project="hello", purpose="deploy") == RUN.seconds
    assert at(found, "last_look_timestamp_seconds") == NOW_S
    assert at(found, "up") == 1


def test_what_is_not_known_has_no_sample() -> None:
    names = {name for name, labels in values() if ("kind", "volumes") in labels or ("service", "job") in labels}
    assert "tonnage_engine_used_bytes" not in names
    assert "tonnage_service_healthy" not in names
    assert "tonnage_engine_objects" in names


def test_a_service_has_exactly_one_state() -> None:
    found = values()
    states = [at(found, "service_state", project="hello", service="web", state=state) for state in STATES]
    assert sum(states) == 1


@pytest.mark.parametrize("openmetrics", [False, True])
def test_names_from_outside_break_no_line(*, openmetrics: bool) -> None:
    odd = 'a"b\\c\nd\x1b[31m{},=\u202e'
    disk = replace(INVENTORY.filesystems[0], mount=odd)
    found = values(replace(INVENTORY, filesystems=(disk,)), openmetrics=openmetrics)
    [mount] = [dict(labels)["mountpoint"] for name, labels in found if name == "tonnage_filesystem_size_bytes"]
    assert mount.startswith('a"b\\c')
    assert not {"\n", "\x1b", "\u202e"} & set(mount)


def test_an_engine_that_does_not_answer_is_down() -> None:
    text = exposition(silent_families(NOW_S), openmetrics=True)
    assert [sample.value for family in read_openmetrics(text) for sample in family.samples] == [0, NOW_S]
    assert "timestamp" not in exposition(silent_families(None))


def test_a_family_without_samples_is_left_out() -> None:
    assert exposition([Family("a", "b", ()), Family("c", "d", (Sample(0.5),))]) == "# HELP c d\n# TYPE c gauge\nc 0.5\n"
