"""What the instruction that installs removes again: exactly where the parts of wheels are known, else as a bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.adapters.file_server import Index, serving
from tests.unit.forecast.gather.conftest import BESIDE, NEW, forecasting

from tonnage.model.forecast.estimate import Grade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.forecast.gather.conftest import Forecast

CODE, LIBRARY, TESTS = b"x = 1\n" * 60_000, b"\x01\x02" * 4_000_037, b"t = 2\n" * 50_000
SITE = "/usr/local/lib/python3.11/site-packages"
INSTALL = "pip install --no-cache-dir parted"


@pytest.fixture(scope="module")
def parted() -> Iterator[Index]:
    """An index with a wheel of several parts, and two wheels that have files in common."""
    with serving() as server:
        offered = Index(server)
        files = {
            "parted/__init__.py": CODE,
            "parted/lib/a.so": LIBRARY,
            "parted/lib/tests/t.py": TESTS,
            "parted.libs/b.so": LIBRARY,
        }
        offered.wheel("parted", "1.0", files=files)
        shared = {"common/__init__.py": b"", "common/data/x.bin": LIBRARY, "common/y.so": LIBRARY}
        offered.wheel("first", "1.0", files=shared)
        offered.wheel("second", "1.0", files={**shared, "second/z.bin": b"z" * 1_000_003})
        yield offered


def image(
    parted: Index, directory: Path, script: str, bytecode: str = "ENV PYTHONDONTWRITEBYTECODE=1\n"
) -> tuple[int, int, int, Grade]:
    found = forecasting(parted.url, directory)(f"{bytecode}RUN {script}")
    assert not found.failures
    last = found.steps[-1].image
    return last.low_bytes, last.likely_bytes, last.high_bytes, last.grade


@pytest.mark.parametrize(
    ("removal", "gone"),
    [
        (f"rm -rf {SITE}/parted.libs", len(LIBRARY)),
        (f"cd {SITE} && rm -r parted/lib", len(LIBRARY) + len(TESTS)),
        (f"rm -rf {SITE}/parted.libs {SITE}/parted/*", 2 * len(LIBRARY) + len(CODE) + len(TESTS)),
    ],
)
def test_what_rm_removes_of_a_wheel_goes_off(parted: Index, tmp_path: Path, removal: str, gone: int) -> None:
    install = f"{INSTALL} --no-compile"
    whole = image(parted, tmp_path, install)[1]
    low, likely, high, grade = image(parted, tmp_path, f"{install} && {removal}")
    assert low <= likely <= high
    assert likely == whole - gone
    assert grade is not Grade.UNKNOWN


def test_bytecode_that_is_deleted_goes_off_once(parted: Index, tmp_path: Path) -> None:
    plain = image(parted, tmp_path, f"{INSTALL} --no-compile")[1]
    for removal in (
        "find / -name '*.pyc' -delete",
        "find /usr/local -type d -name __pycache__ -exec rm -rf {} +",
        "find /usr -name '*.pyc' -delete && find / -depth -type d -name __pycache__ -exec rm -rf '{}' +",
        "find / -name '*.pyc' -print0 | xargs -0 rm -f",
    ):
        low, likely, high, _ = image(parted, tmp_path, f"{INSTALL} && {removal}", "")
        assert likely == pytest.approx(plain, rel=0.01)
        assert low <= plain <= high


def test_tests_that_are_deleted_go_off(parted: Index, tmp_path: Path) -> None:
    whole = image(parted, tmp_path, f"{INSTALL} --no-compile")[1]
    found = image(parted, tmp_path, f"{INSTALL} --no-compile && find {SITE} -type d -name tests -exec rm -rf {{}} +")
    assert found[1] == whole - len(TESTS)


@pytest.mark.parametrize(
    "removal",
    [
        f"find {SITE} -name '*.so' -size +1M -delete",
        f"find {SITE} -type f ! -name '*.py' -delete",
        f"rm -rf {SITE}/parted/lib/tests",
        f"test -f /x && rm -rf {SITE}/parted",
        f"find {SITE}/parted -name '*.so' -delete",
    ],
)
def test_a_removal_that_cannot_be_told_makes_no_exact_figure_and_takes_nothing_off_the_high_one(
    parted: Index, tmp_path: Path, removal: str
) -> None:
    whole = image(parted, tmp_path, INSTALL)
    low, _, high, grade = image(parted, tmp_path, f"{INSTALL} && {removal}")
    assert low == 0
    assert high == pytest.approx(whole[2], rel=0.001)
    assert grade is not Grade.EXACT


def test_what_finds_nothing_removes_nothing(parted: Index, tmp_path: Path) -> None:
    whole = image(parted, tmp_path, INSTALL)[1]
    assert image(parted, tmp_path, f"{INSTALL} && find {SITE} -type d -empty -delete")[2] >= whole


def test_files_of_two_wheels_at_one_path_are_counted_once(parted: Index, tmp_path: Path) -> None:
    both = image(parted, tmp_path, "pip install --no-cache-dir first second")
    assert both[1] == pytest.approx(2 * len(LIBRARY) + 1_000_003, rel=0.01)
    assert both[3] is Grade.EXACT


def test_what_another_instruction_removes_stays(forecast: Forecast) -> None:
    found = forecast(f"RUN pip install --no-cache-dir beside torch==2.3.1\nRUN rm -rf {SITE}/reader")
    assert found.image.likely_bytes > NEW + BESIDE


@pytest.mark.parametrize(
    ("removal", "again"),
    [
        ("find /usr/local -name '*.pyc' -delete", True),
        ("find / -type d -name __pycache__ -exec rm -rf {} +", True),
        ("find / -name '*.pyo' -delete", False),
        ("find /srv -name '*.pyc' -delete", False),
    ],
)
def test_pip_writes_its_own_bytecode_again_where_that_was_deleted(
    parted: Index, tmp_path: Path, removal: str, *, again: bool
) -> None:
    found = forecasting(parted.url, tmp_path)(f"RUN {INSTALL}\nRUN {removal}\nRUN pip install --no-cache-dir first")
    own = [piece for piece in found.steps[-1].contributors if "bytecode of pip" in piece.name]
    assert bool(own) is again
