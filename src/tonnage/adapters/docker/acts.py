"""Everything that changes a Docker engine, behind one type that only an executor holds.

Builds and Compose go through the user's programs, the rest through the engine's own interface.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tonnage.adapters.docker import build, container_files, transfer
from tonnage.adapters.docker import object_acts as objects
from tonnage.adapters.docker.compose import command as compose
from tonnage.adapters.docker.error_translation import speaking_to
from tonnage.adapters.docker.facts import DockerFacts
from tonnage.adapters.docker.plain_up import PlainUp
from tonnage.adapters.docker.selected_builder import ContainerBuilder
from tonnage.adapters.docker.tools import aimed_at
from tonnage.adapters.ssh.upload import send_files
from tonnage.errors import EngineUnreachableError, ReserveCrossedError, StepFailedError
from tonnage.model.deploy.image_names import LABEL_SERVICE, how_to_get, image_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tonnage.adapters.docker.connect import DockerConnection
    from tonnage.adapters.docker.tools import Tools
    from tonnage.adapters.interface import Cancel, Progress
    from tonnage.model.compose_labels import StackOrigin
    from tonnage.model.deploy.rolling import Attachment
    from tonnage.model.stack import BuildSpec, ComposeMapping


class DockerActs:
    """Changes to one engine; satisfies :class:`tonnage.adapters.interface.EngineActs`.

    Args:
        values: The variables that secrets and configs take their content from. They come from files of a project, so no
            program is given them by their own names: these might mean something to it.
        held: Descriptors of locks that Compose holds as well: it goes on when this process is killed.
        origin: Where the stack was read, which new containers are told; None where none is made.
    """

    def __init__(
        self,
        connection: DockerConnection,
        tools: Tools,
        environment: Mapping[str, str],
        values: Mapping[str, str] | None = None,
        held: Sequence[int] = (),
        origin: StackOrigin | None = None,
    ) -> None:
        self._labels = origin.labels if origin else {}
        self._values = dict(values or {})
        self._held = tuple(held)
        self._connection = connection
        self._tools = tools
        self._environment = aimed_at(connection, environment)
        self._beside = ContainerBuilder(connection, tools)
        self._plain_up = PlainUp(connection, tools, self._environment, origin)

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
        """Build an image, name it ``reference`` and return its id, empty for one that is pushed by the builder itself.

        A failed build moves no name.

        Raises:
            StepFailedError: The build failed or was stopped.
            ReserveCrossedError: It failed because the disk is full.
            UsageError: The Dockerfile or the context does not exist.
            EngineLacksError: There is no builder, or it cannot do what the section asks for.
            EngineUnreachableError: The engine does not answer.
        """
        with self._told_when_it_dies(
            f"the engine stopped while {labels.get(LABEL_SERVICE, reference)} was being built"
        ):
            told = build.run_build(
                self._tools.need_build(),
                spec,
                reference,
                labels,
                image_store=self._image_store(spec),
                environment=self._environment,
                progress=progress,
                cancel=cancel,
                packed=packed,
                builder=builder,
                pushes=pushes,
                values=self._values,
            )
        if pushes:
            return ""
        named = self._image_id(reference)
        if named is None or named not in map(self._image_id, told):
            raise StepFailedError(
                f"the build ended well, but {reference} is not its result in this engine",
                why=f"The builder told {told[0]}; the engine has {named or 'nothing'} under that name.",
                todo="See whether another build uses this name at the same time.",
            )
        return named

    def pull(self, reference: str, *, progress: Progress, cancel: Cancel, platform: str = "") -> str:
        """Pull an image, for this platform or the engine's own, and return its id."""
        return transfer.pull(self._connection, reference, progress=progress, cancel=cancel, platform=platform)

    def push(self, reference: str, *, progress: Progress, cancel: Cancel) -> None:
        """Push an image."""
        transfer.push(self._connection, reference, progress=progress, cancel=cancel)

    def send_files(
        self, directory: str, place: str, paths: Sequence[str], *, progress: Progress, cancel: Cancel
    ) -> None:
        """Bring files to the engine's machine."""
        send_files(self._connection.endpoint, directory, place, paths, progress=progress, cancel=cancel)

    def tag(self, image: str, reference: str) -> None:
        """Give an image (id or reference) a further name; the name moves when another image had it."""
        objects.tag(self._connection, image, reference)

    def name_for_compose(self, image: str, service: str) -> None:
        """Give a proven image the name by which a plain ``up`` of Compose 1 looks for it, where none is written."""
        self._plain_up.name_proven(image, service)

    def make_record(self, reference: str, labels: Mapping[str, str]) -> None:
        """Name an empty image that has these labels; they are words without spaces and quotes."""
        objects.make_record(self._connection, reference, labels)

    def untag(self, reference: str) -> None:
        """Take a name away without removing the image."""
        objects.untag(self._connection, reference)

    def remove_image(self, image_id: str, names: Sequence[str] = ()) -> None:
        """Remove one image by id, never by force, and with it these names of it."""
        objects.remove_image(self._connection, image_id, names)

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
        """Start one container of a service, without host ports and without its network alias, under its own name.

        Raises:
            StepFailedError: Compose failed or was stopped, or the image is missing.
            EngineLacksError: There is no Compose, or it cannot do what the project asks for.
            EngineUnreachableError: The engine does not answer.
        """
        tool = self._tools.need_compose()
        self._need_image(service, definition)
        with self._told_when_it_dies(f"the engine stopped while {container_name} was being started"):
            compose.start_first(
                tool,
                project,
                directory,
                service,
                definition,
                container_name,
                environment=self._environment,
                values=self._values,
                held=self._held,
                labels=self._labels,
                cancel=cancel,
            )

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
        """Bring one service to its configuration with Compose: ``up -d --no-build --no-deps``.

        Args:
            recreate: Make its containers anew although they have it already.
            config_hash: What Compose wrote on containers that were so before; empty where there were none.

        Raises:
            StepFailedError: Compose failed or was stopped, or the image is missing.
            EngineLacksError: There is no Compose, or it cannot do what the project asks for.
            EngineUnreachableError: The engine does not answer.
        """
        tool = self._tools.need_compose()
        self._need_image(service, definition)
        if recreate:
            self._give_names_back(project, service)
        labels = self._plain_up.labels_of(tool, project, directory, service, definition, before=config_hash)
        with self._told_when_it_dies(f"the engine stopped while {service} was being brought up"):
            compose.switch(
                tool,
                project,
                directory,
                service,
                definition,
                environment=self._environment,
                values=self._values,
                held=self._held,
                labels=labels,
                on_line=progress.log,
                holder=self._holder_of,
                cancel=cancel,
                recreate=recreate,
                kept=not recreate and self._plain_up.is_made(project, service, definition, labels),
            )

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
        """Let Compose make ``count`` further containers of a service, and start them on the networks ``kept`` alone.

        Raises:
            StepFailedError: Compose failed or was stopped, or the image is missing.
            EngineLacksError: There is no Compose, or it cannot do what the project asks for.
            EngineUnreachableError: The engine does not answer.
        """
        tool = self._tools.need_compose()
        self._need_image(service, definition)
        before = self._containers_of(project, service)
        labels = self._plain_up.labels_of(tool, project, directory, service, definition)
        with self._told_when_it_dies(f"the engine stopped while more of {service} was being made"):
            compose.make_more(
                tool,
                project,
                directory,
                service,
                definition,
                len(before) + count,
                environment=self._environment,
                values=self._values,
                on_line=progress.log,
                cancel=cancel,
                labels=labels,
                held=self._held,
            )
        made = self._containers_of(project, service) - before
        if len(made) != count:
            raise StepFailedError(f"Compose made {len(made)} of {count} more containers of {service}")
        for container in sorted(made):
            objects.start_apart(self._connection, container, apart=apart, kept=kept)

    def connect(self, container: str, network: Attachment) -> None:
        """Bring a container onto a network; nothing happens when it is on it."""
        objects.connect(self._connection, container, network)

    def stop_container(self, container: str) -> None:
        """Stop one container within the time that it was made with; nothing happens when it is not there."""
        objects.stop_container(self._connection, container)

    def remove_network(self, network: str) -> None:
        """Remove one network; nothing happens when it is not there."""
        objects.remove_network(self._connection, network)

    def restart_container(self, container: str) -> None:
        """Stop one container within the time that it was made with, and start it again."""
        objects.restart_container(self._connection, container)

    def remove_container(self, container: str, timeout_s: float | None = 10.0) -> None:
        """Stop and remove one container with its anonymous volumes only; nothing happens when it is not there."""
        objects.remove_container(self._connection, container, timeout_s)

    def remove_ended_container(self, container: str) -> None:
        """Remove one container that has ended and none of its volumes, never by force."""
        objects.remove_ended_container(self._connection, container)

    def empty_log(self, container: str) -> None:
        """Empty the log of one container of an engine on this machine; nothing happens when it is not there."""
        found = DockerFacts(self._connection).container(container)
        if found is not None and found.log_path and self._connection.local:
            container_files.empty_log(found.log_path)

    def remove_volume(self, name: str) -> None:
        """Remove one volume, never by force; nothing happens when it is not there."""
        objects.remove_volume(self._connection, name)

    def remove_cache(self, record_ids: Sequence[str]) -> None:
        """Remove build-cache records that are not in use."""
        objects.remove_cache(self._connection, record_ids)
        self._beside.remove(record_ids)

    @contextmanager
    def _told_when_it_dies(self, what: str) -> Iterator[None]:
        """Let a program's failure be the engine's own, where that no longer answers."""
        try:
            yield
        except (ReserveCrossedError, EngineUnreachableError):
            raise
        except StepFailedError as failure:
            try:
                DockerFacts(self._connection).engine()
            except EngineUnreachableError as dead:
                raise EngineUnreachableError(what, why=f"{dead.what}.", todo=dead.todo, log=failure.log) from failure
            raise

    def _image_store(self, spec: BuildSpec) -> str:
        """Return where the engine keeps images; it is asked only for what depends on it."""
        asked = spec.attestations or spec.cache_to
        return DockerFacts(self._connection).engine().image_store if asked else ""

    def _image_id(self, reference: str) -> str | None:
        """Return the id of an image, or None when the engine has none."""
        return objects.image_id(self._connection, reference)

    def _need_image(self, service: str, definition: ComposeMapping) -> None:
        """Refuse before Compose has taken anything away: without the image it would give up half-way."""
        image = image_in(definition, service)
        if self._image_id(image) is None:
            raise StepFailedError(
                f"{service} cannot be started: the engine has no image {image}",
                todo=how_to_get(image),
            )

    def _containers_of(self, project: str, service: str) -> set[str]:
        found = DockerFacts(self._connection).containers(project)
        return {each.container_id for each in found if each.service == service and not each.one_off}

    def _give_names_back(self, project: str, service: str) -> None:
        """Take off names what Compose 1 put in front when it was killed: Compose 2 would name a successor just so."""
        for each in DockerFacts(self._connection).containers(project):
            own = f"{each.container_id[:12]}_"
            if each.service == service and not each.one_off and each.name.startswith(own):
                objects.rename_container(self._connection, each.container_id, each.name.removeprefix(own))

    def _holder_of(self, port: int) -> str:
        """Say which container publishes a port of the host; empty when none of this engine does."""
        with speaking_to(self._connection.endpoint, "list the containers"):
            for container in self._connection.client.api.containers(filters={"publish": str(port)}):
                if any(entry.get("PublicPort") == port for entry in container.get("Ports") or ()):
                    name = container["Names"][0].lstrip("/")
                    project = (container.get("Labels") or {}).get("com.docker.compose.project", "")
                    return f"the container {name}" + (f" of the stack {project}" if project else "")
        return ""
