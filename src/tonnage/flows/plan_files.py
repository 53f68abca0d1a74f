"""Plan files on the disk: only their owner may read them, because they hold the services' configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.small_files import PLAN, UnfitFileError, read_bytes
from tonnage.views.json.saved_plan import MAKE_ONE, read_plan, save_plan

if TYPE_CHECKING:
    from tonnage.model.deploy.plan import Plan


def write_plan_file(plan: Plan, file: str) -> None:
    """Write a plan, readable by its owner only, as a whole or not at all.

    Raises:
        UsageError: The file cannot be written.
    """
    path = Path(file)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "x", encoding="utf-8", opener=_for_owner_only) as stream:
            stream.write(save_plan(plan))
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(f"the plan cannot be saved as {file}", why=f"{error.strerror}.") from error


def read_plan_file(file: str) -> Plan:
    """Read a plan.

    Raises:
        UsageError: The file cannot be read, or it is no plan file of this format.
    """
    try:
        content = read_bytes(file, PLAN, piped=True)
    except UnfitFileError as error:
        raise UsageError("this is not a plan file", why=f"{error.strerror}.", todo=MAKE_ONE, place=file) from error
    except OSError as error:
        todo = MAKE_ONE if isinstance(error, FileNotFoundError) else ""
        raise UsageError(f"the plan {file} cannot be read", why=f"{error.strerror}.", todo=todo) from error
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise UsageError("this is not a plan file", why="It is not text.", todo=MAKE_ONE, place=file) from error
    return read_plan(text, place=file)


def _for_owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
