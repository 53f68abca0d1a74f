"""Raw progress of buildx is read as its plain one."""

from __future__ import annotations

import json
from base64 import b64encode

from tonnage.decide.reports.log_patterns import read_log
from tonnage.model.reports.symptom import SymptomKind

FAILED = 'process "/bin/sh -c cp a /out/model.bin" did not complete successfully: exit code: 1'


def vertex(digest: str, **known: object) -> str:
    return json.dumps({"vertexes": [{"digest": digest, "inputs": None} | known]})


def said(digest: str, text: str) -> str:
    data = b64encode(text.encode()).decode()
    return json.dumps({"logs": [{"vertex": digest, "stream": 2, "data": data, "timestamp": "2026-11-02T09:18:21.5Z"}]})


def test_what_a_step_says_is_read_and_belongs_to_it() -> None:
    full = said("sha256:a", "copying\ncp: error writing '/out/model.bin': No space left on device\n")
    log = read_log(
        [
            vertex("sha256:a", name="[web stage 3/4] RUN cp a /out/model.bin", started="2026-11-02T09:18:20Z"),
            full,
            vertex("sha256:a", completed="2026-11-02T09:18:22Z", error=FAILED),
        ]
    )

    first = log.symptoms[0]
    assert (first.kind, first.line, first.path, first.in_build) == (SymptomKind.DISK_FULL, 2, "/out/model.bin", True)
    assert (first.service, first.when) == ("web", "2026-11-02T09:18:21.5Z")
    assert log.origin.targets == {"web"}


def test_what_a_step_says_that_is_done_in_the_end_went_wrong_nowhere() -> None:
    log = read_log(
        [
            vertex("sha256:a", name="[web 3/4] RUN cp a /out || true"),
            said("sha256:a", "cp: error writing '/out': No space left on device\n"),
            vertex("sha256:a", completed="2026-11-02T09:18:22Z"),
        ]
    )

    assert log.symptoms == ()


def test_a_line_that_only_begins_like_it_is_read_as_it_stands() -> None:
    (found,) = read_log(['{"logs": cut: write /srv/a: no space left on device']).symptoms
    assert found.path == "/srv/a"
    (found,) = read_log(['{"logs":[{"vertex": cut: write /srv/a: no space left on device']).symptoms
    assert found.path == "/srv/a"


def test_data_that_is_not_what_it_should_be_is_passed_over() -> None:
    line = json.dumps({"logs": [{"vertex": "sha256:a", "data": "%%%", "timestamp": "2026-11-02T09:18:21Z"}]})
    assert read_log([line]).symptoms == ()
