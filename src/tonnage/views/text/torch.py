"""Which PyTorch services get, for people: who brought it, what it costs, the line that ends it, what else changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.escapes import visible_in_line
from tonnage.model.reports.torch import TorchVariant
from tonnage.units import format_bytes
from tonnage.views.text.layout import joined

if TYPE_CHECKING:
    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.reports.torch import PackageChange, ServiceTorch, TorchReport

_MOST_NAMED = 3


def torch_text(report: TorchReport) -> str:
    """Write what was found and what is changed, service by service."""
    if not report.services:
        return "no service is known to install PyTorch"
    lines: list[str] = []
    for each in report.services:
        lines += _service_lines(each)
    return joined(lines)


def chain_text(torch: ServiceTorch) -> str:
    """Return who brought PyTorch: ``torch 2.3.1 <- sentence-transformers <- api/requirements.txt:4``."""
    by = tuple(each for each in torch.brought_by if each != "torch")
    return " <- ".join(map(visible_in_line, (f"torch {torch.version}", *by)))


def _service_lines(torch: ServiceTorch) -> list[str]:
    lines = [f"{torch.service}: {chain_text(torch)}"]
    if torch.cuda:
        lines.append(f"  installs CUDA{_size(torch.cuda_bytes)}")
    if torch.why:
        lines.append(f"  {torch.wanted}, because {visible_in_line(torch.why)}")
    if torch.left:
        lines.append(f"  left as it is: {visible_in_line(torch.left)}")
        if torch.lines:
            lines.append(f"  What {'ends it' if torch.wanted is TorchVariant.CPU else 'brings it'}:")
            lines += [f"  {visible_in_line(each)}" for each in torch.lines]
        return lines
    if torch.line:
        lines.append(f"  the line that {'ends it' if torch.cuda else 'changes it'}: {visible_in_line(torch.line)}")
    if torch.unchecked:
        lines.append(f"  warning: not checked what else changes: {visible_in_line(torch.unchecked)}")
        return lines
    lines += [f"  {each}" for each in _change_lines(torch.changes)]
    if torch.saved is not None and torch.saved.told_bytes is not None and torch.saved.likely_bytes:
        less = torch.saved.likely_bytes
        word = "less" if less > 0 else "more"
        lines.append(f"  {format_bytes(abs(less))} {word} on the disk ({torch.saved.grade})")
    return lines


def _size(estimate: Estimate | None) -> str:
    if estimate is None or estimate.told_bytes is None:
        return ""
    return f": {format_bytes(estimate.likely_bytes)} on the disk ({estimate.grade})"


def _change_lines(changes: tuple[PackageChange, ...]) -> list[str]:
    """Return how the resolution differs; what was not meant to is a warning."""
    lines = [
        f"{each.name} {each.before} becomes {each.after}"
        for each in changes
        if each.expected and each.before and each.after
    ]
    for word, names in (
        ("no longer installed", [each.name for each in changes if each.expected and not each.after]),
        ("installed besides", [each.name for each in changes if each.expected and not each.before]),
    ):
        if names:
            shown = ", ".join(names[:_MOST_NAMED])
            more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
            lines.append(f"{word}: {shown}{more}")
    others = [each for each in changes if not each.expected]
    lines += [
        f"warning: {each.name} {each.before or 'is not there now, and'} becomes {each.after or 'nothing'}"
        for each in others
    ]
    if not others:
        lines.append("nothing else changes")
    return [visible_in_line(each) for each in lines]
