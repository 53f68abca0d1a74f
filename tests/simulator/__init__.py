"""An engine with real semantics and no side effects, for tests.

It implements the same interfaces as the real engine: a disk that really fills, layers stored once by chain, names that
move, containers that pin images and live by a virtual clock. One contract suite (``tests/contract``) holds it to the
real engine; where the two differ, this package is what gets corrected.
"""

from tests.simulator.clock import VirtualClock, VirtualEvent
from tests.simulator.disk import Disk
from tests.simulator.engine import Simulator
from tests.simulator.faults import Faults, PowerCutError
from tests.simulator.recipe import Behaviour, Check, Instruction, Recipe
from tests.simulator.talk import Heard

__all__ = [
    "Behaviour",
    "Check",
    "Disk",
    "Faults",
    "Heard",
    "Instruction",
    "PowerCutError",
    "Recipe",
    "Simulator",
    "VirtualClock",
    "VirtualEvent",
]
