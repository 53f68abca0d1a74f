"""``tonnage ci``: workflows and a deploy script for the user's own stack, and what a job has to tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tonnage.cli.group import verb
from tonnage.cli.options import which_stack_options
from tonnage.errors import CannotFitError, LimitPassedError, StaleFilesError, StepFailedError
from tonnage.escapes import visible_in_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tonnage.cli.session import Session
    from tonnage.flows.ci_files import WrittenFile
    from tonnage.flows.ci_job import JobVerdict
    from tonnage.flows.ci_runner import RunnerFlags
    from tonnage.flows.requests import StackFlags


_WHAT = ("github", "deploy-script", "summary", "comment", "verdict", "next-runner")


@verb(
    "ci",
    examples=(
        ("tonnage ci github", "Show the workflows for the stack of this directory"),
        ("tonnage ci github --write", "Write them to .github/workflows"),
        ("tonnage ci github --check", "Say whether they are current"),
        ("tonnage ci deploy-script --write", "Write deploy.sh next to the compose file"),
        ("tonnage ci summary --forecast forecast.json --events events.jsonl", "A job as Markdown"),
        ("tonnage ci comment --lint lint.json", "What lint found, as Markdown"),
        ("tonnage ci comment --forecast here.json --base base.json", "What a pull request changes, as Markdown"),
        ("tonnage ci verdict --forecast here.json --must-fit", "3 where it does not fit; 11 where it grows too much"),
        ("tonnage ci next-runner --runner ubuntu-24.04", "What the runner image after it would need, as Markdown"),
    ),
    failures=(StaleFilesError, StepFailedError, CannotFitError, LimitPassedError),
    about="What stands between the marks '# keep: NAME' and '# end: NAME' of a written file survives; a file that was "
    "changed elsewhere, or that was not written by this command, is only overwritten with --force. What was typed "
    "about the runner is stored in the files and reused until you change it.",
)
@click.argument("what", metavar="|".join(_WHAT), type=click.Choice(_WHAT))
@which_stack_options
@click.option("--write", is_flag=True, help="Write the files instead of showing them.")
@click.option("--check", is_flag=True, help="Only check whether the files are up to date (exit code 8 if not).")
@click.option("--force", is_flag=True, help="With --write: overwrite files that were changed or are not ours.")
@click.option("--runner", metavar="LABEL", help="The runner's label, or several with commas (default: ubuntu-24.04).")
@click.option("--runner-disk", metavar="SIZE", help="What a runner has available at the least (default: 14GB).")
@click.option("--branch", metavar="NAME", help="Pushes to it are built (default: main).")
@click.option(
    "--install", metavar="COMMAND", help="How a runner installs Tonnage (default: as this one was, with pipx)."
)
@click.option("--forecast", default="", metavar="FILE", help="What 'forecast --json' printed.")
@click.option("--events", default="", metavar="FILE", help="What 'build' or 'deploy' wrote with --events.")
@click.option("--reclaim", default="", metavar="FILE", help="What 'reclaim --json' printed.")
@click.option("--base", default="", metavar="FILE", help="What 'forecast --json' printed for the base branch.")
@click.option("--lint", default="", metavar="FILE", help="With comment: what 'lint --json' printed, instead of sizes.")
@click.option("--outputs", default="", metavar="FILE", help="With summary: add the figures to FILE as NAME=VALUE.")
@click.option(
    "--pull-request",
    type=click.IntRange(1),
    metavar="NUMBER",
    help="With comment: write it there, with the program gh.",
)
@click.option("--must-fit", is_flag=True, help="With verdict: 3 where the forecast does not fit.")
@click.option(
    "--grows-at-most", default="", metavar="SIZE", help="With verdict: 11 where the stack grows by more than that."
)
@click.option("--repository", default="", metavar="OWNER/NAME", help="Whose pull request; else GITHUB_REPOSITORY.")
def command(
    session: Session,
    /,
    *,
    flags: StackFlags,
    what: str,
    write: bool,
    check: bool,
    force: bool,
    runner: str | None,
    runner_disk: str | None,
    branch: str | None,
    install: str | None,
    **job: Any,  # noqa: ANN401 - the fields of JobFlags
) -> None:
    """Write files, or tell of a job.

    Raises:
        StaleFilesError: With ``--check``, a file is missing or not current.
    """
    from tonnage.flows.ci_files import check_files, deploy_script, github_files  # noqa: PLC0415 - as below
    from tonnage.flows.ci_runner import RunnerFlags  # noqa: PLC0415 - help needs none of these

    if write and check:
        raise click.UsageError("--write and --check exclude each other")
    if force and not write:
        raise click.UsageError("--force needs --write")
    typed = RunnerFlags(runner=runner, runner_disk=runner_disk, branch=branch, install=install)
    if what in {"summary", "comment", "verdict", "next-runner"}:
        if write or check:
            raise click.UsageError(f"{what} is printed; --write and --check belong to github and deploy-script")
        if what == "next-runner":
            _tell_of_next_runner(session, flags, typed)
        else:
            _tell_of_job(session, what, job)
        return
    if what == "github":
        files = github_files(session.ports, flags, typed, forecast=not check, tell=session.say)
    else:
        files = deploy_script(session.ports, flags)
    if check:
        states, failure = check_files(files)
        _show_states(session, states)
        if failure is not None:
            raise failure
    elif write:
        _write(session, files, force=force)
    else:
        _show_files(session, files)


def _write(session: Session, files: Sequence[WrittenFile], *, force: bool) -> None:
    from tonnage.flows.ci_files import write_files  # noqa: PLC0415 - help needs none of these

    states = write_files(files, force=force, tell=session.say)
    _show_states(session, states)
    todo = next((each.todo for each in files if states[each.path] == "written"), "")
    if todo:
        session.say(todo)


def _show_files(session: Session, files: Sequence[WrittenFile]) -> None:
    if session.json:
        session.print_document("files", {"files": [{"path": str(each.path), "text": each.text} for each in files]})
        return
    for each in files:
        session.say(f"# {visible_in_line(each.path)}")
        session.print_text(each.text)


def _show_states(session: Session, states: Mapping[Path, str]) -> None:
    for path, state in states.items():
        session.show(f"{visible_in_line(path)}: {state}")
    if session.json:
        files = [{"path": str(path), "state": state} for path, state in states.items()]
        session.print_document("files", {"files": files})


def _tell_of_next_runner(session: Session, flags: StackFlags, typed: RunnerFlags) -> None:
    from tonnage.flows.ci_runner import choose_runner, next_runner  # noqa: PLC0415 - help needs none of these
    from tonnage.views.ci.next_runner import next_runner_form, next_runner_text  # noqa: PLC0415

    found = next_runner(session.ports, flags, choose_runner(typed, {}))
    if session.json:
        session.print_document("next-runner", next_runner_form(found))
    else:
        session.print_text(next_runner_text(found))


def _show_verdict(session: Session, verdict: JobVerdict) -> None:
    if session.json:
        failure = verdict.failure.what if verdict.failure is not None else None
        form = {"text": verdict.text, "annotations": list(verdict.annotations), "failure": failure}
        session.print_document("verdict", form)
        return
    session.print_text(verdict.text)
    if verdict.annotations:
        session.print_commands("\n".join(verdict.annotations))


def _tell_of_job(session: Session, what: str, job: Mapping[str, Any]) -> None:
    from tonnage.flows.ci_job import JobFlags, comment, judge, summarise  # noqa: PLC0415 - help needs none of these

    typed = JobFlags(**job)
    if what == "verdict":
        verdict = judge(session.ports.working_directory, typed)
        _show_verdict(session, verdict)
        if verdict.failure is not None:
            raise verdict.failure
        return
    if what == "summary":
        text, values = summarise(session.ports, typed)
        if session.json:
            session.print_document("job", {**values, "text": text})
        else:
            session.print_text(text)
        return
    text, replaced = comment(session.ports, typed)
    if typed.pull_request is None:
        session.print_text(text)
    else:
        done = "replaced" if replaced else "written"
        session.say(f"the comment on pull request {typed.pull_request} was {done}")
