"""What changes the simulated engine. Every act is counted, logged and open to faults."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.simulator import building, starting
from tests.simulator.recipe import Behaviour

from tonnage.errors import StepFailedError
from tonnage.model.references import tagged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.simulator.engine import Simulator

    from tonnage.adapters.interface import Cancel, Progress
    from tonnage.model.deploy.rolling import Attachment
    from tonnage.model.stack import BuildSpec, ComposeMapping


class SimulatedActs:
    """Satisfies ``EngineActs``."""

    def __init__(self, engine: Simulator) -> None:
        self._engine = engine

    def build(
        self,
        spec: BuildSpec,
        reference: str,
        labels: Mapping[str, str],
        *,
        progress: Progress,
        cancel: Cancel,
        packed: bool = False,
        builder: str = "",
        pushes: bool = False,
    ) -> str:
        """Build by the recipe of the context."""
        del builder, pushes
        if packed:
            self._engine.packed.append(tagged(reference))
        with self._act(f"build {reference}"):
            return building.build(self._engine, spec, reference, labels, progress=progress, cancel=cancel)

    def pull(self, reference: str, *, progress: Progress, cancel: Cancel, platform: str = "") -> str:  # noqa: ARG002 - it has one
        """Pull from the simulated registry."""
        with self._act(f"pull {reference}"):
            return building.pull(self._engine, reference, progress=progress, cancel=cancel)

    def push(self, reference: str, *, progress: Progress, cancel: Cancel) -> None:  # noqa: ARG002 - pushing takes no time here
        """Push to the simulated registry."""
        with self._act(f"push {reference}"):
            if self._engine.store.find(reference) is None:
                raise StepFailedError(f"an image does not exist locally with the tag: {reference}")
            progress.at("pushing")
            self._engine.pushed.append(tagged(reference))

    def send_files(
        self,
        directory: str,
        place: str,
        paths: Sequence[str],
        *,
        progress: Progress,
        cancel: Cancel,  # noqa: ARG002 - sending takes no time here
    ) -> None:
        """Note what was sent."""
        with self._act(f"send {directory} {place}"):
            progress.at("sending")
            self._engine.sent += [f"{place}/{path}" for path in paths]

    def tag(self, image: str, reference: str) -> None:
        """Give a further name."""
        with self._act(f"tag {image} {reference}"):
            found = self._engine.store.find(image)
            if found is None:
                raise StepFailedError(f"no such image: {image}")
            self._engine.store.names[tagged(reference)] = found.image_id

    def name_for_compose(self, image: str, service: str) -> None:
        """Do nothing: this is Compose 2."""

    def make_record(self, reference: str, labels: Mapping[str, str]) -> None:
        """Name an empty image."""
        with self._act(f"record {reference}"):
            store = self._engine.store
            image = store.put_image((), Behaviour(), labels, self._engine.clock.time())
            store.names[tagged(reference)] = image.image_id

    def untag(self, reference: str) -> None:
        """Take a name away."""
        with self._act(f"untag {reference}"):
            self._engine.store.names.pop(tagged(reference), None)

    def remove_image(self, image_id: str, names: Sequence[str] = ()) -> None:
        """Remove an image that nothing uses and that has no further names."""
        with self._act(f"remove-image {image_id}"):
            store = self._engine.store
            if image_id not in store.images:
                return
            users = [c.name for c in self._engine.living() if c.image_id == image_id]
            if users:
                raise StepFailedError(f"image {image_id} is used by container {users[0]}")
            others = [name for name in store.names_of(image_id) if name not in names]
            if others:
                raise StepFailedError(f"image {image_id} is still named {', '.join(others)}")
            for name in store.names_of(image_id):
                del store.names[name]
            store.drop_image(image_id)

    def start_first(
        self,
        project: str,
        directory: str,
        service: str,
        definition: ComposeMapping,
        container_name: str,
        *,
        cancel: Cancel,
    ) -> None:
        """Start one container beside those of its service."""
        del directory, cancel
        with self._act(f"start-first {project} {service} {container_name}"):
            starting.start_first(self._engine, project, service, definition, container_name)

    def up(
        self,
        project: str,
        directory: str,
        service: str,
        definition: ComposeMapping,
        *,
        progress: Progress,
        cancel: Cancel,
        recreate: bool = False,
        config_hash: str = "",
    ) -> None:
        """Bring a service to its configuration."""
        del directory, cancel, config_hash
        with self._act(f"up {project} {service}"):
            progress.at("starting")
            starting.up(self._engine, project, service, definition, recreate=recreate)

    def start_apart(
        self,
        project: str,
        directory: str,
        service: str,
        definition: ComposeMapping,
        *,
        count: int,
        apart: Sequence[str],
        kept: Sequence[Attachment],
        progress: Progress,
        cancel: Cancel,
    ) -> None:
        """Start further containers of a service, off some of its networks."""
        del directory, kept, progress, cancel
        with self._act(f"start-apart {project} {service} {count}"):
            starting.start_apart(self._engine, project, service, definition, count=count, apart=apart)

    def connect(self, container: str, network: Attachment) -> None:
        """Bring a container onto a network."""
        with self._act(f"connect {container} {network.network}"):
            found = self._engine.find_container(container)
            if found is None:
                raise StepFailedError(f"no such container: {container}")
            found.apart = tuple(each for each in found.apart if each != network.network)

    def stop_container(self, container: str) -> None:
        """Stop a container."""
        with self._act(f"stop {container}"):
            found = self._engine.find_container(container)
            if found is not None:
                found.stop()

    def remove_network(self, network: str) -> None:
        """Remove a network that nothing alive is on."""
        with self._act(f"remove-network {network}"):
            if any(each.alive and network in each.networks for each in self._engine.living()):
                raise StepFailedError(f"the network {network} has active endpoints")
            self._engine.networks.pop(network, None)

    def restart_container(self, container: str) -> None:
        """Stop a container and start it again."""
        with self._act(f"restart {container}"):
            found = self._engine.find_container(container)
            if found is None:
                raise StepFailedError(f"no such container: {container}")
            found.stop()
            found.start(self._engine.clock.time())

    def remove_container(self, container: str, timeout_s: float | None = 10.0) -> None:  # noqa: ARG002 - stopping takes no time here
        """Stop and remove a container."""
        with self._act(f"remove-container {container}"):
            found = self._engine.find_container(container)
            if found is not None:
                starting.remove(self._engine, found)

    def remove_ended_container(self, container: str) -> None:
        """Remove a container that has ended, and none of its volumes."""
        with self._act(f"remove-ended-container {container}"):
            found = self._engine.find_container(container)
            if found is None:
                return
            if found.alive:
                raise StepFailedError(f"the container {found.name} is running")
            starting.remove(self._engine, found, volumes=False)

    def empty_log(self, container: str) -> None:
        """Empty what a container printed."""
        with self._act(f"empty-log {container}"):
            found = self._engine.find_container(container)
            if found is not None:
                found.printed.clear()
                self._engine.disk.give_back(f"log {found.container_id}")

    def remove_volume(self, name: str) -> None:
        """Remove a volume that no container mounts."""
        with self._act(f"remove-volume {name}"):
            if any(volume.name == name and volume.in_use for volume in self._engine.facts.volumes()):
                raise StepFailedError(f"volume {name} is in use")
            if self._engine.volumes.pop(name, None) is not None:
                self._engine.disk.give_back(f"volume {name}")

    def remove_cache(self, record_ids: Sequence[str]) -> None:
        """Remove build-cache records."""
        with self._act(f"remove-cache {len(record_ids)}"):
            self._engine.store.drop_records(record_ids)

    @contextmanager
    def _act(self, act: str) -> Iterator[None]:
        engine = self._engine
        with engine.busy:
            engine.log.append(act)
            number = len(engine.log)
            engine.faults.before(number, act, engine.disk)
            yield
            engine.faults.after(number, act)
