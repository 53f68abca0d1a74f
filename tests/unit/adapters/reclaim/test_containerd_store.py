"""Answers of ``ctr`` are those of containerd 1.7 beside Docker 26.1, shortened."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.docker.containerd_root import Containerd
from tonnage.adapters.reclaim.containerd_store import let_go, look_into, why_unasked
from tonnage.errors import CannotReclaimError

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS = "/run/containerd/containerd.sock"
FAT, THIN, OTHERS = (f"sha256:{letter * 64}" for letter in "abc")
LEASES = """\
ID                                     CREATED AT           LABELS
001tkzbuztqmquz8qzvzctqpn              2026-11-29T11:31:32Z containerd.io/gc.flat=2026-11-29T11:31:32Z
001tkzbuztqmquz8qzvzctqpn-variants     2026-11-29T11:31:35Z -
001tkzbuztqmquz8qzvzctqpn-view         2026-11-29T11:31:34Z buildkit/lease.temporary=1,containerd.io/gc.flat=2
733951404-i2aZ                         2026-11-29T11:31:30Z buildkit/lease.temporary=1,containerd.io/gc.expire=2
89320ed271b1947520461bfa371298249dc4e5 2026-11-29T11:31:37Z -
moby-image-sha256:0123456789abcdef     2026-11-29T11:31:37Z -
unknown-variants                       2026-11-29T11:31:35Z -
"""
SNAPSHOTS = """\
KEY                            SIZE     INODES
001tkzbuztqmquz8qzvzctqpn      20008960 6
001tkzbuztqmquz8qzvzctqpn-view 0        0
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for ``ctr`` that answers as recorded, and the file in which it notes what it was asked."""
    answers = {
        "--namespace moby images ls -q": "docker.io/library/built:1\n",
        "--namespace moby leases ls": LEASES,
        "--namespace moby snapshots usage -b": SNAPSHOTS,
        "--namespace moby content ls -q": f"{FAT}\n{THIN}\n",
        "--namespace k8s.io content ls -q": f"{THIN}\n{OTHERS}\n",
        "namespaces ls -q": "k8s.io\nmoby\n",
    }
    for number, (words, answer) in enumerate(answers.items()):
        (tmp_path / f"answer-{number}").write_text(f"{words}\n{answer}")
    program = tmp_path / "ctr"
    program.write_text(
        "#!/bin/sh\n"
        f'[ "$1 $2" = "--address {ADDRESS}" ] || exit 1\n'
        "shift 2\n"
        f'echo "$*" >>{tmp_path}/asked\n'
        f'for each in {tmp_path}/answer-*; do [ "$(head -n 1 "$each")" = "$*" ] && exec tail -n +2 "$each"; done\n'
        'case "$*" in *"rm --sync"*) exit 0 ;; *) echo "ctr: no such thing" >&2; exit 1 ;; esac\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    blobs = tmp_path / "root" / "io.containerd.content.v1.content" / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for digest, size_bytes in ((FAT, 3_000_017), (THIN, 1_000_003), (OTHERS, 5_000_011)):
        (blobs / digest.removeprefix("sha256:")).write_bytes(b"x" * size_bytes)
    return tmp_path / "asked"


def containerd(asked: Path) -> Containerd:
    return Containerd(str(asked.parent / "root"), ADDRESS)


def test_what_other_namespaces_have_too_does_not_come_free(asked: Path) -> None:
    left = look_into(containerd(asked))
    assert left.images == ("docker.io/library/built:1",)
    assert left.size_bytes == pytest.approx(20_008_960 + 3_000_017, abs=4096)


def test_leases_of_the_build_cache_alone_are_taken_for_left(asked: Path) -> None:
    record = "001tkzbuztqmquz8qzvzctqpn"
    assert look_into(containerd(asked)).leases == (record, f"{record}-variants", f"{record}-view")


def test_images_and_build_cache_go_and_nothing_is_asked_to_go_elsewhere(asked: Path) -> None:
    let_go(containerd(asked))
    record = "001tkzbuztqmquz8qzvzctqpn"
    assert [line for line in asked.read_text().splitlines() if " rm " in line] == [
        "--namespace moby images rm --sync docker.io/library/built:1",
        f"--namespace moby leases rm --sync {record} {record}-variants {record}-view",
    ]


def test_why_containerd_cannot_be_asked_is_told(asked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert why_unasked(containerd(asked)) == ""
    assert "containerd cannot be asked" in why_unasked(Containerd("/nonexistent", "/nonexistent"))
    assert why_unasked(None)
    with pytest.raises(CannotReclaimError):
        look_into(Containerd("/nonexistent", "/nonexistent"))
    monkeypatch.setenv("PATH", "/nonexistent")
    assert "containerd cannot be asked" in why_unasked(containerd(asked))
