"""A throw-away engine on a disk of a chosen size: loop disk, network namespace, dockerd; nothing is left of it."""

from tonnage.adapters.private_engine.engine import PrivateEngine, remove_rehearsal, sweep

__all__ = ["PrivateEngine", "remove_rehearsal", "sweep"]
