"""What copying finds: behind links of the context, in caches and bases, and what a volume of the old builder swallows.

Each figure was measured with Docker 20.10, where the same lines were built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.forecast.gather.context import ForecastContext
from tonnage.forecast.gather.services import forecast_services
from tonnage.model.forecast.estimate import EngineKind, Grade
from tonnage.model.stack import BuildSpec, Service
from tonnage.wiring.forecast_lookups import RealLookups

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.model.forecast.estimate import ServiceForecast

ONE, TWO = 1_000_017, 800_003
LINKS = sum(map(len, ("one.bin", "../one.bin", "sub", "/nowhere")))
"""The texts of links count as files do."""


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A context with links to a file beside, to one above, to a directory, and to nothing."""
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "one.bin").write_bytes(b"\1" * ONE)
    (tmp_path / "tree" / "sub" / "two.bin").write_bytes(b"\2" * TWO)
    (tmp_path / "zeros.bin").write_bytes(bytes(ONE))
    (tmp_path / "Gemfile.lock").write_text("GEM\n  specs:\n    rack (3.1.7)\n    puma (6.4.3)\n")
    links = {"tree/to-one": "one.bin", "tree/sub/up": "../one.bin", "tree/dir": "sub", "tree/dangling": "/nowhere"}
    for path, target in links.items():
        (tmp_path / path).symlink_to(target)
    return tmp_path


def forecast(context: Path, lines: str, engine: EngineKind = EngineKind.BUILDKIT) -> ServiceForecast:
    (context / "Dockerfile").write_text(f"FROM scratch\n{lines}\n")
    build = BuildSpec(context=str(context), dockerfile=str(context / "Dockerfile"))
    with RealLookups({}, context / "cache", offline=True) as lookups:
        service = Service(name="web", image="web", build=build)
        [found] = forecast_services([service], ForecastContext(engine=engine), lookups)
    return found


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("cp -a /tree /a", ONE + TWO + LINKS),
        ("cp -r /tree /r", ONE + TWO + LINKS),
        ("cp -rL /tree/sub /l", ONE + TWO),
        ("cp /tree/to-one /plain", ONE),
        ("cp -P /tree/to-one /link", 0),
        ("cat /tree/to-one > /again", ONE),
        ("cp /tree/dir/two.bin /two", TWO),
        ("chmod 600 /tree/to-one", ONE),
        ("rm /tree/to-one && cp /tree/one.bin /one", ONE),
        ("ln -sfn sub/two.bin /tree/to-one && cat /tree/to-one > /again", TWO),
    ],
)
def test_links_of_a_context_lead_to_what_they_point_to(context: Path, line: str, written: int) -> None:
    copied, ran = forecast(context, f"COPY tree /tree\nRUN {line}").steps[-2:]
    assert copied.image.high_bytes == ONE + TWO + LINKS
    if line.startswith("cp -P"):
        # Whether the link itself is copied is not followed.
        assert ran.image.low_bytes == 0
        return
    assert ran.image.low_bytes <= written <= ran.image.high_bytes
    assert ran.image.likely_bytes == written
    assert ran.image.grade is Grade.EXACT


def test_bash_copies_into_each_directory_that_braces_name(context: Path) -> None:
    shell = 'SHELL ["/bin/bash", "-c"]\nCOPY tree /tree\nRUN '
    step = forecast(context, f'{shell}for d in {{a..c}}; do mkdir -p "/$d" && cp /tree/one.bin "/$d/"; done').steps[-1]
    assert (step.image.likely_bytes, step.image.grade) == (3 * ONE, Grade.EXACT)
    both = forecast(context, f"{shell}cp /tree/{{one.bin,sub/two.bin}} /opt/").steps[-1]
    assert (both.image.likely_bytes, both.image.grade) == (ONE + TWO, Grade.EXACT)


def test_what_a_run_writes_to_a_volume_is_thrown_away_by_the_builder_before_buildkit(context: Path) -> None:
    lines = "COPY zeros.bin /data/\nVOLUME /data\nRUN cp /data/zeros.bin /data/again && cp /data/zeros.bin /kept"
    old, new = (forecast(context, lines, engine).steps[-1] for engine in (EngineKind.CLASSIC, EngineKind.BUILDKIT))
    assert (old.image.likely_bytes, new.image.likely_bytes) == (ONE, 2 * ONE)
    # The container has a copy of what lies in the volume, and what is written there, until the rest is committed.
    assert old.transient.likely_bytes >= 3 * ONE
    copied = forecast(context, f"{lines}\nCOPY zeros.bin /data/more", EngineKind.CLASSIC).steps[-1]
    assert copied.image.likely_bytes == ONE


def test_a_file_of_a_cache_is_unknown_and_no_few_megabytes(context: Path) -> None:
    mount = "RUN --mount=type=cache,target=/cache"
    for line in ("cp /cache/model.bin /opt/", "mv /cache/model.bin /opt/", "install -m 644 /cache/x /opt/x"):
        step = forecast(context, f"{mount} {line}").steps[-1]
        assert step.image.grade is Grade.UNKNOWN
        assert step.image.high_bytes >= 500_000_000
    into = forecast(context, f"COPY zeros.bin /\n{mount} cp /zeros.bin /cache/").steps[-1]
    assert into.image.high_bytes == 0


def test_holes_take_from_nothing_to_all_of_the_disk(context: Path) -> None:
    sparse = forecast(context, "COPY zeros.bin /\nRUN cp --sparse=always /zeros.bin /holes").steps[-1]
    plain = forecast(context, "COPY zeros.bin /\nRUN cp --sparse=never /zeros.bin /full").steps[-1]
    assert sparse.image == plain.image
    assert (sparse.disk.low_bytes < ONE, plain.disk.low_bytes >= ONE) == (True, True)
    assert sparse.disk.high_bytes == plain.disk.high_bytes


@pytest.mark.parametrize(
    "install",
    [
        "RUN bundle install --path vendor/bundle",
        "RUN bundle config set --local path 'vendor/bundle' && bundle install",
        "RUN bundle config set --local deployment true\nRUN bundle install",
        "ENV BUNDLE_PATH=/app/vendor/bundle\nRUN bundle install",
    ],
)
def test_gems_are_found_where_bundler_is_told_to_put_them(context: Path, install: str) -> None:
    built = f"WORKDIR /app\nCOPY Gemfile.lock ./\n{install}\nFROM scratch\nCOPY --from=0 /app/vendor /vendor"
    assert forecast(context, built).steps[-1].image.likely_bytes > ONE
    usual = built.replace(install, "RUN bundle install").replace("/app/vendor", "/usr/local/bundle")
    assert forecast(context, usual).steps[-1].image.likely_bytes > ONE


def test_npm_prune_may_write_anew_what_stays(context: Path) -> None:
    step = forecast(context, "COPY tree /app/node_modules\nWORKDIR /app\nRUN npm prune --production").steps[-1]
    assert step.image.low_bytes == 0
    assert step.image.high_bytes >= ONE + TWO


def test_apt_commands_that_may_not_be_there_remove_nothing_for_certain(context: Path) -> None:
    def kept(line: str) -> int:
        return forecast(context, f"RUN apt-get update && {line}").steps[-1].image.low_bytes

    def most(line: str) -> int:
        return forecast(context, f"RUN apt-get update && {line}").steps[-1].image.high_bytes

    every, caches = most("true"), most("rm -rf /var/lib/apt/lists/*")
    assert most("apt-get distclean || true") == most("apt-get autoclean") == every
    assert kept("apt-get distclean || true") == 0 < kept("apt-get autoclean")
    assert most("apt-get distclean") == 0
    for line in ("find /var/lib/apt -mindepth 1 -delete", "rm -rf /var/lib/apt/lists/*_*"):
        assert most(line) == caches < every
    lists = most("rm -rf /var/cache/apt/*.bin")
    assert lists == most("apt-get clean") == every - caches
    # Archives lie beside the caches.
    assert most("rm -rf /var/cache/apt/archives/*") == most("rm -f /var/cache/apt/archives/*.deb") == every


def test_a_quoted_pattern_removes_nothing(context: Path) -> None:
    def kept(line: str) -> int:
        return (
            forecast(context, f"COPY tree/one.bin /data/\nRUN cp /data/one.bin /data/two.bin{line}")
            .steps[-1]
            .image.high_bytes
        )

    everything, nothing = kept(""), kept(" && rm -rf /data/*")
    assert nothing < everything
    for line in ('rm -rf "/data/*"', "rm -rf '/data/t*.bin'", "rm -rf /data/\\*"):
        assert kept(f" && {line}") == everything
    for line in ('rm -rf "/data"/*', "D=/data; rm -rf $D/*"):
        assert kept(f" && {line}") == nothing
    run = 'RUN ["rm", "-rf", "/data/*"]'
    assert forecast(context, f"COPY tree/one.bin /data/\n{run}").steps[-1].image.likely_bytes == 0


def test_what_a_loop_skips_is_not_counted_for_certain(context: Path) -> None:
    def written(body: str) -> tuple[int, int]:
        loop = f"for i in 1 2 3; do {body}; cp /one /w$i; done"
        step = forecast(context, f"COPY tree/one.bin /one\nRUN {loop}").steps[-1]
        return step.image.low_bytes, step.image.high_bytes

    assert written("[ $i = 2 ] && continue") == written("case $i in 2) break;; esac") == (0, 3 * ONE)
    assert written("test -x /pip || exit 1") == written("echo --break-system-packages")


@pytest.mark.parametrize(
    ("before", "line", "written"),
    [
        ("COPY tree /x", "mv /x /xx && mv /xx/sub/two.bin /two && rm -r /xx/sub", ONE + TWO),
        ("COPY tree /x", "cp -r /x /c && mv /c/sub /d && rm -rf /d", ONE),
        ("COPY tree/sub /e/sub\nCOPY tree/one.bin /x", "mv /x /e/ && mv /e /g", ONE + TWO),
        ("COPY tree /x", "mv /x/sub /x/one.bin /y/ && mv /y/one.bin /x/ && rm -rf /y", ONE),
    ],
)
def test_what_is_moved_again_lies_where_it_was_moved_to(context: Path, before: str, line: str, written: int) -> None:
    step = forecast(context, f"{before}\nRUN {line}").steps[-1]
    # The texts of links count with the files beside them.
    assert written <= step.image.likely_bytes <= written + LINKS
    assert step.image.grade is Grade.EXACT


@pytest.mark.parametrize(
    "loop",
    [
        "i=0; while [ $i -lt 3 ]; do cp /one /w$i; i=$((i+1)); done",
        "i=0; until test $i = 3; do cp /one /w$i; : $((i+=1)); done",
        "for ((i=0; i<3; i++)); do cp /one /w$i; done",
        "i=0; for x in $(find / -name y); do i=$((i+1)); cp /one /w$i; done",
    ],
)
def test_a_loop_that_counts_may_write_more_than_one_turn(context: Path, loop: str) -> None:
    shell = 'SHELL ["/bin/bash", "-c"]\n'
    step = forecast(context, f"{shell}COPY tree/one.bin /one\nRUN {loop}").steps[-1]
    assert (step.image.low_bytes, step.image.grade) == (0, Grade.UNKNOWN)
    assert step.image.high_bytes >= 500_000_000


def test_an_archive_of_what_links_point_to_is_not_empty(context: Path) -> None:
    for line in ("tar chf /all.tar -C /tree .", "tar -C /tree --dereference -cf /all.tar ."):
        step = forecast(context, f"COPY tree /tree\nRUN mkdir /l && ln -s /tree/one.bin /l/ && {line}").steps[-1]
        assert step.image.high_bytes > 2 * ONE


@pytest.mark.parametrize(
    "line",
    [
        "[ -f /one ] && exit 0; cp /one /two",
        "if [ ! -f /nope ]; then echo; exit; fi; cp /one /two",
        "f() { test -d /x && return; cp /one /two; }; f",
    ],
)
def test_what_a_script_may_end_before_is_not_counted_for_certain(context: Path, line: str) -> None:
    step = forecast(context, f"COPY tree/one.bin /one\nRUN {line}").steps[-1]
    assert (step.image.low_bytes, step.image.high_bytes, step.image.grade) == (0, ONE, Grade.UNKNOWN)


def test_a_failing_end_leaves_the_rest_certain(context: Path) -> None:
    for line in ("test -f /one || exit 1; cp /one /two", "f() { [ -d /x ] && return; true; }; f; cp /one /two"):
        step = forecast(context, f"COPY tree/one.bin /one\nRUN {line}").steps[-1]
        assert (step.image.likely_bytes, step.image.grade) == (ONE, Grade.EXACT)


def test_a_link_put_in_place_of_a_file_and_a_time_taken_from_one_write_nothing(context: Path) -> None:
    lines = "COPY tree/one.bin tree/sub/two.bin /d/\nRUN ln -f /d/two.bin /d/one.bin\nRUN chown -R 1000 /d"
    assert forecast(context, lines).steps[-1].image.likely_bytes == 2 * TWO
    touched = forecast(context, "COPY tree/one.bin /one\nRUN touch -r /one -d yesterday /new").steps[-1]
    assert touched.image.high_bytes == 0


def test_links_of_another_stage_point_to_what_came_along_with_them(context: Path) -> None:
    stages = "COPY tree /out/tree\nFROM scratch\nCOPY --from=0 /out/tree /tree\nRUN mv /tree /moved\n"
    for line in ("cp /moved/to-one /plain", "cp -rL /moved/sub /l && rm /l/two.bin", "cat /moved/sub/up > /again"):
        step = forecast(context, f"{stages}RUN {line}").steps[-1]
        assert (step.image.likely_bytes, step.image.grade) == (ONE, Grade.EXACT)
