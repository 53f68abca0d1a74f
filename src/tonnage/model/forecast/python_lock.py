"""What a set of Python requirements resolves to for one target, and what lies inside each wheel.

Nothing here knows an installer: how many bytes an installation keeps is decided from these facts elsewhere.
A size that nobody told is None, never 0.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

BLOCK_BYTES = 4096


def in_blocks(size_bytes: int) -> int:
    """Return the bytes of a file on a filesystem with blocks of 4 KiB."""
    return -(-size_bytes // BLOCK_BYTES) * BLOCK_BYTES


class Target(Struct, frozen=True, kw_only=True):
    """The Python for which wheels are chosen: that of the image, never that of this process.

    Args:
        python: Its version, ``3.11`` or ``3.11.7``.
        platform: Architecture and C library as the resolver names them: ``x86_64-manylinux_2_28``,
            ``aarch64-unknown-linux-musl``.
        implementation: ``cp`` for CPython, ``pp`` for PyPy.
    """

    python: str
    platform: str = "x86_64-manylinux_2_28"
    implementation: str = "cp"

    @property
    def minor(self) -> tuple[int, int]:
        """The first two numbers of its version."""
        major, _, rest = self.python.partition(".")
        return int(major), int(rest.partition(".")[0] or 0)

    @property
    def architecture(self) -> str:
        """``x86_64``, ``aarch64`` and so on."""
        return self.platform.partition("-")[0]


class Wheel(Struct, frozen=True, kw_only=True):
    """One wheel that will be installed.

    Args:
        name: Its normalised name.
        version: Its version, with the local part.
        url: Where it is; ``file://`` for one on this machine.
        size_bytes: Its compressed size; None where neither index nor lock told it.
        hashes: Pairs of algorithm and hexadecimal digest.
        index: The index that it came from; empty where nobody told it.
        metadata_bytes: What a resolver fetches before to learn what it needs; 0 where that was not read.
    """

    name: str
    version: str
    filename: str
    url: str
    size_bytes: int | None = None
    hashes: tuple[tuple[str, str], ...] = ()
    index: str = ""
    metadata_bytes: int = 0

    @property
    def digest(self) -> str:
        """Its strongest hash, ``sha256:...``; empty where it has none that names it for ever."""
        known = dict(self.hashes)
        for algorithm in ("sha256", "sha512", "sha384", "blake2b"):
            if known.get(algorithm):
                return f"{algorithm}:{known[algorithm].lower()}"
        return ""


OF_CONTEXT = "https://context.invalid/"
"""Begins the address of a wheel that the build has as a file: there is no such server, and none is asked."""


class LocalWheel(Struct, frozen=True, kw_only=True):
    """A wheel that lies in the context of a build.

    Args:
        wheel: The wheel; its address begins with ``OF_CONTEXT``, its hash stands for what lies in it.
        metadata: What it says of itself.
    """

    wheel: Wheel
    contents: WheelContents
    metadata: bytes


class ResolveRequest(Struct, frozen=True, kw_only=True):
    """What an install line asks for, as the image sees it.

    Args:
        requirements: Lines of requirement files and of the command line, without options.
        index_url: The index in place of the default one; empty for the user's or the resolver's default.
        find_links: Further pages or directories that list archives.
        no_index: No index at all, ``find_links`` only.
        best_of_all_indexes: The best version of all indexes, which is what pip does; otherwise the first index that
            has the name, which is what uv does.
        prereleases: Whether pre-releases are welcome everywhere.
        only_binary: Names that may not come from source; ``:all:`` for all.
        no_binary: Names that may not come as wheels; ``:all:`` for all.
        trusted_hosts: Hosts of which pip keeps what comes without encryption; nobody is asked in another way for that.
        exclude_newer: Date before which an archive must have been uploaded; empty for none.
        resolution: ``highest``, ``lowest`` or ``lowest-direct``.
        torch_backend: uv's choice of PyTorch index: ``cpu``, ``cu121``; empty for none.
        installed: ``name==version`` lines of what is in the image already; kept where it satisfies.
        kept: Wheels of these that no index of the request offers.
        left_out: Names of what is in the image in a version that is not known; it is taken to satisfy.
        offered: Wheels of the context that stand beside indexes, or in place of them.
    """

    requirements: tuple[str, ...]
    constraints: tuple[str, ...] = ()
    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    best_of_all_indexes: bool = True
    dependencies: bool = True
    prereleases: bool = False
    only_binary: tuple[str, ...] = ()
    no_binary: tuple[str, ...] = ()
    require_hashes: bool = False
    trusted_hosts: tuple[str, ...] = ()
    exclude_newer: str = ""
    resolution: str = "highest"
    torch_backend: str = ""
    installed: tuple[str, ...] = ()
    kept: tuple[Wheel, ...] = ()
    left_out: tuple[str, ...] = ()
    offered: tuple[LocalWheel, ...] = ()


class LockedRequest(Struct, frozen=True, kw_only=True):
    """What an installer takes from a lock file that lies beside a project.

    Args:
        lock_name: Which lock: ``uv.lock``, ``poetry.lock``, ``pdm.lock``, or one named as ``pylock.toml``.
        project_text: The text of ``pyproject.toml``; empty where there is none.
        groups: Groups beside the project's own dependencies.
        without_groups: Groups that are left out; ``*`` for every default one.
        only_groups: Groups that are installed instead of the project's dependencies.
        packages: Of a workspace of uv: the projects that are installed instead of the one that lies beside the lock.
        all_packages: All projects of the workspace are.
        environment: Of Hatch: what is installed is that of one of its environments; empty for the project alone.
        asked: Indexes and environment, for what the lock does not tell.
    """

    lock_name: str
    lock_text: str
    project_text: str = ""
    extras: tuple[str, ...] = ()
    all_extras: bool = False
    groups: tuple[str, ...] = ()
    without_groups: tuple[str, ...] = ()
    all_groups: bool = False
    only_groups: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    all_packages: bool = False
    environment: str = ""
    asked: ResolveRequest = ResolveRequest(requirements=())


class SourceContents(Struct, frozen=True, kw_only=True):
    """What lies in a source archive.

    Args:
        python_bytes: Bytes of modules of Python.
        other_bytes: Bytes of everything else.
        files: How many files they are.
        compiles: It has sources of a language that is compiled.
        cuda: It has some for graphics cards.
        needs: What building it needs besides what every build does, by name.
        tells: It says what it needs when it is installed.
        requires: What it said of that when it was made, where it does not say so for every build.
    """

    python_bytes: int = 0
    other_bytes: int = 0
    files: int = 0
    compiles: bool = False
    cuda: bool = False
    needs: tuple[str, ...] = ()
    tells: bool = False
    requires: tuple[str, ...] = ()


class Sdist(Struct, frozen=True, kw_only=True):
    """One source archive that will be built: its size may be known, what it becomes is not.

    Args:
        name: Its normalised name.
        version: Its version; empty where it could not be resolved without building.
        size_bytes: Its compressed size; None where nobody told it.
        hashes: Pairs of algorithm and hexadecimal digest.
        contents: What lies in it; None where it was not read.
    """

    name: str
    version: str = ""
    filename: str = ""
    url: str = ""
    size_bytes: int | None = None
    hashes: tuple[tuple[str, str], ...] = ()
    index: str = ""
    contents: SourceContents | None = None


class Other(Struct, frozen=True, kw_only=True):
    """Something that is neither a wheel nor a source archive: a checkout, a directory.

    Args:
        name: Its name; empty where it is not told.
        requirement: What the user wrote, or its address.
        reason: Why its bytes cannot be known.
        linked: It is a directory that is installed as a link to its sources.
    """

    name: str
    requirement: str
    reason: str
    linked: bool = False


class Rejected(Struct, frozen=True, kw_only=True):
    """Newer versions of a package that were passed over, because what they need does not fit.

    Args:
        version: The newest of them.
        size_bytes: What the wheel of one takes; None where nobody told it.
        metadata_apart: The index offers what they need beside the wheels.
    """

    name: str
    version: str
    count: int
    size_bytes: int | None
    metadata_apart: bool = False


class LockOrigin(StrEnum):
    """Where a lock comes from."""

    RESOLVED = "resolved"
    REMEMBERED = "remembered"
    LAST_KNOWN = "last known"
    FILE = "file"


class Lock(Struct, frozen=True, kw_only=True):
    """What a set of requirements resolves to for one target.

    Args:
        wheels: What will be installed from wheels, by name.
        sdists: What will be built from source.
        others: What has no bytes that can be known.
        requested: Normalised names that were asked for, not just needed by others.
        needs: Pairs of names: the first needs the second. Not all of them need be known.
        rejected: What a resolver looks at that asks for the newest version first.
        notes: What the resolver remarked, and where the result may differ from what the installer does.
        machine_notes: What holds for every set that is resolved here and now: settings of this machine, its network.
        origin: Where it comes from; ``last known`` when the index could not be reached.
        resolved_s: When it was resolved, seconds since the epoch; 0 where that is not known.
    """

    target: Target
    wheels: tuple[Wheel, ...] = ()
    sdists: tuple[Sdist, ...] = ()
    others: tuple[Other, ...] = ()
    requested: tuple[str, ...] = ()
    needs: tuple[tuple[str, str], ...] = ()
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[str, ...] = ()
    machine_notes: tuple[str, ...] = ()
    origin: LockOrigin = LockOrigin.RESOLVED
    resolved_s: float = 0.0


class Reading(StrEnum):
    """How the contents of a wheel are known."""

    DIRECTORY = "zip directory"
    REMEMBERED = "remembered"
    RATIO = "compressed size"
    NOTHING = "nothing"


class WheelPart(Struct, frozen=True):
    """The files of a wheel below one path, of one or two names.

    Args:
        block_bytes: The same in blocks.
        python_bytes: Of these the bytes of ``.py`` files.
        digest: Tells other file names from these.
    """

    path: str
    content_bytes: int
    block_bytes: int
    python_bytes: int
    digest: str = ""


class WheelContents(Struct, frozen=True, kw_only=True):
    """What one wheel becomes when it is unpacked, before an installer adds anything.

    Args:
        wheel: The wheel; its size is filled in where the server told it.
        directories: How many distinct directories below the place of installation.
        block_bytes: The same with each file rounded up to blocks of 4 KiB.
        directory_bytes: What the directories take themselves, on ext4.
        python_file_bytes: The size of each ``.py`` file that an installer would compile.
        python_directories: How many directories have one: each gets a ``__pycache__``.
        bytecode_directory_bytes: What those take themselves.
        python_path_bytes: The length of all their paths, which the record of an installation lists once more.
        console_scripts: How many commands are generated for it.
        commands: Their names, in small letters.
        alike: Every installer unpacks it to the same files and modes.
        small_packed_bytes: What its files up to 64 KiB take in the archive, compressed.
        packed_bytes: The same of larger files.
        stored_bytes: Bytes of files that the archive does not compress, so that it does not tell how far they would.
        parts: Its files by where they lie.
        tests: Those in directories of tests.
        cacheable: Whether its server allows that installers keep the archive; None where that is not known.
        reason: Why it is known no better; empty when it is exact.
    """

    wheel: Wheel
    files: int = 0
    directories: int = 0
    content_bytes: int = 0
    block_bytes: int = 0
    directory_bytes: int = 0
    python_file_bytes: tuple[int, ...] = ()
    python_directories: int = 0
    bytecode_directory_bytes: int = 0
    python_path_bytes: int = 0
    console_scripts: int = 0
    commands: tuple[str, ...] = ()
    alike: bool = False
    small_packed_bytes: int = 0
    packed_bytes: int = 0
    stored_bytes: int = 0
    parts: tuple[WheelPart, ...] = ()
    tests: WheelPart = WheelPart("", 0, 0, 0)
    cacheable: bool | None = None
    reading: Reading = Reading.DIRECTORY
    reason: str = ""

    @property
    def exact(self) -> bool:
        """Whether the figures were read, not assumed."""
        return self.reading in {Reading.DIRECTORY, Reading.REMEMBERED}
