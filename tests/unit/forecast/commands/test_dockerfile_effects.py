"""Dockerfiles in, what their commands do out: ``NAME.Dockerfile`` and ``NAME.txt`` in ``dockerfiles/`` for each.

Each line of the text is the line of the Dockerfile, the effect, and what of it is not as usual.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path

import pytest
from msgspec import Struct

from tonnage.forecast.commands.effects import effects
from tonnage.model.forecast.estimate import Estimate
from tonnage.model.forecast.requirements import Requirement
from tonnage.sources.dockerfile.parser import read_dockerfile
from tonnage.sources.dockerfile.recipe import recipe

CASES = Path(__file__).parent / "dockerfiles"
NAMES = sorted(path.stem for path in CASES.glob("*.Dockerfile"))


# The words of the command, and where it stands.
_SAID_ALREADY = frozenset({"place", "command", "program", "fed", "runs_in", "sees_base"})


def told(dockerfile: str) -> str:
    """Return the effects of every instruction of every stage that is built, one line for each."""
    lines = []
    for stage in recipe(read_dockerfile(dockerfile), target="").stages:
        remembered: dict[str, str] = {}
        lines.append(f"{stage.place.line} stage {stage.index} on {stage.base.kind} {stage.base.name}".rstrip())
        for step in stage.steps:
            for effect in effects(step, platform=stage.platform, remembered=remembered):
                shown = {name: _shown(value) for name, value in _unusual(effect).items()}
                words = "".join(f" {name}={value}" for name, value in shown.items())
                lines.append(f"{effect.place.line} {type(effect).__name__}{words}")
    return "\n".join(lines) + "\n"


def _unusual(thing: object) -> dict[str, object]:
    """Return the fields that are not as usual."""
    assert isinstance(thing, Struct)
    found: dict[str, object] = {}
    names = thing.__struct_fields__
    usual = [getattr(each, "factory", lambda each=each: each)() for each in thing.__struct_defaults__]
    defaults = dict(zip(names[len(names) - len(usual) :], usual, strict=True))
    for name in names:
        value = getattr(thing, name)
        if name not in _SAID_ALREADY and (name not in defaults or value != defaults[name]):
            found[name] = value
    return found


def _shown(value: object) -> str:
    if isinstance(value, Enum):
        return str(value.value).replace(" ", "-")
    if isinstance(value, Estimate):
        return f"{value.low_bytes}-{value.likely_bytes}-{value.high_bytes}-{value.grade}"
    if isinstance(value, Requirement):
        return value.text if not value.location else f"{'-e ' if value.editable else ''}{value.kind}:{value.location}"
    if isinstance(value, Struct):
        return "(" + " ".join(f"{name}={_shown(each)}" for name, each in _unusual(value).items()) + ")"
    if isinstance(value, tuple):
        return "[" + ", ".join(_shown(each) for each in value) + "]"
    return str(value)


@pytest.mark.parametrize("name", NAMES)
def test_every_effect_of_a_dockerfile_is_told(name: str) -> None:
    text = (CASES / f"{name}.Dockerfile").read_text()
    assert told(text) == (CASES / f"{name}.txt").read_text()


def test_there_are_cases() -> None:
    assert len(NAMES) > 25
