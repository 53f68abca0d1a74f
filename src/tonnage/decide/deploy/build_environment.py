"""Which of the well-known build variables reach the build of a service, and with which value.

A variable reaches a build only when its Dockerfile declares it with ``ARG``: the builder warns about others. What the
compose file or the Dockerfile says goes before what is assumed here; what the user's environment says goes before both
of the Dockerfile's defaults and the ones here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.model.marks import unmarked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.model.stack import Service

PIP_NO_CACHE_DIR = "PIP_NO_CACHE_DIR"
PIP_DISABLE_PIP_VERSION_CHECK = "PIP_DISABLE_PIP_VERSION_CHECK"
TORCH_CPU_ONLY = "TORCH_CPU_ONLY"
TORCH_INDEX_URL = "TORCH_INDEX_URL"
PASSED = (PIP_NO_CACHE_DIR, PIP_DISABLE_PIP_VERSION_CHECK, TORCH_CPU_ONLY, TORCH_INDEX_URL)
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""The index that has PyTorch without CUDA, where nobody names another one."""
_YES = frozenset({"1", "true", "yes", "on"})
_ASSUMED = {PIP_NO_CACHE_DIR: "1", PIP_DISABLE_PIP_VERSION_CHECK: "1"}


def with_build_environment(
    service: Service, declared: Mapping[str, str | None], environment: Mapping[str, str]
) -> Service:
    """Return a service whose build gets the variables that it asks for.

    Args:
        declared: What its Dockerfile declares with ``ARG``, by name, with its default; None where it has none.
        environment: The user's environment; an empty variable counts as not set.
    """
    if service.build is None:
        return service
    written = {name for name, _ in service.build.args}
    added = []
    for name in PASSED:
        if name not in declared or name in written:
            continue
        value = environment.get(name) or _in_place_of(declared[name], name, service, environment)
        if value:
            added.append((name, value))
    if not added:
        return service
    return replace(service, build=replace(service.build, args=(*service.build.args, *added)))


def is_cpu_only(environment: Mapping[str, str]) -> bool:
    """Return whether the user's environment asks for PyTorch without CUDA."""
    return unmarked(environment.get(TORCH_CPU_ONLY, "")).strip().lower() in _YES


def _in_place_of(default: str | None, name: str, service: Service, environment: Mapping[str, str]) -> str:
    """Return what a variable is that the environment does not set; empty for what the Dockerfile says."""
    if name == TORCH_INDEX_URL and is_cpu_only(environment):
        return "" if default and default.rstrip("/").endswith("/cpu") else CPU_INDEX
    return _assumed(name, service, environment) if default is None else ""


def _assumed(name: str, service: Service, environment: Mapping[str, str]) -> str:
    if name == TORCH_CPU_ONLY:
        # Without the address of an index that has CPU builds there is no CPU build to be had.
        return "1" if environment.get(TORCH_INDEX_URL) and not service.devices else ""
    return _ASSUMED.get(name, "")
