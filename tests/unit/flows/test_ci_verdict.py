from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tonnage.errors import CannotFitError, LimitPassedError, UsageError
from tonnage.flows.ci_job import JobFlags, judge

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.flows.ci_job import JobVerdict


def _figures(likely: int | None) -> dict[str, Any]:
    return {"likely": likely, "grade": "exact"}


def _forecast(file: Path, disk_bytes: int, *, missing_bytes: int = 0, failures: tuple[str, ...] = ()) -> str:
    sizes = {name: _figures(disk_bytes) for name in ("image_bytes", "disk_bytes", "transient_bytes")}
    service = {"service": "web", **sizes, "broken": bool(failures), "failures": list(failures)}
    fit = {
        "mount": "/",
        "available_bytes": 9_000_000,
        "reserve_bytes": 1_000_000,
        "fit": "does not fit" if missing_bytes else "fits",
        "missing_bytes": missing_bytes,
    }
    stack = {"name": "shop", "image_bytes": _figures(disk_bytes), "disk_bytes": _figures(disk_bytes)}
    file.write_text(json.dumps({"document": "forecast", "stack": stack, "services": [service], "fits": [fit]}))
    return str(file)


def _flags(forecast: str, base: str = "", **typed: Any) -> JobFlags:  # noqa: ANN401 - the fields of JobFlags
    return JobFlags(
        forecast=forecast,
        events="",
        reclaim="",
        lint="",
        base=base,
        outputs="",
        repository="",
        pull_request=None,
        **typed,
    )


def _told(verdict: JobVerdict) -> str:
    return "\n".join((verdict.text, *verdict.annotations))


def test_what_does_not_fit_fails_only_where_it_must_fit(tmp_path: Path) -> None:
    here = _forecast(tmp_path / "here.json", 5_000_000, missing_bytes=2_000_000)

    told = judge("/", _flags(here))
    assert told.failure is None
    assert "::warning::the stack does not fit on /: 2.00 MB are missing" in _told(told)
    failed = judge("/", _flags(here, must_fit=True))
    assert isinstance(failed.failure, CannotFitError)
    assert "::error::the stack does not fit on /" in _told(failed)
    assert judge("/", _flags(_forecast(tmp_path / "fits.json", 5), must_fit=True)).failure is None


@pytest.mark.parametrize(("most", "fails"), [("1MB", True), ("2MB", False)])
def test_growth_is_compared_with_what_is_allowed(tmp_path: Path, most: str, fails: bool) -> None:  # noqa: FBT001 - a row
    base = _forecast(tmp_path / "base.json", 5_000_000)
    here = _forecast(tmp_path / "here.json", 7_000_000)
    found = judge("/", _flags(here, base, grows_at_most=most))

    assert isinstance(found.failure, LimitPassedError) is fails
    assert ("::error::the stack grows by 2.00 MB, more than 1.00 MB" in _told(found)) is fails


def test_growth_without_a_base_or_of_what_cannot_be_built_is_not_known(tmp_path: Path) -> None:
    here = _forecast(tmp_path / "here.json", 7_000_000)
    broken = _forecast(tmp_path / "broken.json", 7_000_000, failures=("web/requirements.txt:3: nosuch is not there",))

    assert "::notice::" in _told(judge("/", _flags(here, grows_at_most="1MB")))
    (tmp_path / ".git").mkdir()
    told = judge(f"{tmp_path}/deploy", _flags(broken, here, grows_at_most="1MB"))
    assert told.failure is None
    assert "::error file=deploy/web/requirements.txt,line=3::web: nosuch is not there" in _told(told)
    assert "cannot be built" in _told(told)


def test_without_a_forecast_there_is_nothing_to_judge(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no forecast"):
        judge("/", _flags(str(tmp_path / "none.json")))
