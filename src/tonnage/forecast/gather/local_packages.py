"""What ``apt-get`` and ``dpkg`` are given by files of the build: packages of the context, and lists of names."""

from __future__ import annotations

import posixpath
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.commands.apt_and_others import KEEPS
from tonnage.model.forecast.effects import AptInstall

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tonnage.forecast.gather.visible_files import StageFiles
    from tonnage.model.forecast.base_image import BaseImage
    from tonnage.model.forecast.debian_package import DebPackage
    from tonnage.model.forecast.effects import AnyEffect

_MOST_PACKAGES = 200


def with_local(effect: AptInstall, files: StageFiles, before: Sequence[AnyEffect]) -> AptInstall:
    """Return an install with what its files say: names of packages, and packages of the context with what they need.

    Args:
        before: What was done before it in the same instruction.
    """
    if effect.fixes:
        alone = [each for each in before if isinstance(each, AptInstall) and each.alone]
        return replace(effect, packages=tuple(_needed([each for one in alone for each in one.local])))
    texts = {path: files.text(path) for path in effect.listed}
    named = [word for text in texts.values() if text is not None for word in text.split()]
    unread = [path.rpartition("/")[2] for path, text in texts.items() if text is None]
    local: list[DebPackage] = []
    rest: list[str] = []
    here = files.packages() if effect.files else {}
    for file in effect.files[:_MOST_PACKAGES]:
        paths = [path for path in here if _is_meant(path, file)] if len(local) < _MOST_PACKAGES else []
        paths = paths[:_MOST_PACKAGES]
        read = [here[path]() for path in paths]
        found = [each for each in read if each is not None]
        local += found
        rest += [file] if not paths or len(found) < len(paths) else []
    rest += effect.files[_MOST_PACKAGES:]
    if not effect.alone:
        named += _needed(local)
    return replace(
        effect,
        packages=(*effect.packages, *named),
        unread=(*effect.unread, *unread),
        listed=(),
        local=tuple(local),
        files=tuple(rest),
    )


def with_settings(base: BaseImage | None, remembered: Collection[str]) -> BaseImage | None:
    """Return an image with what the build has changed of apt's settings."""
    if base is None or base.apt is None or KEEPS not in remembered:
        return base
    return replace(base, apt=replace(base.apt, keeps_caches=True))


def _needed(local: Sequence[DebPackage]) -> list[str]:
    """Return what packages need besides each other, of alternatives the first."""
    own = {each.name for each in local}
    needs = (alternatives[0].name for each in local for alternatives in each.depends)
    return [name for name in dict.fromkeys(needs) if name not in own]


def _is_meant(path: str, file: str) -> bool:
    return posixpath.dirname(path) == posixpath.dirname(file) and fnmatchcase(path, file)
