"""Image registries: manifests and configurations of base images, by the OCI distribution API. Nothing is pulled.

Public:
    ``ImageRegistry(web, kept, environment=..., mirrors=(), insecure=()).base_image(reference, platform) -> BaseImage``
"""

from __future__ import annotations

from tonnage.adapters.registry.images import ImageRegistry

__all__ = ["ImageRegistry"]
