"""One run of the resolver: its command, its environment and the files that it reads, and the lock that it writes.

It builds nothing, and reads no settings: what concerns indexes is told by :mod:`index_access`. It runs in a directory
that nobody else can write, with an environment that has the way to the network and nothing more, and every line that
it reads is rendered by :mod:`resolver_lines`. All runs share one cache, below ours.

Source: uv 0.13.9, ``uv pip compile --help``.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace
from packaging.utils import canonicalize_name

from tonnage.adapters import process
from tonnage.addresses import redacted, without_user
from tonnage.errors import CannotFetchError, CannotResolveError, StepFailedError
from tonnage.forecast.python.parsing import version
from tonnage.forecast.python.pylock import in_words, read_pylock
from tonnage.forecast.python.resolver_lines import encoded, holding, rendered
from tonnage.forecast.python.uv_workspaces import members_of, project_texts
from tonnage.lazily import regex
from tonnage.model.forecast.python_lock import Lock
from tonnage.own_files import TemporaryDirectory, private_directory, sweep_below, temporary_directory
from tonnage.small_files import RESOLVED, UnfitFileError, read_text
from tonnage.units import format_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from packaging.requirements import Requirement

    from tonnage.adapters.interface import Cancel
    from tonnage.forecast.python.index_access import IndexAccess
    from tonnage.model.forecast.python_lock import LockedRequest, ResolveRequest, Target

# What it needs of the user's environment to reach a server; proxies are also written in small letters.
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_PASSED_ON = frozenset(
    {
        *_PROXIES, *map(str.lower, _PROXIES), "SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT",
        "UV_HTTP_TIMEOUT", "UV_HTTP_CONNECT_TIMEOUT", "UV_REQUEST_TIMEOUT",
    }
)  # fmt: skip
_GLIBC_MINORS = (17, 28, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40)
_ARCHITECTURES = frozenset({"x86_64", "aarch64"})
# Five hundred packages took it 0.45 GB of memory that it may write. The largest wheels have 3 GB, and it fetches one
# whole where an index tells no hash of it.
_BOUNDS = process.Bounds(memory_bytes=1 << 30, file_bytes=4 << 30)
_NO_MEMORY = "memory allocation of"
_MOST_PRINTED_BYTES = 100_000
# Source: uv 0.13.9, ``uv-resolver/src/resolver/mod.rs``. Where another one words it otherwise, nothing of it is told.
_TELLS_NEEDS = {"RUST_LOG": "uv_resolver::resolver=debug"}
_LOGGED = ("DEBUG ", "INFO ", "WARN ", "TRACE ")
_NEED = regex(r"DEBUG Adding transitive dependency for ([\w.-]+)(?:\[[^\]]*\])?==([^:\s]+): ([\w.-]+)")
_MOST_NEEDS = 50_000
_INDEX_LINE = regex(r"^--index-url (\S+)$", re.MULTILINE)


INSTALLED = "installed"
"""The directory of stand-ins for wheels that are in the image: the resolver finds them like those of an index."""


class StandIn(Struct, frozen=True, kw_only=True):
    """A file in place of an archive that is named by its address, which the resolver would fetch and believe.

    Args:
        filename: The name of both, below a directory of its own.
        content: Says of itself what the other one does.
    """

    filename: str
    content: bytes


class Uv:
    """The resolver that was installed with this package.

    Args:
        cache: Where it keeps what it fetched; need not exist.
        environment: The user's environment.
    """

    def __init__(self, cache: Path, environment: Mapping[str, str]) -> None:
        self._cache = cache
        self._environment = environment

    def resolve(
        self,
        request: ResolveRequest,
        target: Target,
        access: IndexAccess,
        requirements: Iterable[Requirement],
        constraints: Iterable[Requirement],
        *,
        overrides: Iterable[Requirement] = (),
        excluded: Iterable[str] = (),
        stand_ins: Mapping[str, StandIn],
        within_s: float,
        offline: bool = False,
        cancel: Cancel | None = None,
    ) -> Lock | str:
        """Resolve once.

        Args:
            request: Options; its lines are not read.
            requirements: What is asked for.
            constraints: What limits it.
            overrides: What is taken in place of everything that is asked under the same name.
            excluded: Names that are left out wherever they are needed.
            stand_ins: By the address in whose place they stand.
            within_s: How long it may take.

        Returns:
            The lock, or what the resolver printed when it found none.

        Raises:
            CannotResolveError: The resolver knows no such platform, or its lock has nothing for it.
            CannotFetchError: It was stopped, or took longer or more memory than it may.
            EngineLacksError: It cannot be started.
        """
        platform = _platform(target)
        wanted = holding(requirements, target)
        if not wanted:
            return Lock(target=target)
        stop = cancel or threading.Event()
        with self._place() as place:
            for each in stand_ins.values():
                (place / each.filename).parent.mkdir(mode=0o700, exist_ok=True)
                (place / each.filename).write_bytes(each.content)

            def written(name: str, lines: Iterable[str]) -> str:
                (place / name).write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
                return name

            def line(each: Requirement) -> str:
                stands_in = stand_ins.get(each.url or "")
                return rendered(each, (place / stands_in.filename).as_uri() if stands_in else "")

            arguments = [written("requirements.in", map(line, wanted)), *_options(request, target, platform, access)]
            arguments += ["--offline"] if offline else []
            for option, name, lines in (
                ("--constraints", "constraints.txt", [line(each) for each in holding(constraints, target)]),
                ("--overrides", "overrides.txt", [line(each) for each in overrides]),
                ("--excludes", "excludes.txt", [canonicalize_name(each, validate=True) for each in excluded]),
            ):
                arguments += [option, written(name, lines)] if lines else []
            # What is in the image already is preferred, as the lock that is to be renewed.
            if request.installed:
                (place / "pylock.toml").write_text(_preferences(request.installed), encoding="utf-8")
            links = tuple(encoded(access.signed(url)) for url in request.find_links)
            links += ((place / INSTALLED).as_uri(),) if (place / INSTALLED).is_dir() else ()
            needs: dict[tuple[str, str, str], None] = {}
            exit_code, printed = self._run(
                ["pip", "compile", "--no-sources", *arguments], place, access, links, stop, within_s, needs
            )
            if stop.is_set():
                raise CannotFetchError("Resolving was stopped", "stopped")
            if exit_code != 0:
                for url, each in stand_ins.items():
                    printed = printed.replace((place / each.filename).as_uri(), without_user(url))
                return printed or f"The resolver ended with {exit_code} and gave no reason"
            return _with_needs(_found(place / "pylock.toml", target), needs)

    def fetched_whole(self, name: str, version: str) -> bool:
        """Whether all of a wheel of an index was fetched: it was where the index told no hash of it."""
        # Those of the default index lie one directory higher.
        ways = ("wheels-*/*", "wheels-*/*/*")
        return any(any(self._cache.glob(f"{way}/{name}/{version}-*.http")) for way in ways)

    def export(self, request: LockedRequest, access: IndexAccess) -> str:
        """Turn uv's own lock into the standard's form, which needs no network.

        Raises:
            CannotResolveError: The lock and the project do not belong together, or cannot be read.
            EngineLacksError: The resolver cannot be started.
        """
        arguments = ["export", "--frozen", "--offline", "--format=pylock.toml", "--no-header", "--no-emit-project"]
        for option, asked in (
            ("--all-extras", request.all_extras),
            ("--all-groups", request.all_groups),
            ("--no-default-groups", "*" in request.without_groups),
            ("--all-packages", request.all_packages),
        ):
            arguments += [option] if asked else []
        for option, names in (
            ("--extra", () if request.all_extras else request.extras),
            ("--group", request.groups),
            ("--no-group", tuple(name for name in request.without_groups if name != "*")),
            ("--only-group", request.only_groups),
            ("--package", () if request.all_packages else request.packages),
        ):
            # To leave out, or to ask for, a group "dev" is allowed where there is none.
            short = {"--no-group": "--no-dev", "--only-group": "--only-dev"}.get(option, "")
            arguments += [short if short and name == "dev" else f"{option}={name}" for name in names]
        with self._place() as place:
            (place / "uv.lock").write_text(request.lock_text, encoding="utf-8")
            (place / "pyproject.toml").write_text(request.project_text, encoding="utf-8")
            if request.packages or request.all_packages:
                for path, text in project_texts(members_of(request.lock_text)):
                    (place / path).parent.mkdir(parents=True, exist_ok=True)
                    (place / path).write_text(text, encoding="utf-8")
            answer = process.run(
                self._command(arguments), environment=self._surroundings(place, access), directory=str(place),
                timeout_s=60, bounds=_BOUNDS,
            )  # fmt: skip
        if answer.exit_code != 0:
            why = redacted(answer.stderr.strip().removeprefix("error: "))
            raise CannotResolveError("uv.lock cannot be used", "invalid", why=why, todo="Run uv lock.")
        return answer.stdout

    def default_index(self, access: IndexAccess) -> str:
        """Return the address of the index that is asked where no other is named."""
        with self._place() as place:
            answer = process.run(
                self._command(["pip", "compile", "-", "--emit-index-url", "--no-cache"]),
                environment=self._surroundings(place, access), directory=str(place), timeout_s=20,
            )  # fmt: skip
        return next(iter(_INDEX_LINE.findall(answer.stdout)), "")

    @contextmanager
    def _place(self) -> Iterator[Path]:
        """Make a directory that only this user can look into, and remove it afterwards."""
        try:
            private_directory(self._cache, ours=True)
            sweep_below(self._cache.parent)
            directory = TemporaryDirectory("resolve", self._cache.parent)
        except OSError:
            directory = temporary_directory("resolve")
        with directory as place:
            yield Path(place)

    def _command(self, arguments: Iterable[str]) -> list[str]:
        from uv import find_uv_bin  # noqa: PLC0415 - it is not needed where nothing is resolved

        always = ["--no-config", "--no-build", "--quiet", "--color=never", "--no-progress", "--no-python-downloads"]
        where = [f"--cache-dir={self._cache}", f"--python={sys.executable}"]
        command = [os.fspath(find_uv_bin()), *arguments, *always, *where]
        refused = next((each for each in command if "\0" in each), "")
        if refused:
            raise CannotResolveError(f"{refused!a} cannot be handed to the resolver", "invalid", why="It holds a NUL.")
        return command

    def _run(
        self,
        arguments: list[str],
        place: Path,
        access: IndexAccess,
        links: tuple[str, ...],
        stop: Cancel,
        within_s: float,
        needs: dict[tuple[str, str, str], None],
    ) -> tuple[int, str]:
        """Run a command; return its exit code and what it printed, without names and passwords in addresses.

        What it logs of what needs what goes into ``needs``: name and version, and the name that they need.

        Raises:
            CannotFetchError: It took longer or more memory than it may.
        """
        surroundings = self._surroundings(place, access) | _indexes(access, links) | _TELLS_NEEDS
        command = self._command(arguments)
        for more in ((), ("--no-cache",)):
            printed: list[str] = []
            left_bytes = _MOST_PRINTED_BYTES

            def hear(line: str) -> None:
                nonlocal left_bytes
                if line.startswith(_LOGGED):
                    if len(needs) < _MOST_NEEDS and (told := _NEED.match(line)) is not None:
                        needs[told[1], told[2], told[3]] = None
                    return
                left_bytes -= len(line)
                if left_bytes > 0:
                    printed.append(line)  # noqa: B023 - it is heard within this round

            try:
                exit_code = process.stream(
                    [*command, *more], environment=surroundings, directory=str(place), on_line=hear, cancel=stop,
                    timeout_s=within_s, bounds=_BOUNDS,
                )  # fmt: skip
            except StepFailedError as error:
                raise CannotFetchError(
                    "The package index cannot be reached", "unreachable",
                    why=f"What the requirements need was not there within {format_seconds(within_s)}.",
                ) from error  # fmt: skip
            if any(_NO_MEMORY in line for line in printed):
                raise CannotFetchError(
                    "What the package index gives cannot be read", "not understood",
                    why=f"The resolver needed more than {_BOUNDS.memory_bytes >> 30} GiB of memory for it.",
                )  # fmt: skip
            if exit_code == 0 or not any("Failed to initialize cache" in line for line in printed):
                break
        return exit_code, redacted("\n".join(printed))

    def _surroundings(self, place: Path, access: IndexAccess) -> dict[str, str]:
        """Return the resolver's environment."""
        kept = {name: value for name, value in self._environment.items() if name in _PASSED_ON}
        if access.certificates:
            kept["SSL_CERT_FILE"] = access.certificates
        # Where it is stopped it leaves its temporary files behind; there they go with the directory. What it prints is
        # read, and shown to people elsewhere: its lines must not end where a terminal would.
        return kept | {"HOME": str(place), "TMPDIR": str(place), "UV_HTTP_RETRIES": "1", "COLUMNS": "100000"}


def _found(output: Path, target: Target) -> Lock:
    """Return the lock that the resolver wrote."""
    try:
        text = read_text(output, RESOLVED)
    except UnfitFileError as error:
        what = "The package index offers more files than can be read"
        raise CannotFetchError(what, "not understood", why=f"{error.strerror}.") from error
    return read_pylock(text, target, place=str(output), local=True)


def _with_needs(lock: Lock, needs: Iterable[tuple[str, str, str]]) -> Lock:
    """Return the lock with what needs what in it; versions that the resolver only tried are left out."""
    versions = {each.name: each.version for each in lock.wheels}
    pairs = {(name, needed): None for name, version, needed in needs if versions.get(name) == version}
    return replace(lock, needs=tuple(pair for pair in pairs if pair[1] in versions))


def _indexes(access: IndexAccess, links: Iterable[str]) -> dict[str, str]:
    """Return the variables that name indexes: addresses can hold passwords, and other users see a command line."""
    told = {
        "UV_DEFAULT_INDEX": encoded(access.signed(access.index_url)),
        "UV_EXTRA_INDEX_URL": " ".join(encoded(access.signed(url)) for url in access.extra_index_urls),
        "UV_FIND_LINKS": ",".join(links),
    }
    return {name: value for name, value in told.items() if value}


def _platform(target: Target) -> str:
    """Return a target's platform as the resolver knows it; one with an older C library where it knows no such one.

    Raises:
        CannotResolveError: The resolver cannot resolve for it.
    """
    machine, _, libc = target.platform.partition("-")
    if target.implementation != "cp" or machine not in _ARCHITECTURES:
        raise CannotResolveError(
            f"What {in_words(target)} installs cannot be resolved from here",
            "no wheels",
            why=f"The resolver knows CPython on {' and '.join(sorted(_ARCHITECTURES))}.",
        )
    found = re.fullmatch(r"manylinux_2_(\d{1,6})", libc)
    if found is None:
        return target.platform
    minor = max((each for each in _GLIBC_MINORS if each <= int(found[1])), default=_GLIBC_MINORS[0])
    return f"{machine}-manylinux_2_{minor}"


def _options(request: ResolveRequest, target: Target, platform: str, access: IndexAccess) -> list[str]:
    """Return the resolver's options; each value stands in one word with its option, so that it is none itself."""
    # With one index there is nothing to weigh, and the resolver tells more of an index that refuses.
    several = bool(access.extra_index_urls)
    options = ["--format=pylock.toml", "--output-file=pylock.toml", "--no-header"]
    for option, value in (
        ("--python-version", target.python),
        ("--python-platform", platform),
        ("--exclude-newer", request.exclude_newer),
        ("--torch-backend", request.torch_backend),
        ("--resolution", "" if request.resolution == "highest" else request.resolution),
        ("--prerelease", "allow" if request.prereleases else ""),
        ("--index-strategy", "unsafe-best-match" if request.best_of_all_indexes and several else ""),
        *(("--allow-insecure-host", host) for host in access.trusted_hosts),
    ):
        options += [f"{option}={value}"] if value else []
    for option, asked in (
        ("--no-index", request.no_index),
        ("--no-deps", not request.dependencies),
        ("--system-certs", access.system_certificates),
    ):
        options += [option] if asked else []
    return options


def _preferences(installed: Iterable[str]) -> str:
    """Return what is installed as a lock file of names and versions."""
    lines = ['lock-version = "1.0"', 'created-by = "tonnage"']
    for pin in installed:
        name, _, told = pin.partition("==")
        try:
            found = canonicalize_name(name.strip(), validate=True), version(told)
        except ValueError:
            continue
        lines += ["[[packages]]", f'name = "{found[0]}"', f'version = "{found[1]}"']
    return "\n".join(lines)
