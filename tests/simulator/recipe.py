"""What a build does and how its image behaves, described instead of run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction of a build.

    Args:
        text: Its text: with the chain below it and ``content`` this is its key in the build cache.
        kept_bytes: What its layer keeps. An instruction that keeps nothing still makes an (empty) layer.
        transient_bytes: Written besides, and deleted before the layer is made.
        seconds: How long it takes, of virtual time.
        fails: Ends with a non-zero exit code after everything was written.
        content: Digest of copied files; empty for what runs a command, whose layer differs every time it is made.
        prints: Lines that it prints.
    """

    text: str
    kept_bytes: int = 0
    transient_bytes: int = 0
    seconds: float = 1.0
    fails: bool = False
    content: str = ""
    prints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A healthcheck, in seconds."""

    interval_s: float = 1.0
    retries: int = 3
    start_period_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How a container of an image behaves from its start on.

    Args:
        check: Its healthcheck; None for none.
        passes_after_s: The healthcheck passes from then on; None for never.
        exits_after_s: The process ends then; None for never.
        exit_code: With which it ends.
        http: Answers by port.
        http_after_s: It answers from then on.
        prints: Lines at every start.
        writes_bytes: Written into its own writable layer at the start.
        volume_bytes: Written into each volume that it has just made.
    """

    check: Check | None = None
    passes_after_s: float | None = 0.0
    exits_after_s: float | None = None
    exit_code: int = 0
    http: tuple[tuple[int, int], ...] = ()
    http_after_s: float = 0.0
    prints: tuple[str, ...] = ()
    writes_bytes: int = 0
    volume_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A Dockerfile: base image, instructions, and how the image behaves."""

    base: str = "busybox:latest"
    instructions: tuple[Instruction, ...] = ()
    behaviour: Behaviour = field(default_factory=Behaviour)
    context_bytes: int = 0

    @property
    def digest(self) -> str:
        """Identity of everything that the build reads."""
        return digest_of(repr(self))


def digest_of(*parts: str) -> str:
    """Return ``sha256:...`` over texts."""
    return "sha256:" + hashlib.sha256("\0".join(parts).encode()).hexdigest()
