"""Requirement files as pip reads them: what is asked for, where from, and on which line."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from tonnage.model.forecast.finding import Finding
    from tonnage.model.stack import Place


class RequirementKind(StrEnum):
    """How a requirement is given."""

    NAMED = "named"
    ADDRESS = "address"
    REPOSITORY = "repository"
    PATH = "path"


class Requirement(Struct, frozen=True, kw_only=True):
    """One requirement.

    Args:
        text: As pip gets it, variables put in, options and comment left out.
        name: The project, as PEP 503 normalises it; empty where it cannot be told without fetching.
        specifier: Versions, such as ``==2.3.1``; empty for any.
        marker: The environment marker; empty for always.
        location: The address or the path; empty for a name.
        editable: Given with ``-e``.
        hashes: ``sha256:...`` of the files that are allowed.
    """

    text: str
    kind: RequirementKind
    place: Place
    name: str = ""
    extras: tuple[str, ...] = ()
    specifier: str = ""
    marker: str = ""
    location: str = ""
    editable: bool = False
    hashes: tuple[str, ...] = ()


class IndexOptions(Struct, frozen=True, kw_only=True):
    """Where to look and what to take, from one file or one command.

    Args:
        index_url: The index; empty for the usual one.
        find_links: Directories or pages with files.
        only_binary: Names that must be wheels, or ``:all:``.
        no_binary: Names that must not be wheels, or ``:all:``.
        trusted_hosts: Hosts without a checked certificate.
    """

    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    pre: bool = False
    only_binary: tuple[str, ...] = ()
    no_binary: tuple[str, ...] = ()
    require_hashes: bool = False
    trusted_hosts: tuple[str, ...] = ()


class Requirements(Struct, frozen=True, kw_only=True):
    """A requirement file with everything that it includes.

    Args:
        requirements: What is to be installed, in order.
        constraints: What only limits versions (``-c``).
        options: The options of all files together.
        files: Every file that was read, in order, as it was asked for.
    """

    requirements: tuple[Requirement, ...]
    constraints: tuple[Requirement, ...]
    options: IndexOptions
    findings: tuple[Finding, ...] = ()
    files: tuple[str, ...] = ()
