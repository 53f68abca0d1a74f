#!/usr/bin/env python3
"""One changed line of a large image that another engine has in its former version: bytes and time to get it there.

    bench/ship.py                                   # 6 GB, Docker of this machine: needs 40 GB free
    bench/ship.py --size 300MB --engine sid-containerd
    bench/ship.py --wire 100                        # over a wire of 100 Mbit/s, by tc

Needs Linux, root, sshd, and a static busybox (``TONNAGE_TEST_BUSYBOX``). Two engines, each on a disk of its own; the
second one is reached through an ssh server on the loopback. The image has a layer of random bytes (weights), and one
of a program of 20 MB in which one line changes; the former version was shipped before. Rows:

- ship: ``tonnage ship`` from its start to its end; sent is what crossed the wire, as it says.
- bytes: as many bytes of chance by the same ssh, into nothing.
- save: ``docker save | ssh docker load`` of the same image.

Used is what the disk there has less of, by ``statvfs`` after ``sync``; forecast is what ``--dry-run`` said before.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.engine_root import EngineName, in_front
from tests.real_engine import real_engine
from tests.scenarios.driving import Project
from tests.ssh_server import WHY_NONE, ssh_server

from tonnage.units import format_bytes, parse_bytes

if TYPE_CHECKING:
    from tests.real_engine import RealEngine

PROGRAM_BYTES = 20_000_000
LINES = 400_000
WITHIN_S = 3600.0


def main() -> None:
    """Start both engines and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=parse_bytes, default=6_000_000_000, help="of the image")
    parser.add_argument("--engine", type=EngineName.read, default=EngineName(), help="as for pytest")
    parser.add_argument("--wire", type=int, default=0, metavar="MBIT", help="limit of the wire, in Mbit/s")
    parser.add_argument("--no-save", action="store_true", help="without docker save")
    options = parser.parse_args()
    if WHY_NONE:
        sys.exit(WHY_NONE)
    with contextlib.ExitStack() as stack:
        stack.enter_context(in_front(options.engine))
        room = 4 if options.engine.store != "classic" else 3
        here, there = (stack.enter_context(real_engine(options.size * room + 1_500_000_000)) for _ in range(2))
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tonnage-bench-")))
        (work / "ssh").mkdir()
        (work / "project").mkdir()
        to = stack.enter_context(ssh_server(work / "ssh", there.endpoint, address=there.address, netns=there.netns))
        here.environment["PATH"] = f"{work}/ssh/bin:{os.environ['PATH']}"
        project = Project(real=here, directory=work / "project", name=f"bench-{secrets.token_hex(3)}", state=work / "s")
        stack.callback(project.close)
        if options.wire:
            limit(there, options.wire)
        measure(project, there, to, options.size, saves=not options.no_save)


def measure(project: Project, there: RealEngine, to: str, size_bytes: int, *, saves: bool) -> None:
    """Ship both versions, and the second one in other ways, and print what was measured."""
    write(project, size_bytes, changed=0)
    run(project, "build", "--keep-free", "1MB")
    first = ship(project, to)
    print(f"first version: {format_bytes(first['measured_wire_bytes'])} sent in {first['seconds']:.0f} s", flush=True)
    write(project, size_bytes, changed=1)
    run(project, "build", "--keep-free", "1MB")
    planned = ship(project, to, "--dry-run")
    before = used(there)
    began_s = time.monotonic()
    shipped = ship(project, to)
    took_s = time.monotonic() - began_s
    after = used(there)
    sent = int(shipped["measured_wire_bytes"])
    bare_s = send_bytes(project, to, sent)
    high = planned["kept"]["high_bytes"]
    print(f"image {format_bytes(size_bytes)}; {shipped['layers_to_send']} of {shipped['layers']} layers")
    print(f"ship   {took_s:7.2f} s  {format_bytes(sent)} sent, {100 * sent / size_bytes:.2f} % of the image")
    print(f"       {shipped['seconds']:7.2f} s  of it sending and looking at what came")
    print(f"bytes  {bare_s:7.2f} s  ship takes {took_s / bare_s:.2f} times as long, sending alone"
          f" {shipped['seconds'] / bare_s:.2f} times")  # fmt: skip
    print(f"disk there: used {after - before} B, forecast {planned['kept']['likely_bytes']} B, at most {high} B:"
          f" {100 * (after - before - high) / high:+.1f} % of that")  # fmt: skip
    if saves:
        save_s = save(project, to)
        print(f"save   {save_s:7.2f} s  {save_s / took_s:.1f} times as long as ship")


def write(project: Project, size_bytes: int, *, changed: int) -> None:
    """Write the project: weights that stay the same, and a program with a line that changes."""
    context = project.directory / "web"
    context.mkdir(exist_ok=True)
    width = PROGRAM_BYTES // LINES
    lines = [f"{number * 2654435761 % 2**32:0{width - 1}d}\n" for number in range(LINES)]
    lines[LINES // 2] = f"changed {changed}".ljust(width - 1) + "\n"
    (context / "program.txt").write_text("".join(lines))
    weights = size_bytes - PROGRAM_BYTES
    recipe = f"FROM busybox:latest\nRUN head -c {weights} /dev/urandom >/weights\nCOPY program.txt /\n"
    (context / "Dockerfile").write_text(recipe)
    project.services["web"] = {"build": "./web"}
    project.write()


def ship(project: Project, to: str, *arguments: str) -> dict[str, Any]:
    """Run ``tonnage ship`` and return what it says of the image."""
    told = run(project, "ship", "--to", to, "--keep-free", "1MB", "--json", *arguments)
    return dict(json.loads(told)["images"][0])


def run(project: Project, *arguments: str) -> str:
    """Run ``tonnage``, which must end well, and return what it printed."""
    ended = project.tonnage(*arguments, within_s=WITHIN_S)
    if ended.exit_code:
        sys.exit(ended.stderr)
    return ended.stdout


def send_bytes(project: Project, to: str, count: int) -> float:
    """Return the seconds that bytes of chance take by ssh."""
    content = os.urandom(count)
    began_s = time.monotonic()
    subprocess.run([*ssh(to), "cat >/dev/null"], input=content, env=project.environment, check=True)
    return time.monotonic() - began_s


def save(project: Project, to: str) -> float:
    """Return the seconds of ``docker save | ssh docker load``."""
    words = " ".join([*ssh(to), "docker load"])
    began_s = time.monotonic()
    subprocess.run(
        ["sh", "-c", f"docker save {project.name}-web:latest | {words}"],
        env=project.environment, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return time.monotonic() - began_s


def ssh(to: str) -> list[str]:
    """Return the command that reaches the machine."""
    user, _, place = to.removeprefix("ssh://").partition("@")
    host, port = place.split(":")
    return ["ssh", "-p", port, "-l", user, host]


def used(engine: RealEngine) -> int:
    """Return the bytes that are used where its images lie."""
    os.sync()
    seen = os.statvfs(engine.images_mount)
    return (seen.f_blocks - seen.f_bfree) * seen.f_frsize


def limit(engine: RealEngine, mbit: int) -> None:
    """Limit what goes to the network namespace of an engine; the limit goes with the namespace."""
    told = subprocess.run(["ip", "-o", "route", "get", engine.address], check=True, capture_output=True, text=True)
    device = told.stdout.split(" dev ")[1].split()[0]
    rate = ["rate", f"{mbit}mbit", "burst", "256k", "latency", "50ms"]
    subprocess.run(["tc", "qdisc", "replace", "dev", device, "root", "tbf", *rate], check=True)


if __name__ == "__main__":
    main()
