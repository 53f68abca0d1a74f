"""What went wrong in a log, as text and as a JSON-able mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.escapes import visible_in_line
from tonnage.views.text.layout import joined, wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.reports.symptom import Diagnosis, Explanation, Symptom

_SHOWN = 3


def diagnosis_text(found: Diagnosis, *, width: int) -> str:
    """Write what was explained for people."""
    if not found.found_run:
        return "no failed run in the journal; name a log: tonnage explain build.log"
    return explanations_text(found.explanations, width=width)


def explanations_text(explanations: Sequence[Explanation], *, width: int) -> str:
    """Write explanations for people."""
    if not explanations:
        return "no known sign of a full disk, a failed build or a failed install in this log"
    return "\n\n".join(_block(each, width) for each in explanations)


def _block(explanation: Explanation, width: int) -> str:
    lines = [explanation.what]
    for sentence in explanation.why:
        lines += wrapped(visible_in_line(sentence), width, first="  ", then="    ")
    more = len(explanation.symptoms) - 1
    if more > 0:
        places = ", ".join(str(each.line) for each in explanation.symptoms[1 : _SHOWN + 1])
        lines.append(f"  The same in line{'s' if more > 1 else ''} {places}{' ...' if more > _SHOWN else ''}.")
    lines += [f"  {line}" for line in explanation.todo.splitlines()]
    return joined(lines)


def diagnosis_form(found: Diagnosis) -> dict[str, object]:
    """Return what was explained as a JSON-able mapping."""
    return {"log": found.source, "explanations": [_form(each) for each in found.explanations]}


def _form(explanation: Explanation) -> dict[str, object]:
    return {
        "kind": explanation.kind.value,
        "cause": explanation.cause or None,
        "service": explanation.service or None,
        "elsewhere": explanation.elsewhere or None,
        "what": explanation.what,
        "why": list(explanation.why),
        "todo": explanation.todo,
        "mount": explanation.mount or None,
        "missing_bytes": explanation.missing_bytes,
        "forecast_missing_bytes": explanation.forecast_missing_bytes,
        "symptoms": [_symptom_form(each) for each in explanation.symptoms],
    }


def _symptom_form(symptom: Symptom) -> dict[str, object]:
    return {
        "kind": symptom.kind.value,
        "cause": symptom.cause or None,
        "line": symptom.line,
        "text": symptom.text,
        "told_by": symptom.told_by,
        "path": symptom.path,
        "when": symptom.when,
        "in_build": symptom.in_build,
        "named_bytes": symptom.named_bytes,
        "subject": symptom.subject,
    }
