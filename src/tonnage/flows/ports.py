"""What use cases may reach outside of the program, by subject. ``wiring`` makes the real ones; tests make their own.

A use case asks for the subjects that it needs and gets no others: the protocols at the end say which belong together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tonnage.adapters.host.space import Space
    from tonnage.adapters.interface import Cancel, EngineActs, EngineFacts, Gauge, StepGroups
    from tonnage.flows.requests import LookupScope
    from tonnage.forecast.gather.lookups import Lookups
    from tonnage.model.compose_labels import StackOrigin
    from tonnage.model.deploy.failure_call import FailureCall
    from tonnage.model.deploy.plan import Plan
    from tonnage.model.forecast.estimate import EngineKind
    from tonnage.model.inventory import Container, Engine, Filesystem, Image, Inputs
    from tonnage.model.reclaim.candidate import Builders, Candidate, Findings, HostedRunner
    from tonnage.model.reclaim.duplicate_blocks import DuplicateBlocks
    from tonnage.model.reclaim.garbage_collection import CollectionRule
    from tonnage.model.reclaim.other_store import OtherStore
    from tonnage.model.reports.symptom import Here
    from tonnage.model.stack import BuildSpec, FileToSend, NeededFile, SeenFile, Service, Stack
    from tonnage.runtime.clock import Clock
    from tonnage.runtime.ledger import HeldLock, Ledger
    from tonnage.runtime.load_stack import ComposeConfig
    from tonnage.runtime.rehearsal_images import ImageSource, ImageTarget
    from tonnage.sources.compose.files import Files


class EngineAccess(Struct, frozen=True, kw_only=True):
    """An engine that was reached, to be changed.

    Args:
        acts: Makes what changes it; is given the variables that secrets and configs of a stack take their content from,
            where the stack was read, None where no container is made, and descriptors of locks that last as long as the
            programs it starts.
        gauge: Opens a gauge of available bytes for some mounts.
        groups: Gives the control groups of the engine's build steps; None where nobody freezes them.
    """

    facts: EngineFacts
    acts: Callable[[Mapping[str, str], StackOrigin | None, Sequence[int]], EngineActs]
    gauge: Callable[[Sequence[str]], Gauge]
    groups: Callable[[Engine], StepGroups] | None = None


class Rehearsal(Struct, frozen=True, kw_only=True):
    """A private engine that runs.

    Args:
        images: Takes images from elsewhere.
        how_to_reach: How people reach and remove it, when it is kept.
    """

    engine: EngineAccess
    images: ImageTarget
    how_to_reach: str


class RehearsedCluster(Struct, frozen=True, kw_only=True):
    """A Swarm of private engines that runs.

    Args:
        manager: How the first node is reached; ``nodes`` how all of them are, by host name.
        images: Takes images from elsewhere, to the first node.
        how_to_reach: How people reach and remove it, when it is kept.
    """

    manager: str
    nodes: dict[str, str]
    images: ImageTarget
    how_to_reach: str


class Process(Protocol):
    """What this process was given."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment variables."""

    @property
    def clock(self) -> Clock:
        """The clock."""

    @property
    def working_directory(self) -> str:
        """The directory that the user is in."""


class Programs(Protocol):
    """Programs of this machine that read stacks and act on an engine."""

    def look_ahead(self) -> None:
        """Begin to look for those that act on an engine."""

    def compose(self) -> ComposeConfig | None:
        """Return Compose as a reader of compose files, or None when it is not installed or too old for that."""

    def builder_found(self) -> str:
        """Say which builder was found; raises EngineLacksError when there is none."""

    def compose_found(self) -> str:
        """Say which Compose was found; raises EngineLacksError when there is none."""

    def compose_version(self) -> str:
        """Return the version of the Compose that starts containers; empty when there is none."""

    def uv(self, architecture: str) -> tuple[str, int] | None:
        """Return the program uv that came with this package, and its bytes; None where it is for another machine."""

    def ready(self, plan: Plan) -> tuple[str, ...]:
        """Say what people should know of the programs for a plan.

        Raises:
            EngineLacksError: One is missing, or cannot do what the plan asks for.
            UsageError: A setting names a program or a builder that is not there.
        """


class StackFiles(Protocol):
    """Files that a stack names: Dockerfiles, contexts, and what is sent to another machine."""

    def declared_arguments(self, spec: BuildSpec) -> Mapping[str, str | None]:
        """Return what a build's Dockerfile declares with ``ARG``, with its default."""

    def dockerfile(self, spec: BuildSpec) -> str:
        """Return the text of a Dockerfile.

        Raises:
            OSError: It is not there, or cannot be read.
        """

    def earlier(
        self, directory: str, commit: str, paths: Sequence[str], environment: Mapping[str, str]
    ) -> Mapping[str, str | None]:
        """Return what files held at a commit of the repository of a directory; None for those that were not there.

        Raises:
            UsageError: There is no repository, or no such commit.
        """

    def inputs(self, service: Service) -> Inputs:
        """Return what a service's build would read now."""

    def images_needed(self, service: Service, where: Files) -> tuple[str, ...]:
        """Return the images from elsewhere that a service stands on, by its files on a machine."""

    def remote(self, endpoint: str, paths: Sequence[str]) -> Files:
        """Return the files of the machine behind ``ssh://``; those of ``paths`` are read at once."""

    def content_digest(self, path: str) -> str:
        """Return a hash of what a file holds; empty where this user cannot read it."""

    def missing(self, endpoint: str, paths: Sequence[str]) -> Collection[str]:
        """Return the paths where nothing is, on the machine behind ``ssh://``, or on this one where that is empty."""

    def listening(self, endpoint: str) -> Sequence[tuple[str, int, str]]:
        """Return ports on which programs listen, with address (empty for every one) and protocol.

        Those of the machine behind ``ssh://``, or of this one where that is empty.
        """

    def to_send(self, host: str, stack: Stack) -> tuple[FileToSend, ...]:
        """Return the files that a stack mounts from here and that the engine's machine lacks."""


class WeightFiles(Protocol):
    """Files of weights on this machine."""

    def text(self, path: str, *, service: str, place: str) -> str:
        """Return the text of a manifest; what is wrong with it is told for a service, at its place."""

    def look(self, needed: Sequence[NeededFile], tell: Callable[[str], None]) -> Mapping[str, SeenFile]:
        """Return the length and checksum of files, by path."""


class Engines(Protocol):
    """Engines by their address; an empty one means the one of the environment."""

    def facts(
        self, host: str, *, sizes: bool = False, places: Sequence[tuple[str, str]] = ()
    ) -> AbstractContextManager[EngineFacts]:
        """Reach an engine to read from it; its filesystems are joined by ``places``, as role and directory.

        With ``sizes`` it counts the bytes of volumes and containers as well, which takes as long as reading them.
        """

    def open(self, host: str, *, places: Sequence[tuple[str, str]] = ()) -> AbstractContextManager[EngineAccess]:
        """Reach an engine to change it."""

    def lock(self, engine: Engine, stack: str, images: Sequence[str] = ()) -> AbstractContextManager[HeldLock]:
        """Return the lock of one stack on one engine, which tells others which images it needs."""

    def ledger(self, engine: Engine, stack: str) -> Ledger:
        """Return what runs of other stacks on the engine tell, for who only looks."""

    def kind(self, engine: Engine | None) -> EngineKind:
        """Return what builds and keeps images here: by what the engine says, and by the builder that is found."""

    def collection_rules(self, host: str, engine: Engine) -> tuple[CollectionRule, ...] | None:
        """Return the rules of garbage collection as the builder that is used tells them; None where it does not."""

    def settings_file(self, engine: Engine) -> Path | None:
        """Return the file that an engine is usually configured in; None for an engine on another machine."""

    def data_root(self, host: str) -> str:
        """Return where a local engine keeps its data, when it says so within a moment; empty else."""

    def usual_data_root(self, host: str) -> str:
        """Return where an engine of this machine that does not answer has its data; empty for one elsewhere."""


class LocalMachine(Protocol):
    """This machine's filesystems, and what on them may go; one question is also about an engine's machine."""

    def space(self, directory: str) -> Space:
        """Measure the filesystem that a directory lies on; raises UsageError when it is not there."""

    def filesystems(self) -> tuple[Filesystem, ...]:
        """Measure the filesystems that programs write to without being told to."""

    def here(self, paths: Sequence[str]) -> Here:
        """Return what this machine is called, and what it has of paths that a log names."""

    def containers(self, host: str) -> Sequence[Container]:
        """Return the containers of this machine's engine without asking it, with what they mount."""

    def find_places(
        self,
        *,
        mount: str,
        root: str,
        disposable: bool,
        only: Sequence[str],
        kept: Mapping[str, str],
        missing_bytes: int | None,
        meanwhile: Callable[[], None],
    ) -> Findings:
        """Return what of this machine's files and directories may go; ``meanwhile`` is done while they are measured."""

    def remove_place(self, candidate: Candidate, cancel: Cancel) -> None:
        """Remove what was found so."""

    def held_open(self, mount: str) -> Sequence[tuple[str, int]]:
        """Return programs that hold removed files open, with the bytes of those files on a filesystem."""

    def hidden(self, mount: str) -> Sequence[tuple[str, int]]:
        """Return directories of a filesystem that something is mounted on, with the bytes that lie below that."""

    def orphans(self, data_root: str, now_s: float) -> tuple[int, int]:
        """Return how many layers below a data root the engine does not know, and their bytes."""

    def builders(self) -> Builders:
        """Return the builders beside the engine that people of this machine have configured."""

    def runner(self) -> HostedRunner | None:
        """Return the hosted runner that this machine is; None for any other machine."""

    def make_ballast(self, data_root: str, keeps_bytes: int) -> int:
        """Make the file that is given back when the disk of an engine is full; return its bytes, 0 for none."""

    def drop_ballast(self, data_root: str) -> int:
        """Give it back; return its bytes."""

    def thaw(self, groups: Sequence[str]) -> bool:
        """Thaw control groups, and nothing that is none; return whether that was done for all that are there."""

    def other_store(self, engine: Engine, *, within_s: float) -> OtherStore | None:
        """Return what an engine of this machine has left in the image store that it does not use; None for nothing.

        It is counted for so many seconds at most.
        """

    def duplicate_blocks(self, engine: Engine) -> DuplicateBlocks:
        """Return which files of an engine's image layers have the same content in blocks of their own, or why none."""

    def share_blocks(self, found: DuplicateBlocks, cancel: Cancel) -> None:
        """Store their content once; raises CannotReclaimError where the filesystem cannot."""

    def remove_other_store(self, engine: Engine, candidate: Candidate, cancel: Cancel) -> None:
        """Remove that; raises CannotReclaimError when something of it stays."""


class Rehearsals(Protocol):
    """Private engines on disks of their own."""

    def check(self) -> str:
        """Say that this machine can rehearse; raises EngineLacksError when it cannot."""

    def root(self) -> str:
        """Return where they put their disks."""

    def start(self, size_bytes: int, *, keep: bool) -> AbstractContextManager[Rehearsal]:
        """Start one; leaving the context removes it, unless it is to be kept."""

    def start_cluster(self, count: int, size_bytes: int, *, keep: bool) -> AbstractContextManager[RehearsedCluster]:
        """Start several as one Swarm; leaving the context removes them, unless they are to be kept."""

    def image_source(self, host: str) -> AbstractContextManager[ImageSource | None]:
        """Reach an engine to copy images from; None when there is none."""

    def remove(self, name: str) -> None:
        """Remove one that was kept."""


class StackPorts(Process, Protocol):
    """What reading a stack needs."""

    @property
    def programs(self) -> Programs:
        """Programs of this machine."""

    @property
    def files(self) -> StackFiles:
        """Files that a stack names."""


class EnginePorts(StackPorts, Protocol):
    """What looking at a stack and its engine needs."""

    @property
    def engines(self) -> Engines:
        """Engines."""


class WatchPorts(EnginePorts, Protocol):
    """What serving metrics needs."""

    def served(self, host: str, port: int, answer: Callable[[str], tuple[str, str]]) -> AbstractContextManager[str]:
        """Answer requests on an address as long as the context lasts, which has that address.

        Args:
            answer: Is given what a request accepts, and returns a content type and the text.
        """


class ForecastPorts(EnginePorts, Protocol):
    """What a forecast needs."""

    def lookups(
        self, facts: EngineFacts | None, images: Sequence[Image] = (), scope: LookupScope | None = None
    ) -> AbstractContextManager[Lookups] | None:
        """Open what forecasting reads; None where nothing can be forecast.

        Args:
            facts: The engine; None without one.
            scope: What may be asked; None for everything but a base image.
        """


class ReclaimPorts(EnginePorts, Protocol):
    """What a reclaim needs."""

    @property
    def machine(self) -> LocalMachine:
        """This machine."""

    def in_registries(
        self, facts: EngineFacts, names: Sequence[str], *, within_s: float | None = None
    ) -> Collection[str]:
        """Return the names with a digest that their registries have, as far as they say so within some seconds."""


class DeployPorts(ForecastPorts, ReclaimPorts, Protocol):
    """What a deploy needs."""

    @property
    def weights(self) -> WeightFiles:
        """Files of weights."""

    def call_on_failure(self, wanted: FailureCall, document: str) -> str:
        """Tell whom the user named of a deploy that failed; return why that went wrong, or nothing."""


class RehearsalPorts(DeployPorts, Protocol):
    """What a rehearsal needs."""

    @property
    def rehearsals(self) -> Rehearsals:
        """Private engines."""


class CiPorts(ForecastPorts, Protocol):
    """What the files and comments of ``tonnage ci`` need."""

    def install_command(self) -> str:
        """Return the command that installs this very Tonnage on another machine; empty when there is none."""

    def write_comment(self, text: str, *, marker: str, repository: str, pull_request: int) -> bool:
        """Write a comment on a pull request; return whether it replaced the one with this marker."""
