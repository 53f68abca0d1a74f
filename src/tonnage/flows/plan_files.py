"""Plan files on the disk: only their owner may read them, because they hold the services' configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.errors import UsageError
from tonnage.own_files import read_own, write_whole
from tonnage.small_files import PLAN, UnfitFileError
from tonnage.views.json.saved_plan import MAKE_ONE, read_plan, save_plan, was_changed

if TYPE_CHECKING:
    from tonnage.model.deploy.plan import Plan


def write_plan_file(plan: Plan, file: str) -> None:
    """Write a plan, readable by its owner only, as a whole or not at all.

    Raises:
        UsageError: The file cannot be written, or is a link.
    """
    try:
        write_whole(Path(file), save_plan(plan).encode(), project=(Path(plan.directory),))
    except OSError as error:
        raise UsageError(f"the plan cannot be saved as {file}", why=f"{error.strerror}.") from error


class SavedPlan(Struct, frozen=True):
    """A plan that was read from a file, and whether that is not as it was written."""

    plan: Plan
    was_changed: bool


def read_plan_file(file: str) -> SavedPlan:
    """Read a plan.

    Raises:
        UsageError: The file cannot be read, another user owns it or may write to it, or it is no plan file of this
            format.
    """
    try:
        content = read_own(Path(file), PLAN, private=True)
    except UnfitFileError as error:
        raise UsageError("this is not a plan file", why=f"{error.strerror}.", todo=MAKE_ONE, place=file) from error
    except OSError as error:
        todo = MAKE_ONE if isinstance(error, FileNotFoundError) else ""
        raise UsageError(f"the plan {file} cannot be read", why=f"{error.strerror}.", todo=todo) from error
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise UsageError("this is not a plan file", why="It is not text.", todo=MAKE_ONE, place=file) from error
    return SavedPlan(read_plan(text, place=file), was_changed(text))
