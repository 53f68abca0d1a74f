"""Where ``TORCH_CPU_ONLY=1`` has no effect: PyTorch comes with CUDA, and the Dockerfile takes no notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.deploy.build_environment import CPU_INDEX, TORCH_CPU_ONLY, TORCH_INDEX_URL, is_cpu_only
from tonnage.decide.reports.torch import found_torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.flows.ports import StackPorts
    from tonnage.model.forecast.estimate import ServiceForecast
    from tonnage.model.stack import Service


def without_effect(
    ports: StackPorts, services: Sequence[Service], forecasts: Sequence[ServiceForecast], *, untrusted: bool = False
) -> tuple[str, ...]:
    """Say for which services the user's ``TORCH_CPU_ONLY=1`` does nothing, and what to write.

    Args:
        untrusted: The stack is a stranger's, whose builds get nothing of the environment.

    Returns:
        Notes; lines to copy are notes of their own.
    """
    if untrusted or not is_cpu_only(ports.environment):
        return ()
    from tonnage.lint.torch.builds import build_of, public  # noqa: PLC0415 - only where it was set
    from tonnage.lint.torch.dockerfile_text import lines_to_write  # noqa: PLC0415
    from tonnage.model.reports.torch import TorchVariant  # noqa: PLC0415

    build = build_of(TorchVariant.CPU, ports.environment.get(TORCH_INDEX_URL, "") or CPU_INDEX)
    built = {each.name: each for each in services if each.build is not None}
    notes = []
    for torch in found_torch(tuple(built.values()), forecasts):
        spec = built[torch.service].build
        if not torch.cuda or spec is None:
            continue
        declared = ports.files.declared_arguments(spec)
        if TORCH_INDEX_URL in declared or TORCH_CPU_ONLY in declared:
            notes.append(
                f"{torch.service}: PyTorch comes with CUDA although {TORCH_CPU_ONLY} is set, which its Dockerfile"
                f" declares; what would end it says: tonnage torch cpu --dry-run {torch.service}"
            )
            continue
        place = f"{spec.dockerfile.rpartition('/')[2] or 'the Dockerfile'}:{torch.line}"
        notes.append(
            f"{torch.service}: {TORCH_CPU_ONLY} has no effect, because its Dockerfile declares neither {TORCH_CPU_ONLY}"
            f" nor {TORCH_INDEX_URL}; tonnage torch cpu {torch.service} fixes it, as do these lines above {place}:"
        )
        notes += lines_to_write(build, {"torch": public(torch.version)}, declared)
    return tuple(notes)
