"""What weights of a model take at most, by the number of parameters in its name: ``Llama-2-7b``, ``8x7B``. Pure.

A repository of a model has two or four bytes for each, and often both of two formats. Without a number in the name
nobody knows, and the usual bound is assumed.
"""

from __future__ import annotations

import re

from tonnage.lazily import regex
from tonnage.model.forecast.estimate import Estimate, Grade, assumed

_PARAMETERS = regex(r"(?<![a-z0-9.])(?:(\d{1,2})x)?(\d{1,4}(?:\.\d{1,3})?)(b|m)(?![a-z0-9])", re.IGNORECASE)
_MILLION, _BILLION = 10**6, 10**9
# Bytes for each parameter, likely and at most; and of what is kept quantised, as Ollama does by itself.
# Source: repositories of models of 0.1 to 70 billion parameters, 2 for one format in half precision, 4 for two of them.
_EACH, _QUANTISED = (2, 5), (1, 3)


def weights_of(name: str, assumed_bytes: int, *, quantised: bool = False) -> Estimate:
    """Return what the weights of a model take; a bound where its name does not tell."""
    found = [
        int(times or 1) * float(number) * (_BILLION if unit in "bB" else _MILLION)
        for times, number, unit in _PARAMETERS.findall(name[:500])
    ]
    if not found:
        return assumed(assumed_bytes)
    likely, high = (int(max(found) * each) for each in (_QUANTISED if quantised else _EACH))
    return Estimate(0, likely, max(high, assumed_bytes), Grade.UNKNOWN)
