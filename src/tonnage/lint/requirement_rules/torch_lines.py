"""Lines of requirement files that name PyTorch, and the exact pin of a build without CUDA."""

from __future__ import annotations

from tonnage.lazily import regex

TORCH = regex(r"\s*(?P<name>torch|torchvision|torchaudio)(?![A-Za-z0-9._-])", 0)
MOST_CHARACTERS = 2_000
"""Of a line that is looked at; no requirement without hashes is longer."""
_PIN = regex(r"(?P<before>.*?==\s*)(?P<version>\d+(?:\.\d+)*)(?P<local>\+[A-Za-z0-9.]+)?(?P<behind>(?:\s*;.*|\s*)?)")


def with_cpu_pin(requirement: str) -> str:
    """Return a requirement with the local version ``+cpu``; as it is where it names no exact version."""
    found = _PIN.fullmatch(requirement)
    if found is None or requirement.count("==") - requirement.count("===") != 1:
        return requirement
    return f"{found['before']}{found['version']}+cpu{found['behind']}"


def has_exact_pin(requirement: str) -> bool:
    """Return whether it names one version."""
    return _PIN.fullmatch(requirement) is not None
