"""What a project of uv says for another build of PyTorch: an explicit index, and that PyTorch comes from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.reports.torch import TORCH_FAMILY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.model.reports.torch import TorchBuild


def project_lines(build: TorchBuild, versions: Mapping[str, str]) -> tuple[str, ...]:
    """Return the lines for ``pyproject.toml`` that people copy, and the command that renews the lock.

    Args:
        versions: Of the packages of PyTorch that are installed.
    """
    names = [name for name in TORCH_FAMILY if name in versions]
    listed = ", ".join(f'"{name}=={versions[name]}"' for name in names)
    if not build.index_url:
        return ("  take torch out of [tool.uv.sources], then: uv lock",)
    label = f"pytorch-{build.label or 'cuda'}"
    return (
        f"  in [project] dependencies: {listed}",
        "  [[tool.uv.index]]",
        f'  name = "{label}"',
        f'  url = "{build.index_url}"',
        "  explicit = true",
        "  [tool.uv.sources]",
        *(f'  {name} = {{ index = "{label}" }}' for name in names),
        "  then: uv lock",
    )
