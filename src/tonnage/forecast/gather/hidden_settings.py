"""Settings of pip and uv that a build has as files: they are not read, and say where packages come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.gather.context import shown_command
from tonnage.model.forecast.estimate import Estimate, Grade, weakest

if TYPE_CHECKING:
    from tonnage.forecast.gather.context import Diagnostics
    from tonnage.forecast.gather.visible_files import StageFiles
    from tonnage.model.forecast.installs import PythonInstall
    from tonnage.model.forecast.sized_effects import WrittenBytes

_OF_PIP = ("/etc/pip.conf", "/etc/xdg/pip/pip.conf", "/root/.config/pip/pip.conf", "/root/.pip/pip.conf")
_OF_UV = ("/etc/uv/uv.toml", "/root/.config/uv/uv.toml")


def perhaps_of_another_index(
    pieces: list[WrittenBytes], effect: PythonInstall, files: StageFiles, said: Diagnostics
) -> list[WrittenBytes]:
    """Return packages, as they may be in other versions where the install reads settings that are not read here."""
    hidden = _hidden(effect, files)
    if not hidden:
        return pieces
    said.notes.append(
        f"{effect.place}: {shown_command(effect.command)}: {hidden} is not read: another index may offer other versions"
    )
    return [_of_another_index(piece) for piece in pieces]


def _hidden(effect: PythonInstall, files: StageFiles) -> str:
    """Return a file of settings that the install reads and this does not; empty without one."""
    if effect.options.index_url or effect.options.no_index:
        return ""
    places = (*(_OF_UV if effect.installer.is_uv else _OF_PIP), *effect.secret_settings)
    return next((path for path in places if path in effect.secret_settings or files.file(path) is not None), "")


def _of_another_index(piece: WrittenBytes) -> WrittenBytes:
    """Return what a package may be where another index offers other versions of it."""
    return replace(
        piece,
        image=_other(piece.image),
        disk=_other(piece.disk),
        download=_other(piece.download),
        compressed=_other(piece.compressed),
    )


def _other(size: Estimate) -> Estimate:
    """Return from half of it to twice as much."""
    grade = weakest((size.grade, Grade.DECLARED))
    return Estimate(size.low_bytes // 2, size.likely_bytes, 2 * size.high_bytes, grade) if size.high_bytes else size
