"""All subjects, by name. A new reader of what strangers write is added to a file of ``subjects``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fuzz.subjects import builds, compose, engines, indexes, node, packages, registries, written

if TYPE_CHECKING:
    from tests.fuzz.subject import Subject

_OF = (builds, compose, engines, indexes, node, packages, registries, written)

SUBJECTS: dict[str, Subject] = {subject.name: subject for module in _OF for subject in module.SUBJECTS}
