"""A container that is thrown away, to ask an image something that only its own programs know.

It is the one thing besides a rehearsal that starts something for a forecast, so it happens only where it was allowed.
The image's files are read-only in it, what it writes lies in memory, and it is removed whatever happens.

Public:
    ``EngineProbe(connection).apt(image, packages, ...) -> Probed``
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

import docker.errors
import requests
from docker.types import LogConfig

from tonnage.adapters.apt import texts
from tonnage.adapters.docker.error_translation import speaking_to
from tonnage.errors import CannotFetchError
from tonnage.lazily import regex
from tonnage.model.forecast.debian_package import Chosen, PackageSelection, Probed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.adapters.docker.connect import DockerConnection

LABEL = "tonnage.probe"
_WITHIN_S = 180
_MEMORY = "size=1g,mode=1777"
_WRITABLE = ("/var/lib/apt/lists", "/var/cache/apt", "/var/log", "/tmp", "/run")  # noqa: S108 - inside a container
_MARK = "== tonnage =="
# The packages are arguments of the script, never part of it.
_APT = f"""\
set -e
mkdir -p /var/lib/apt/lists/partial /var/cache/apt/archives/partial
apt-get -qq -o APT::Sandbox::User=root update >&2
apt-get -s -qq "$@" >/tmp/tonnage
cat /tmp/tonnage
echo '{_MARK}'
find /var/lib/apt/lists -type f -printf '%s\\n'
echo '{_MARK}'
find /var/cache/apt -maxdepth 1 -name '*.bin' -printf '%s\\n'
echo '{_MARK}'
sed -n 's/^Inst \\([^ ]*\\) .*(\\([^ ]*\\) .*/\\1=\\2/p' /tmp/tonnage | xargs -r apt-cache show
"""
_INSTALLED = regex(r"^Inst (?P<name>[^ :]+)\S* (?:\[(?P<old>[^\]]+)\] )?\((?P<version>\S+) ", re.MULTILINE)


class EngineProbe:
    """Asks images of one engine."""

    def __init__(self, connection: DockerConnection) -> None:
        self._connection = connection

    def apt(
        self, image: str, packages: Sequence[str], *, recommends: bool = True, release: str = "", upgrades: bool = False
    ) -> Probed:
        """Let the solver of an image say what an install would bring.

        Args:
            recommends: Whether recommended packages come too, unless the image turned that off.
            release: The release that is preferred; empty for none.
            upgrades: Whether everything that has a newer version is replaced.

        Returns:
            What would be installed, and what lists and caches take.

        Raises:
            CannotFetchError: The sources cannot be reached from there, or a package is none.
            StepFailedError: The container cannot be started.
            EngineUnreachableError: The engine does not answer.
        """
        words = ["dist-upgrade"] if upgrades and not packages else ["install"]
        words += [] if recommends else ["--no-install-recommends"]
        words += ["-t", release] if release else []
        told = self._run(image, ["/bin/sh", "-c", _APT, "sh", *words, "--", *packages])
        simulated, lists, caches, shown = told.split(f"{_MARK}\n")
        return Probed(
            choice=PackageSelection(packages=_chosen(simulated, shown)),
            lists_bytes=sum(map(int, lists.split())),
            caches_bytes=sum(map(int, caches.split())),
        )

    def _run(self, image: str, command: Sequence[str]) -> str:
        """Run a command in a container that is thrown away; return what it printed."""
        api = self._connection.client.api
        with speaking_to(self._connection.endpoint, f"ask the image {image}"):
            made = api.create_container(
                image,
                command=list(command[1:]),
                entrypoint=[command[0]],
                user="0:0",
                working_dir="/",
                environment={"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"},
                labels={LABEL: "1"},
                healthcheck={"test": ["NONE"]},
                host_config=api.create_host_config(
                    read_only=True,
                    tmpfs=dict.fromkeys(_WRITABLE, _MEMORY),
                    log_config=LogConfig(type=LogConfig.types.JSON),
                ),
            )
            try:
                api.start(made["Id"])
                try:
                    code = int(api.wait(made["Id"], timeout=_WITHIN_S)["StatusCode"])
                except (requests.exceptions.ReadTimeout, requests.exceptions.ConnectionError):
                    code = -1
                printed = bytes(api.logs(made["Id"], stdout=True, stderr=False)).decode(errors="replace")
                complained = bytes(api.logs(made["Id"], stdout=False, stderr=True)).decode(errors="replace")
            finally:
                with contextlib.suppress(docker.errors.NotFound):
                    api.remove_container(made["Id"], force=True, v=True)
        if code == 0:
            return printed
        lines = [line for line in complained.splitlines() if line.startswith(("E:", "W:", "Err:"))] or ["No answer."]
        raise CannotFetchError(
            f"apt of the image {image} cannot say what it would install",
            "not found" if "Unable to locate" in complained else "unreachable",
            why="\n".join(lines[:5]),
        )


def _chosen(simulated: str, shown: str) -> tuple[Chosen, ...]:
    """Put together what would be installed and what the index says of it."""
    told = filter(None, map(texts.package, texts.stanzas(shown)))
    known = {(each.name, each.version): each for each in told}
    found = []
    for match in _INSTALLED.finditer(simulated):
        package = known.get((match["name"], match["version"]))
        if package is not None:
            found.append(
                Chosen(
                    name=package.name,
                    version=package.version,
                    installed_bytes=package.installed_bytes,
                    deb_bytes=package.deb_bytes,
                    upgrade=match["old"] is not None,
                )
            )
    return tuple(found)
