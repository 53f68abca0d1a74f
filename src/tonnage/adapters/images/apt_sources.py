"""Where packages of an image come from that is not on this machine: from where this machine takes its own.

Public:
    ``usual_sources(system, mirror="") -> tuple[AptSource, ...]``
    ``usual_state(system, mirror="") -> AptState | None``: what is assumed of apt in an image that cannot be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.adapters.images import image_config as image_traces
from tonnage.adapters.images import image_files
from tonnage.adapters.images.layer_files import MergedRoot
from tonnage.model.forecast.base_image import AptSource

if TYPE_CHECKING:
    from tonnage.model.forecast.base_image import AptState, Distribution

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
    here, state = image_files.distribution(files), image_files.apt_state(files)
    if here is None or state is None or here.name != system.name or not here.suite:
        return ()
    # A suite such as bookworm-updates has its counterpart in every release; another machine's own places have not.
    return tuple(
        replace(source, suite=source.suite.replace(here.suite, system.suite), components=components)
        for source in state.sources
        if source.suite in {here.suite, f"{here.suite}-updates", f"{here.suite}-security"}
    )
