from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tonnage.decide.reports.diagnosis import explain
from tonnage.decide.reports.log_patterns import read_log
from tonnage.decide.reports.log_place import machine_elsewhere
from tonnage.decide.reports.machine_figures import Machine
from tonnage.model.reports.symptom import Here, SymptomKind

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = Path(__file__).parents[3] / "logs" / "table.txt"
HERE = Here(hostname="workshop")


class Row(NamedTuple):
    """One short log, and what is right of it."""

    name: str
    wanted: str
    known: dict[str, str]
    log: str


def _rows() -> Iterator[Row]:
    for block in TABLE.read_text().split("\n== ")[1:]:
        head, _, log = block.partition("\n")
        name, wanted, known = (each.strip() for each in head.split("|"))
        pairs = dict(each.partition("=")[::2] for each in known.replace("by=the ", "by=the_").split())
        yield Row(name, wanted, {key: value.replace("_", " ") for key, value in pairs.items()}, log)


ROWS = list(_rows())


def test_there_are_enough_of_them_and_each_once() -> None:
    assert len(ROWS) >= 120
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("group", range(6))
def test_each_short_log_is_told_for_what_it_is(group: int) -> None:
    wrong = []
    for row in ROWS[group::6]:
        log = read_log(row.log.splitlines())
        elsewhere = machine_elsewhere(log, HERE)
        found = explain(log.symptoms, Machine(elsewhere=elsewhere), log.origin)
        said = f"{found[0].kind.value}{'/' if found[0].cause else ''}{found[0].cause}" if found else "-"
        wrong += [f"{row.name}: {said}, wanted {row.wanted}"] * (said != row.wanted)
        wrong += [f"{row.name}: elsewhere {elsewhere!r}"] * (("elsewhere" in row.known) != bool(elsewhere))
        first = found[0] if found else None
        told = {"by": first.symptoms[0].told_by, "service": first.service} if first is not None else {}
        told["missing"] = str(first.missing_bytes) if first is not None else ""
        wrong += [
            f"{row.name}: {key} {told[key]!r}, wanted {value!r}"
            for key, value in row.known.items()
            if key in told and told[key] != value
        ]
        if "host" in row.known:
            wrong += [f"{row.name}: {elsewhere}"] * (row.known["host"] not in elsewhere)
    assert wrong == []


def test_every_kind_has_a_short_log() -> None:
    kinds = {row.wanted.partition("/")[0] for row in ROWS}

    assert {each.value for each in SymptomKind} - kinds == {"sigbus", "layer-not-registered"}
