"""Files that commands remove, change, copy and move by path, by pattern or by ``find``: counted, not guessed.

What each line writes was seen on an overlay filesystem, where the same lines were run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.forecast.gather.conftest import forecasting

from tonnage.model.forecast.estimate import Grade

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO, THREE, FOUR, TEXT = 4_000_037, 2_000_003, 1_000_003, 3_000_017, 6_000_000
ALL = ONE + TWO + THREE + FOUR + TEXT
FILES = {"one.bin": ONE, "two.bin": TWO, "sub/three.bin": THREE, "sub/deep/four.bin": FOUR, "big.txt": TEXT}
NOISE = "head -c 4000000 /dev/urandom"


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A context with files of different sizes."""
    for name, size_bytes in FILES.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\1" * size_bytes)
    return tmp_path


@pytest.mark.parametrize(
    ("lines", "written"),
    [
        ("RUN cp -rl /data /linked", ALL),
        ("RUN ln /data/one.bin /data/hard\nRUN cp -rl /data /linked", ALL + ONE),
        ("RUN ln /data/one.bin /hard && mv /hard /moved\nRUN chmod 600 /moved", ONE),
        ("RUN cp -al /data /copy && rm -rf /data", ALL),
        ("RUN cp -al /data /copy && rm -rf /data\nRUN cp -a /copy /third", ALL),
        ("RUN cp -al /data /copy && rm -rf /copy", ALL),
        ("RUN cp -al /data /copy && cp -r /copy/sub /sub", ALL + THREE + FOUR),
        (f"RUN {NOISE} > /a && ln /a /b", 4_000_000),
        (f"RUN {NOISE} > /a && ln /a /b && rm /a", 4_000_000),
        (f"RUN {NOISE} > /a && ln /a /b && mv /a /c", 4_000_000),
        (f"RUN {NOISE} > /a && ln /a /b && rm /a /b", 0),
        (f"RUN {NOISE} > /a && ln /a /b && cat /b > /c", 8_000_000),
        ("RUN cp -r /data /work && rm /work/one.bin", ALL - ONE),
        ("RUN cp -r /data /work && rm -rf /work/sub", ALL - THREE - FOUR),
        ("RUN cp -r /data /work && rm -rf /work/*/deep", ALL - FOUR),
        ("RUN cp -r /data /work && find /work -name '*.bin' -delete", TEXT),
        ("RUN cp -r /data /work && find /work -type f ! -name '*.txt' -print", ALL),
        ("RUN cp -r /data /work && find /work -name deep -exec rm -rf {} +", ALL - FOUR),
        ("RUN cp -r /data /work && find /work/sub -name sub -exec rm -rf {} +", ALL - THREE - FOUR),
        ("RUN cp -r /data /work && find /work -type f -name deep -exec rm -rf {} +", ALL),
        ("RUN mv /data/sub /s && rm -rf /s/deep", THREE),
        (f"RUN {NOISE} > /srv/x.tmp && find /srv -name '*.tmp' -delete", 0),
        (f"RUN mkdir -p /w && cd /w && {NOISE} > y && cp y z && rm -f /w/[yz]", 0),
        (f"RUN {NOISE} > /a && head -c 3000000 /dev/urandom > /a", 3_000_000),
        (f"RUN ({NOISE}; {NOISE}) > /a", 8_000_000),
        ("RUN cp /data/one.bin /a && cp /data/two.bin /a", TWO),
        ("RUN mkdir -p /opt/x && cp -r /data /opt/x && mv /opt/x /opt/y && rm -r /opt/y/data/sub", ALL - THREE - FOUR),
        ("RUN cp -a /data/. /work/ && rm /work/one.bin", ALL - ONE),
        ("RUN mkdir /work && cp -r /data/* /work/ && rm /work/two.bin", ALL - TWO),
        ("RUN find /data -type d -exec chmod 755 {} +", 0),
        ("RUN find /data -name '*.bin' -exec chown 1000 {} +", ALL - TEXT),
        ("RUN find /data -type f -exec chmod 644 {} +", ALL),
        ("RUN chown 5 /data/*.bin\nRUN touch /data/one.bin /data/new", ONE),
        ("RUN truncate -s 0 /data/big.txt\nRUN sed -i s/a/b/ /data/*.txt", 0),
        ("RUN mv /data/sub/deep /data/n\nRUN find /data -type f -exec chmod 600 {} +", ALL),
        ("RUN ln -s /data /link\nRUN cp -r /link/ /followed", ALL),
        ("RUN ln -s data/sub /link\nRUN cp -r /link/deep /followed", FOUR),
        ("RUN ln -s ../data/one.bin /srv/soft && cp /srv/soft /real", ONE),
        ("RUN ln -s /data /link\nRUN rm -rf /link/sub && chmod -R a+r /data", ALL - THREE - FOUR),
        ("RUN ln -s /data /link && rm /link\nRUN cp -r /data/sub /link", THREE + FOUR),
        ("RUN ln -s /data /link && head -c 7 /dev/zero > /link/big.txt\nRUN chmod -R 700 /data", ALL - TEXT + 7),
        ("RUN ln -s a /b && ln -s b /a && cp /data/one.bin /c", ONE),
        ("COPY data/two.bin /data/one.bin\nRUN chmod -R 700 /data", ALL - ONE + TWO),
    ],
)
def test_what_a_command_means_is_counted_by_files(context: Path, lines: str, written: int) -> None:
    found = forecasting("http://127.0.0.1:9/simple", context)(f"COPY data /data\n{lines}")

    image = found.steps[-1].image
    assert (image.low_bytes, image.likely_bytes, image.high_bytes) == (written, written, written)
    assert image.grade is Grade.EXACT


@pytest.mark.parametrize(
    ("removal", "least", "most"),
    [
        ("find /work -size +3M -delete", 0, ALL),
        ("find /work -type f ! -name '*.bin' -delete", 0, ALL),
        ("ls /work | grep bin | xargs rm", 0, ALL),
        ("rm -rf /work/$(date)", 0, ALL),
        ("find /work -name '*.bin' -exec strip {} +", 0, ALL),
        ("strip /work/one.bin", ALL - ONE, ALL),
        ("find /work -type d -name sub -o -type f -name '*.txt' -delete", 0, ALL),
    ],
)
def test_a_removal_that_cannot_be_told_takes_nothing_off_the_high_figure(
    context: Path, removal: str, least: int, most: int
) -> None:
    found = forecasting("http://127.0.0.1:9/simple", context)(f"COPY data /data\nRUN cp -r /data /work && {removal}")

    image = found.steps[-1].image
    assert (image.low_bytes, image.high_bytes) == (least, most)
    assert image.grade is not Grade.EXACT


def test_a_further_name_of_what_lost_some_files_is_told_within_bounds(context: Path) -> None:
    lines = "COPY data /data\nRUN cp -al /data /copy && rm -rf /data/sub"
    image = forecasting("http://127.0.0.1:9/simple", context)(lines).steps[-1].image
    assert image.low_bytes <= ALL <= image.high_bytes
    assert image.grade is Grade.DECLARED


@pytest.mark.parametrize(
    ("copied", "least", "most"),
    [
        ("RUN cp -a /data /copy", ALL, ALL + ONE),
        ("RUN cp -r /data /copy", ALL, ALL + ONE),
        ("RUN mv /data /copy", ALL, ALL + ONE),
        ("FROM scratch\nCOPY --from=0 /data /", ALL, ALL + ONE),
        ("FROM scratch\nCOPY --from=0 /data /data\nFROM scratch\nCOPY --from=1 / /again/", ALL, ALL + ONE),
        ("RUN cp -a /data/hard /copy", ONE, ONE),
        ("RUN chmod 600 /data/hard\nRUN cp -a /data /copy", ALL + ONE, ALL + ONE),
    ],
)
def test_two_names_of_a_file_may_be_copied_as_names_of_one(context: Path, copied: str, least: int, most: int) -> None:
    lines = f"COPY data /data\nRUN ln /data/one.bin /data/hard\n{copied}"
    image = forecasting("http://127.0.0.1:9/simple", context)(lines).steps[-1].image
    assert (image.low_bytes, image.high_bytes) == (least, most)
    assert (image.grade is Grade.EXACT) is (least == most)


def test_dd_that_truncates_nothing_copies_what_is_there(context: Path) -> None:
    lines = "COPY data /data\nRUN dd if=/dev/urandom of=/data/one.bin bs=1k count=4 conv=notrunc"
    image = forecasting("http://127.0.0.1:9/simple", context)(lines).steps[-1].image
    assert (image.low_bytes, image.high_bytes) == (ONE, ONE + 4_096)


def test_a_file_that_is_cut_off_is_as_large_as_it_is_then(context: Path) -> None:
    lines = "COPY data /data\nRUN truncate -s 100 /data/one.bin\nRUN chmod 600 /data/one.bin"
    found = forecasting("http://127.0.0.1:9/simple", context)(lines)
    assert [step.image.high_bytes for step in found.steps[-2:]] == [100, 100]


@pytest.mark.parametrize("options", ["-P", "-d", "-a", "--no-dereference"])
def test_a_link_that_is_copied_as_one_is_no_file(context: Path, options: str) -> None:
    lines = f"COPY data /data\nRUN ln -s /data/one.bin /link && cp {options} /link /other"
    image = forecasting("http://127.0.0.1:9/simple", context)(lines).steps[-1].image
    assert image.low_bytes == 0
    assert image.grade is not Grade.EXACT


@pytest.mark.parametrize("line", ["truncate -s 5M /a", "dd if=/dev/zero of=/a bs=1M count=5 conv=sparse"])
def test_holes_count_in_the_image_and_need_not_be_on_the_disk(context: Path, line: str) -> None:
    found = forecasting("http://127.0.0.1:9/simple", context)(f"RUN {line}").steps[-1]

    assert found.image.likely_bytes == found.image.high_bytes == 5 << 20
    assert found.disk.likely_bytes < 1 << 20
    assert found.disk.high_bytes >= 5 << 20
    assert found.disk.grade is Grade.DECLARED
