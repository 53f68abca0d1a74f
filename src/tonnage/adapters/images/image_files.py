"""What lies in an image, by its files: which system, which Python, what apt and dpkg know. Nothing is started.

Packages of an image whose files cannot be read come from where this machine takes its own.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.adapters.apt import texts
from tonnage.adapters.images import image_config as image_traces
from tonnage.adapters.images.layer_files import MergedRoot
from tonnage.lazily import regex
from tonnage.model.forecast.base_image import AptSource, AptState, Distribution

if TYPE_CHECKING:
    from collections.abc import Mapping


_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROGRAM = regex(r"(?:python|pypy)(\d+\.\d+)")
_FIELD = regex(r"^([A-Z_]+)=(?:\"([^\"]*)\"|'([^']*)'|(.*))$", re.MULTILINE)
_VIRTUAL = regex(r"^version(?:_info)?\s*=\s*(\d+\.\d+(?:\.\d+)?)", re.MULTILINE)


def distribution(root: MergedRoot) -> Distribution | None:
    """Return the system of a root; None where it does not say.

    Source: os-release(5).
    """
    text = root.read("/etc/os-release") or root.read("/usr/lib/os-release")
    if text is None:
        return None
    told = {name: quoted or single or plain for name, quoted, single, plain in _FIELD.findall(text)}
    name = told.get("ID", "linux")
    return Distribution(name=name, version=told.get("VERSION_ID", ""), suite=told.get("VERSION_CODENAME", ""))


def python_version(root: MergedRoot, environment: Mapping[str, str]) -> str:
    """Return the version of the Python that ``python3`` or ``python`` starts; empty where there is none.

    Args:
        environment: The image's variables: ``PATH``, and ``PYTHON_VERSION`` for the last number.

    Returns:
        Such as 3.11.9, or 3.11 where the files do not tell more.
    """
    for directory in (environment.get("PATH") or _PATH).split(":"):
        for name in ("python3", "python"):
            real = root.real_path(f"{directory}/{name}") if directory.startswith("/") else None
            if real is None:
                continue
            virtual = _VIRTUAL.search(root.read(posixpath.normpath(f"{directory}/../pyvenv.cfg")) or "")
            found = virtual or _PROGRAM.fullmatch(posixpath.basename(real))
            if found is None:
                continue
            told = environment.get("PYTHON_VERSION", "")
            return told if told.startswith(f"{found[1]}.") and re.fullmatch(r"[\d.]+", told) else found[1]
    return ""


def apt_state(root: MergedRoot) -> AptState | None:
    """Return what apt and dpkg of a root know; None where it has no apt.

    Returns:
        Its packages, sources and those settings that decide about bytes.
    """
    status = root.read("/var/lib/dpkg/status")
    if status is None or root.real_path("/usr/bin/apt-get") is None:
        return None
    versions, provided = texts.installed(status)
    excludes: list[str] = []
    for name in root.names("/etc/dpkg/dpkg.cfg.d"):
        excludes += texts.path_excludes(root.read(f"/etc/dpkg/dpkg.cfg.d/{name}") or "")
    told: dict[str, str] = {}
    for name in root.names("/etc/apt/apt.conf.d"):
        if "." not in name or name.endswith(".conf"):
            told |= texts.settings(root.read(f"/etc/apt/apt.conf.d/{name}") or "")
    told |= texts.settings(root.read("/etc/apt/apt.conf") or "")
    after = told.get("dpkg::post-invoke", "") + told.get("apt::update::post-invoke", "")
    return AptState(
        installed=versions,
        provided=provided,
        sources=_sources(root),
        recommends=texts.is_true(told.get("apt::install-recommends", ""), otherwise=True),
        keeps_debs="archives" not in after
        and texts.is_true(told.get("apt::keep-downloaded-packages", ""), otherwise=True),
        keeps_caches=told.get("dir::cache::pkgcache", "yes") != "" and "pkgcache" not in after,
        lists_compressed=texts.is_true(told.get("acquire::gzipindexes", ""), otherwise=False),
        translations=told.get("acquire::languages", "") != "none",
        path_excludes=tuple(excludes),
        architecture=(root.read("/var/lib/dpkg/arch") or "").partition("\n")[0].strip() or _architecture(status),
    )


def _sources(root: MergedRoot) -> tuple[AptSource, ...]:
    found = list(texts.one_line_sources(root.read("/etc/apt/sources.list") or ""))
    for name in root.names("/etc/apt/sources.list.d"):
        text = root.read(f"/etc/apt/sources.list.d/{name}") or ""
        if name.endswith(".list"):
            found += texts.one_line_sources(text)
        elif name.endswith(".sources"):
            found += texts.paragraph_sources(text)
    return tuple(found)


def _architecture(status: str) -> str:
    """Return the architecture of dpkg's own package, which is that of the system."""
    for fields in texts.stanzas(status):
        if fields.get("package") == "dpkg":
            return fields.get("architecture", "")
    return ""


_COMPONENTS = {"debian": ("main",), "ubuntu": ("main", "restricted", "universe", "multiverse")}


def usual_state(system: Distribution | None, *, mirror: str = "") -> AptState | None:
    """Return what is assumed of apt in an image whose files cannot be read; None where it has no apt.

    Args:
        system: The system of the image; None where it is not known.
        mirror: An address that the user chose for packages.

    Returns:
        How apt is set up in the official images of the system, with the sources of this machine.
    """
    state = image_traces.usual_apt(system)
    return replace(state, sources=usual_sources(system, mirror=mirror)) if state else None


def apt_sources_here() -> tuple[str, ...]:
    """Return the addresses that this machine takes its own packages from."""
    state = apt_state(MergedRoot(["/"]))
    return tuple(source.address for source in state.sources) if state is not None else ()


def usual_sources(system: Distribution | None, *, mirror: str = "", root: str = "/") -> tuple[AptSource, ...]:
    """Return where packages of a system come from.

    Args:
        system: The system of the image; None where it is not known.
    """
    if system is None or not system.suite:
        return ()
    components = _COMPONENTS.get(system.name, ("main",))
    if mirror:
        suites = (system.suite, f"{system.suite}-updates")
        return tuple(AptSource(address=mirror.rstrip("/"), suite=suite, components=components) for suite in suites)
    files = MergedRoot([root])
    here, state = distribution(files), apt_state(files)
    if here is None or state is None or here.name != system.name or not here.suite:
        return ()
    # A suite such as bookworm-updates has its counterpart in every release; another machine's own places have not.
    return tuple(
        replace(source, suite=source.suite.replace(here.suite, system.suite), components=components)
        for source in state.sources
        if source.suite in {here.suite, f"{here.suite}-updates", f"{here.suite}-security"}
    )
