"""What is there: on the engine, as its own interface tells it, and among the processes of this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import docker
    from docker.models.containers import Container

_VERSION = re.compile(r":(?P<withdrawn>withdrawn-)?v(?P<number>\d+)(-[0-9a-f]{12})?(?P<record>\.record)?$")
PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"


def names_of(images: Mapping[str, frozenset[str]]) -> list[list[str]]:
    """Return the names of each image, of nameless ones none; what is written down anew has another id."""
    return sorted(sorted(names) for names in images.values())


@dataclass(frozen=True, slots=True)
class Seen:
    """One container; two are the same only when it was neither replaced nor restarted in between."""

    id: str
    name: str
    image: str
    state: str
    started_at: str


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine, looked at for one project."""

    client: docker.DockerClient
    project: str

    def containers(self, service: str) -> list[Seen]:
        """Return the containers of a service in every state, also those that run beside it."""
        found = self.client.containers.list(
            all=True, filters={"label": [f"{PROJECT}={self.project}", f"{SERVICE}={service}"]}
        )
        return sorted(map(_seen, found), key=lambda seen: seen.name)

    def container(self, service: str) -> Seen:
        """Return the only container of a service."""
        (only,) = self.containers(service)
        return only

    def details(self, service: str) -> dict[str, Any]:
        """Return all that the engine tells of the only container of a service."""
        details: dict[str, Any] = self.client.api.inspect_container(self.container(service).id)
        return details

    def health(self, service: str) -> str:
        """Return what the healthcheck of the only container of a service says."""
        return str(self.details(service)["State"]["Health"]["Status"])

    def image_id(self, reference: str) -> str:
        """Return the id of the image of that name; empty when there is none."""
        return next((image for image, names in self.images().items() if reference in names), "")

    def images(self) -> dict[str, frozenset[str]]:
        """Return every image, dangling ones included, with its names."""
        return {
            str(image["Id"]): frozenset(name for name in image["RepoTags"] or () if name != "<none>:<none>")
            for image in self.client.api.images()
        }

    def layers(self, reference: str) -> list[str]:
        """Return the identities of the layers of an image, lowest first."""
        return list(self.client.images.get(reference).attrs["RootFS"]["Layers"])

    def names_of_ours(self) -> set[str]:
        """Return the names that Tonnage itself gave to images and that tell of no version."""
        return {
            name
            for names in self.images().values()
            for name in names
            if name.startswith(f"localhost/tonnage/{self.project}/") and _VERSION.search(name) is None
        }

    def kept(self, service: str, *, withdrawn: bool = False) -> list[str]:
        """Return the images that are kept as good versions of a service, or as rolled away from, the oldest first."""
        found = [
            (int(told["number"]), image)
            for image, names in self.images().items()
            for name in names
            if name.startswith(f"localhost/tonnage/{self.project}/{service}:")
            and (told := _VERSION.search(name)) is not None
            and not told["record"]
            and bool(told["withdrawn"]) is withdrawn
        ]
        return [image for _, image in sorted(found)]

    def cache(self, *, sent: bool = True) -> dict[str, int]:
        """Return the records of the build cache that hold bytes which no image has.

        Args:
            sent: Also what was sent to builds, which newer builders keep anew for each of them.
        """
        records = self.client.api.df()["BuildCache"] or ()
        mine = [each for each in records if each["Size"] and not each["Shared"]]
        return {str(each["ID"]): int(each["Size"]) for each in mine if sent or each["Type"] != "source.local"}

    def everything(self) -> dict[str, Any]:
        """Return the containers, images, volumes and networks of every project, in a form that can be compared."""
        return {
            "containers": {_seen(each) for each in self.client.containers.list(all=True)},
            "images": self.images(),
            "volumes": {volume.name for volume in self.client.volumes.list()},
            "networks": {network.id for network in self.client.networks.list()},
        }


def without_records(images: dict[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """Return images without the empty ones that tell of versions."""
    return {image: names for image, names in images.items() if not any(name.endswith(".record") for name in names)}


def processes_with(text: str) -> list[int]:
    """Return the processes of this machine, those in containers and builds included, with this in their command."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        if text.encode() in command:
            found.append(int(entry.name))
    return found


def _seen(container: Container) -> Seen:
    attributes = container.attrs
    return Seen(
        id=attributes["Id"],
        name=attributes["Name"].lstrip("/"),
        image=attributes["Image"],
        state=attributes["State"]["Status"],
        started_at=attributes["State"]["StartedAt"],
    )
