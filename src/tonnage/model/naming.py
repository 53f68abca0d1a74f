"""Names that Tonnage gives to what it makes on an engine, so that it recognises its own things again.

The names of images start with ``localhost/``: an engine that had to look for them would ask this machine, never a
public registry.
"""

from __future__ import annotations

LABEL_STACK = "tonnage.stack"
LABEL_SERVICE = "tonnage.service"
LABEL_INPUTS = "tonnage.inputs"
LABEL_CONFIG = "tonnage.config"


def candidate_reference(stack: str, service: str) -> str:
    """Return the name of a built image that is not proven yet."""
    return _reference(stack, service, "candidate")


def previous_reference(stack: str, service: str) -> str:
    """Return the name that keeps the image of the previous good version for rollback."""
    return _reference(stack, service, "previous")


def withdrawn_reference(stack: str, service: str) -> str:
    """Return the name of the image that was rolled away from, until the next deploy of the service."""
    return _reference(stack, service, "withdrawn")


def beside_name(stack: str, service: str) -> str:
    """Return the name of the container that is proven beside the running one."""
    return f"{stack}-{service}-beside"


def _reference(stack: str, service: str, tag: str) -> str:
    # Service names may hold upper-case letters; repository names may not.
    return f"localhost/tonnage/{stack.lower()}/{service.lower()}:{tag}"
