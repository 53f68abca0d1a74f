from __future__ import annotations

import gzip
import io
import random
import tarfile
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.context.compression import Packed, Packing
from tonnage.adapters.context.context_files import ContextFiles
from tonnage.adapters.web.disk_cache import DiskCache
from tonnage.model.forecast.estimate import Grade

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.model.forecast.estimate import Estimate

_WORDS = [f"{number:x}" for number in random.Random(5).sample(range(10**7), 4_001)]


def text(size_bytes: int, seed: int) -> bytes:
    chance = random.Random(seed)
    return " ".join(chance.choices(_WORDS, k=size_bytes // 4)).encode()[:size_bytes]


def noise(size_bytes: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size_bytes)


def entries(directory: Path) -> tuple[list[Packed], ContextFiles]:
    files = ContextFiles(str(directory))
    return [
        Packed(f"/srv/{each.path}", each.size_bytes, each if each.kind == "file" else None) for each in files.entries
    ], files


def tried(directory: Path, cache: Path) -> Estimate:
    packed, files = entries(directory)
    found = Packing(DiskCache(cache)).tried("it", files, packed)
    assert found is not None
    return found


def in_whole_seconds(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mtime = int(entry.mtime)
    return entry


def as_a_layer(directory: Path) -> int:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.add(directory, "srv", filter=in_whole_seconds)
    return len(gzip.compress(made.getvalue(), 6))


CONTEXTS = {
    "a small text": {"readme": text(104_729, 1)},
    "many small texts": {f"module-{n % 7}/part-{n}": text(1_009, n) for n in range(1_500)},
    "a large text": {"log": text(13_000_027, 2)},
    "noise": {"weights": noise(13_000_027, 3)},
    "zeros": {"hole": bytes(29_000_029)},
    "some of each": {"a": text(9_000_011, 4), "b": noise(7_000_003, 5), "c": bytes(11_000_027), "d/e": text(997, 6)},
    "turns of each": {"log": b"".join(text(300_007, n) + noise(300_007, n) for n in range(30))},
    "noise in a corner of much text": {"a": text(17_000_023, 7), "z": noise(701_009, 8)},
}


@pytest.mark.parametrize("kind", CONTEXTS)
def test_how_far_a_context_compresses_is_known_before_it_is_built(tmp_path: Path, kind: str) -> None:
    for name, content in CONTEXTS[kind].items():
        path = tmp_path / "context" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    found, measured = tried(tmp_path / "context", tmp_path / "cache"), as_a_layer(tmp_path / "context")

    whole = sum(map(len, CONTEXTS[kind].values()))
    assert found.low_bytes <= measured <= found.high_bytes
    assert abs(found.likely_bytes - measured) <= 0.03 * whole
    assert found.high_bytes <= whole * 1.001 + 1_000 * len(CONTEXTS[kind]) + 4_096
    assert found.grade is Grade.DECLARED


def test_the_same_files_have_the_same_forecast_and_are_tried_once(tmp_path: Path) -> None:
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "log").write_bytes(text(9_000_011, 9))
    found = [tried(tmp_path / "context", tmp_path / cache) for cache in ("one", "two")]
    (tmp_path / "context" / "log").write_bytes(bytes(9_000_011))

    assert found[0] == found[1]
    assert tried(tmp_path / "context", tmp_path / "one") == found[0]
    assert tried(tmp_path / "context", tmp_path / "three") != found[0]


def test_a_forecast_tries_no_more_than_it_may_whatever_files_say(tmp_path: Path) -> None:
    (tmp_path / "context").mkdir()
    with (tmp_path / "context" / "hole").open("wb") as file:
        file.truncate(2**43)
    packed, files = entries(tmp_path / "context")
    packing = Packing(DiskCache(tmp_path / "cache"))

    found = [packing.tried(f"copy {number}", files, packed) for number in range(21)]

    assert found[0] is not None
    assert found[0].likely_bytes < 2**43 // 500
    assert found[20] is None
    assert found[:20] == [found[0]] * 20


def test_files_that_went_away_are_not_tried(tmp_path: Path) -> None:
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "log").write_bytes(text(9_001, 10))
    packed, files = entries(tmp_path / "context")
    (tmp_path / "context" / "log").unlink()

    assert Packing(DiskCache(tmp_path / "cache")).tried("it", files, packed) is None
