"""Settings in rising strength: defaults, ``x-tonnage`` of the stack, ``TONNAGE_*``, flags. Each keeps its origin.

Environment and flags are arguments; nothing here reads a process environment.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from tonnage.decide.ship.names import check_through
from tonnage.errors import UsageError
from tonnage.model.deploy.failure_call import FailureCall
from tonnage.model.deploy.policy import AtReserve, BuildOn, Cleanup, Policy, Setting, Together
from tonnage.model.stack import InstallerChoice, Share
from tonnage.sources.compose.x_tonnage import CLUSTER, ON_FAILURE
from tonnage.units import parse_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tonnage.model.stack import Stack

_Value = TypeVar("_Value")

DEFAULT_ORIGIN = "default"
FILE_ORIGIN = "x-tonnage"
"""What origins of settings of a file begin with."""
_LONGEST_COUNT = 4
_MOST_AT_ONCE = 64
_ON_FAILURE_VARIABLE = "TONNAGE_ON_FAILURE"
_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0"}


class _Known(Struct, frozen=True):
    key: str
    variable: str
    default: str
    meaning: str
    in_file: bool = True
    flag: str = ""


_KNOWN = (
    _Known(
        "keep-free",
        "TONNAGE_KEEP_FREE",
        "5 % of the filesystem, at least 1 GB and at most 10 GB",
        "The reserve: free space that must remain on every filesystem.",
    ),
    _Known(
        "keep-previous",
        "TONNAGE_KEEP_PREVIOUS",
        "true",
        "Keep earlier good versions for rollback; false: none, whatever keep-versions says.",
    ),
    _Known("keep-versions", "TONNAGE_KEEP_VERSIONS", "1", "How many earlier good versions to keep."),
    _Known(
        "parallel",
        "TONNAGE_PARALLEL",
        "1",
        "How many images to build or pull at the same time, if the disk allows it.",
    ),
    _Known(
        "rollback",
        "TONNAGE_ROLLBACK",
        "service",
        "What a failed deploy rolls back: the service that failed, or the whole stack.",
    ),
    _Known(
        "proxy-labels",
        "TONNAGE_PROXY_LABELS",
        "none",
        "More patterns of labels and variables by which your proxy routes.",
    ),
    _Known(
        ON_FAILURE,
        _ON_FAILURE_VARIABLE,
        "none",
        "Who is notified of a failed deploy: an address, or (only by the variable) a program.",
    ),
    _Known("cleanup-after", "TONNAGE_CLEANUP_AFTER", "true", "Remove leftovers of the build after each service."),
    _Known(
        "cleanup",
        "TONNAGE_CLEANUP",
        "auto",
        "auto: remove build cache if later builds still find the rest; always: in any case.",
    ),
    _Known(
        "assume-unknown",
        "TONNAGE_ASSUME_UNKNOWN",
        "500MB",
        "Size to assume for a command whose output cannot be predicted.",
        flag="assume",
    ),
    _Known(
        "share",
        "TONNAGE_SHARE",
        "auto",
        "auto: store wheels that services share once, if that changes no image; off: do not.",
    ),
    _Known(
        "installer",
        "TONNAGE_INSTALLER",
        "as-written",
        "as-written: install as the Dockerfiles say; uv: uv installs the wheels first, and keeps no archives.",
    ),
    _Known(
        "guard",
        "TONNAGE_GUARD",
        "pause",
        "pause: builds near the reserve wait until space is reclaimed; hard: the engine waits too; "
        "stop: builds are stopped.",
    ),
    _Known(
        CLUSTER,
        "TONNAGE_CLUSTER",
        "none",
        "swarm: deploy to the Docker Swarm that this engine manages; none: to this engine.",
        flag="swarm",
    ),
    _Known(
        "nodes",
        "TONNAGE_NODES",
        "none",
        "The address of each node's engine, by host name.",
    ),
    _Known("failover", "TONNAGE_FAILOVER", "none", "On how many nodes each image must be, at least."),
    _Known(
        "build-on",
        "TONNAGE_BUILD_ON",
        "auto",
        "here: build images for another machine here and send them; there: on its engine; auto: here if too large.",
    ),
    _Known(
        "through",
        "TONNAGE_THROUGH",
        "none",
        "The registry through which images go to another machine: pushed here, pulled by digest there.",
    ),
    _Known("forecast", "TONNAGE_FORECAST", "true", "Forecast builds from metadata before they are planned."),
    _Known("ask-hosts", "TONNAGE_ASK_HOSTS", "none", "More hosts that forecasts may contact.", in_file=False),
    _Known("docker", "TONNAGE_DOCKER", "found by capability", "The docker command that builds.", in_file=False),
    _Known(
        "state-dir", "TONNAGE_STATE_DIR", "the user's state directory", "Where the journal is stored.", in_file=False
    ),
    _Known("cache-dir", "TONNAGE_CACHE_DIR", "the user's cache directory", "Cache; safe to delete.", in_file=False),
    _Known("DOCKER_BUILDKIT", "DOCKER_BUILDKIT", "1", "Build with BuildKit where the engine has it.", in_file=False),
    _Known(
        "BUILDKIT_PROGRESS",
        "BUILDKIT_PROGRESS",
        "plain",
        "How other programs print builds; Tonnage reads its own builds line by line in any case.",
        in_file=False,
    ),
    _Known(
        "PIP_NO_CACHE_DIR", "PIP_NO_CACHE_DIR", "1", "For builds that declare it: pip keeps no cache.", in_file=False
    ),
    _Known(
        "PIP_DISABLE_PIP_VERSION_CHECK",
        "PIP_DISABLE_PIP_VERSION_CHECK",
        "1",
        "For builds that declare it: pip does not check for a newer pip.",
        in_file=False,
    ),
    _Known(
        "TORCH_CPU_ONLY",
        "TORCH_CPU_ONLY",
        "1 for services without a device, where TORCH_INDEX_URL is set",
        "For builds that declare it: PyTorch without CUDA; builds that declare TORCH_INDEX_URL then get its index.",
        in_file=False,
    ),
    _Known(
        "TORCH_INDEX_URL",
        "TORCH_INDEX_URL",
        "none",
        "For builds that declare it: the index that has PyTorch without CUDA.",
        in_file=False,
    ),
)


def rank(stack: Stack, *, environment: Mapping[str, str], flags: Mapping[str, str | None]) -> tuple[Setting, ...]:
    """Decide where each setting comes from.

    Args:
        environment: The process environment; an empty variable counts as not set.
        flags: Values by key (``keep-free``), as text; None for a flag that was not given.
    """
    written, places = dict(stack.settings), dict(stack.settings_places)
    given = {key.removeprefix("--").replace("_", "-"): value for key, value in flags.items() if value is not None}
    settings = []
    for known in _KNOWN:
        value, origin = known.default, DEFAULT_ORIGIN
        if known.in_file and known.key in written:
            value, origin = written[known.key], f"{FILE_ORIGIN} ({places.get(known.key, stack.name)})"
        if environment.get(known.variable):
            value, origin = environment[known.variable], f"environment ({known.variable})"
        if known.key in given:
            value, origin = given[known.key], f"flag (--{known.flag or known.key})"
        if known.key == ON_FAILURE and origin != DEFAULT_ORIGIN:
            value = wanted.name if (wanted := failure_call(stack, environment)) is not None else value
        settings.append(Setting(key=known.key, value=value, origin=origin, meaning=known.meaning))
    return tuple(settings)


def policy(settings: Sequence[Setting]) -> Policy:
    """Turn settings into what planning depends on.

    Raises:
        UsageError: A value is no size or no yes or no; the message names where it comes from.
    """
    found = {setting.key: setting for setting in settings if setting.origin != DEFAULT_ORIGIN}
    defaults = Policy()
    return Policy(
        keep_free_bytes=_read(found.get("keep-free"), parse_bytes, defaults.keep_free_bytes),
        keep_versions=_read(found.get("keep-versions"), _parse_count, defaults.keep_versions)
        if _read(found.get("keep-previous"), _parse_truth, default=True)
        else 0,
        cleanup_after=_read(found.get("cleanup-after"), _parse_truth, defaults.cleanup_after),
        cleanup=_read(found.get("cleanup"), _parse_cleanup, defaults.cleanup),
        assume_unknown_bytes=_read(found.get("assume-unknown"), parse_bytes, defaults.assume_unknown_bytes),
        forecast=_read(found.get("forecast"), _parse_truth, defaults.forecast),
        rollback=_read(found.get("rollback"), _parse_together, defaults.rollback),
        proxy_labels=_read(found.get("proxy-labels"), _parse_words, defaults.proxy_labels),
        parallel=_read(found.get("parallel"), _parse_at_once, defaults.parallel),
        share=_read(found.get("share"), _parse_share, defaults.share),
        installer=_read(found.get("installer"), _parse_installer, defaults.installer),
        guard=_read(found.get("guard"), _parse_guard, defaults.guard),
    )


def failure_call(stack: Stack, environment: Mapping[str, str]) -> FailureCall | None:
    """Return who is told of a deploy that failed: whom the user's environment names, else the project.

    Raises:
        UsageError: The variable is no command line, or names a program by a path that depends on the directory.
    """
    told = environment.get(_ON_FAILURE_VARIABLE, "").strip()
    if not told:
        address = dict(stack.settings).get(ON_FAILURE, "")
        return FailureCall(address=address, by_project=True) if address else None
    if told.lower() in {"none", *_FALSE}:
        return None
    if told.lower().startswith(("https://", "http://")):
        return FailureCall(address=told)
    try:
        command = tuple(shlex.split(told))
    except ValueError as error:
        raise UsageError(f"{_ON_FAILURE_VARIABLE} is not a command line: {error}") from None
    if "/" in command[0] and not command[0].startswith("/"):
        raise UsageError(
            f"{_ON_FAILURE_VARIABLE} names the program {command[0]!r}, which is another one in each directory",
            todo="Write its whole path, or a name that is found on the PATH.",
        )
    return FailureCall(command=command)


def ask_hosts(settings: Sequence[Setting]) -> tuple[str, ...]:
    """Return the hosts that the user lets forecasts ask; ``all`` for every one."""
    told = next((each.value for each in settings if each.key == "ask-hosts" and each.origin != DEFAULT_ORIGIN), "")
    return _parse_words(told.lower())


def build_on(settings: Sequence[Setting]) -> BuildOn:
    """Return where images for another machine are built.

    Raises:
        UsageError: It is set to something else.
    """
    return _read(next((each for each in settings if each.key == "build-on"), None), _parse_build_on, BuildOn.AUTO)


def through_of(settings: Sequence[Setting]) -> str:
    """Return the registry through which images go to another machine; empty for none.

    Raises:
        UsageError: It is set to what names none.
    """
    told = next((each for each in settings if each.key == "through" and each.origin != DEFAULT_ORIGIN), None)
    return _read(told, lambda text: "" if text.strip() in {"", "none"} else check_through(text), "")


def _parse_build_on(text: str) -> BuildOn:
    try:
        return BuildOn(text.strip().lower())
    except ValueError:
        raise UsageError(f"{text!r} is none of {', '.join(BuildOn)}") from None


def _read(setting: Setting | None, parse: Callable[[str], _Value], default: _Value) -> _Value:
    if setting is None:
        return default
    try:
        return parse(setting.value)
    except UsageError as error:
        raise UsageError(f"{setting.key} from {setting.origin}: {error.what}", why=error.why, todo=error.todo) from None


def _parse_words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.replace(",", " ").split()))


def _parse_cleanup(text: str) -> Cleanup:
    try:
        return Cleanup(text.strip().lower())
    except ValueError:
        raise UsageError(f"{text!r} is neither auto nor always") from None


def _parse_guard(text: str) -> AtReserve:
    try:
        return AtReserve(text.strip().lower())
    except ValueError:
        raise UsageError(f"{text!r} is none of pause, hard, stop") from None


def _parse_count(text: str) -> int:
    if not text.strip().isdecimal() or len(text.strip()) > _LONGEST_COUNT:
        raise UsageError(f"{text!r} is not a number of versions", todo="Write a whole number, such as 3.")
    return int(text)


def _parse_at_once(text: str) -> int:
    if not text.strip().isdecimal() or not 1 <= int(text.strip()[: _LONGEST_COUNT + 1]) <= _MOST_AT_ONCE:
        raise UsageError(
            f"{text!r} is not a number of images at once",
            todo=f"Write a whole number from 1 to {_MOST_AT_ONCE}, such as 3.",
        )
    return int(text)


def _parse_together(text: str) -> Together:
    try:
        return Together(text.strip().lower())
    except ValueError:
        raise UsageError(f"{text!r} is neither service nor stack") from None


def _parse_share(text: str) -> Share:
    try:
        return Share(text.strip().lower())
    except ValueError:
        raise UsageError(f"{text!r} is neither auto nor off") from None


def _parse_installer(text: str) -> InstallerChoice:
    try:
        return InstallerChoice(text.strip().lower())
    except ValueError:
        raise UsageError(f"{text!r} is neither as-written nor uv") from None


def _parse_truth(text: str) -> bool:
    lower = text.strip().lower()
    if lower not in _TRUE | _FALSE:
        raise UsageError(f"{text!r} is neither true nor false", todo="Write true or false.")
    return lower in _TRUE
