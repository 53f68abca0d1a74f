"""A plan as a file: everything that the executor needs, to be read back and executed.

The file carries the whole configuration of the services, environment values included. It is not meant to be shown:
:func:`tonnage.views.json.forms.plan_form` is. Its sum tells whether it was changed by somebody who did not mean to hide
that; what it says is compared with a plan of now in any case.
"""

from __future__ import annotations

import hashlib

import msgspec

from tonnage.errors import UsageError
from tonnage.escapes import json_escaped
from tonnage.lazily import learned
from tonnage.model.deploy.plan import PLAN_FORMAT, Plan  # noqa: TC001 - msgspec reads the annotation

DOCUMENT = "tonnage-plan"

MAKE_ONE = "Make one with\n  tonnage plan --out plan.json"


class _Saved(msgspec.Struct, frozen=True, kw_only=True):
    document: str
    format: int
    plan: Plan


def save_plan(plan: Plan) -> str:
    """Write a plan as the text of a plan file."""
    saved = msgspec.json.encode(_Saved(document=DOCUMENT, format=PLAN_FORMAT, plan=plan))
    document = msgspec.json.decode(saved)
    encoded = msgspec.json.encode(document | {"sum": _sum_of(document)}, order="deterministic")
    return json_escaped(msgspec.json.format(encoded, indent=1).decode()) + "\n"


def was_changed(text: str) -> bool:
    """Return whether the text of a plan file, which :func:`read_plan` took, is not as it was written."""
    document = msgspec.json.decode(text)
    return bool(document.pop("sum", "") != _sum_of(document))


def _sum_of(document: object) -> str:
    return hashlib.sha256(msgspec.json.encode(document, order="deterministic")).hexdigest()


def read_plan(text: str, *, place: str = "") -> Plan:
    """Read the text of a plan file.

    Raises:
        UsageError: The text is no plan file, one of another format, or one that was changed by hand into nonsense.
    """
    try:
        document = msgspec.json.decode(text)
    except RecursionError:
        raise UsageError(
            "this is not a plan file", why="It is nested too deeply.", todo=MAKE_ONE, place=place
        ) from None
    except msgspec.DecodeError as error:
        raise UsageError(
            "this is not a plan file", why=f"It is not JSON: {error}", todo=MAKE_ONE, place=place
        ) from error
    kind = document.get("document") if isinstance(document, dict) else None
    if kind == "plan":
        raise UsageError(
            "this is a plan as it is shown, not a plan file",
            why="What --json prints leaves out the configuration of the services, because it may hold secrets.",
            todo=MAKE_ONE,
            place=place,
        )
    if kind != DOCUMENT:
        raise UsageError(
            "this is not a plan file", why=f'It has no "document": "{DOCUMENT}".', todo=MAKE_ONE, place=place
        )
    written_format = document.get("format")
    if written_format != PLAN_FORMAT:
        raise UsageError(
            f"this plan file has format {written_format}, and this version of Tonnage reads format {PLAN_FORMAT}",
            todo=MAKE_ONE,
            place=place,
        )
    try:
        return msgspec.convert(document, learned(_Saved)).plan
    except msgspec.ValidationError as error:
        raise UsageError("this plan file is damaged", why=f"{error}.", todo=MAKE_ONE, place=place) from error
