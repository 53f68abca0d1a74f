"""Options that say where to look and what to take, gathered one after the other."""

from __future__ import annotations

from typing import Any

from tonnage.model.forecast.requirements import IndexOptions

_LISTS = {
    "--extra-index-url": "extra_index_urls",
    "--index": "extra_index_urls",
    "-f": "find_links",
    "--find-links": "find_links",
    "--trusted-host": "trusted_hosts",
}
_FORMATS = {"--only-binary": "only_binary", "--no-binary": "no_binary"}
_SWITCHES = {"--no-index": "no_index", "--pre": "pre", "--require-hashes": "require_hashes"}


class GatheredOptions:
    """Takes options in the order in which an installer reads them."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._lists: dict[str, list[str]] = {}
        self._formats: dict[str, dict[str, None]] = {}

    def add(self, name: str, value: str) -> None:
        """Take one more; what is no such option changes nothing."""
        if name in {"-i", "--index-url", "--pypi-url", "--default-index"}:
            self._values |= {"index_url": value, "no_index": False}
        elif name in _LISTS:
            self._lists.setdefault(_LISTS[name], []).append(value)
        elif name in _FORMATS:
            _add_formats(self._formats.setdefault(_FORMATS[name], {}), value)
        elif name in _SWITCHES:
            self._values[_SWITCHES[name]] = True

    def options(self) -> IndexOptions:
        """Return what was gathered."""
        several = (*self._lists.items(), *self._formats.items())
        return IndexOptions(**self._values | {name: tuple(values) for name, values in several})


def _add_formats(found: dict[str, None], value: str) -> None:
    """Add names to those of ``--only-binary`` or ``--no-binary``; ``:none:`` empties what was there."""
    for name in value.split(","):
        if name == ":none:":
            found.clear()
        elif name.strip():
            found[name.strip()] = None
