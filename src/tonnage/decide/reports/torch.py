"""What services would install of PyTorch, from their forecasts. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.reports.checklist import FoundTorch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.estimate import ServiceForecast
    from tonnage.model.stack import Service

_CUDA = ("nvidia-", "cuda-", "triton ")
_TORCH = "torch "


def found_torch(services: Sequence[Service], forecasts: Sequence[ServiceForecast]) -> tuple[FoundTorch, ...]:
    """Return what services that install PyTorch get of it."""
    known = {each.service: each for each in forecasts}
    found = []
    for service in services:
        steps = known[service.name].steps if service.name in known else ()
        for step in steps:
            torch = next((part for part in step.contributors if part.name.startswith(_TORCH)), None)
            if torch is None or step.text.startswith("COPY"):
                continue
            cuda = [part for part in step.contributors if part.name.startswith(_CUDA)]
            found.append(
                FoundTorch(
                    service=service.name,
                    cuda=bool(cuda),
                    device=bool(service.devices),
                    bytes_of_cuda=sum(part.disk.likely_bytes for part in cuda),
                    version=torch.name.removeprefix(_TORCH),
                    line=step.line,
                    by_pip="pip" in step.text and "install" in step.text,
                )
            )
            break
    return tuple(found)
