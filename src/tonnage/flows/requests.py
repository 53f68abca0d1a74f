"""What is asked of a use case, as the command line or a program says it. Data only."""

from __future__ import annotations

from msgspec import Struct


class StackFlags(Struct, frozen=True, kw_only=True):
    """Which stack and which engine, as typed on the command line; empty where nothing was typed."""

    files: tuple[str, ...] = ()
    project_name: str = ""
    project_directory: str = ""
    env_files: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    host: str = ""
    place: str = ""
    services: tuple[str, ...] = ()


class ReclaimFlags(Struct, frozen=True, kw_only=True):
    """What was typed, sizes read; None and empty where nothing was."""

    until_bytes: int | None
    free_bytes: int | None
    plan_file: str
    everything: bool
    keep: tuple[str, ...]
    only: tuple[str, ...]
    volumes: tuple[str, ...]
    mount: str
    root: str
    disposable: bool
    yes: bool
    background: bool
    wait_bytes: int | None
