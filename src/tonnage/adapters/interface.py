"""What the shell may ask of the outside. Reading and changing are different types: a plan is made with facts only.

Every method raises only classes of :mod:`tonnage.errors`; each says which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.compose_labels import StackOrigin
    from tonnage.model.deploy.rolling import Attachment
    from tonnage.model.inventory import CacheRecord, Container, Engine, Filesystem, Image, Volume
    from tonnage.model.network import Network
    from tonnage.model.stack import BuildSpec, ComposeMapping


class Cancel(Protocol):
    """Says whether the work at hand should stop; ``threading.Event`` satisfies it."""

    def is_set(self) -> bool:
        """Return whether to stop."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set or ``timeout`` seconds have passed; return whether it is set."""


class Progress(Protocol):
    """Is told how a long act goes on."""

    def at(self, text: str) -> None:
        """Say where the act is, such as ``[3/7] RUN pip install``."""

    def log(self, line: str) -> None:
        """Hand over one line that a program printed."""


class Unwatched:
    """Progress that nobody watches."""

    def at(self, text: str) -> None:
        """Say nothing."""

    def log(self, line: str) -> None:
        """Say nothing."""


class EngineFacts(Protocol):
    """Reads. Nothing here changes the engine or its machine.

    Every method raises EngineUnreachableError when the engine stops answering.
    """

    def engine(self) -> Engine:
        """Return what the engine says of itself."""

    def filesystems(self) -> tuple[Filesystem, ...]:
        """Return every filesystem that a run writes to, measured now; the one with the data root first.

        Raises:
            EngineLacksError: The disk of this engine cannot be read from here.
        """

    def images(self) -> tuple[Image, ...]:
        """Return all images, dangling ones included."""

    def containers(self, project: str = "") -> tuple[Container, ...]:
        """Return all containers in every state; only those of one compose project when it is named."""

    def container(self, name_or_id: str) -> Container | None:
        """Return one container, or None when there is none."""

    def cache(self) -> tuple[CacheRecord, ...]:
        """Return the records of the build cache.

        Raises:
            CacheUnknownError: The engine cannot tell them.
        """

    def volumes(self) -> tuple[Volume, ...]:
        """Return all volumes."""

    def networks(self) -> tuple[Network, ...]:
        """Return all networks."""

    def config_hashes(self, origin: StackOrigin) -> Mapping[str, str]:
        """Return what Compose would write of its configuration on containers of each service, where it can tell."""

    def pulled(self, within_s: float) -> tuple[str, ...]:
        """Return what was pulled in the last seconds, by name or digest, as far as the engine still knows."""

    def logs(self, container: str, lines: int) -> str:
        """Return the last ``lines`` lines that a container printed on both streams."""

    def http_status(self, container: Container, port: int, path: str, timeout_s: float) -> int | str:
        """Ask the container itself by HTTP.

        Returns:
            The status, or in words why there is no answer yet.
        """


class Gauge(Protocol):
    """Reads the available bytes of filesystems, cheaply enough for 20 times a second and more."""

    def available(self) -> Mapping[str, int]:
        """Return available bytes by mount, for the filesystems that it was made for."""

    def inodes(self) -> Mapping[str, int]:
        """Return available inodes by mount as of the last look, of filesystems that count them and are read here."""

    def close(self) -> None:
        """Give back what it holds open."""


class BuildMark(Struct, frozen=True):
    """What the steps of one build are known by.

    Args:
        commands: What its instructions run, without blanks.
        began_s: When it began, in seconds since the machine started.
    """

    commands: frozenset[str]
    began_s: float


class StepGroups(Protocol):
    """The control groups of build steps of one engine on this machine, which can be frozen.

    A group is frozen only between :meth:`open` and :meth:`close`: meanwhile another process would thaw it if this one
    were killed.
    """

    def why_not(self) -> str:
        """Return why nothing can be frozen; empty where it can."""

    def open(self) -> bool:
        """Begin; return whether anything can be frozen."""

    def close(self) -> None:
        """Thaw what is still frozen, and end."""

    def mark(self, spec: BuildSpec) -> BuildMark:
        """Return what the steps of a build that begins now will be known by."""

    def of_builds(self, marks: Mapping[str, BuildMark]) -> Mapping[str, Sequence[str]]:
        """Return the groups of steps that run now and are certainly one of these builds', by its name."""

    def freeze(self, groups: Sequence[str], until_s: float) -> bool:
        """Begin to freeze groups; return whether that was done for all of them.

        Args:
            until_s: When they are thawed at the latest, whatever happens here, on the monotonic clock.
        """

    def are_frozen(self, groups: Sequence[str]) -> bool:
        """Return whether nothing of these groups runs any more."""

    def are_ended(self, groups: Sequence[str]) -> bool:
        """Return whether these groups have ended, or end as soon as they are thawed."""

    def thaw(self, groups: Sequence[str]) -> bool:
        """Thaw groups; return whether that was done for all of them."""

    def engine_names(self) -> Sequence[str]:
        """Return the engine's own processes as :meth:`stop_engine` stops them; none where it must not be stopped."""

    def stop_engine(self, until_s: float) -> bool:
        """Have the engine itself stand still; return whether it does.

        Args:
            until_s: When it runs again at the latest, whatever happens here, on the monotonic clock.
        """

    def run_engine(self) -> None:
        """Let it run again; harmless where it does."""


class EngineActs(Protocol):
    """Changes. Only an executor holds one.

    Every method raises EngineUnreachableError when the engine stops answering and StepFailedError when the act fails.
    Those that take ``cancel`` stop what they started when it is set, and raise StepFailedError.
    """

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
        """Build an image, name it ``reference`` and return its id. A failed build moves no name.

        One that is ``packed`` need not be unpacked, since nothing is started from it. A ``builder`` beside the engine
        gives it the image, or ``pushes`` it to its registry and gives the engine nothing.
        """

    def pull(self, reference: str, *, progress: Progress, cancel: Cancel, platform: str = "") -> str:
        """Pull an image, for this platform or the engine's own, and return its id."""

    def push(self, reference: str, *, progress: Progress, cancel: Cancel) -> None:
        """Push an image."""

    def send_files(
        self, directory: str, place: str, paths: Sequence[str], *, progress: Progress, cancel: Cancel
    ) -> None:
        """Bring files below ``directory`` to ``place`` on the engine's machine."""

    def tag(self, image: str, reference: str) -> None:
        """Give an image (id or reference) a further name; the name moves when another image had it."""

    def name_for_compose(self, image: str, service: str) -> None:
        """Give a proven image the name by which a plain ``up`` of Compose 1 looks for it, where none is written."""

    def make_record(self, reference: str, labels: Mapping[str, str]) -> None:
        """Name an empty image that has these labels; they are words without spaces and quotes."""

    def untag(self, reference: str) -> None:
        """Take a name away without removing the image.

        Nothing happens when nothing has that name; when it is the image's last name, the image stays, dangling.
        """

    def remove_image(self, image_id: str, names: Sequence[str] = ()) -> None:
        """Remove one image by id, never by force: StepFailedError when a container uses it or a name still holds it.

        Names and digests in ``names`` go with it, and are given back when it stays. Any other name makes it stay.
        """

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
        """Start one container of a service, without host ports and without its network alias, under its own name."""

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

        With ``recreate`` its containers are made anew although they have it already. ``config_hash`` is what Compose
        wrote on containers that were so before, where it cannot tell that any more.
        """

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
        """Let Compose make ``count`` further containers of a service, and start them on the networks ``kept`` alone."""

    def connect(self, container: str, network: Attachment) -> None:
        """Bring a container onto a network; nothing happens when it is on it."""

    def stop_container(self, container: str) -> None:
        """Stop one container within the time that it was made with; nothing happens when it is not there."""

    def remove_network(self, network: str) -> None:
        """Remove one network, with containers that have ended still on it; nothing happens when it is not there."""

    def restart_container(self, container: str) -> None:
        """Stop one container within the time that it was made with, and start it again."""

    def remove_container(self, container: str, timeout_s: float | None = 10.0) -> None:
        """Stop and remove one container with its anonymous volumes only; nothing happens when it is not there.

        Without ``timeout_s`` it has the time that it was made with.
        """

    def remove_ended_container(self, container: str) -> None:
        """Remove one container that has ended and none of its volumes: StepFailedError when it runs by now.

        Nothing happens when it is not there.
        """

    def empty_log(self, container: str) -> None:
        """Empty the log of one container of an engine on this machine; nothing happens when it is not there."""

    def remove_volume(self, name: str) -> None:
        """Remove one volume, never by force; nothing happens when it is not there."""

    def remove_cache(self, record_ids: Sequence[str]) -> None:
        """Remove build-cache records that are not in use."""
