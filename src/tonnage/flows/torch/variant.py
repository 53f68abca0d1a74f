"""``tonnage torch``: who brought PyTorch with CUDA, what to write for another build, and what that changes.

Every change is forecast before it is written: what cannot be installed is not written. Files are changed as ``lint``
changes them: the difference is shown first, and nothing outside of the project is touched.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.decide.deploy.build_environment import TORCH_CPU_ONLY, TORCH_INDEX_URL
from tonnage.decide.deploy.planning import asked_for
from tonnage.errors import CannotFetchError, UsageError
from tonnage.flows.lint.files import linted, written_text
from tonnage.flows.lint.writing import roots_of, write_change
from tonnage.flows.remedies import with_args
from tonnage.flows.stack import build_environment_of, read_wanted
from tonnage.flows.torch.forecasts import opened_look
from tonnage.flows.torch.override import OverrideFile
from tonnage.flows.torch.proposals import proposals
from tonnage.flows.torch.resolved import torch_of
from tonnage.forecast.costs.totals import forecast_stack
from tonnage.lint.prices import saved
from tonnage.lint.torch.builds import build_of, differences, label_of
from tonnage.lint.torch.dockerfile_text import lines_to_write
from tonnage.lint.torch.line_ends import as_in_file
from tonnage.lint.torch.override_text import arguments
from tonnage.model.reports.lint import LintChange, LintedKind
from tonnage.model.reports.torch import ServiceTorch, TorchReport, TorchVariant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tonnage.flows.ports import DeployPorts
    from tonnage.flows.requests import StackFlags
    from tonnage.flows.stack import DesiredState
    from tonnage.flows.torch.forecasts import TorchLook
    from tonnage.flows.torch.proposals import Proposal
    from tonnage.flows.torch.resolved import ResolvedTorch
    from tonnage.forecast.gather.watched import LookedUp
    from tonnage.model.forecast.estimate import ServiceForecast
    from tonnage.model.reports.lint import LintedFile
    from tonnage.model.reports.torch import TorchBuild
    from tonnage.model.stack import Service

_ARM64 = "arm64"


class TorchRequest(Struct, frozen=True, kw_only=True):
    """What is asked for.

    Args:
        variant: Which PyTorch.
        index_url: The index that has it; empty for the usual one.
        override: Write build arguments to a compose file, and leave the sources alone.
        writes: Changes are written; else they are only shown.
        offline: Ask no server.
    """

    variant: TorchVariant
    index_url: str = ""
    override: bool = False
    writes: bool = True
    offline: bool = False


def choose(
    ports: DeployPorts,
    flags: StackFlags,
    request: TorchRequest,
    *,
    show: Callable[[TorchReport], None] = lambda _: None,
) -> TorchReport:
    """Give services a build of PyTorch.

    Args:
        show: Is given what was found and what changes before anything is written.

    Returns:
        What was found and changed.

    Raises:
        UsageError: What was typed cannot be done, or a file cannot be written.
        EngineUnreachableError: The engine that was named does not answer.
    """
    # What the environment says of PyTorch is what this command says anew.
    environment = {
        name: value for name, value in ports.environment.items() if name not in {TORCH_CPU_ONLY, TORCH_INDEX_URL}
    }
    wanted = read_wanted(ports, flags, builds=False, runs=False)
    wanted = replace(wanted, stack=build_environment_of(ports, wanted.stack, environment))
    own_index = "" if wanted.untrusted else ports.environment.get(TORCH_INDEX_URL, "")
    names = set(asked_for(wanted.stack, wanted.services))
    services = [each for each in wanted.stack.built if each.name in names]
    if not services:
        raise UsageError("no service is built here", todo="Name services with a build section.")
    override = OverrideFile.of(wanted.stack) if request.override else None
    with opened_look(ports, wanted, offline=request.offline) as look:
        run = _Choosing(ports, wanted, request, own_index, look, override)
        found = [run.service(each) for each in services]
        for change in (*run.changes(), *((override.change(),) if override is not None else ())):
            if change is not None:
                run.made.append(change)
    report = TorchReport(
        services=tuple(each for each in found if each is not None),
        changes=tuple(run.made),
        notes=tuple(dict.fromkeys((*(override.notes if override is not None else ()), *look.notes))),
    )
    show(report)
    if request.writes:
        roots = roots_of(ports.working_directory, wanted)
        for change in report.changes:
            if change.after:
                write_change(change, roots)
            else:
                OverrideFile.remove(change)
    return report


class _Choosing:
    """Goes through services, and remembers files as they become."""

    def __init__(
        self,
        ports: DeployPorts,
        wanted: DesiredState,
        request: TorchRequest,
        own_index: str,
        look: TorchLook,
        override: OverrideFile | None,
    ) -> None:
        self._ports = ports
        self._wanted = wanted
        self._request = request
        self._own_index = own_index
        self._look = look
        self._override = override
        self._before: dict[str, str] = {}
        self._after: dict[str, str] = {}
        self.made: list[LintChange] = []

    def changes(self) -> list[LintChange]:
        """Return the files that are changed."""
        here = self._ports.working_directory
        dockerfiles = {each.build.dockerfile for each in self._wanted.stack.built if each.build is not None}
        found = []
        for path, text in self._after.items():
            file = linted(path, here, LintedKind.DOCKERFILE if path in dockerfiles else LintedKind.REQUIREMENTS)
            if text != self._before[path]:
                before, after = _as_in_file(file, self._before[path], text)
                found.append(LintChange(file=file, before=before, after=after))
        return found

    def service(self, service: Service) -> ServiceTorch | None:
        """Look at one service; None where it installs no PyTorch."""
        forecast, seen = self._look.forecast(service, self._after)
        torch = torch_of(service, forecast, seen)
        if torch is None:
            if forecast.failures:
                self._look.notes.append(f"{service.name}: what it installs is not known: {forecast.failures[0]}")
            return None
        variant, why = self._variant(service)
        build = build_of(variant, self._index(variant))
        said = ServiceTorch(
            service=service.name,
            wanted=variant,
            why=why,
            version=torch.version,
            brought_by=self._chain(torch, seen),
            cuda=torch.cuda,
            cuda_bytes=torch.cuda_bytes if torch.cuda else None,
        )
        has = torch.version.partition("+")[2]
        named = label_of(build.index_url) if variant is TorchVariant.CUDA else ""
        if torch.cuda is (variant is TorchVariant.CUDA) and (not named or has == named):
            return replace(said, left=self._already(torch, variant))
        if self._override is not None:
            return self._overridden(service, said, forecast, torch, build, self._override)
        return self._rewritten(service, said, forecast, seen, torch, build)

    def _already(self, torch: ResolvedTorch, variant: TorchVariant) -> str:
        if variant is TorchVariant.CUDA:
            return "it comes with CUDA already"
        if _ARM64 in self._look.platform and "+" not in torch.version:
            return "it comes without CUDA on arm64, as up to PyTorch 2.10; 2.11 brings CUDA there too"
        return "it comes without CUDA already"

    def _index(self, variant: TorchVariant) -> str:
        if variant is TorchVariant.CPU:
            return self._request.index_url or self._own_index
        # With auto the index that is named is that of builds without CUDA.
        return "" if self._request.variant is TorchVariant.AUTO else self._request.index_url

    def _variant(self, service: Service) -> tuple[TorchVariant, str]:
        """Return the variant that suits the target of a service, and why."""
        if self._request.variant is not TorchVariant.AUTO:
            return self._request.variant, ""
        runtime = str(service.config.get("runtime", ""))
        asks = service.devices[0] if service.devices else (f"the runtime {runtime}" if "nvidia" in runtime else "")
        if not asks:
            return TorchVariant.CPU, "it requests no GPU"
        engine = self._look.engine
        known = (*engine.runtimes, *(engine.cdi_devices or ())) if engine is not None else ()
        if known and not any("nvidia" in each for each in known):
            self._look.notes.append(
                f"{service.name} asks for {asks}, and this engine has no runtime of NVIDIA: it has {', '.join(known)}"
            )
        return TorchVariant.CUDA, f"it asks for {asks}"

    def _chain(self, torch: ResolvedTorch, seen: LookedUp) -> tuple[str, ...]:
        """Return what brought it, with the file as it is named from here."""
        name, line = torch.place
        path = next((each for each in seen.texts if os.path.basename(each) == name), "")  # noqa: PTH119 - text
        if not path:
            return torch.brought_by
        shown = linted(path, self._ports.working_directory, LintedKind.REQUIREMENTS).shown
        return (*torch.brought_by[:-1], f"{shown}:{line}")

    def _overridden(
        self,
        service: Service,
        said: ServiceTorch,
        before: ServiceForecast,
        torch: ResolvedTorch,
        build: TorchBuild,
        override: OverrideFile,
    ) -> ServiceTorch:
        assert service.build is not None  # noqa: S101 - only built ones are looked at
        declared = self._ports.files.declared_arguments(service.build)
        if TORCH_INDEX_URL not in declared:
            return replace(
                said,
                left=f"its Dockerfile declares no ARG {TORCH_INDEX_URL}, so that a build argument has no effect",
                lines=lines_to_write(build, torch.versions, declared),
            )
        if said.wanted is TorchVariant.CUDA and not build.index_url:
            taken = override.without(service.name)
            return replace(said, left="" if taken else "name the index that has it: --index URL")
        args = arguments(declared, build.index_url, cpu=said.wanted is TorchVariant.CPU)
        [given] = with_args([service], {service.name: args})
        said, ok = self._checked(given, said, before, torch, {})
        if not ok:
            return replace(
                said, left=said.unchecked or "with this argument it would not be another build", unchecked=""
            )
        override.give(service.name, args)
        return replace(said, line=f"{TORCH_INDEX_URL}: {build.index_url} ({override.shown})")

    def _rewritten(
        self,
        service: Service,
        said: ServiceTorch,
        before: ServiceForecast,
        seen: LookedUp,
        torch: ResolvedTorch,
        build: TorchBuild,
    ) -> ServiceTorch:
        spec = service.build
        assert spec is not None  # noqa: S101 - only built ones are looked at
        declared = self._ports.files.declared_arguments(spec)
        left = ""
        lines: tuple[str, ...] = ()
        for proposal in proposals(self._ports, service, seen, torch, build, self._after, hashes=self._look.hashes):
            if not proposal.texts:
                left, lines = left or proposal.left, lines or proposal.lines
                continue
            checked, ok = self._checked(service, said, before, torch, proposal.texts)
            if ok:
                return replace(self._taken(checked, proposal), left="")
            left = left or checked.unchecked
        if not lines and TORCH_INDEX_URL not in declared:
            lines = lines_to_write(build, torch.versions, declared)
        return replace(said, left=left or "nothing that could be changed was found", lines=lines)

    def _taken(self, said: ServiceTorch, proposal: Proposal) -> ServiceTorch:
        for path, text in proposal.texts.items():
            self._before.setdefault(path, proposal.before[path])
            self._after[path] = text
        shown = linted(proposal.place, self._ports.working_directory, LintedKind.REQUIREMENTS).shown
        return replace(said, line=f"{proposal.written} ({shown}:{proposal.line})")

    def _checked(
        self,
        service: Service,
        said: ServiceTorch,
        before: ServiceForecast,
        torch: ResolvedTorch,
        texts: Mapping[str, str],
    ) -> tuple[ServiceTorch, bool]:
        """Forecast a change, and return what it makes of a service, and whether it is what is wanted."""
        after, seen = self._look.forecast(service, {**self._after, **texts})
        new = torch_of(service, after, seen)
        if new is None or len(after.failures) > len(before.failures):
            why = after.failures[0] if after.failures else "it would install no PyTorch any more"
            # What an index refuses is not written; where none answers it is, which is said.
            return replace(said, unchecked=why), not after.broken and new is None and _is_unanswered(seen)
        if new.cuda is not (said.wanted is TorchVariant.CUDA):
            return replace(said, unchecked="it would still be the same build"), False
        further = next((name for name in new.packages if name not in torch.packages), "")
        if further and any("--hash" in text for text in texts.values()):
            why = f"its hashes lack what would come along, such as {further}: compile the requirements again"
            return replace(said, unchecked=why), False
        kind, stack = self._look.kind, self._wanted.stack.name
        return replace(
            said,
            changes=differences(torch.packages, new.packages),
            saved=saved(forecast_stack(stack, kind, [before]), forecast_stack(stack, kind, [after])),
        ), True


def _as_in_file(file: LintedFile, before: str, after: str) -> tuple[str, str]:
    try:
        return as_in_file(written_text(file), before, after)
    except OSError:
        return before, after


def _is_unanswered(seen: LookedUp) -> bool:
    """Return whether nothing speaks against a change but that nobody could be asked."""
    failed = [each for each in seen.failed if isinstance(each, CannotFetchError)]
    return bool(failed) and len(failed) == len(seen.failed) and all(each.cause == "unreachable" for each in failed)
