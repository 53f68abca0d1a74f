"""Which registry this machine's npm asks where nothing names one: npm itself is asked, away from every project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.adapters.process import run
from tonnage.addresses import origin_of
from tonnage.errors import TonnageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.adapters.web.disk_cache import DiskCache

_HOLDS_S = 24 * 3600.0
_WITHIN_S = 5.0
_KIND = "npm-registry"


def npm_default_registry(environment: Mapping[str, str], kept: DiskCache) -> str:
    """Return the address of a registry, without a slash at its end; empty without npm."""
    known = kept.read(_KIND, "default", within_s=_HOLDS_S)
    if known is not None:
        return known.decode("utf-8", "replace")
    try:
        # In the root no project has settings.
        told = run(("npm", "config", "get", "registry"), environment=environment, directory="/", timeout_s=_WITHIN_S)
    except TonnageError:
        return ""
    address = told.stdout.strip().rstrip("/")
    if told.exit_code or not address.startswith(("http://", "https://")) or origin_of(address) is None:
        return ""
    kept.keep(_KIND, "default", address.encode())
    return address
