"""Making, comparing and writing the files of ``tonnage ci``."""

from __future__ import annotations

import difflib
import shlex
from importlib.resources import files as resources
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.decide.reports.generated_files import carried_over, is_ours, is_unchanged, lost_marks, sealed
from tonnage.decide.reports.known_engines import runner_image
from tonnage.decide.reports.other_workflows import done_elsewhere
from tonnage.decide.reports.runner_stack import runner_services
from tonnage.errors import StaleFilesError, TonnageError, UsageError
from tonnage.escapes import visible_in_line
from tonnage.flows.ci_runner import (
    choose_runner,
    compared,
    directory_in,
    one_runner,
    remembered_options,
    stack_variables,
    stack_words,
    writable,
)
from tonnage.flows.forecast import forecast_now
from tonnage.flows.stack import read_wanted
from tonnage.model.reports.ci_job import RunnerStack
from tonnage.own_files import read_own, write_whole
from tonnage.small_files import WRITTEN_FOR_CI, as_text
from tonnage.units import format_bytes
from tonnage.views.ci.after_writing import next_steps, other_workflows_text
from tonnage.views.ci.next_runner import next_runner_sentence
from tonnage.views.ci.workflows import DOCKER_DEPLOY, WORKFLOWS, WRITTEN, workflows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from tonnage.flows.ci_runner import RunnerFlags
    from tonnage.flows.ports import CiPorts, StackPorts
    from tonnage.flows.requests import StackFlags
    from tonnage.model.reports.ci_job import DoneElsewhere

_WORKFLOWS = Path(".github", "workflows")
_SCRIPT = "deploy.sh"
_SCRIPT_MODE = 0o755
_SETTINGS = "set -eu\n"
"""Behind this line of the script stands which stack it is for."""
_PLAIN_MODE = 0o644
_MOST_WORKFLOWS = 100


class WrittenFile(Struct, frozen=True, kw_only=True):
    """One file as it is made now, with what the user keeps in it.

    Args:
        root: What it is written for: below it no link is followed.
        todo: What is left to do once it was written; empty for nothing.
    """

    path: Path
    root: Path
    text: str
    command: str
    mode: int = _PLAIN_MODE
    todo: str = ""


def github_files(
    ports: CiPorts,
    flags: StackFlags,
    runner: RunnerFlags,
    *,
    forecast: bool = True,
    tell: Callable[[str], None] = lambda _text: None,
) -> list[WrittenFile]:
    """Make the workflows of a stack.

    Args:
        forecast: Forecast what each service needs, to say which ones a runner cannot hold even alone.
        tell: Is told what does not fit.

    Returns:
        The files, below the root of the repository that the compose file is in.

    Raises:
        UsageError: The stack cannot be read, has names that cannot stand in a workflow, or builds nothing; or a runner
            could not install Tonnage.
    """
    wanted = read_wanted(ports, flags)
    directory = Path(wanted.stack.directory).resolve()
    root = repository(directory)
    place = writable(directory.relative_to(root).as_posix())
    paths = {name: root / _WORKFLOWS / name for name in WORKFLOWS}
    earlier = next((text for each in paths.values() if directory_in(text := _existing(each, root)) == place), "")
    chosen = choose_runner(runner, remembered_options(earlier))
    words = stack_words(flags, wanted.stack, root, ports.environment, ports.working_directory)
    image = runner_image(chosen.labels)
    whole = forecast_now(ports, wanted, target=image.engine if image else None) if forecast else None
    found = whole.services if whole else ()
    built = {each.name for each in wanted.stack.built}
    peaks = {each.service: (each.peak.likely_bytes, str(each.peak.grade)) for each in found if each.service in built}
    command = " ".join(("tonnage ci github", *map(shlex.quote, words), *chosen.words))
    stack = RunnerStack(
        name=wanted.stack.name,
        directory=place,
        flags=words,
        services=runner_services(wanted.stack, peaks),
        runner=chosen.labels,
        runner_bytes=chosen.disk_bytes,
        install=chosen.install or _how_to_install(ports, command),
        branch=chosen.branch,
        successor=image.successor if image else "",
        written_by=f"{command} --write",
        together=one_runner(wanted, whole, chosen, was_together=_is_together(_existing(paths[DOCKER_DEPLOY], root))),
    )
    if forecast:
        images = [each.image for each in wanted.stack.built if each.image]
        elsewhere = other_workflows_text(_done_elsewhere(root, tuple(paths.values()), images))
        if elsewhere:
            tell(elsewhere)
    for note in wanted.stack.notes if forecast else ():
        tell(f"note: {visible_in_line(note)}")
    for each in stack.too_large:
        tell(
            f"{each.name} needs {format_bytes(each.peak_bytes or 0)} at its worst moment ({each.grade}), more than the"
            f" {format_bytes(stack.runner_bytes)} of a runner: it fits only after disk was freed"
        )
    if whole and len(stack.built) > 1:
        tell(stack.together or f"{DOCKER_DEPLOY} builds each service on its own runner: all may not fit on one")
    if whole and stack.successor:
        tell(next_runner_sentence(compared(ports, wanted, chosen, whole)))
    unknown = [each.name for each in stack.built if each.peak_bytes is None]
    if forecast and unknown:
        tell(f"cannot tell whether {', '.join(unknown)} will fit on a runner; to see why:\n  tonnage forecast")
    todo = next_steps(stack, [path.relative_to(root).as_posix() for path in paths.values()])
    return [_written(paths[name], root, text, command, todo=todo) for name, text in workflows(stack).items()]


def _done_elsewhere(root: Path, ours: Collection[Path], images: Sequence[str]) -> list[DoneElsewhere]:
    """Look for what the user's own workflows do as well; what cannot be read is left out."""
    found: list[DoneElsewhere] = []
    try:
        files = sorted(each for each in (root / _WORKFLOWS).iterdir() if each.suffix in {".yml", ".yaml"})
    except OSError:
        return []
    for file in [each for each in files if each not in ours][:_MOST_WORKFLOWS]:
        try:
            text = as_text(read_own(file, WRITTEN_FOR_CI, within=root))
        except (OSError, UnicodeDecodeError, TonnageError):
            continue
        if not is_ours(text):
            found += done_elsewhere(visible_in_line(file.relative_to(root).as_posix()), text, images)
    return found


def _is_together(text: str) -> bool:
    """Return whether one job of a workflow that was written before builds all services."""
    return bool(text) and "      matrix:\n" not in text


def _how_to_install(ports: CiPorts, command: str) -> str:
    found = ports.install_command()
    if found:
        return found
    raise UsageError(
        "cannot tell how a runner installs Tonnage",
        why="This one was installed from local files, which a runner does not have.",
        todo="Name the command that installs it there, once; it is stored in the workflows:\n"
        f"  {command} --write --install 'pipx install git+https://HOST/OWNER/tonnage@COMMIT'",
    )


def deploy_script(ports: StackPorts, flags: StackFlags) -> list[WrittenFile]:
    """Make the deploy script of a stack.

    Raises:
        UsageError: The stack cannot be read, or what was typed cannot stand in a script.
    """
    wanted = read_wanted(ports, flags, builds=False, forecasts=False)
    text = resources("tonnage").joinpath("written", "deploy.sh").read_text(encoding="utf-8")
    directory = Path(wanted.stack.directory).resolve()
    settings = stack_variables(flags, wanted.stack, directory, ports.working_directory)
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in settings.items()]
    text = text.replace(_SETTINGS, _SETTINGS + "".join(lines))
    words = [word for name in flags.files for word in ("--file", name)]
    command = " ".join(("tonnage ci deploy-script", *map(shlex.quote, words)))
    return [_written(directory / _SCRIPT, directory, text, command, _SCRIPT_MODE)]


def check_files(made: Sequence[WrittenFile]) -> tuple[dict[Path, str], StaleFilesError | None]:
    """Compare the files on disk with what would be written now.

    Returns:
        The state of each, and the failure to raise when one of them is missing or not current.
    """
    stale = [each for each in made if _without_figures(_existing(each.path, each.root)) != _without_figures(each.text)]
    states = {each.path: "not current" if each in stale else "current" for each in made}
    if not stale:
        return states, None
    return states, StaleFilesError(
        f"{stale[0].path.name} is {'not current' if stale[0].path.exists() else 'missing'}",
        todo=f"Renew them:\n  {stale[0].command} --write",
    )


def _without_figures(text: str) -> str:
    """Return a file without what was forecast when it was made, and without what its directory is called elsewhere."""
    left_out = ("# Forecast: ", "# sum: ", WRITTEN)
    return "\n".join(line for line in text.splitlines() if line and not line.startswith(left_out))


def write_files(
    made: Sequence[WrittenFile], *, force: bool, tell: Callable[[str], None] = lambda _text: None
) -> dict[Path, str]:
    """Write the files; none is written when one of them must not be.

    Args:
        force: Overwrite what was changed outside of the marks, or is not ours.
        tell: Is told what would be lost.

    Returns:
        The state of each.

    Raises:
        UsageError: A file was changed or is not ours, or cannot be written.
    """
    for each in made:
        existing = _existing(each.path, each.root)
        if existing and existing != each.text and not force:
            _refuse_to_lose(each, existing, tell)
    stale = [each for each in made if _existing(each.path, each.root) != each.text]
    for each in stale:
        _write(each)
    return {each.path: "written" if each in stale else "current" for each in made}


def _refuse_to_lose(each: WrittenFile, existing: str, tell: Callable[[str], None]) -> None:
    lost = lost_marks(each.text, existing)
    other = directory_in(existing) if directory_in(existing) != directory_in(each.text) else None
    if is_unchanged(existing) and not lost and other is None:
        return
    difference = difflib.unified_diff(
        existing.splitlines(), each.text.splitlines(), str(each.path), "as it would be written", lineterm=""
    )
    tell("\n".join(difference))
    why = "It was not written by this command."
    if is_ours(existing):
        why = f"It has no place any more for: {', '.join(lost)}." if lost else "It was changed outside of its marks."
        if other is not None:
            why = f"It was written for the stack in the directory {other} of the repository."
    raise UsageError(
        f"{each.path} would be overwritten",
        why=f"{why} The difference is shown above.",
        todo=f"Move what is yours between the marks, or overwrite it:\n  {each.command} --write --force",
    )


def _written(
    path: Path, root: Path, text: str, command: str, mode: int = _PLAIN_MODE, *, todo: str = ""
) -> WrittenFile:
    kept = carried_over(sealed(text), _existing(path, root))
    return WrittenFile(path=path, root=root, text=kept, command=command, mode=mode, todo=todo)


def _existing(path: Path, root: Path) -> str:
    try:
        return as_text(read_own(path, WRITTEN_FOR_CI, within=root))
    except FileNotFoundError:
        return ""
    except NotADirectoryError as error:
        in_the_way = next(each for each in path.parents if each.exists())
        raise UsageError(
            f"{in_the_way} is not a directory", why=f"{path.name} belongs into it.", todo="Move it away."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{path} cannot be read", why=f"{why}.", todo="Move it away.") from error


def _write(each: WrittenFile) -> None:
    try:
        write_whole(each.path, each.text.encode(), mode=each.mode, keep_mode=True, within=each.root)
    except OSError as error:
        raise UsageError(
            f"{each.path} cannot be written",
            why=f"{error.filename or each.path}: {error.strerror}.",
            todo="Make a directory of what stands in its way."
            if isinstance(error, NotADirectoryError | FileExistsError)
            else "Make room or give this user the right to write there, then call it again.",
        ) from error


def repository(directory: Path) -> Path:
    """Return the root of the repository that a directory is in."""
    return next((each for each in (directory, *directory.parents) if (each / ".git").exists()), directory)
