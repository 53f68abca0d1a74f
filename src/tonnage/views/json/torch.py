"""Which PyTorch services get, as the documented form of ``docs/json.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.addresses import redacted
from tonnage.views.json.forms import figures

if TYPE_CHECKING:
    from tonnage.model.reports.torch import ServiceTorch, TorchReport


def torch_form(report: TorchReport, *, written: bool) -> dict[str, object]:
    """Return what was found and what is changed."""
    return {
        "services": [_service_form(each) for each in report.services],
        "changed": [each.file.shown for each in report.changes],
        "written": written and bool(report.changes),
        "notes": [redacted(each) for each in report.notes],
    }


def _service_form(torch: ServiceTorch) -> dict[str, object]:
    return {
        "service": torch.service,
        "wanted": str(torch.wanted),
        "why": torch.why,
        "version": torch.version,
        "brought_by": list(torch.brought_by),
        "cuda": torch.cuda,
        "cuda_bytes": None if torch.cuda_bytes is None else figures(torch.cuda_bytes),
        "line": redacted(torch.line),
        "lines": [redacted(each) for each in torch.lines],
        "left": redacted(torch.left),
        "changes": [
            {"name": each.name, "before": each.before, "after": each.after, "expected": each.expected}
            for each in torch.changes
        ],
        "saved_bytes": None if torch.saved is None else figures(torch.saved),
        "unchecked": redacted(torch.unchecked),
    }
