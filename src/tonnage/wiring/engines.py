"""The real engines: the one that is meant, and private ones for rehearsals."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING

from tonnage.errors import EngineLacksError, EngineUnreachableError
from tonnage.flows.state import state_place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tonnage.adapters.docker.connect import DockerConnection
    from tonnage.adapters.docker.facts import DockerFacts
    from tonnage.adapters.docker.selected_builder import ContainerBuilder
    from tonnage.adapters.interface import EngineFacts, StepGroups
    from tonnage.flows.ports import EngineAccess, Rehearsal, RehearsedCluster
    from tonnage.model.forecast.estimate import EngineKind
    from tonnage.model.inventory import Engine
    from tonnage.model.reclaim.garbage_collection import CollectionRule
    from tonnage.runtime.ledger import Ledger
    from tonnage.runtime.lock import StackLock
    from tonnage.runtime.rehearsal_images import ImageSource
    from tonnage.wiring.machine import FoundPrograms


class DockerEngines:
    """Satisfies ``Engines``."""

    def __init__(self, environment: Mapping[str, str], programs: FoundPrograms) -> None:
        self.environment = environment
        self._programs = programs
        self._reached: dict[str, DockerConnection] = {}

    @contextlib.contextmanager
    def facts(self, host: str, *, sizes: bool = False, places: Sequence[tuple[str, str]] = ()) -> Iterator[EngineFacts]:
        """Reach an engine to read from it."""
        with self._reaching(host) as connection:
            here = [state_place(self.environment), *places]
            yield self._facts(connection, here, sizes=sizes)

    @contextlib.contextmanager
    def open(self, host: str, *, places: Sequence[tuple[str, str]] = ()) -> Iterator[EngineAccess]:
        """Reach an engine to change it."""
        with self._reaching(host) as connection:
            yield self.access(connection, places)

    @contextlib.contextmanager
    def _reaching(self, host: str) -> Iterator[DockerConnection]:
        """Connect, and remember with what: a lock on that engine is told by the same connection."""
        with self.connection(host) as connection:
            before = self._reached.get(connection.endpoint)
            self._reached[connection.endpoint] = connection
            try:
                yield connection
            finally:
                del self._reached[connection.endpoint]
                if before is not None:
                    self._reached[connection.endpoint] = before

    def ledger(self, engine: Engine, stack: str) -> Ledger:
        """Return what runs of other stacks on the engine tell."""
        return self.lock(engine, stack)

    def lock(self, engine: Engine, stack: str, images: Sequence[str] = ()) -> StackLock:
        """Return the lock of one stack on one engine; where that is another machine, it is held there as well."""
        from tonnage.adapters.docker.leases.volume_lock import VolumeLock  # noqa: PLC0415
        from tonnage.adapters.ssh.lock import SshLock  # noqa: PLC0415
        from tonnage.runtime.lock import StackLock  # noqa: PLC0415

        endpoint, reached = engine.endpoint, self._reached.get(engine.endpoint)
        locked = partial(StackLock, engine.engine_id, stack, endpoint=endpoint, images=images)
        if reached is not None and endpoint.startswith("tcp://"):
            return locked(remote=VolumeLock(reached.client.api, endpoint), here_too=True)
        made: list[VolumeLock] = []

        def signs(name: str) -> str | None:
            if reached is None:
                return None
            if not made:
                # Who plans does not look for them, and the library for Docker takes long to import.
                made.append(VolumeLock(reached.client.api, endpoint))
            return made[0].held_by(name)

        return locked(remote=SshLock(endpoint) if endpoint.startswith("ssh://") else None, signs=signs)

    def kind(self, engine: Engine | None) -> EngineKind:
        """Return what builds and keeps images here."""
        from tonnage.adapters.docker.tools import BuilderKind  # noqa: PLC0415
        from tonnage.model.forecast.estimate import EngineKind  # noqa: PLC0415
        from tonnage.model.inventory import CONTAINERD, PODMAN  # noqa: PLC0415

        beside = engine is not None and engine.builder is not None
        if engine is not None and engine.image_store == CONTAINERD:
            return EngineKind.CONTAINER_CONTAINERD if beside else EngineKind.CONTAINERD
        if beside:
            return EngineKind.CONTAINER
        if engine is not None and engine.image_store == PODMAN:
            # It keeps the image of each instruction, as the builder before BuildKit. Source: measured, 4.3 and 5.4.
            return EngineKind.CLASSIC
        tool = self._programs.tools.build if engine else None
        return EngineKind.CLASSIC if tool and tool.kind is BuilderKind.LEGACY else EngineKind.BUILDKIT

    def collection_rules(self, host: str, engine: Engine) -> tuple[CollectionRule, ...] | None:
        """Return the rules of garbage collection as the builder that is used tells them; None where it does not."""
        from tonnage.adapters.docker.garbage_collection import told_rules  # noqa: PLC0415
        from tonnage.adapters.docker.tools import aimed_at  # noqa: PLC0415
        from tonnage.decide.reclaim.garbage_collection import THREE_LIMITS  # noqa: PLC0415
        from tonnage.decide.reports.known_engines import version_of  # noqa: PLC0415

        with self.connection(host) as connection:
            aimed = aimed_at(connection, self.environment)
            return told_rules(
                self._programs.tools.build, aimed, builder=engine.builder.name if engine.builder else "",
                three_limits=engine.builder is not None or version_of(engine.version) >= THREE_LIMITS,
            )  # fmt: skip

    def settings_file(self, engine: Engine) -> Path | None:
        """Return the file that an engine is usually configured in; None for an engine on another machine."""
        from tonnage.adapters.docker.garbage_collection import settings_file  # noqa: PLC0415

        if not engine.endpoint.startswith("unix://"):
            return None
        return settings_file(self.environment, rootless=engine.rootless)

    def data_root(self, host: str) -> str:
        """Return where a local engine keeps its data, when it says so within a moment; empty else."""
        from tonnage.adapters.docker.data_root import data_root  # noqa: PLC0415

        return data_root(self.environment, host)

    def usual_data_root(self, host: str) -> str:
        """Return where an engine of this machine that does not answer has its data; empty for one elsewhere."""
        from tonnage.adapters.docker.data_root import usual_data_root  # noqa: PLC0415

        return usual_data_root(self.environment, host)

    def connection(self, host: str, netns: str = "") -> DockerConnection:
        """Connect to an engine, whose containers are in a network namespace of their own where one is named."""
        from tonnage.adapters.docker.connect import connect  # noqa: PLC0415

        return connect(self.environment, host, netns=netns)

    def access(self, connection: DockerConnection, places: Sequence[tuple[str, str]] = ()) -> EngineAccess:
        """Return what changes the engine of a connection."""
        from tonnage.adapters.docker.acts import DockerActs  # noqa: PLC0415
        from tonnage.adapters.host.filesystem import open_gauge  # noqa: PLC0415
        from tonnage.flows.ports import EngineAccess  # noqa: PLC0415

        return EngineAccess(
            facts=self._facts(connection, [state_place(self.environment), *places]),
            acts=lambda values, origin, held: DockerActs(
                connection, self._programs.tools, self.environment, values, held, origin
            ),
            gauge=lambda mounts: open_gauge(connection.endpoint, mounts),
            groups=_step_groups,
        )

    def _facts(
        self, connection: DockerConnection, places: Sequence[tuple[str, str]], *, sizes: bool = False
    ) -> DockerFacts:
        from tonnage.adapters.docker.facts import DockerFacts  # noqa: PLC0415

        return DockerFacts(
            connection,
            places,
            sizes=sizes,
            beside=self._beside(connection),
            tools=self._programs.tools,
            environment=self.environment,
        )

    def _beside(self, connection: DockerConnection) -> ContainerBuilder:
        from tonnage.adapters.docker.selected_builder import ContainerBuilder  # noqa: PLC0415

        return ContainerBuilder(connection, self._programs.tools)


def _step_groups(engine: Engine) -> StepGroups:
    from tonnage.adapters.guard.step_groups import DockerStepGroups  # noqa: PLC0415

    return DockerStepGroups(engine.endpoint, engine.data_root, beside=engine.builder is not None, swarm=engine.swarm)


class PrivateEngines:
    """Satisfies ``Rehearsals``."""

    def __init__(self, engines: DockerEngines) -> None:
        self._engines = engines
        self._environment = engines.environment

    def check(self) -> str:
        """Say that this machine can rehearse."""
        from tonnage.adapters.private_engine.programs import check_machine  # noqa: PLC0415

        check_machine(self._environment.get("PATH", ""))
        return "supported"

    def root(self) -> str:
        """Return where rehearsals put their disks."""
        from tonnage.adapters.private_engine.layout import rehearsal_root  # noqa: PLC0415

        return str(rehearsal_root(self._environment))

    @contextlib.contextmanager
    def start(self, size_bytes: int, *, keep: bool) -> Iterator[Rehearsal]:
        """Start a private engine on a disk of its own; leaving the context removes it, unless it is to be kept."""
        from tonnage.adapters.docker.image_transfer import ImageStore  # noqa: PLC0415
        from tonnage.adapters.private_engine.engine import PrivateEngine  # noqa: PLC0415
        from tonnage.flows.ports import Rehearsal  # noqa: PLC0415

        with (
            PrivateEngine.start(size_bytes, environment=self._environment, keep=keep) as private,
            self._engines.connection(private.endpoint, private.netns) as connection,
        ):
            engine = self._engines.access(connection)
            yield Rehearsal(engine=engine, images=ImageStore(connection), how_to_reach=private.how_to_reach())

    @contextlib.contextmanager
    def start_cluster(self, count: int, size_bytes: int, *, keep: bool) -> Iterator[RehearsedCluster]:
        """Start several as one Swarm; leaving the context removes them, unless they are to be kept."""
        from tonnage.adapters.docker.image_transfer import ImageStore  # noqa: PLC0415
        from tonnage.adapters.private_engine.disk import check_size  # noqa: PLC0415
        from tonnage.adapters.private_engine.engine import PrivateEngine  # noqa: PLC0415
        from tonnage.adapters.private_engine.layout import open_root  # noqa: PLC0415
        from tonnage.adapters.private_engine.programs import check_machine  # noqa: PLC0415
        from tonnage.adapters.swarm.membership import form  # noqa: PLC0415
        from tonnage.flows.ports import RehearsedCluster  # noqa: PLC0415

        check_machine(self._environment.get("PATH", ""))
        check_size(open_root(self._environment), size_bytes * count)
        with contextlib.ExitStack() as stack:
            engines = [
                stack.enter_context(
                    PrivateEngine.start(size_bytes, environment=self._environment, keep=keep, host_name=f"node{number}")
                )
                for number in range(1, count + 1)
            ]
            connections = [stack.enter_context(self._engines.connection(each.endpoint, each.netns)) for each in engines]
            pairs = [(connection, engine.address) for connection, engine in zip(connections, engines, strict=True)]
            form(pairs, pool=engines[0].cluster_pool)
            yield RehearsedCluster(
                manager=engines[0].endpoint,
                nodes={f"node{number}": each.endpoint for number, each in enumerate(engines, 1)},
                images=ImageStore(connections[0]),
                how_to_reach="\n".join(each.how_to_reach() for each in engines),
            )

    @contextlib.contextmanager
    def image_source(self, host: str) -> Iterator[ImageSource | None]:
        """Reach an engine to copy images from; None when there is none, unless one was named."""
        from tonnage.adapters.docker.image_transfer import ImageStore  # noqa: PLC0415

        with contextlib.ExitStack() as opened:
            connection = None
            try:
                connection = opened.enter_context(self._engines.connection(host))
            except (EngineUnreachableError, EngineLacksError):
                if host:
                    raise
            yield None if connection is None else ImageStore(connection)

    def remove(self, name: str) -> None:
        """Remove a private engine that was kept."""
        from tonnage.adapters.private_engine.engine import remove_rehearsal  # noqa: PLC0415

        remove_rehearsal(name, environment=self._environment)
