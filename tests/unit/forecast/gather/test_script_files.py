"""Scripts of the context that a build runs or sources are followed; others may do anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.forecast.gather.conftest import DRIVER, LARGE, OLD

from tonnage.model.forecast.estimate import Grade

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.forecast.gather.conftest import Forecast

ASSUMED = 500_000_000
INSTALL = "pip install --no-cache-dir reader==1.0\n"


@pytest.mark.parametrize(
    ("script", "line"),
    [
        (INSTALL, "RUN sh /s/x.sh"),
        (INSTALL, "WORKDIR /s\nRUN bash -eux x.sh"),
        (INSTALL, "WORKDIR /s\nRUN chmod +x x.sh && ./x.sh"),
        (f"#!/usr/bin/env bash\nset -e\n{INSTALL}", "RUN chmod 755 /s/x.sh && sed -i 's/\\r$//' /s/x.sh && /s/x.sh"),
        (INSTALL, 'RUN ["/bin/sh", "/s/x.sh"]'),
        (INSTALL, 'RUN ["/s/x.sh"]'),
        (INSTALL, "RUN sudo -E bash /s/x.sh > /log 2>&1"),
        (INSTALL, "RUN cd /s && . ./x.sh"),
        ('pip install --no-cache-dir "$@"\n', "RUN sh /s/x.sh reader==1.0"),
        ('pip install --no-cache-dir "$1==$2"\n', "RUN sh /s/x.sh reader 1.0"),
        ('pip install "$@"\n', "RUN sh /s/x.sh --no-cache-dir 'reader < 2'"),
        ('f() { pip install --no-cache-dir "${@}"; }; f "$@"\n', "RUN sh /s/x.sh --no-deps reader==1.0"),
        ("pip install --no-cache-dir reader==$V\n", "ENV V=1.0\nRUN sh /s/x.sh"),
        ("pip install --no-cache-dir reader==$V\n", "RUN V=1.0 sh /s/x.sh"),
        ("V=1.0\n", "RUN . /s/x.sh && pip install --no-cache-dir reader==$V"),
        ('pip install --no-cache-dir -r "$(dirname "$0")"/list.txt\n', "RUN sh /s/x.sh"),
        ('cd "$(dirname "${BASH_SOURCE[0]}")"\npip install --no-cache-dir -r list.txt\n', "RUN bash /s/x.sh"),
        ('HERE=$(cd "$(dirname "$0")" && pwd)\npip install --no-cache-dir -r $HERE/list.txt\n', "RUN sh /s/x.sh"),
        ("if [ $# -eq 0 ]; then pip install torch; exit 1; fi\n" + INSTALL, "RUN sh /s/x.sh all"),
        (INSTALL, "RUN --mount=type=bind,target=/ctx sh /ctx/x.sh"),
        ("sh /s/inner.sh\n", "RUN sh /s/x.sh"),
        ("exit 0\npip install torch\n", f"RUN sh /s/x.sh && {INSTALL}"),
        ("return\npip install torch\n", f"RUN . /s/x.sh; {INSTALL}"),
    ],
)
def test_a_script_of_the_context_is_followed(forecast: Forecast, tmp_path: Path, script: str, line: str) -> None:
    (tmp_path / "x.sh").write_text(script)
    (tmp_path / "inner.sh").write_text(INSTALL)
    (tmp_path / "list.txt").write_text("reader==1.0\n")
    found = forecast(f"COPY . /s/\n{line}")
    assert not found.failures
    assert sum(step.image.likely_bytes for step in found.steps) == pytest.approx(OLD, rel=0.01)
    assert found.image.grade is not Grade.UNKNOWN


def test_a_script_that_an_earlier_stage_or_a_document_brings_is_followed(forecast: Forecast, tmp_path: Path) -> None:
    (tmp_path / "x.sh").write_text(INSTALL)
    for lines in (
        "COPY x.sh /a/\nFROM scratch\nCOPY --from=0 /a/x.sh /b/y.sh\nRUN sh /b/y.sh",
        f"COPY <<EOF /x.sh\n{INSTALL}EOF\nRUN sh /x.sh",
        f"RUN echo '{INSTALL.strip()}' > /x.sh\nRUN sh /x.sh",
    ):
        last = forecast(lines).steps[-1]
        assert "reader 1.0" in [each.name for each in last.contributors], lines
        assert last.image.grade is not Grade.UNKNOWN


@pytest.mark.parametrize(
    "line",
    [
        "RUN sh /s/none.sh",
        "RUN . /s/none.sh",
        "RUN . /opt/anything",
        "RUN sed -i s/reader/torch/ /s/x.sh && sh /s/x.sh",
        "RUN curl -o /s/x.sh https://example.org/x && sh /s/x.sh",
        "RUN echo more >> /s/x.sh; sh /s/x.sh",
        "RUN cp /s/other /s/x.sh && sh /s/x.sh",
        "RUN sh /s/*.sh",
        "RUN /s/python",
        "RUN /s/nothing-said",
        "RUN sh /s/circle.sh",
    ],
)
def test_a_script_that_nobody_knows_may_do_anything(forecast: Forecast, tmp_path: Path, line: str) -> None:
    (tmp_path / "x.sh").write_text(INSTALL)
    (tmp_path / "python").write_text("#!/usr/bin/python3\nprint(1)\n")
    (tmp_path / "nothing-said").write_text(INSTALL)
    (tmp_path / "circle.sh").write_text("sh /s/circle.sh\n")
    found = forecast(f"COPY . /s/\n{line}")
    assert found.steps[-1].image.grade is Grade.UNKNOWN
    assert found.steps[-1].image.high_bytes >= ASSUMED


@pytest.mark.parametrize(
    "path", ["/opt/venv/bin/activate", "~/.bashrc", "/etc/os-release", "$NVM_DIR/nvm.sh", "/a/.env"]
)
def test_a_file_that_only_sets_variables_writes_nothing(forecast: Forecast, path: str) -> None:
    found = forecast(f"RUN . {path}")
    assert found.steps[-1].image.high_bytes < 1_000_000


def test_a_script_that_fans_out_without_end_is_bounded(forecast: Forecast, tmp_path: Path) -> None:
    for number in range(12):
        again = f"sh /s/{number + 1}.sh\n" * 9 if number < 11 else "pip install torch\n"
        (tmp_path / f"{number}.sh").write_text(again + "# " + "x" * 20_000 + "\n")
    found = forecast("COPY . /s/\nRUN sh /s/0.sh")
    assert found.steps[-1].image.grade is Grade.UNKNOWN


def test_an_archive_of_a_directory_is_as_large_as_what_lies_in_it(forecast: Forecast) -> None:
    lines = "RUN pip install --no-cache-dir --target /opt/libs torch==2.3.1 reader==1.0\n"
    for command in ("tar cf /b.tar /opt/libs", "tar -C /opt -cf /b.tar libs", "tar -c -f /b.tar -C /opt libs"):
        found = forecast(f"{lines}RUN {command}")
        assert found.steps[-1].image.high_bytes > LARGE, command


def test_an_archive_of_the_system_is_bounded_by_what_nobody_knows(forecast: Forecast) -> None:
    found = forecast("RUN tar czf /b.tgz /usr/local/lib")
    assert found.steps[-1].image.grade is Grade.UNKNOWN


INTO = "pip install --no-cache-dir --no-compile"


@pytest.mark.parametrize(
    "loop",
    [
        f'while read -r p; do {INTO} "$p"; done < /s/list.txt',
        f'while IFS= read -r p || [ -n "$p" ]; do {INTO} "$p"; done < /s/list.txt',
        f"cat /s/list.txt | while read p; do {INTO} $p; done",
        f"for p in $(cat /s/list.txt); do {INTO} $p; done",
        f"cd /s && for p in $(< list.txt); do {INTO} --no-deps $p || exit 1; done",
    ],
)
def test_a_loop_over_the_lines_of_a_file_does_each_of_them(forecast: Forecast, tmp_path: Path, loop: str) -> None:
    (tmp_path / "list.txt").write_text("# packages\nreader==1.0\n\ntorch==2.3.1")

    found = forecast(f"COPY . /s/\nRUN {loop}")

    assert not found.failures
    least = OLD + LARGE
    assert least * 0.99 <= found.steps[-1].image.likely_bytes <= (least + DRIVER) * 1.01
    assert found.steps[-1].image.grade is not Grade.UNKNOWN


@pytest.mark.parametrize(
    "loop",
    [
        f'while read -r p; do case "$p" in t*) continue ;; esac; {INTO} "$p"; done < /s/list.txt',
        f"make list > /s/list.txt && for p in $(cat /s/list.txt); do {INTO} $p; done",
        f'grep -v torch /s/list.txt | while read p; do {INTO} "$p"; done',
        f'until read -r p; do {INTO} "$p"; done < /s/list.txt',
        f'while read -r p; do {INTO} "$p"; done < /s/options.txt',
        f'while read -r p; do {INTO} "$p"; done < /s/none.txt',
    ],
)
def test_a_loop_that_cannot_be_followed_is_a_bound(forecast: Forecast, tmp_path: Path, loop: str) -> None:
    (tmp_path / "list.txt").write_text("reader==1.0\ntorch==2.3.1\n")
    (tmp_path / "options.txt").write_text("-r list.txt\n")

    found = forecast(f"COPY . /s/\nRUN {loop}")

    assert not found.broken
    assert found.steps[-1].image.high_bytes >= ASSUMED
