"""What a log shows, for people and programs. Decides only about layout."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.reports.symptom import Explanation, Symptom

_SHOWN = 3


def explanations_text(explanations: Sequence[Explanation], *, width: int) -> str:
    """Write explanations for people."""
    if not explanations:
        return "nothing in it is known to be a sign of a full disk, a failed build or a failed install"
    return "\n\n".join(_block(each, width) for each in explanations)


def _block(explanation: Explanation, width: int) -> str:
    lines = [explanation.what]
    for sentence in explanation.why:
        lines += textwrap.wrap(
            sentence,
            width,
            initial_indent="  ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    more = len(explanation.symptoms) - 1
    if more > 0:
        places = ", ".join(str(each.line) for each in explanation.symptoms[1 : _SHOWN + 1])
        lines.append(f"  The same in line{'s' if more > 1 else ''} {places}{' ...' if more > _SHOWN else ''}.")
    lines += [f"  {line}" for line in explanation.todo.splitlines()]
    return "\n".join(lines)


def explanations_form(log: str, explanations: Sequence[Explanation]) -> dict[str, object]:
    """Return explanations as a JSON-able mapping."""
    return {"log": log, "explanations": [_form(each) for each in explanations]}


def _form(explanation: Explanation) -> dict[str, object]:
    return {
        "kind": explanation.kind.value,
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
        "line": symptom.line,
        "text": symptom.text,
        "told_by": symptom.told_by,
        "path": symptom.path,
        "when": symptom.when,
        "in_build": symptom.in_build,
        "named_bytes": symptom.named_bytes,
        "subject": symptom.subject,
    }
