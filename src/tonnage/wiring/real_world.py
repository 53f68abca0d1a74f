"""The real world: this machine's files, programs and engines, put together from the adapters."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.errors import EngineLacksError, EngineUnreachableError, TonnageError
from tonnage.flows.directories import cache_directory, state_place
from tonnage.sources.compose.files import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from tonnage.adapters.docker.connect import DockerConnection
    from tonnage.adapters.docker.tools import Tools
    from tonnage.adapters.interface import EngineFacts
    from tonnage.flows.ports import EngineDoor, MachineDoor, Rehearsal, WeightsDoor
    from tonnage.forecast.gather.lookups import Lookups
    from tonnage.model.forecast.estimate import EngineKind
    from tonnage.model.inventory import Engine, Filesystem, FileToSend, Image, Inputs
    from tonnage.model.stack import BuildSpec, Service, Stack
    from tonnage.runtime.clock import Clock
    from tonnage.runtime.load_stack import ComposeConfig
    from tonnage.runtime.rehearsal_images import ImageSource
    from tonnage.sources.compose.files import Files


class RealOutside:
    """The real world: this machine's files, programs and engines."""

    def __init__(self) -> None:
        self._tools: Tools | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment variables."""
        return os.environ

    @property
    def clock(self) -> Clock:
        """The clock."""
        from tonnage.runtime.clock import SystemClock  # noqa: PLC0415 - help needs no clock

        return SystemClock()

    @property
    def working_directory(self) -> str:
        """The directory that the user is in."""
        return str(Path.cwd())

    @property
    def tools(self) -> Tools:
        """The programs that act on an engine; each is looked for when first asked for."""
        from tonnage.adapters.docker.tool_versions_cache import ToolVersionsCache  # noqa: PLC0415
        from tonnage.adapters.docker.tools import find_tools  # noqa: PLC0415

        if self._tools is None:
            remembered = ToolVersionsCache(cache_directory(self.environment) / "programs.json", self.environment)
            self._tools = find_tools(self.environment, remembered)
        return self._tools

    def look_ahead(self) -> None:
        """Begin to look for the programs that act on an engine, while there is still something else to do."""
        from tonnage.adapters.process import dying_with_us  # noqa: PLC0415

        tools = self.tools

        def look() -> None:
            # What is wrong with them is told where they are needed.
            with contextlib.suppress(TonnageError):
                _ = tools.compose_2, tools.build, dying_with_us()

        threading.Thread(target=look, name="look-ahead", daemon=True).start()

    def compose(self) -> ComposeConfig | None:
        """Return Compose as a reader of compose files, or None when it is not installed or too old for that."""
        tool = self.tools.compose_2
        if tool is None:
            return None
        from tonnage.adapters.docker.compose.command import ComposeText  # noqa: PLC0415

        return ComposeText(tool, self.environment)

    def declared_arguments(self, spec: BuildSpec) -> Mapping[str, str | None]:
        """Return what a build's Dockerfile declares with ``ARG``, with its default."""
        from tonnage.adapters.context.dockerfile_arguments import declared_arguments  # noqa: PLC0415

        return declared_arguments(spec)

    def inputs(self, service: Service) -> Inputs:
        """Return what a service's build would read now."""
        from tonnage.adapters.context.inputs_digest import build_inputs  # noqa: PLC0415

        return build_inputs(service)

    def lookups(
        self, facts: EngineFacts | None, images: Sequence[Image] = (), *, offline: bool = False, probe: bool = False
    ) -> AbstractContextManager[Lookups] | None:
        """Open what forecasting reads."""
        from tonnage.adapters.docker.base_images import EngineImages  # noqa: PLC0415
        from tonnage.adapters.docker.facts import DockerFacts  # noqa: PLC0415
        from tonnage.wiring.forecast_lookups import RealLookups  # noqa: PLC0415

        connection = facts.connection if isinstance(facts, DockerFacts) else None
        probes = None
        if probe and connection is not None:
            from tonnage.adapters.docker.throwaway_container import EngineProbe  # noqa: PLC0415

            probes = EngineProbe(connection)
        return RealLookups(
            self.environment,
            cache_directory(self.environment) / "forecast",
            engine=None if connection is None else EngineImages(connection, images),
            offline=offline,
            probe=probes,
        )

    def engine_kind(self, engine: Engine | None) -> EngineKind:
        """Return what builds and keeps images here."""
        from tonnage.adapters.docker.tools import BuilderKind  # noqa: PLC0415
        from tonnage.model.forecast.estimate import EngineKind  # noqa: PLC0415

        if engine is not None and engine.image_store == "containerd":
            return EngineKind.CONTAINERD
        tool = self.tools.build if engine else None
        return EngineKind.CLASSIC if tool and tool.kind is BuilderKind.LEGACY else EngineKind.BUILDKIT

    def data_root(self, host: str) -> str:
        """Return where a local engine keeps its data, when it says so within a moment; empty else."""
        from tonnage.adapters.docker.data_root import data_root  # noqa: PLC0415

        return data_root(self.environment, host)

    def install_command(self) -> str:
        """Return the command that installs this very Tonnage on another machine; empty when there is none."""
        from tonnage.adapters.host.installation import install_command  # noqa: PLC0415

        return install_command(self.environment)

    def rehearsal_root(self) -> str:
        """Return where rehearsals put their disks."""
        from tonnage.adapters.private_engine.layout import rehearsal_root  # noqa: PLC0415

        return str(rehearsal_root(self.environment))

    def to_send(self, host: str, stack: Stack) -> tuple[FileToSend, ...]:
        """Return the files that a stack mounts from here and that the engine's machine lacks."""
        from tonnage.adapters.ssh.upload import files_here, files_there  # noqa: PLC0415
        from tonnage.decide.deploy.remote_mounts import files_to_send  # noqa: PLC0415

        here = files_here(stack.directory, stack.sent)
        return files_to_send(here, files_there(host, stack.place, tuple(here)))

    def local_disks(self) -> tuple[Filesystem, ...]:
        """Measure the filesystems of this machine that programs write to without being told to."""
        from tonnage.adapters.host.filesystem import usual_filesystems  # noqa: PLC0415

        return usual_filesystems(self.environment, self.working_directory)

    @property
    def machine(self) -> MachineDoor:
        """This machine's files and directories."""
        from tonnage.wiring.machine import RealMachine  # noqa: PLC0415

        return RealMachine(self.environment)

    @functools.cached_property
    def weights(self) -> WeightsDoor:
        """Files of weights on this machine."""
        from tonnage.adapters.host.checksums import Checksums  # noqa: PLC0415

        return Checksums(cache_directory(self.environment) / "checksums.json")

    def lock(self, engine: Engine, stack: str) -> AbstractContextManager[object]:
        """Return the lock of one stack on one engine; where that is another machine, it is held there as well."""
        from tonnage.adapters.ssh.lock import SshLock  # noqa: PLC0415
        from tonnage.runtime.lock import StackLock  # noqa: PLC0415

        remote = SshLock(engine.endpoint) if engine.endpoint.startswith("ssh://") else None
        return StackLock(engine.engine_id, stack, endpoint=engine.endpoint, remote=remote)

    def builder_found(self) -> str:
        """Say which builder was found."""
        tool = self.tools.need_build()
        return f"{tool.program} {tool.version}, progress {tool.kind}"

    def compose_found(self) -> str:
        """Say which Compose was found."""
        tool = self.tools.need_compose()
        return f"{' '.join(tool.command)} {tool.version}"

    def rehearsal_found(self) -> str:
        """Say that this machine can rehearse."""
        from tonnage.adapters.private_engine.requirements import check_machine  # noqa: PLC0415

        check_machine(self.environment.get("PATH", ""))
        return "this machine can"

    @contextlib.contextmanager
    def facts(self, host: str, *, sizes: bool = False) -> Iterator[EngineFacts]:
        """Reach an engine to read from it."""
        from tonnage.adapters.docker.facts import DockerFacts  # noqa: PLC0415

        with self._connection(host, "") as connection:
            yield DockerFacts(connection, [state_place(self.environment)], sizes=sizes)

    @contextlib.contextmanager
    def engine(self, host: str) -> Iterator[EngineDoor]:
        """Reach an engine to change it."""
        with self._connection(host, "") as connection:
            yield self._door(connection)

    @contextlib.contextmanager
    def rehearsal(self, size_bytes: int, *, keep: bool) -> Iterator[Rehearsal]:
        """Start a private engine on a disk of its own; leaving the context removes it, unless it is to be kept."""
        from tonnage.adapters.docker.image_transfer import ImageStore  # noqa: PLC0415
        from tonnage.adapters.private_engine.engine import PrivateEngine  # noqa: PLC0415
        from tonnage.flows.ports import Rehearsal  # noqa: PLC0415

        with (
            PrivateEngine.start(size_bytes, environment=self.environment, keep=keep) as engine,
            self._connection(engine.endpoint, engine.netns) as connection,
        ):
            yield Rehearsal(
                door=self._door(connection), images=ImageStore(connection), how_to_reach=engine.how_to_reach()
            )

    def images_needed(self, service: Service, where: Files = HERE) -> tuple[str, ...]:
        """Return the images from elsewhere that a service stands on, by its files on a machine."""
        from tonnage.adapters.context.dockerfile_images import images_needed  # noqa: PLC0415

        return images_needed(service, where)

    @contextlib.contextmanager
    def image_source(self, host: str) -> Iterator[ImageSource | None]:
        """Reach an engine to copy images from; None when there is none, unless one was named."""
        from tonnage.adapters.docker.image_transfer import ImageStore  # noqa: PLC0415

        with contextlib.ExitStack() as opened:
            connection = None
            try:
                connection = opened.enter_context(self._connection(host, ""))
            except (EngineUnreachableError, EngineLacksError):
                if host:
                    raise
            yield None if connection is None else ImageStore(connection)

    def remove_rehearsal(self, name: str) -> None:
        """Remove a private engine that was kept."""
        from tonnage.adapters.private_engine.engine import remove_rehearsal  # noqa: PLC0415

        remove_rehearsal(name, environment=self.environment)

    @contextlib.contextmanager
    def _connection(self, host: str, netns: str) -> Iterator[DockerConnection]:
        from tonnage.adapters.docker.connect import connect  # noqa: PLC0415

        with connect(self.environment, host, netns=netns) as connection:
            yield connection

    def _door(self, connection: DockerConnection) -> EngineDoor:
        from tonnage.adapters.docker.acts import DockerActs  # noqa: PLC0415
        from tonnage.adapters.docker.facts import DockerFacts  # noqa: PLC0415
        from tonnage.adapters.docker.preflight import check_ready  # noqa: PLC0415
        from tonnage.adapters.host.filesystem import open_gauge  # noqa: PLC0415
        from tonnage.flows.ports import EngineDoor  # noqa: PLC0415

        return EngineDoor(
            facts=DockerFacts(connection, [state_place(self.environment)]),
            acts=lambda: DockerActs(connection, self.tools, self.environment),
            gauge=lambda mounts: open_gauge(connection.endpoint, mounts),
            check=lambda plan: check_ready(plan, self.tools),
        )
