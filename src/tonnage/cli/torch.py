"""``tonnage torch``: the build of PyTorch that suits where a service runs, and who brought the one with CUDA."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tonnage.cli.group import verb
from tonnage.cli.options import ask_hosts_option, untrusted_option, which_stack_options
from tonnage.errors import EngineLacksError, EngineUnreachableError, UsageError

if TYPE_CHECKING:
    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags
    from tonnage.model.reports.torch import TorchReport


@verb(
    "torch",
    examples=(
        ("tonnage torch cpu", "PyTorch without CUDA in every service"),
        ("tonnage torch cpu --dry-run web", "Who brought CUDA to one service, and what would be written"),
        ("tonnage torch auto", "With CUDA only for services that request a GPU"),
        ("tonnage torch cuda --index https://download.pytorch.org/whl/cu121", "The build of one version of CUDA"),
        ("tonnage torch cpu --override", "As build arguments in docker-compose.override.yml; no source is changed"),
    ),
    failures=(EngineUnreachableError, EngineLacksError),
    about="Rewrites requirement files and Dockerfiles: an index on a line of its own, and exact versions such as"
    " 2.3.1+cpu. The difference is shown first, with what else would be installed otherwise afterwards: only nvidia-*,"
    " triton and the build of PyTorch may change, anything else is a warning. What no index offers is not written.",
)
@click.argument("variant", type=click.Choice(["cpu", "cuda", "auto"]))
@click.argument("services", nargs=-1, metavar="[SERVICE]...")
@which_stack_options
@click.option("--index", "index_url", default="", metavar="URL", help="The index that has the build.")
@click.option(
    "--override",
    is_flag=True,
    help="Write build arguments to docker-compose.override.yml, for Dockerfiles that declare TORCH_INDEX_URL.",
)
@click.option("--dry-run", is_flag=True, help="Only show the difference.")
@click.option("--offline", is_flag=True, help="Use cached answers only; make no network requests.")
@untrusted_option
@ask_hosts_option
def command(
    session: Session,
    /,
    *,
    flags: StackFlags,
    variant: str,
    index_url: str,
    override: bool,
    dry_run: bool,
    offline: bool,
) -> None:
    """Choose a build of PyTorch.

    Raises:
        UsageError: The index is no address.
    """
    from tonnage.flows.torch.variant import TorchRequest, choose  # noqa: PLC0415 - help needs none of these
    from tonnage.model.reports.torch import TorchVariant  # noqa: PLC0415
    from tonnage.views.json.torch import torch_form  # noqa: PLC0415
    from tonnage.views.text.lint import change_text  # noqa: PLC0415
    from tonnage.views.text.torch import torch_text  # noqa: PLC0415

    if index_url and not _is_address(index_url):
        raise UsageError(
            f"--index: {index_url!r} is not the address of an index",
            todo="Write it like https://download.pytorch.org/whl/cpu, without a name and a password: those belong into"
            " the settings of pip.",
        )
    request = TorchRequest(
        variant=TorchVariant(variant), index_url=index_url, override=override, writes=not dry_run, offline=offline
    )

    def show(report: TorchReport) -> None:
        session.show(torch_text(report))
        for change in report.changes:
            session.show(change_text(change))

    report = choose(session.ports, flags, request, show=show)
    if session.json:
        session.print_document("torch", torch_form(report, written=not dry_run))
    for note in report.notes:
        session.say(f"note: {note}")
    if report.changes:
        names = ", ".join(each.file.shown for each in report.changes)
        session.show(f"{names}: {'would be written' if dry_run else 'written'}")


def _is_address(text: str) -> bool:
    from urllib.parse import urlsplit  # noqa: PLC0415 - as above

    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    plain = text.isascii() and text.isprintable() and not any(each in text for each in " \"'$`\\;&|<>(){}#")
    return plain and parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
