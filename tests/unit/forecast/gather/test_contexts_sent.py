"""A context is sent while the first instructions are done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.forecast.gather.conftest import forecasting

if TYPE_CHECKING:
    from pathlib import Path

SENT, WRITTEN = 9_000_011, 20_000_003
NOISE = f"RUN head -c {WRITTEN} /dev/urandom > /a && rm /a\n"


@pytest.mark.parametrize(
    ("dockerfile", "on_top"),
    [
        (f"{NOISE}COPY big.bin /srv/", WRITTEN + SENT - 2 * SENT),
        (f"COPY big.bin /srv/\n{NOISE}", WRITTEN),
        (
            f"{NOISE}COPY big.bin /srv/\nFROM scratch\nCOPY --from=0 /srv /srv\nCOPY big.bin /",
            WRITTEN + SENT - 4 * SENT,
        ),
    ],
)
def test_what_later_instructions_take_of_a_context_is_there_from_the_beginning(
    tmp_path: Path, dockerfile: str, on_top: int
) -> None:
    (tmp_path / "big.bin").write_bytes(bytes(SENT))
    found = forecasting("https://index.example.org/simple", tmp_path)(dockerfile)
    assert not found.failures
    assert found.transient.likely_bytes == pytest.approx(max(0, on_top), abs=200_000)
    assert found.transient.low_bytes <= found.transient.likely_bytes
