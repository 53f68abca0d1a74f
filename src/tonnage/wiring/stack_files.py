"""The real files that a stack names, here and on another machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.sources.compose.files import HERE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.inventory import FileToSend, Inputs
    from tonnage.model.stack import BuildSpec, Service, Stack
    from tonnage.sources.compose.files import Files


class RealStackFiles:
    """Satisfies ``StackFiles``."""

    def declared_arguments(self, spec: BuildSpec) -> Mapping[str, str | None]:
        """Return what a build's Dockerfile declares with ``ARG``, with its default."""
        from tonnage.adapters.context.dockerfiles import declared_arguments  # noqa: PLC0415

        return declared_arguments(spec)

    def inputs(self, service: Service) -> Inputs:
        """Return what a service's build would read now."""
        from tonnage.adapters.context.inputs_digest import build_inputs  # noqa: PLC0415

        return build_inputs(service)

    def images_needed(self, service: Service, where: Files = HERE) -> tuple[str, ...]:
        """Return the images from elsewhere that a service stands on, by its files on a machine."""
        from tonnage.adapters.context.dockerfiles import images_needed  # noqa: PLC0415

        return images_needed(service, where)

    def remote(self, endpoint: str, paths: Sequence[str]) -> Files:
        """Return the files of the machine behind ``ssh://``; those of ``paths`` are read at once."""
        from tonnage.adapters.ssh.files import RemoteFiles  # noqa: PLC0415

        return RemoteFiles(endpoint, paths)

    def to_send(self, host: str, stack: Stack) -> tuple[FileToSend, ...]:
        """Return the files that a stack mounts from here and that the engine's machine lacks."""
        from tonnage.adapters.ssh.upload import files_here, files_there  # noqa: PLC0415
        from tonnage.decide.deploy.remote_mounts import files_to_send  # noqa: PLC0415

        here = files_here(stack.directory, stack.sent)
        return files_to_send(here, files_there(host, stack.place, tuple(here)))
