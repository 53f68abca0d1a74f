"""What a build was forecast to do, as a plan takes it, and on which shared images it stands."""

from __future__ import annotations

from msgspec import Struct

from tonnage.model.deploy.sharing import SharedImage  # noqa: TC001
from tonnage.model.forecast.estimate import NOTHING, Estimate  # noqa: TC001


class ExpectedInstruction(Struct, frozen=True, kw_only=True):
    """What one instruction of a build step was forecast to do, to stand beside what is measured of it.

    Args:
        text: The instruction on one line, as the builder names it.
        learn_key: Under which key it is learned from.
        in_image: Whether its layer is one of the image's.
        layers: How many layers it brings: of a ``FROM`` those of the image, else one.
        parts: What weighs most in its layer, heaviest first, with its likely bytes.
    """

    stage: str
    line: int
    text: str
    key: str
    learn_key: str
    image: Estimate
    disk: Estimate
    transient: Estimate
    in_image: bool = True
    layers: int = 1
    parts: tuple[tuple[str, int], ...] = ()


class ExpectedBuild(Struct, frozen=True, kw_only=True):
    """What one build step will do to the filesystem of the plan.

    Args:
        cache: How much of what stays is no layer of the image, so that cleaning up may give it back.
        given_back: What may come free with the image and the build cache behind it.
        base: The image that its Dockerfile names, where it stands on a shared one in place of it.
        base_line: The line of the stage that does, where others stand on that image as well; else 0.
        passes: It is a shared image that nothing needs once the services are built.
        stands_on: The shared images that it stands on, lowest first.
        uv_directory: Where the program is that installs into them.
    """

    kept: Estimate
    transient: Estimate
    cache: Estimate = NOTHING
    given_back: Estimate = NOTHING
    instructions: tuple[ExpectedInstruction, ...] = ()
    base: str = ""
    base_line: int = 0
    passes: bool = False
    stands_on: tuple[SharedImage, ...] = ()
    uv_directory: str = ""
