"""Image registries: manifests and configurations of base images, by the OCI distribution API. Nothing is pulled.

Public:
    ``images.ImageRegistry(web, kept, environment=...).base_image(reference, platform) -> BaseImage``
"""
