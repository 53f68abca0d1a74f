"""Which files pip reads its settings from, and what one says of its cache."""

from __future__ import annotations

import configparser
import posixpath
from typing import TYPE_CHECKING

from tonnage.forecast.commands.text_programs import printed_text
from tonnage.model.forecast.effects import ChangeMode, Remove, Transfer, WriteFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tonnage.forecast.commands.context import Context
    from tonnage.model.forecast.effects import AnyEffect

_OF_ALL = ("/etc/pip.conf", "/etc/xdg/pip/pip.conf", "/usr/local/pip.conf", "/usr/pip.conf")
_NONE = "/dev/null"
_SECTIONS = ("global", "install", "download", "wheel")
# What pip takes for a yes or a no; either turns the cache off, and another word is an error of pip's.
# Source: ``_handle_no_cache_dir`` of pip 26.3.
_WORDS = frozenset({"1", "0", "y", "n", "yes", "no", "t", "f", "true", "false", "on", "off"})


class FilesOfScript:
    """Texts of files as the commands of one script see them: what it wrote before, else what was there.

    Args:
        there: Returns the text of a file that was there; None where that is not known.
    """

    def __init__(self, there: Callable[[str], str | None] | None) -> None:
        self._there = there
        self._written: dict[str, str | None] = {}

    def text(self, path: str) -> str | None:
        """Return the text of a file; None where it is not known."""
        name = posixpath.normpath(path)
        if name in self._written:
            return self._written[name]
        return self._there(path) if self._there is not None else None

    def follow(self, effects: Iterable[AnyEffect]) -> None:
        """Take in what a command writes, moves and removes."""
        for effect in effects:
            match effect:
                case WriteFile():
                    self._written[posixpath.normpath(effect.path)] = self._what(effect)
                case Remove() if not (effect.conditional or effect.found):
                    self._written |= dict.fromkeys(map(posixpath.normpath, effect.paths))
                case ChangeMode() if effect.program:
                    self._written |= dict.fromkeys(map(posixpath.normpath, effect.paths))
                case Transfer():
                    self._written[posixpath.normpath(effect.destination)] = None

    def _what(self, effect: WriteFile) -> str | None:
        if effect.conditional or not effect.program:
            return None
        fed = effect.fed if effect.fed is not None or not effect.fed_from else self.text(effect.fed_from)
        text = printed_text(effect.program, fed, lambda path: self.text(posixpath.join(effect.runs_in or "/", path)))
        before = (self.text(effect.path) or "") if effect.appends else ""
        return None if text is None else f"{before}{text}"


def keeps_no_cache_by_file(context: Context) -> bool:
    """Return whether a file of settings that pip reads turns its cache off."""
    read = context.text_of
    if read is None:
        return False
    named = context.setting("PIP_CONFIG_FILE")
    home = context.setting("HOME").rstrip("/") or "/root"
    settings = context.setting("XDG_CONFIG_HOME") or f"{home}/.config"
    environment = context.setting("VIRTUAL_ENV")
    own = (f"{home}/.pip/pip.conf", f"{settings}/pip/pip.conf", *((f"{environment}/pip.conf",) if environment else ()))
    # A null device in place of a file has pip read none at all.
    places = () if named == _NONE else (*_OF_ALL, *own, *((context.absolute(named),) if named else ()))
    return any(turns_cache_off(text) for text in map(read, places) if text is not None)


def turns_cache_off(text: str) -> bool:
    """Return whether a file of pip's settings says so; one that cannot be read says nothing."""
    read = configparser.RawConfigParser()
    try:
        read.read_string(text)
    except configparser.Error:
        return False
    said = [read.get(each, name, fallback="") for each in _SECTIONS for name in ("no-cache-dir", "no_cache_dir")]
    return any(each.strip().lower() in _WORDS for each in said)
