from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.reclaim.catalogue import load_catalogue
from tonnage.adapters.reclaim.paths import find_places
from tonnage.decide.reclaim.choice import freed_bytes
from tonnage.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tonnage.model.reclaim.candidate import Findings

WHOLE = load_catalogue()
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


def write(path: Path, size_bytes: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size_bytes)
    return path


def find(
    root: Path, *, disposable: bool = True, missing_bytes: int | None = None, environment: dict[str, str] | None = None
) -> Findings:
    return find_places(
        WHOLE,
        environment=environment or {},
        mount=str(root),
        root=str(root),
        disposable=disposable,
        missing_bytes=missing_bytes,
        least_bytes=1,
    )


def sizes(findings: Findings, root: Path) -> dict[str, int]:
    names = {each.candidate_id.key.removeprefix(str(root)): each for each in findings.candidates}
    return {name: each.unique_bytes for name, each in names.items()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return an empty tree to look below."""
    place = tmp_path / "root"
    place.mkdir()
    return place


@pytest.fixture
def mounted() -> Iterator[list[Path]]:
    """Return a list of mount points that are unmounted in the end."""
    points: list[Path] = []
    yield points
    for point in reversed(points):
        subprocess.run(["umount", point], check=True)


def test_versions_are_found_and_measured_one_by_one(root: Path) -> None:
    write(root / "usr/share/dotnet/sdk/8.0.101/a.dll", 1_000_003)
    write(root / "usr/share/dotnet/sdk/9.0.7/b.dll", 2_000_003)
    write(root / "usr/share/dotnet/dotnet", 70_001)
    found = sizes(find(root), root)
    assert set(found) == {
        "/usr/share/dotnet/sdk/8.0.101",
        "/usr/share/dotnet/sdk/9.0.7",
        "/usr/share/dotnet/dotnet",
    }
    assert 1_000_003 <= found["/usr/share/dotnet/sdk/8.0.101"] < 1_000_003 + 3 * 4096


def test_sdks_are_left_alone_where_the_machine_is_not_disposable_and_caches_are_not(root: Path) -> None:
    write(root / "usr/share/dotnet/sdk/8.0.101/a.dll", 100_003)
    write(root / "home/someone/.cache/pip/http-v2/a", 100_003)
    findings = find(root, disposable=False)
    assert [str(each.candidate_id) for each in findings.candidates] == ["places pip"]
    assert "--this-machine-is-disposable" in findings.notes[0]


def test_the_tool_cache_is_where_its_variable_says_and_a_version_goes_with_its_marker(root: Path) -> None:
    write(root / "elsewhere/go/1.22.3/x64/bin/go", 200_003)
    write(root / "elsewhere/go/1.22.3/x64.complete", 0)
    [candidate] = find(root, environment={"AGENT_TOOLSDIRECTORY": "/elsewhere"}).candidates
    assert candidate.paths == (f"{root}/elsewhere/go/1.22.3",)


@pytest.mark.parametrize("value", ["", "relative", "/", "//", "/../.."])
def test_a_variable_that_points_at_nothing_or_everything_makes_no_candidate(root: Path, value: str) -> None:
    write(root / "etc/important/1.0", 100_003)
    write(root / "home/someone/work", 100_003)
    names = ("AGENT_TOOLSDIRECTORY", "PIP_CACHE_DIR", "UV_CACHE_DIR", "GOPATH", "GOCACHE", "HF_HOME", "CARGO_HOME")
    assert not find(root, environment=dict.fromkeys(names, value)).candidates


def test_a_file_with_a_name_elsewhere_does_not_count_because_its_bytes_would_stay(root: Path) -> None:
    kept = write(root / "venv/library.so", 3_000_017)
    cached = root / "root/.cache/uv/archive-v0/x/library.so"
    cached.parent.mkdir(parents=True)
    os.link(kept, cached)
    [candidate] = find(root).candidates
    assert candidate.unique_bytes < 100_000


def test_a_file_with_two_names_in_one_thing_counts_once(root: Path) -> None:
    first = write(root / "opt/az/a", 1_000_003)
    os.link(first, root / "opt/az/b")
    [candidate] = find(root).candidates
    assert 1_000_003 <= candidate.unique_bytes < 1_100_000
    assert candidate.inodes == 2


def test_a_file_that_two_things_share_comes_free_with_both(root: Path) -> None:
    first = write(root / "usr/lib/llvm-16/lib/x", 1_000_003)
    second = root / "usr/lib/llvm-17/lib/x"
    second.parent.mkdir(parents=True)
    os.link(first, second)
    findings = find(root)
    one, two = (each.candidate_id for each in findings.candidates)
    assert freed_bytes(findings.pieces, frozenset({one})) < 100_000
    assert freed_bytes(findings.pieces, frozenset({one, two})) >= 1_000_003


def test_a_sparse_file_counts_what_it_holds(root: Path) -> None:
    path = write(root / "opt/az/sparse", 5)
    os.truncate(path, 10_000_019)
    [candidate] = find(root).candidates
    assert candidate.unique_bytes < 100_000


def test_nothing_is_looked_for_behind_a_symbolic_link_and_that_is_told(root: Path, tmp_path: Path) -> None:
    write(tmp_path / "precious/sdk/1.0/x", 500_009)
    (root / "usr/share").mkdir(parents=True)
    (root / "usr/share/dotnet").symlink_to(tmp_path / "precious")
    findings = find(root)
    assert not findings.candidates
    assert "symbolic link" in findings.protected[0].reason


def test_a_link_among_versions_is_no_candidate(root: Path) -> None:
    write(root / "usr/lib/jvm/temurin-17/bin/java", 300_007)
    (root / "usr/lib/jvm/default").symlink_to("temurin-17")
    assert set(sizes(find(root), root)) == {"/usr/lib/jvm/temurin-17"}


def test_what_a_process_runs_from_is_protected_with_its_name(root: Path) -> None:
    write(root / "opt/az/data", 100_003)
    running = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], cwd=root / "opt/az")
    try:
        time.sleep(0.2)
        findings = find(root)
    finally:
        running.kill()
        running.wait()
    assert not findings.candidates
    assert str(running.pid) in findings.protected[0].reason


def test_a_tool_that_an_earlier_step_put_on_the_path_is_protected(root: Path) -> None:
    cache = root / "opt/hostedtoolcache"
    write(cache / "Python/3.12.7/x64/bin/python", 100_003)
    write(cache / "Python/3.11.2/x64/bin/python", 100_003)
    findings = find_places(
        WHOLE,
        environment={"RUNNER_TOOL_CACHE": str(cache), "PATH": f"{cache}/Python/3.12.7/x64/bin:/usr/bin"},
        mount=str(root),
        root=str(root),
        disposable=True,
        least_bytes=1,
    )
    assert set(sizes(findings, root)) == {"/opt/hostedtoolcache/Python/3.11.2"}
    assert "earlier step" in findings.protected[0].reason


def test_what_is_kept_by_name_stays_with_its_reason(root: Path) -> None:
    write(root / "root/.cache/huggingface/hub/models--a/blobs/w", 900_007)
    findings = find_places(
        WHOLE,
        environment={},
        mount=str(root),
        root=str(root),
        kept={str(root / "root/.cache/huggingface"): "the service api mounts it"},
        least_bytes=1,
    )
    assert not findings.candidates
    assert findings.protected[0].reason == "the service api mounts it"


def test_what_is_dearer_is_not_measured_when_the_cheaper_is_well_enough(root: Path) -> None:
    write(root / "root/.cache/pip/wheels/a", 1_000_003)
    write(root / "usr/local/lib/android/sdk/ndk/27/a", 1_000_003)
    findings = find(root, missing_bytes=600_011)
    assert [each.source for each in findings.candidates] == ["pip"]
    assert "Android" in findings.notes[-1]


def test_archived_journals_go_and_the_one_being_written_stays(root: Path) -> None:
    write(root / "var/log/journal/abc/system.journal", 100_003)
    write(root / "var/log/journal/abc/system@0001.journal", 100_003)
    write(root / "var/log/syslog", 100_003)
    write(root / "var/log/syslog.1", 100_003)
    paths = {path.removeprefix(str(root)) for each in find(root).candidates for path in each.paths}
    assert paths == {"/var/log/journal/abc/system@0001.journal", "/var/log/syslog.1"}


@needs_root
def test_what_is_mounted_or_mounted_upon_or_elsewhere_is_protected(root: Path, mounted: list[Path]) -> None:
    write(root / "opt/az/data", 100_003)
    write(root / "usr/lib/llvm-18/data", 100_003)
    for point in (root / "opt/az/inner", root / "usr/local/aws-cli"):
        point.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", point], check=True)
        mounted.append(point)
    write(root / "usr/local/aws-cli/v2", 100_003)
    write(root / "usr/share/swift/usr/lib", 100_003)
    subprocess.run(["mount", "--bind", root / "usr/share/swift", root / "usr/share/swift"], check=True)
    mounted.append(root / "usr/share/swift")
    subprocess.run(["mount", "-o", "remount,bind,ro", root / "usr/share/swift"], check=True)
    findings = find(root)
    reasons = {each.name.removeprefix(str(root)): each.reason for each in findings.protected}
    assert set(sizes(findings, root)) == {"/usr/lib/llvm-18"}
    assert "is mounted in it" in reasons["/opt/az"]
    assert reasons["/usr/local/aws-cli"] == "it is a mount point"
    assert "read-only" in reasons["/usr/share/swift/usr"]


def test_a_root_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--root"):
        find(tmp_path / "none")
