"""What is said of a disk that is only named."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tonnage.flows.machine.named_disk import available_on_ext4, notes_of_disk
from tonnage.model.forecast.estimate import DATA_ROOT, NOTHING, Holding, InstructionForecast, ServiceForecast, exactly

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(not (shutil.which("mkfs.ext4") and shutil.which("dumpe2fs")), reason="e2fsprogs are not there")
@pytest.mark.parametrize("size_bytes", [1_300_000_000, 3_000_000_000, 14_000_000_000, 40_000_000_000])
def test_what_mkfs_leaves_is_known(tmp_path: Path, size_bytes: int) -> None:
    disk = tmp_path / "disk"
    with disk.open("xb") as file:
        file.truncate(size_bytes)
    subprocess.run(["mkfs.ext4", "-q", "-F", disk], check=True)
    told = subprocess.run(["dumpe2fs", "-h", disk], check=True, capture_output=True, text=True).stdout
    free, kept = (int(re.search(rf"{name}:\s+(\d+)", told)[1]) for name in ("Free blocks", "Reserved block count"))  # type: ignore[index]
    assert available_on_ext4(size_bytes) == pytest.approx((free - kept) * 4_096, rel=0.01)


def forecast(*, present: bool) -> ServiceForecast:
    base = Holding(key="c1", role=DATA_ROOT, kept=NOTHING, image=exactly(77_000_001), present=present, in_image=True)
    return ServiceForecast(
        service="web", steps=(InstructionForecast(stage="0", line=1, text="FROM a", holdings=(base,)),)
    )


def test_layers_that_are_there_already_are_said_once() -> None:
    notes = notes_of_disk(14_000_000_000, [forecast(present=True), forecast(present=True)])
    assert "a whole disk of 14.0 GB has 13.0 GB" in notes[0]
    assert "77.0 MB of layers" in notes[1]
    assert len(notes_of_disk(14_000_000_000, [forecast(present=False)])) == 1
