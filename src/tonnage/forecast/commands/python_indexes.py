"""Where installers of Python packages look: what the environment says, then the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.forecast.requirements.index_options import GatheredOptions
from tonnage.lazily import regex

if TYPE_CHECKING:
    from tonnage.forecast.commands.context import Context, Options
    from tonnage.model.forecast.requirements import IndexOptions

_ONE_VALUE = ("--index-url", "--default-index", "--only-binary", "--no-binary")
_VALUES = ("--index", "--extra-index-url", "--find-links", "--trusted-host")
_SWITCHES = ("--no-index", "--pre", "--require-hashes")
_SEPARATOR = regex(r"[\s,]+")


def indexes(context: Context, options: Options, prefix: str) -> IndexOptions:
    """Gather where to look, from the environment and then from the line."""
    found = GatheredOptions()
    for name in (*_ONE_VALUE, *_VALUES, *_SWITCHES):
        variable = f"{prefix}{name[1:].replace('-', '_').upper()}"
        given = context.setting(variable)
        texts = _SEPARATOR.split(given.strip()) if name in _VALUES else [given]
        if name in _SWITCHES and context.on(variable):
            found.add(name, "")
        for text in filter(None, () if name in _SWITCHES else texts):
            found.add(name, text)
    _add_typed(found, context, options)
    return found.options()


def _add_typed(found: GatheredOptions, context: Context, options: Options) -> None:
    for name, words in options.values.items():
        if name == "--no-binary" and not words:
            found.add(name, ":all:")
        for value in words or ("",):
            text = value if isinstance(value, str) else value.text
            if name == "--find-links" and ":" not in text:
                text = context.absolute(text)
            if text or name in _SWITCHES:
                found.add(name, text)
    if options.has("--no-build"):
        found.add("--only-binary", ":all:")
    if options.last("--prerelease") == "allow":
        found.add("--pre", "")
