"""One engine with a stack and its neighbours: what must not be lost, and what must not be left behind."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.real_engine import BUSYBOX, busybox_archive
from tests.scenarios.driving import QUICK
from tests.scenarios.kills.striking import settled
from tests.scenarios.random_engines import layer, load
from tests.scenarios.seeing import processes_with, without_records
from tests.scenarios.watching import page, soon

from tonnage.adapters.host.mount_table import read_mounts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.real_engine import RealEngine
    from tests.scenarios.driving import Project

PORTS = {"web": 18131, "store": 18132}
# A healthcheck that is quick enough for this would keep the machine busy for ever.
_PROVEN = {"stability": "200ms", "probe": {"port": 8080}}
_LIVES = {**QUICK, "restart": "always", "healthcheck": {"disable": True}, "x-tonnage": _PROVEN}
_NEIGHBOUR_PORT = 18133
_KEPT = "kept since the beginning"
_COMES_BACK_S = 30.0
_REPLACED = re.compile(r"^[0-9a-f]{12}_")


@dataclass
class Ground:
    """The stack: ``web`` is proven beside what runs, ``store`` stops first, for it has a volume.

    Args:
        now: The number that the page of each service shows.
        before: That of the version before, where one can be gone back to.
        rehearsals: Names of rehearsals that were seen.
        reclaimed: Whether what nobody uses may have gone.
        others: Images of others that may go, and need not.
    """

    project: Project
    directory: Path
    now: dict[str, int] = field(default_factory=dict)
    before: dict[str, int] = field(default_factory=dict)
    rehearsals: set[str] = field(default_factory=set)
    reclaimed: bool = False
    others: set[str] = field(default_factory=set)
    _neighbour: str = ""
    _number: int = 0

    @classmethod
    def laid(cls, project: Project) -> Ground:
        """Put a first version, a neighbour and images of others on the engine of a project."""
        real = project.real
        directory = Path(real.mount, f"of-{project.name}")
        (directory / "state").mkdir(parents=True, mode=0o700)
        (project.directory.parent / "tmp").mkdir()
        project.state = directory / "state"
        project.top = {"x-tonnage": {"keep-free": "10MB"}}
        ground = cls(project, directory)
        load(real, "neighbours/page:1", [busybox_archive(), layer(1, 1_000_003)])
        load(real, "somebody/keeps:1", [busybox_archive(), layer(2, 1_500_007)])
        volumes = {"neighbours_data": {"bind": "/data", "mode": "rw"}}
        container: Any = real.client.containers.run(
            "neighbours/page:1",
            ["sh", "-c", f"echo '{_KEPT}' > /data/index.html; exec httpd -f -p 8080 -h /data"],
            detach=True,
            name="neighbours_page_1",
            labels={"com.docker.compose.project": "neighbours", "com.docker.compose.service": "page"},
            ports={"8080/tcp": _NEIGHBOUR_PORT},
            restart_policy={"Name": "always"},
            volumes=volumes,
        )
        ground._neighbour = container.id
        ground.now = ground.change(PORTS)
        project.deploy()
        ground._volume(f"{project.name}_ledger").joinpath("kept").write_text(_KEPT)
        return ground

    @property
    def real(self) -> RealEngine:
        """The engine."""
        return self.project.real

    @property
    def _temporary(self) -> Path:
        return self.project.directory.parent / "tmp"

    @property
    def journal(self) -> Path:
        """The file of the journal."""
        return self.project.state / "journal.sqlite"

    @property
    def environment(self) -> dict[str, str]:
        """Where a run of this stack leaves what it needs for a moment; its journal is on the disk of the engine."""
        return {"TMPDIR": str(self._temporary), "TONNAGE_REHEARSE_DIR": f"/var/tmp/tonnage-{self.project.name}"}

    def change(self, services: Iterable[str]) -> dict[str, int]:
        """Write another version of services; return what all services have to show once it runs."""
        self._number += 1
        for name in services:
            keys: dict[str, Any] = {**_LIVES, "ports": [f"{PORTS[name]}:8080"]}
            if name == "store":
                keys["volumes"] = ["ledger:/data"]
            self.project.web(name, f"{name} {self._number}", **keys)
        return {**self.now, **dict.fromkeys(services, self._number)}

    def leave_images(self) -> None:
        """Leave something that may go: an image with a name and one without."""
        self.reclaimed = True
        self._number += 1
        for name in (f"unused:{self._number}", ""):
            layers = [busybox_archive(), layer(1000 * self._number + bool(name), 2_000_003)]
            self.others.add(load(self.real, name, layers))

    def pages(self) -> dict[str, str]:
        """Return what each service answers."""
        return {name: page(self.real.address, port) for name, port in PORTS.items()}

    def shows(self, numbers: dict[str, int]) -> list[str]:
        """Return what does not show the version that it should."""
        said = self.pages()
        return [
            f"{name} says {said[name]!r}, not {number}"
            for name, number in numbers.items()
            if said[name] != f"{name} {number}"
        ]

    def silent(self) -> list[str]:
        """Return the services that do not answer, also not within the moment that an engine needs to start them."""
        return [name for name, port in PORTS.items() if not soon(partial(self._answers, name, port), within_s=20.0)]

    def _answers(self, name: str, port: int) -> bool:
        return page(self.real.address, port).startswith(name)

    def lost(self) -> list[str]:
        """Return what had to stay and is gone, or was touched."""
        lost = []
        there = {each.id: each for each in self.real.client.containers.list(all=True)}
        if self._neighbour not in there:
            lost.append("the container of a neighbour")
        elif not soon(lambda: _KEPT in page(self.real.address, _NEIGHBOUR_PORT), within_s=_COMES_BACK_S):
            lost.append("the page of a neighbour")
        volumes = {volume.name for volume in self.real.client.volumes.list()}
        needed = ("neighbours_data", f"{self.project.name}_ledger")
        lost += [f"the volume {name}" for name in needed if name not in volumes]
        if not lost and self._volume(f"{self.project.name}_ledger").joinpath("kept").read_text() != _KEPT:
            lost.append("what is in the volume of store")
        names = {name for names in self.project.engine.images().values() for name in names}
        stay = {BUSYBOX, "neighbours/page:1", *(() if self.reclaimed else ("somebody/keeps:1",))}
        return [*lost, *(f"the image {name}" for name in stay - names)]

    def good(self) -> dict[str, str]:
        """Return the image of the newest good version of each service."""
        return {name: kept[-1] for name in PORTS if (kept := self.project.engine.kept(name))}

    def left(self) -> list[str]:
        """Return what is there and should not be, once the wanted state is reached."""
        engine, project = self.project.engine, self.project.name
        left = []
        for name in PORTS:
            containers = engine.containers(name)
            if [each.state for each in containers] != ["running"] or _REPLACED.match(containers[0].name):
                left.append(f"containers of {name}: {[(each.name, each.state) for each in containers]}")
            if len(engine.kept(name)) > 2:
                left.append(f"{len(engine.kept(name))} good versions of {name}")
        all_names = {str(each.name) for each in self.real.client.containers.list(all=True)}
        mine = {each.name for name in PORTS for each in engine.containers(name)}
        left += [f"the container {name}" for name in all_names - mine - {"neighbours_page_1"}]
        images = without_records(engine.images())
        left += [
            f"the nameless image {image[:19]}"
            for image, names in images.items()
            if not names and image not in self.others
        ]
        left += [f"the name {name}" for name in engine.names_of_ours()]
        left += [f"the file {each.name}" for each in self._temporary.iterdir()]
        if not settled(project):
            left += [f"the process {pid}" for pid in processes_with(project)]
        return [*left, *self._left_of_rehearsals()]

    def see_rehearsals(self) -> None:
        """Remember the names of rehearsals that are there."""
        directory = Path(self.environment["TONNAGE_REHEARSE_DIR"])
        self.rehearsals |= {each.name for each in directory.glob("r??????")}

    def _left_of_rehearsals(self) -> list[str]:
        directory = Path(self.environment["TONNAGE_REHEARSE_DIR"])
        left = [f"the directory {directory}"] if directory.exists() else []
        left += [f"the mount {each.path}" for each in read_mounts() if each.path.startswith(f"{directory}/")]
        for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
            try:
                file = backing.read_text()
            except OSError:  # detached meanwhile
                continue
            left += [f"the loop device {backing.parent.parent.name}"] if file.startswith(f"{directory}/") else []
        for name in self.rehearsals:
            places = [
                *(Path("/run/netns", f"tonnage-{name}"), Path("/sys/fs/cgroup", f"tonnage-{name}")),
                *Path("/sys/fs/cgroup").glob(f"*/tonnage-{name}"),
                *(each for each in Path("/sys/class/net").iterdir() if each.name.endswith(name)),
            ]
            left += [str(place) for place in places if place.exists()]
        return left

    def _volume(self, name: str) -> Path:
        return Path(str(self.real.client.volumes.get(name).attrs["Mountpoint"]))

    def clear(self) -> None:
        """Take away what lies on the disk of the engine beside it."""
        shutil.rmtree(self.directory, ignore_errors=True)
        shutil.rmtree(self.environment["TONNAGE_REHEARSE_DIR"], ignore_errors=True)


def missing(wanted: dict[str, str], there: Iterable[str]) -> list[str]:
    """Return the images of good versions that are gone."""
    known = set(there)
    return [f"the image of the good version of {name}" for name, image in wanted.items() if image not in known]
