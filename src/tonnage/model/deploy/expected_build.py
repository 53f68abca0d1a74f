"""What a build step is expected to do to the filesystem of the plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.model.forecast.estimate import NOTHING

if TYPE_CHECKING:
    from tonnage.model.deploy.plan import ExpectedInstruction
    from tonnage.model.forecast.estimate import Estimate


class ExpectedBuild(Struct, frozen=True, kw_only=True):
    """What one build step will do to the filesystem of the plan.

    Args:
        kept: What stays.
        transient: What is needed on top at the worst moment.
        cache: How much of what stays is no layer of the image, so that cleaning up may give it back.
        instructions: The same for each instruction.
    """

    kept: Estimate
    transient: Estimate
    cache: Estimate = NOTHING
    instructions: tuple[ExpectedInstruction, ...] = ()
