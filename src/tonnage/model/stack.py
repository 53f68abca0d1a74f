"""A stack as the user wrote it, resolved: services with everything that a plan has to know.

Paths are absolute, variables are substituted, files are merged. Nothing here was observed on an engine.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Any

from msgspec import Struct, field

from tonnage.identity import ByIdentity

ComposeMapping = dict[str, Any]
"""A mapping of a compose file as JSON would hold it, resolved. It is shared and never changed in place."""


class Place(Struct, frozen=True):
    """Where something is written: a file and a line in it (1-based; None where it is not known)."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        """Return ``file:line``, or the file alone."""
        return self.file if self.line is None else f"{self.file}:{self.line}"


class BuildSpec(Struct, frozen=True, kw_only=True):
    """How an image is built, as in the ``build`` section of a compose file.

    Args:
        context: Absolute directory, or a URL that the builder fetches.
        dockerfile: Absolute path of the Dockerfile; empty when ``dockerfile_inline`` is set.
        dockerfile_inline: Text of an inline Dockerfile; empty when there is a file.
        target: Stage to build; empty for the last.
        additional_contexts: Named contexts as name and value; the image of a service is named as an image.
        built_on: Services of the stack whose images are named contexts.
        extra_hosts: ``host=address`` entries.
        network: Network of RUN steps; empty for the builder's default.
        secrets: Values for ``--secret``, such as ``id=token,env=TOKEN``.
        ssh: Values for ``--ssh``.
        shm_bytes: Size of ``/dev/shm`` in RUN steps; None for the default.
        provenance: What the builder attaches to the image of how it was built: ``true``, ``false``, ``mode=max`` and
            the like; empty for the builder's default.
        sbom: What it attaches of what is in the image, such as ``true`` or ``generator=IMAGE``; empty as above.
        bases: Images that its Dockerfile names, each with one of the engine that is taken in its place.
        base_line: The line of the one stage that this is done for; 0 where only one stage stands on them.
    """

    context: str
    dockerfile: str = ""
    dockerfile_inline: str = ""
    args: tuple[tuple[str, str], ...] = ()
    target: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    additional_contexts: tuple[tuple[str, str], ...] = ()
    built_on: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    network: str = ""
    platforms: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    ssh: tuple[str, ...] = ()
    shm_bytes: int | None = None
    no_cache: bool = False
    pull: bool = False
    provenance: str = ""
    sbom: str = ""
    bases: tuple[tuple[str, str], ...] = ()
    base_line: int = 0
    place: Place | None = None

    @property
    def attestations(self) -> dict[str, str]:
        """What is said of attestations, by the key that says it."""
        said = {"provenance": self.provenance, "sbom": self.sbom}
        return {key: value for key, value in said.items() if value}


class HealthSpec(Struct, frozen=True, kw_only=True):
    """A compose ``healthcheck``, in seconds; ``disabled`` when the file switches off the image's own."""

    interval_s: float = 30.0
    timeout_s: float = 30.0
    retries: int = 3
    start_period_s: float = 0.0
    disabled: bool = False


class ProbeSpec(Struct, frozen=True, kw_only=True):
    """An HTTP probe, ``x-tonnage.probe``: GET ``path`` on the container's own ``port`` must answer ``status``."""

    port: int
    path: str = "/"
    status: int = 200
    timeout_s: float = 60.0


class Mount(Struct, frozen=True, kw_only=True):
    """One mounted thing; ``kind`` as in a compose file (volume, bind, tmpfs, ...), ``source`` empty when anonymous."""

    kind: str
    source: str
    target: str
    read_only: bool = False


class Port(Struct, frozen=True, kw_only=True):
    """One published port. ``published`` is text: empty for any free port, else a port or a range ``8000-8010``."""

    target: int
    published: str = ""
    protocol: str = "tcp"
    host_ip: str = ""


class Dependency(Struct, frozen=True, kw_only=True):
    """What a service depends on.

    Args:
        required: Whether nothing starts without it.
        restart: ``restart: true``: it is restarted whenever the other one is replaced.
        shares: What it has of the other one's containers: network, pid, ipc, uts, cgroup, volumes.
    """

    service: str
    required: bool = True
    restart: bool = False
    shares: tuple[str, ...] = ()


class WeightsFile(Struct, frozen=True, kw_only=True):
    """One file of weights, as a manifest or the compose file describes it.

    Args:
        file: Its path inside of the container; in a manifest, its path beside the manifest.
        size_bytes: Its length.
        model: Which model it is; empty where that is not told.
        backend: Which backend reads it; empty for any.
    """

    file: str
    size_bytes: int
    sha256: str
    model: str = ""
    backend: str = ""
    source: str = ""
    place: Place | None = None


class WeightsSpec(Struct, frozen=True, kw_only=True):
    """``x-tonnage.weights``: files that a service finds in its mounts, and that must be there before a deploy.

    Args:
        manifest: Path of a manifest inside of the container; empty for none.
        models: The models of the manifest that this service loads; empty for all.
        backend: Files of other backends do not matter; empty for what the service's variable ``BACKEND`` says.
    """

    manifest: str = ""
    models: tuple[str, ...] = ()
    backend: str = ""
    files: tuple[WeightsFile, ...] = ()
    place: Place | None = None


class SwitchOrder(StrEnum):
    """Which of two versions goes first at a switch; ``auto`` decides from what the service shares."""

    AUTO = "auto"
    START_FIRST = "start-first"
    STOP_FIRST = "stop-first"
    ROLLING = "rolling"


class Share(StrEnum):
    """Whether wheels that services have in common are stored once."""

    AUTO = "auto"
    """Where it is certain that the images are the same."""
    OFF = "off"


class InstallerChoice(StrEnum):
    """What installs the wheels that a service shares with no other; shared ones are installed by uv."""

    AS_WRITTEN = "as-written"
    UV = "uv"
    """uv does, before the service's own build, which finds them there."""


class ServiceSettings(Struct, frozen=True, kw_only=True):
    """``x-tonnage`` of one service.

    Args:
        switch: Whether the new version is started before the running one is stopped.
        one_shot: The service runs to its end; healthy means exit code 0.
        stability_s: Seconds for which it must stay up with an unchanged restart count.
        weights: Files that must be in its mounts before a deploy, if any are named.
        proxy_networks: The networks, by their keys, on which a proxy reaches it; empty to find out.
        drain_s: Seconds between the new containers being reached and the old ones being stopped, when it is rolling.
        share: Whether it shares wheels with others; None for what the stack says.
        installer: What installs its wheels; None for what the stack says.
        failover: On how many nodes of a cluster its image lies; None for what the stack says.
    """

    probe: ProbeSpec | None = None
    switch: SwitchOrder = SwitchOrder.AUTO
    one_shot: bool = False
    stability_s: float = 3.0
    weights: WeightsSpec | None = None
    proxy_networks: tuple[str, ...] = ()
    drain_s: float = 10.0
    share: Share | None = None
    installer: InstallerChoice | None = None
    failover: int | None = None


class PullWhen(StrEnum):
    """When the image of a service is pulled."""

    ALWAYS = "always"
    MISSING = "missing"
    NEVER = "never"
    BUILD = "build"
    REFRESH = "refresh"
    """When what the engine has got its name too long ago."""


class PullPolicy(Struct, frozen=True, kw_only=True):
    """What is said of pulling a service's image.

    Args:
        said: In the words and at the place where it is said, such as ``pull_policy: daily``.
        every_s: With ``refresh``: how old it may be, in seconds.
        spares_own: What this engine has built, and no registry has, stays.
    """

    when: PullWhen
    said: str
    every_s: float = 0.0
    spares_own: bool = False


class Service(Struct, frozen=True, kw_only=True):
    """One service of a stack.

    Args:
        image: Reference that its containers run: the ``image`` key, or the name that Compose gives to a build.
        build: How the image is built; None when it is only pulled.
        pull: When the image is pulled; None where nothing is said: when it is only an image and is missing.
        names_image: Whether the name of its image is written; what is named after the stack is in no registry.
        mounts: What it mounts, tmpfs included.
        hostname: A fixed hostname; empty when the engine chooses.
        container_name: A fixed container name; empty when Compose chooses.
        network_mode: Empty for the stack's networks.
        health: Its healthcheck; None when the image's own (if any) holds.
        contents: Hashes of what is in its secrets and configs, by section and key; what cannot be read is left out.
        renamed_volumes: The volumes that it mounts and that are not named after the stack, each with its name.
        marked: The same with marks on what its image and its build hold of the process environment, for who asks
            servers; None where they hold nothing of it.
        held: The variables whose values they hold, each with its marked value.
    """

    name: str
    image: str
    config: ComposeMapping = field(default_factory=dict)
    build: BuildSpec | None = None
    pull: PullPolicy | None = None
    names_image: bool = True
    depends_on: tuple[Dependency, ...] = ()
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    devices: tuple[str, ...] = ()
    hostname: str = ""
    container_name: str = ""
    network_mode: str = ""
    replicas: int = 1
    health: HealthSpec | None = None
    settings: ServiceSettings = field(default_factory=ServiceSettings)
    place: Place | None = None
    contents: tuple[tuple[str, str], ...] = ()
    renamed_volumes: tuple[tuple[str, str], ...] = ()
    marked: Service | None = None
    held: tuple[tuple[str, str], ...] = ()

    @property
    def joins(self) -> bool:
        """Whether its containers have namespaces or volumes of other containers."""
        modes = (self.network_mode, *(str(self.config.get(key, "")) for key in ("pid", "ipc")))
        return any(each.shares for each in self.depends_on) or any(mode.startswith("container:") for mode in modes)


class Stack(Struct, frozen=True, kw_only=True):
    """One compose project.

    Args:
        directory: The project directory, absolute.
        files: The files it was read from, absolute, in the order of merging.
        shared: The top-level ``networks``, ``volumes``, ``secrets`` and ``configs``.
        settings: Stack-level ``x-tonnage`` as key and text, for :mod:`tonnage.runtime.settings` to rank.
        settings_places: Where each of these keys is written.
        values: Variables that secrets and configs take their content from, with their values: as the environment says,
            else files of variables.
        shared_places: Where each entry of ``shared`` is written, by its section and key such as ``networks.proxy``.
        notes: What the reader wants people to know (a key that has no effect, a profile that hides a service).
        place: Where the project directory lies on the engine's machine; empty where it is the same one.
        env_files: The files of variables that were named, absolute; none for ``.env``.
        inactive: The services whose profiles are not active.
        same_places: Other directories of this machine that hold the same stack.
        origin: The repository that it is in and where in it, the same in every checkout; empty where it is in none.
        sent: What is mounted from the project directory and has to be sent there: path below it, and whether
            containers only read it.
    """

    name: str
    directory: str
    files: tuple[str, ...]
    services: tuple[Service, ...]
    shared: ComposeMapping = field(default_factory=dict)
    settings: tuple[tuple[str, str], ...] = ()
    settings_places: tuple[tuple[str, Place], ...] = ()
    values: tuple[tuple[str, str], ...] = ()
    shared_places: tuple[tuple[str, Place], ...] = ()
    notes: tuple[str, ...] = ()
    place: str = ""
    sent: tuple[tuple[str, bool], ...] = ()
    env_files: tuple[str, ...] = ()
    inactive: tuple[str, ...] = ()
    origin: str = ""
    same_places: frozenset[str] = frozenset()

    @property
    def built(self) -> tuple[Service, ...]:
        """The services whose images are built."""
        return tuple(service for service in self.services if service.build is not None)

    def service(self, name: str) -> Service:
        """Return the service of that name.

        Raises:
            KeyError: There is no such active service.
        """
        return _by_name(ByIdentity(self.services))[name]


@lru_cache(maxsize=8)
def _by_name(services: ByIdentity[tuple[Service, ...]]) -> dict[str, Service]:
    return {each.name: each for each in services.held}


class FileToSend(Struct, frozen=True, kw_only=True):
    """A file of the project directory that the engine's machine lacks, by its path below that directory."""

    path: str
    size_bytes: int


class NeededFile(Struct, frozen=True, kw_only=True):
    """One file that a service needs.

    Args:
        inside: Its path inside of the container.
        place: Where the compose file asks for it, as ``file:line``.
    """

    service: str
    inside: str
    path: str
    described: WeightsFile
    place: str


class SeenFile(Struct, frozen=True, kw_only=True):
    """One file as it was found.

    Args:
        size_bytes: Its length; None when it was not found or is no file.
        sha256: Its checksum; empty when it was not read, because its length is wrong already.
        trouble: Why it could not be read; empty when it could.
    """

    size_bytes: int | None = None
    sha256: str = ""
    trouble: str = ""
