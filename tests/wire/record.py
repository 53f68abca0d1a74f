"""Records what a real engine answers, for the tests here: ``python record.py DIRECTORY``, as root, on a spare machine.

It asks the engine at ``DOCKER_HOST``, else at the default socket, which must have an image ``busybox:1.36`` and nothing
else on it. It builds
images in every way that shows in the replies, pulls one from a registry of its own, and starts containers; then it
writes the replies, without what belongs to the machine. It needs Python 3 and the docker command, nothing else.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SOCKET = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
HIGHEST = (1, 51)
REGISTRY = "localhost:5017"
# Of the machine, long, and read by nobody.
LEFT_OUT = frozenset(
    {"HttpProxy", "HttpsProxy", "NoProxy", "IndexServerAddress", "Plugins", "Runtimes", "Warnings", "KernelVersion"}
)

BASE = "FROM busybox:1.36 AS made\nRUN head -c 700001 /dev/urandom >/made\n"
PLAIN = "FROM busybox:1.36\nRUN head -c 300007 /dev/urandom >/a\nWORKDIR /w\nRUN head -c 500009 /dev/urandom >b\n"
DOCKERFILES = {
    # Two on the same lower layers, the second given a further name.
    "s:1": f"{PLAIN}RUN head -c 100001 /dev/urandom >/c1\nLABEL kind=plain\n",
    "s:2": f"{PLAIN}RUN head -c 100002 /dev/urandom >/c2\n",
    # A stage that is no image's, and a file of it in a layer.
    "stages:1": f"{BASE}FROM busybox:1.36\nCOPY --from=made /made /made\nCOPY copied /copied\n",
    # A record of the build cache that stands on two others.
    "link:1": f"{BASE}FROM busybox:1.36\nCOPY --link --from=made /made /made\nCOPY --link copied /copied\n",
    # The name moves on while a container runs the first of the two.
    "loose:1": "FROM busybox:1.36\nRUN head -c 200003 /dev/urandom >/v1\n",
}
LATER = "FROM busybox:1.36\nRUN head -c 200029 /dev/urandom >/v2\n"
COMPOSE = {
    "com.docker.compose.project": "shop",
    "com.docker.compose.service": "api",
    "com.docker.compose.container-number": "2",
    "com.docker.compose.oneoff": "False",
}


class _Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(SOCKET)


def ask(path: str, sent: object = None) -> str:
    """Return what the engine answers to a GET, or to a POST of what is sent."""
    connection = _Connection("localhost", timeout=120)
    headers = {"Content-Type": "application/json"}
    connection.request("POST" if sent else "GET", path, json.dumps(sent) if sent else None, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    if answer.status not in {http.client.OK, http.client.CREATED}:
        raise SystemExit(f"{path}: {answer.status} {text}")
    return text


def docker(*arguments: str, text: str = "") -> str:
    """Run the docker command and return what it prints."""
    done = subprocess.run(["docker", *arguments], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"docker {' '.join(arguments)}: {done.stderr}")
    return done.stdout.strip()


def make(directory: Path) -> None:
    """Make images, containers and volumes."""
    docker("tag", "busybox:1.36", "busybox:latest")
    (directory / "copied").write_bytes(b"0123456789" * 1201)
    # Podman has no BuildKit, and its builder refuses a link.
    podman = "BuildahVersion" in json.loads(ask("/info"))
    for name, text in DOCKERFILES.items():
        if not (podman and "--link" in text):
            build(directory, name, text)
    docker("run", "--detach", "--name", "loose", "loose:1", "sleep", "1000")
    build(directory, "loose:1", LATER)
    docker("tag", "s:1", "example.org/s:one")
    pull(directory)
    for name in ("vol1", "shop_db"):
        label = ["--label", "com.docker.compose.project=shop"] if name == "shop_db" else []
        docker("volume", "create", *label, name)
    labels = [word for pair in COMPOSE.items() for word in ("--label", "=".join(pair))]
    sick = ["--health-cmd", "false", "--health-interval", "1s", "--health-retries", "1"]
    docker("run", "--detach", "--name", "sick", *labels, *sick, "busybox", "sleep", "1000")
    docker("run", "--detach", "--name", "web", "--publish", "8017:80", "--volume", "vol1:/data", "s:2", "sleep", "1000")
    docker("run", "--detach", "--name", "host", "--network", "host", "busybox", "sleep", "1000")
    docker("run", "--detach", "--name", "dies", "busybox", "sh", "-c", "head -c 30011 /dev/urandom >/left; exit 3")
    docker("wait", "dies")
    if podman:
        # Docker's interface makes no pod.
        ask("/v4.0.0/libpod/pods/create", {"name": "backup", "no_infra": True})
        container = {"image": "busybox:1.36", "name": "in-pod", "pod": "backup", "command": ["true"]}
        ask("/v4.0.0/libpod/containers/create", container)
    time.sleep(3)


def build(directory: Path, name: str, dockerfile: str) -> None:
    """Build an image."""
    (directory / "Dockerfile").write_text(dockerfile)
    docker("build", "--quiet", "--tag", name, str(directory))


def pull(directory: Path) -> None:
    """Pull an image, so that one came from a registry."""
    served = directory / "served"
    served.mkdir()
    subprocess.run(["tar", "-C", directory, "-cf", served / "pulled.tar", "copied"], check=True)
    program = Path(__file__).resolve().parent.parent / "layer_registry.py"
    port = REGISTRY.rpartition(":")[2]
    with subprocess.Popen([sys.executable, str(program), str(served), port]) as registry:
        try:
            time.sleep(1)
            docker("pull", f"{REGISTRY}/pulled:1")
        finally:
            registry.terminate()


def record(out: Path) -> None:
    """Ask everything that Tonnage asks, and write the answers."""
    version = json.loads(ask("/version"))
    spoken = min(tuple(map(int, version["ApiVersion"].split("."))), HIGHEST)
    api = f"/v{'.'.join(map(str, spoken))}"
    info = json.loads(ask(f"{api}/info"))
    root = info["DockerRootDir"]
    usual = "/var/lib/containers/storage" if "BuildahVersion" in info else "/var/lib/docker"

    def write(name: str, reply: Any) -> None:  # noqa: ANN401 - JSON
        text = (
            json.dumps(reply, indent=1, sort_keys=True).replace(root, usual).replace(REGISTRY, "registry.example.org")
        )
        (out / f"{name}.json").write_text(text + "\n")

    write("version", version | {"KernelVersion": "6.1.0-18-amd64"})
    machine = {"Name": "vm", "MemTotal": 2**33, "NCPU": 2, "KernelVersion": "6.1.0-18-amd64"}
    write("info", {key: value for key, value in info.items() if key not in LEFT_OUT} | machine)
    listed = json.loads(ask(f"{api}/images/json"))
    write("images", listed)
    if spoken >= (1, 47):
        write("images_manifests", json.loads(ask(f"{api}/images/json?manifests=1")))
    ids = [image["Id"] for image in listed]
    write("image_details", {one: json.loads(ask(f"{api}/images/{one}/json")) for one in ids})
    write("image_histories", {one: json.loads(ask(f"{api}/images/{one}/history")) for one in ids})
    usage = json.loads(ask(f"{api}/system/df"))
    write("df", {key: value for key, value in usage.items() if key != "Containers"})
    containers = json.loads(ask(f"{api}/containers/json?all=1"))
    write("containers", containers)
    named = {one["Names"][0].removeprefix("/"): one["Id"] for one in containers}
    write(
        "container_details", {key: json.loads(ask(f"{api}/containers/{one}/json?size=1")) for key, one in named.items()}
    )
    if "BuildahVersion" in info:
        write("libpod_containers", json.loads(ask(f"{api}/libpod/containers/json?all=true")))
    write("volumes", json.loads(ask(f"{api}/volumes")))
    events = ask(f"{api}/events?since=1&until={int(time.time()) + 1}&filters=" + '{"type":["image"],"event":["pull"]}')
    (out / "events.jsonl").write_text(events.replace(REGISTRY, "registry.example.org"))


def main() -> None:
    """Make and record."""
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        make(Path(directory))
    record(out)


if __name__ == "__main__":
    main()
