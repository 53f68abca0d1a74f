"""Which platforms there are: a closed set of words, so that one that is chosen from outside is one of them. Pure.

Source: containerd, ``platforms/database.go``; Go 1.25, ``go tool dist list``.
"""

from __future__ import annotations

from tonnage.lazily import regex

_SYSTEMS = frozenset(
    {
        "aix", "android", "darwin", "dragonfly", "freebsd", "illumos", "ios", "js", "linux", "netbsd", "openbsd",
        "plan9", "solaris", "wasip1", "wasi", "windows",
    }
)  # fmt: skip
_ARCHITECTURES = frozenset(
    {
        "386", "amd64", "arm", "armbe", "arm64", "arm64be", "loong64", "mips", "mipsle", "mips64", "mips64le", "ppc64",
        "ppc64le", "riscv64", "s390x", "wasm", "aarch64", "armel", "armhf", "i386", "x86_64", "x86-64",
    }
)  # fmt: skip
_VARIANT = regex(r"(?:v[0-9](?:\.[0-9])?|rva[0-9]{2}u64)?")
_VERSION = regex(r"\([0-9.]{1,20}\)$")


def is_platform(text: str) -> bool:
    """Return whether a text is a platform, such as ``linux/arm/v7``; the system or the architecture may be left out."""
    system, *rest = text.lower().split("/")
    system = _VERSION.sub("", system)
    if not rest:
        return system in _SYSTEMS | _ARCHITECTURES
    architecture, variant, *more = (*rest, "", "")[: max(2, len(rest))]
    return (
        system in _SYSTEMS and architecture in _ARCHITECTURES and not more and _VARIANT.fullmatch(variant) is not None
    )
