"""What one command of a build does to the files of the image, as far as its words tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.model.forecast.compression import Content
from tonnage.model.forecast.estimate import NOTHING
from tonnage.model.forecast.installs import Effect, PipRuns, PythonInstall
from tonnage.model.forecast.node_packages import NodeInstall

if TYPE_CHECKING:
    from tonnage.model.forecast.debian_package import DebPackage
    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.forecast.installs import Installer


class AptInstall(Effect, frozen=True, kw_only=True):
    """``apt-get install`` or ``apt install``.

    Args:
        packages: As they are named: ``curl``, ``gcc=4:12.2``, ``libgl1:amd64``, ``tool/bookworm-backports``.
        files: Local ``.deb`` files.
        local: Such files of the context, as they say themselves what they are.
        target_release: ``-t``; empty without one.
        alone: ``dpkg -i``: nothing that they need comes with them.
        fixes: ``-f`` and no names: what was installed without what it needs gets that.
        upgrades: ``upgrade`` or ``dist-upgrade``: what is there is replaced, nothing is named.
        cache_mounted: ``/var/cache/apt`` is a cache mount, so that no ``.deb`` is left in the layer.
        keeps_debs: The build has had apt keep what it fetches.
        unread: Packages that cannot be told because of unknown variables or patterns.
        listed: Files whose words are packages.
    """

    packages: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    local: tuple[DebPackage, ...] = ()
    files: tuple[str, ...] = ()
    recommends: bool = True
    suggests: bool = False
    target_release: str = ""
    alone: bool = False
    fixes: bool = False
    upgrades: bool = False
    downloads_only: bool = False
    cache_mounted: bool = False
    keeps_debs: bool = False
    unread: tuple[str, ...] = ()


class AptUpdate(Effect, frozen=True, kw_only=True):
    """``apt-get update``: package lists are fetched, into a cache mount with ``lists_mounted``."""

    lists_mounted: bool = False


class AptClean(Effect, frozen=True, kw_only=True):
    """Something of apt is removed in the same ``RUN``.

    Args:
        lists: The package lists are gone.
        archives: The ``.deb`` files are gone (``apt-get clean``), and apt's caches, but for ``archives_alone``.
    """

    lists: bool = False
    archives: bool = False
    archives_alone: bool = False


class AptRemove(Effect, frozen=True, kw_only=True):
    """``apt-get remove``, ``purge`` or ``autoremove``.

    Args:
        unneeded: What came for others and is no longer needed goes as well.
    """

    packages: tuple[str, ...] = ()
    unneeded: bool = False


class AptMark(Effect, frozen=True, kw_only=True):
    """``apt-mark auto`` or ``manual``: packages go once nothing needs them, or stay.

    Args:
        every: All packages are meant, or some that cannot be told.
    """

    packages: tuple[str, ...] = ()
    automatic: bool = False
    every: bool = False


PACKAGES_OF = "/.packages-of-"
"""Begins the place of what a manager of packages brought, followed by its name: nobody lists where that lies."""


class OtherInstall(Effect, frozen=True, kw_only=True):
    """Another package manager installs or builds something: apk, dnf, conda, cargo, go, gem, ...

    Args:
        action: Which of its commands it is, such as ``add``, ``build`` or ``mod download``.
        directory: Where it works.
        within: The place that stands for what it brings, so that removing that frees it; empty where nothing can.
        one_place: All of it lies there, and not each package below it under its own name.
        keeps_cache: What it knows of packages stays in its cache.
    """

    manager: str
    action: str = ""
    packages: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    directory: str = ""
    within: str = ""
    one_place: bool = True
    keeps_cache: bool = True


class Download(Effect, frozen=True, kw_only=True):
    """A file is fetched from an address.

    Args:
        path: The file that is written; empty when it goes on through a pipe or to standard output.
        into: What reads it when it is piped: the words of that command.
    """

    address: str
    path: str = ""
    into: tuple[str, ...] = ()


class Unpack(Effect, frozen=True, kw_only=True):
    """An archive is unpacked.

    Args:
        archive: The archive; empty when it comes through a pipe.
        address: Its address when it comes through a pipe from one.
    """

    archive: str = ""
    address: str = ""
    directory: str = ""


class GitClone(Effect, frozen=True, kw_only=True):
    """``git clone``."""

    address: str
    directory: str


class Remove(Effect, frozen=True, kw_only=True):
    """Files are removed: within the same ``RUN`` that frees their bytes, later it frees nothing.

    Args:
        paths: Paths and patterns.
        found: They are found by ``find``: below these paths, with one of these names.
        names: Patterns of names; empty for everything.
        sure: Of ``find``: nothing else is asked of them.
        kind: Of ``find``: ``f`` for files alone, ``d`` for directories; empty for both.
        whole: Of ``find``: a directory goes with all that is in it.
    """

    paths: tuple[str, ...] = ()
    found: bool = False
    names: tuple[str, ...] = ()
    sure: bool = True
    kind: str = ""
    whole: bool = True


class ChangeMode(Effect, frozen=True, kw_only=True):
    """Owner, mode or time of files is changed: files of earlier layers are copied.

    Args:
        found: They are found by ``find``: below these paths, with one of these names.
        names: Patterns of names; empty for everything.
        sure: Of ``find``: nothing else is asked of them.
        kind: Of ``find``: ``f`` for files alone, ``d`` for directories; empty for both.
        program: Of ``sed -i``: its words without the files.
        percent: Of ``sed -i``: the least and the most bytes that it leaves of a hundred.
    """

    paths: tuple[str, ...]
    recursive: bool = False
    found: bool = False
    names: tuple[str, ...] = ()
    sure: bool = True
    kind: str = ""
    program: tuple[str, ...] = ()
    percent: tuple[int, int] = (100, 100)


class Transfer(Effect, frozen=True, kw_only=True):
    """Files inside the image are copied, moved or linked.

    Args:
        moves: ``mv``: what lay in the same layer is not there twice.
        links: ``ln``: no bytes of their own.
        hard: The links are other names of the same files.
        follows: What symbolic links below a directory point to is copied in their place.
        holes: Zeros are left out of what is written.
    """

    sources: tuple[str, ...]
    destination: str
    moves: bool = False
    links: bool = False
    hard: bool = False
    recursive: bool = True
    follows: bool = False
    holes: bool = False


class Source(Struct, frozen=True, kw_only=True):
    """Where the bytes come from that a command writes, and how many of them are left.

    Args:
        text: Those of a text: it stands in the script, or is a page at most.
        paths: Files of the image.
        address: An address that is fetched.
        known: There is nothing else; if not, nobody can tell what it is.
        content: Of what kind the text is.
        least_percent: How many are left of a hundred at least, when other programs have changed them.
        most_percent: How many at most.
        trees: A path may be a directory, and means all that lies in it.
        holes: It is written as holes, so that none of it need be on the disk.
    """

    text: Estimate = NOTHING
    paths: tuple[str, ...] = ()
    address: str = ""
    known: bool = True
    content: Content = Content.TEXT
    least_percent: int = 100
    most_percent: int = 100
    trees: bool = False
    holes: bool = False

    @property
    def stands_alone(self) -> bool:
        """Whether it is a text and nothing else."""
        return self.known and not self.paths and not self.address

    def through(self, least_percent: int, most_percent: int) -> Source:
        """Return what a program leaves of it."""
        return replace(
            self,
            least_percent=self.least_percent * least_percent // 100,
            most_percent=self.most_percent * most_percent // 100,
        )

    def and_also(self, other: Source) -> Source:
        """Return both; where one is an address, the other is not known any more."""
        if Source() in {self, other}:
            return other if self == Source() else self
        return Source(
            text=self.text + other.text,
            paths=(*self.paths, *other.paths),
            known=self.known and other.known and not (self.address or other.address),
            content=self.content if self.content is other.content else Content.ANY,
            least_percent=min(self.least_percent, other.least_percent),
            most_percent=max(self.most_percent, other.most_percent),
            trees=self.trees or other.trees,
            holes=self.holes and other.holes,
        )


class WriteFile(Effect, frozen=True, kw_only=True):
    """A file is written.

    Args:
        program: The words of the program that writes it, where all are known.
        fed: What that is fed, where it stands in the script.
        fed_from: The file that it is fed; empty where that is not known.
        runs_in: The directory that it runs in.
    """

    path: str
    source: Source
    appends: bool = False
    program: tuple[str, ...] = ()
    fed: str | None = None
    fed_from: str = ""
    runs_in: str = ""

    @property
    def address(self) -> str:
        """The address that its bytes come from; empty for none."""
        return self.source.address


class LoginLogs(Effect, frozen=True, kw_only=True):
    """An account is made, for which the logs of logins become so long, with holes; None: its number is not known."""

    count_bytes: int | None = 0


class ExportLock(Effect, frozen=True, kw_only=True):
    """What a lock says, or requirements resolve to, is written as a requirement file: ``uv export``, ``pip-compile``.

    Args:
        path: The file.
        install: What installing the same does.
        with_indexes: The file names the indexes that were asked.
    """

    path: str
    install: PythonInstall
    with_indexes: bool = False


class MakeDirectory(Effect, frozen=True, kw_only=True):
    """Directories are made."""

    paths: tuple[str, ...]


class MakeEnvironment(Effect, frozen=True, kw_only=True):
    """A virtual environment is made.

    Args:
        python: The interpreter that is named; empty for the one on ``PATH``.
        once: One that is there already stays as it is.
        plain: ``venv`` makes it, of the interpreter of an official image, with nothing said but where.
        seeds_in: Where virtualenv keeps its seeds, unpacked; empty where another program makes it.
    """

    directory: str
    with_pip: bool = True
    python: str = ""
    once: bool = False
    plain: bool = False
    seeds_in: str = ""


class CompilePython(Effect, frozen=True, kw_only=True):
    """``python -m compileall``: bytecode is written below these paths."""

    paths: tuple[str, ...] = ()


class PythonRemove(Effect, frozen=True, kw_only=True):
    """Python packages are removed, or an installer's cache is (``pip cache purge``, ``uv cache clean``).

    Args:
        packages: The packages; empty for the cache.
        cache_of: The installer whose cache is emptied; None when packages are removed.
        virtual_environment: The environment that they are removed from; empty for the interpreter's own.
    """

    packages: tuple[str, ...] = ()
    cache_of: Installer | None = None
    virtual_environment: str = ""


class Nothing(Effect, frozen=True, kw_only=True):
    """It leaves no file: ``cd``, ``test``, ``echo`` without a redirection, ..."""


class Opaque(Effect, frozen=True, kw_only=True):
    """What it writes cannot be told from its words.

    Args:
        key: Its normalised form, by which earlier runs are looked up.
        reason: Why it cannot be told, as the end of "... because".
    """

    key: str
    reason: str = ""


AnyEffect = (
    PythonInstall
    | PipRuns
    | NodeInstall
    | AptInstall
    | AptUpdate
    | AptClean
    | AptRemove
    | AptMark
    | OtherInstall
    | Download
    | Unpack
    | GitClone
    | Remove
    | ChangeMode
    | Transfer
    | WriteFile
    | LoginLogs
    | ExportLock
    | MakeDirectory
    | MakeEnvironment
    | CompilePython
    | PythonRemove
    | Nothing
    | Opaque
)
