"""A real registry on the loopback, Debian's ``docker-registry``, in this machine's network or in an engine's."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = shutil.which("docker-registry")
needs_registry = pytest.mark.skipif(
    PROGRAM is None, reason="needs the program docker-registry (Debian package of that name)"
)
_CONFIG = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "{address}"}}
"""
_MANIFESTS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "docker.distribution.manifest.list.v2",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.v2",
    )
)


def free_address() -> str:
    """Return an address that nothing of this machine listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@contextlib.contextmanager
def registry(root: Path, address: str, *networks: str) -> Iterator[None]:
    """Run a registry that keeps its images below ``root``, in each of these networks; an empty name is this one's.

    A loopback needs no certificate.
    """
    assert PROGRAM is not None
    file = root / "registry.yml"
    file.write_text(_CONFIG.format(root=root / "images", address=address))
    with contextlib.ExitStack() as running:
        log = running.enter_context((root / "registry.log").open("wb"))
        for network in networks:
            enter = ["ip", "netns", "exec", network] if network else []
            started = subprocess.Popen([*enter, PROGRAM, "serve", str(file)], stdout=log, stderr=log)
            running.callback(started.wait)
            running.callback(started.kill)
            end = time.monotonic() + 60
            ask = [*enter, "wget", "-q", "-O", "-", f"http://{address}/v2/"]
            while subprocess.run(ask, check=False, capture_output=True).returncode:
                assert time.monotonic() < end, (root / "registry.log").read_text()
                time.sleep(0.05)
        yield


def move_tag(address: str, repository: str, tag: str, to: str) -> None:
    """Let a tag name what another one names, as somebody does who pushes."""
    base = f"http://{address}/v2/{repository}/manifests"
    with urlopen(Request(f"{base}/{to}", headers={"Accept": _MANIFESTS})) as reply:
        content = reply.read()
    kind = json.loads(content)["mediaType"]
    with urlopen(Request(f"{base}/{tag}", data=content, headers={"Content-Type": kind}, method="PUT")) as reply:
        assert reply.status == 201


def digest_of(address: str, repository: str, tag: str) -> str:
    """Return the digest of what a tag names."""
    asked = Request(f"http://{address}/v2/{repository}/manifests/{tag}", headers={"Accept": _MANIFESTS}, method="HEAD")
    with urlopen(asked) as reply:
        return str(reply.headers["Docker-Content-Digest"])
