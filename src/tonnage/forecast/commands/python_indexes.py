"""Where ``pip`` and ``uv`` look for packages: the settings of the environment, then those of the line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.requirements.files import add_option
from tonnage.lazily import regex
from tonnage.model.forecast.requirements import IndexOptions

if TYPE_CHECKING:
    from tonnage.forecast.commands.context import Context, Options

_SEPARATOR = regex(r"[\s,]+")


def indexes(context: Context, options: Options, prefix: str) -> IndexOptions:
    """Gather where to look, from the environment and then from the line."""
    found = IndexOptions()
    for name, variable in (
        ("--index-url", "INDEX_URL"),
        ("--default-index", "DEFAULT_INDEX"),
        ("--only-binary", "ONLY_BINARY"),
        ("--no-binary", "NO_BINARY"),
    ):
        value = context.setting(f"{prefix}_{variable}")
        if value:
            found = add_option(found, name, value)
    for name, variable in (
        ("--index", "INDEX"),
        ("--extra-index-url", "EXTRA_INDEX_URL"),
        ("--find-links", "FIND_LINKS"),
        ("--trusted-host", "TRUSTED_HOST"),
    ):
        for value in _SEPARATOR.split(context.setting(f"{prefix}_{variable}").strip()):
            if value:
                found = add_option(found, name, value)
    for name, variable in (
        ("--no-index", "NO_INDEX"),
        ("--pre", "PRE"),
        ("--prefer-binary", "PREFER_BINARY"),
        ("--require-hashes", "REQUIRE_HASHES"),
    ):
        if context.on(f"{prefix}_{variable}"):
            found = add_option(found, name, "")
    return _line_indexes(found, options)


def _line_indexes(found: IndexOptions, options: Options) -> IndexOptions:
    for name, words in options.values.items():
        if name == "--no-binary" and not words:
            found = add_option(found, name, ":all:")
        for value in words or ("",):
            text = value if isinstance(value, str) else value.text
            if text or name in {"--no-index", "--pre", "--prefer-binary", "--require-hashes"}:
                found = add_option(found, name, text)
    if options.has("--no-build"):
        found = add_option(found, "--only-binary", ":all:")
    return replace(found, pre=True) if options.last("--prerelease") == "allow" else found
