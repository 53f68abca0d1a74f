"""Tonnage deploys Compose stacks on small disks without running out of space.

What is named in :mod:`tonnage.wiring.library` can be used from here and is loaded when it first is. All else may change
at any time::

    import tonnage

    here = tonnage.StackFlags(files=("compose.yaml",), settings={"keep-free": "2GB"})
    print(tonnage.forecast_text(tonnage.forecast(here).stack))
    print(tonnage.plan_text(tonnage.plan(here)))
    print(tonnage.observe(here).filesystems)

``docs/library.md`` has more.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tonnage.wiring.library import *  # noqa: F403

__version__ = "0.1.0"

# A package takes the place of what has its name in this one, when it is first loaded: after this it is the function's.
import_module("tonnage.forecast")
del globals()["forecast"]


def __getattr__(name: str) -> object:
    """Load a public name."""
    library = import_module("tonnage.wiring.library")
    if name != "__all__" and name not in library.__all__:
        raise AttributeError(f"module 'tonnage' has no attribute {name!r}")
    value: object = getattr(library, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return [*import_module("tonnage.wiring.library").__all__, "__version__"]
