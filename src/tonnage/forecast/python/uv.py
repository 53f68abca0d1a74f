"""One run of the resolver: its command, its environment and the files that it reads, and the lock that it writes.

Source: uv 0.13.9, ``uv pip compile --help``.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from tonnage.adapters import process
from tonnage.errors import CannotFetchError, CannotResolveError
from tonnage.forecast.python.pylock import read_pylock, shown
from tonnage.lazily import regex
from tonnage.model.forecast.python_lock import Lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tonnage.adapters.interface import Cancel
    from tonnage.forecast.python.index_access import IndexAccess
    from tonnage.forecast.python.index_session import ResolverRun
    from tonnage.model.forecast.python_lock import LockedRequest, ResolveRequest, Target

# Which of the user's settings of uv are about reaching an index; the others would change what is chosen.
_UV_KEPT = regex(
    r"UV_(?:(?:DEFAULT_|EXTRA_)?INDEX(?:_URL|_.*_(?:USERNAME|PASSWORD))?|HTTP_.*|REQUEST_TIMEOUT|CONCURRENT_.*|CACHE_DIR"
    r"|KEYRING_PROVIDER|INSECURE_HOST|NATIVE_TLS|SYSTEM_CERTS|CONFIG_FILE|OFFLINE|NETRC)"
)
_GLIBC_MINORS = (17, 28, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40)
_ARCHITECTURES = frozenset({"x86_64", "aarch64"})
_INDEX_LINE = regex(r"^--index-url (\S+)$", re.MULTILINE)
_EXTRA_INDEX_LINE = regex(r"^--extra-index-url (\S+)$", re.MULTILINE)


def run_resolver(
    request: ResolveRequest,
    target: Target,
    access: IndexAccess,
    environment: Mapping[str, str],
    cancel: Cancel | None,
    *,
    excluded: Iterable[str] = (),
    offline: bool = False,
    session: ResolverRun | None = None,
) -> Lock | str:
    """Run the resolver once.

    Args:
        session: Stands in for them; None to let the resolver ask them itself.

    Raises:
        CannotResolveError: The resolver knows no such platform, or its lock has nothing for it.
        CannotFetchError: It was stopped.
        EngineLacksError: It cannot be started.
    """
    platform = _platform(target)
    if not request.requirements:
        return Lock(target=target)
    with tempfile.TemporaryDirectory(prefix="tonnage-resolve-") as directory:
        place = Path(directory)
        arguments = _arguments(request, target, platform, access, place, tuple(excluded), offline=offline)
        stop = cancel or threading.Event()
        # Where it is stopped it leaves its temporary files behind; there they go with the directory.
        surroundings = _environment(environment, access) | {"TMPDIR": directory}
        if session is not None:
            # What stands in keeps what it fetched, and has another address each time.
            arguments.append("--no-cache")
            surroundings = _to_loopback(surroundings)
        exit_code, printed = _started(arguments, surroundings, directory, stop)
        if exit_code != 0 and "Failed to initialize cache" in printed:
            exit_code, printed = _started([*arguments, "--no-cache"], surroundings, directory, stop)
        if stop.is_set():
            raise CannotFetchError("Resolving was stopped", "stopped")
        if exit_code != 0:
            printed = printed if session is None else session.restored(printed)
            return printed or f"The resolver ended with {exit_code} and gave no reason"
        output = place / "pylock.toml"
        text = output.read_text(encoding="utf-8")
        return read_pylock(text if session is None else session.restored(text), target, place=str(output))


def _started(arguments: list[str], environment: Mapping[str, str], directory: str, cancel: Cancel) -> tuple[int, str]:
    """Run a command; return its exit code and what it printed."""
    printed: list[str] = []
    exit_code = process.stream(
        arguments, environment=environment, directory=directory, on_line=printed.append, cancel=cancel
    )
    return exit_code, "\n".join(printed)


def export_lock(request: LockedRequest, environment: Mapping[str, str], access: IndexAccess) -> str:
    """Turn uv's own lock into the standard's form, which needs no network.

    Raises:
        CannotResolveError: The lock and the project do not belong together, or cannot be read.
        EngineLacksError: The resolver cannot be started.
    """
    with tempfile.TemporaryDirectory(prefix="tonnage-lock-") as directory:
        place = Path(directory)
        (place / "uv.lock").write_text(request.lock_text, encoding="utf-8")
        (place / "pyproject.toml").write_text(request.project_text, encoding="utf-8")
        command = [
            _uv(),
            "export",
            "--frozen",
            "--offline",
            "--format",
            "pylock.toml",
            "--no-header",
            "--quiet",
            "--no-cache",
        ]
        command += ["--no-emit-project", "--color", "never", "--python", sys.executable]
        for option, asked in (
            ("--all-extras", request.all_extras),
            ("--all-groups", request.all_groups),
            ("--no-default-groups", "*" in request.without_groups),
        ):
            command += [option] if asked else []
        for option, names in (
            ("--extra", () if request.all_extras else request.extras),
            ("--group", request.groups),
            ("--no-group", tuple(name for name in request.without_groups if name != "*")),
            ("--only-group", request.only_groups),
        ):
            for name in names:
                command += [option, name]
        answer = process.run(command, environment=_environment(environment, access), directory=directory, timeout_s=60)
    if answer.exit_code != 0:
        raise CannotResolveError(
            "uv.lock cannot be used", "invalid", why=answer.stderr.strip().removeprefix("error: "), todo="Run uv lock."
        )
    return answer.stdout


def indexes_asked(access: IndexAccess, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the addresses of the indexes that the resolver asks, its own default included."""
    if access.index_url:
        return (*access.extra_index_urls, access.index_url)
    with tempfile.TemporaryDirectory(prefix="tonnage-resolve-") as directory:
        answer = process.run(
            [_uv(), "pip", "compile", "-", "--emit-index-url", "--quiet", "--no-cache", "--python", sys.executable],
            environment=_environment(environment, access),
            directory=directory,
            timeout_s=20,
        )
    extra, last = _EXTRA_INDEX_LINE.findall(answer.stdout), _INDEX_LINE.findall(answer.stdout)
    return tuple(dict.fromkeys((*access.extra_index_urls, *extra, *last)))


def _platform(target: Target) -> str:
    """Return a target's platform as the resolver knows it; one with an older C library where it knows no such one.

    Raises:
        CannotResolveError: The resolver cannot resolve for it.
    """
    machine, _, libc = target.platform.partition("-")
    if target.implementation != "cp" or machine not in _ARCHITECTURES:
        raise CannotResolveError(
            f"What {shown(target)} installs cannot be resolved from here",
            "no wheels",
            why=f"The resolver knows CPython on {' and '.join(sorted(_ARCHITECTURES))}.",
        )
    found = re.fullmatch(r"manylinux_2_(\d+)", libc)
    if found is None:
        return target.platform
    minor = max((each for each in _GLIBC_MINORS if each <= int(found[1])), default=_GLIBC_MINORS[0])
    return f"{machine}-manylinux_2_{minor}"


def _arguments(
    request: ResolveRequest,
    target: Target,
    platform: str,
    access: IndexAccess,
    place: Path,
    excluded: tuple[str, ...],
    *,
    offline: bool,
) -> list[str]:
    """Return the resolver's command, and write the files that it names."""

    def written(name: str, lines: Iterable[str]) -> str:
        (place / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return name

    command = [_uv(), "pip", "compile", written("requirements.in", request.requirements)]
    command += ["--format", "pylock.toml", "--output-file", "pylock.toml", "--no-header", "--quiet", "--no-progress"]
    command += ["--color", "never", "--python", sys.executable, "--no-build"]
    command += ["--python-version", target.python, "--python-platform", platform]
    # With one index there is nothing to weigh, and the resolver tells more of an index that refuses.
    several = bool(access.extra_index_urls)
    # What is in the image already is preferred, as the lock that is to be renewed.
    if request.installed:
        (place / "pylock.toml").write_text(_preferences(request.installed), encoding="utf-8")
    for option, name, lines in (
        ("--constraints", "constraints.txt", request.constraints),
        ("--overrides", "overrides.txt", request.overrides),
        ("--excludes", "excludes.txt", excluded),
    ):
        command += [option, written(name, lines)] if lines else []
    for option, value in (
        ("--default-index", access.index_url),
        ("--exclude-newer", request.exclude_newer),
        ("--torch-backend", request.torch_backend),
        ("--resolution", "" if request.resolution == "highest" else request.resolution),
        ("--prerelease", "allow" if request.prereleases else ""),
        ("--index-strategy", "unsafe-best-match" if request.best_of_all_indexes and several else ""),
    ):
        command += [option, value] if value else []
    for option, values in (
        ("--extra-index-url", access.extra_index_urls),
        ("--find-links", request.find_links),
        ("--allow-insecure-host", access.trusted_hosts),
    ):
        for value in values:
            command += [option, value]
    for option, asked in (
        ("--no-index", request.no_index),
        ("--no-deps", not request.dependencies),
        ("--offline", offline),
    ):
        command += [option] if asked else []
    return command


def _preferences(installed: Iterable[str]) -> str:
    """Return what is installed as a lock file of names and versions."""
    lines = ['lock-version = "1.0"', 'created-by = "tonnage"']
    for pin in installed:
        name, _, version = pin.partition("==")
        lines += ["[[packages]]", f'name = "{canonicalize_name(name.strip())}"', f'version = "{version.strip()}"']
    return "\n".join(lines)


def _environment(environment: Mapping[str, str], access: IndexAccess) -> dict[str, str]:
    """Return the resolver's environment: the user's, without what would change its choice."""
    kept = {
        name: value for name, value in environment.items() if not name.startswith("UV_") or _UV_KEPT.fullmatch(name)
    }
    kept.setdefault("UV_HTTP_RETRIES", "1")
    if access.certificates:
        kept.setdefault("SSL_CERT_FILE", access.certificates)
    # What it prints is read, and shown to people elsewhere: its lines must not end where a terminal would.
    return kept | {"UV_PYTHON_DOWNLOADS": "never", "VIRTUAL_ENV": "", "COLUMNS": "100000"}


def _to_loopback(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the resolver's environment where a server on the loopback stands in for indexes."""
    around = {name: value for name, value in environment.items() if name not in {"UV_DEFAULT_INDEX", "UV_INDEX_URL"}}
    for name in ("NO_PROXY", "no_proxy"):
        around[name] = ",".join(filter(None, ("127.0.0.1", around.get(name, ""))))
    # It tries again itself.
    return around | {"UV_HTTP_RETRIES": "0"}


def _uv() -> str:
    """Return the resolver that was installed with this package."""
    from uv import find_uv_bin  # noqa: PLC0415 - it is not needed where nothing is resolved

    return os.fspath(find_uv_bin())
