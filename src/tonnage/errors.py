"""Every failure that Tonnage can end with: a closed table of classes and exit codes.

A failure says what happened, why, and what to do. A command to run stands alone on its line. No name and password of
an address stands in it.
Nothing else in the package calls ``sys.exit`` and no other class decides about an exit code.
"""

from __future__ import annotations


class TonnageError(Exception):
    """Base of every failure that people are meant to read.

    Args:
        what: One sentence: what happened, with the name or place it happened to.
        why: Why it happened, with figures where there are any.
        todo: What to do about it; lines that are commands stand alone, indented by two spaces.
        place: ``file:line`` of what the user wrote, when the cause is in a file.
        log: Last lines that the failing program or container printed.
        expected: What should stand at the place, without a word of what does: it is said alone where the file is not to
            be quoted.
    """

    exit_code = 1
    title = "unexpected failure"

    def __init__(
        self, what: str, *, why: str = "", todo: str = "", place: str = "", log: str = "", expected: str = ""
    ) -> None:
        # What others say, and what users write, can hold addresses with passwords.
        from tonnage.addresses import redacted  # noqa: PLC0415 - only failures need it

        self.what = redacted(what)
        super().__init__(self.what)
        self.why = redacted(why)
        self.todo = redacted(todo)
        self.place = place
        self.log = redacted(log)
        self.expected = expected

    def __str__(self) -> str:
        """Return the message as people read it: place and what, why, what to do."""
        first = f"{self.place}: {self.what}" if self.place else self.what
        return "\n".join(part for part in (first, self.why, self.todo) if part)


class UsageError(TonnageError):
    """Wrong usage or configuration: a flag, a compose file, a setting."""

    exit_code = 2
    title = "wrong usage or configuration"


class DamagedJournalError(UsageError):
    """The journal cannot be read: a run sets it aside and goes on, everything else says so.

    Args:
        path: Its file.
        why: What was wrong with it.
        todo: What to do about it.
    """

    def __init__(self, path: str, *, why: str, todo: str) -> None:
        super().__init__(f"the journal {path} is damaged", why=why, todo=todo)
        self.path = path


class CannotFitError(TonnageError):
    """Refused: it cannot fit. Nothing was touched."""

    exit_code = 3
    title = "refused: it cannot fit"


class CannotReclaimError(TonnageError):
    """Not enough could be reclaimed."""

    exit_code = 4
    title = "could not reclaim enough"


class NotHealthyError(TonnageError):
    """A service is not healthy; the previous version is running again where there was one."""

    exit_code = 5
    title = "not healthy"


class EngineUnreachableError(TonnageError):
    """The engine does not answer, or refuses this user."""

    exit_code = 6
    title = "engine unreachable"


class EngineLacksError(TonnageError):
    """The engine, a command or the machine is too old or lacks a feature."""

    exit_code = 7
    title = "missing program or unsupported version"


class StalePlanError(TonnageError):
    """The plan was made for a state that is no longer the state of the engine or the stack."""

    exit_code = 8
    title = "the plan is stale"


class StaleFilesError(StalePlanError):
    """Files that were written for the stack are missing, or no longer what would be written now."""

    title = "written files are stale"


class LockHeldError(TonnageError):
    """Another run holds the lock of this stack on this engine."""

    exit_code = 9
    title = "another run holds the lock"


class StepFailedError(TonnageError):
    """A step of a run failed: a build, a pull, a switch-over, a removal."""

    exit_code = 10
    title = "a step failed"


class ReserveCrossedError(StepFailedError):
    """A step was stopped because the available bytes reached the line, or the disk filled."""

    title = "stopped below the reserve"


class LimitPassedError(TonnageError):
    """A limit that the user set is passed, or changes are pending. Nothing went wrong."""

    exit_code = 11
    title = "a limit is passed, or changes are pending"


class CacheUnknownError(StepFailedError):
    """The engine cannot tell how its disk is used, its build cache among it: what needs neither goes on."""

    title = "the build cache is not known"


class CannotFetchError(StepFailedError):
    """Something outside could not be read: a registry, a package index, an address.

    Args:
        what: One sentence: what could not be read.
        cause: In a few words: not found, refused, unreachable, rate limited, not understood, not allowed, or offline.
        why: What was answered.
        todo: What to do about it.
    """

    title = "could not be fetched"

    def __init__(self, what: str, cause: str, *, why: str = "", todo: str = "") -> None:
        super().__init__(what, why=why, todo=todo)
        self.cause = cause


class CannotResolveError(UsageError):
    """A set of Python requirements cannot be installed as it is written.

    Args:
        what: One sentence: what cannot be resolved.
        cause: In a few words: missing, unsatisfiable, no wheels, source only, or invalid.
        packages: The packages that it is about, where the resolver named them.
        why: The resolver's own reason.
        todo: What to do about it.
        place: ``file:line`` of the requirement.
    """

    title = "requirements cannot be resolved"

    def __init__(
        self, what: str, cause: str, *, packages: tuple[str, ...] = (), why: str = "", todo: str = "", place: str = ""
    ) -> None:
        super().__init__(what, why=why, todo=todo, place=place)
        self.cause = cause
        self.packages = packages


class InterruptedRunError(TonnageError):
    """A signal ended the run.

    Args:
        signal_number: The signal, for the exit code 128+N.
        what: What had been done when the signal came.
    """

    title = "interrupted"

    def __init__(self, signal_number: int, what: str) -> None:
        super().__init__(what)
        self.exit_code = 128 + signal_number
        self.signal_number = signal_number
