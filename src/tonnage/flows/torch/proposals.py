"""What may be written for another build of PyTorch: the default of an argument first, else what asks for PyTorch."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.flows.torch.resolved import constraint_files, files_named, marker_holds, only_for_cuda
from tonnage.lint.torch.dockerfile_text import with_argument, with_words
from tonnage.lint.torch.project_text import project_lines, tool_of
from tonnage.lint.torch.requirement_text import WantedVersions, with_build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tonnage.flows.ports import StackPorts
    from tonnage.flows.torch.resolved import ResolvedTorch
    from tonnage.forecast.gather.watched import LookedUp
    from tonnage.lint.torch.requirement_text import WrittenBuild
    from tonnage.model.forecast.python_lock import ResolveRequest
    from tonnage.model.reports.torch import TorchBuild
    from tonnage.model.stack import Service

    Hashes = Callable[[ResolveRequest, ResolvedTorch, TorchBuild], Mapping[str, tuple[str, ...]]]

_NO_REQUIREMENTS = (".toml", ".lock", ".py", ".cfg", ".json", ".yml", ".yaml")


class Proposal(Struct, frozen=True, kw_only=True):
    """One change.

    Args:
        texts: Files as they would be, by path; none where there is nothing to change.
        before: The same as they are.
        place: The file with the line that makes the difference.
        written: That line.
        left: Why there is nothing to change.
        lines: What people may write instead.
    """

    texts: Mapping[str, str] = {}
    before: Mapping[str, str] = {}
    place: str = ""
    line: int = 0
    written: str = ""
    left: str = ""
    lines: tuple[str, ...] = ()


def proposals(
    ports: StackPorts,
    service: Service,
    seen: LookedUp,
    torch: ResolvedTorch,
    build: TorchBuild,
    after: Mapping[str, str],
    *,
    hashes: Hashes,
) -> Iterator[Proposal]:
    """Yield what may be written, what is preferred first.

    Args:
        after: Files as they are changed already.
        hashes: Looks up the hashes of another build.
    """
    spec = service.build
    assert spec is not None  # noqa: S101 - only built ones are looked at
    dockerfile = spec.dockerfile
    text = after.get(dockerfile) or ports.files.dockerfile(spec)
    if dockerfile and build.index_url:
        found = with_argument(text, build)
        if found.line:
            yield _proposal({dockerfile: (text, found)})
    if torch.request is None:
        yield Proposal(
            left="it comes from a lock, which only the tool that wrote it can renew",
            lines=_of_project(seen, torch, build),
        )
        return
    if not torch.by_pip:
        yield Proposal(
            left="it is installed by neither pip nor uv pip, whose files are changed",
            lines=_of_project(seen, torch, build),
        )
        return
    yield _of_installs(service, seen, torch, build, (dockerfile, text), hashes)


def _of_project(seen: LookedUp, torch: ResolvedTorch, build: TorchBuild) -> tuple[str, ...]:
    tool = tool_of({posixpath.basename(path): text for path, text in seen.texts.items()})
    return () if tool is None else project_lines(tool, build, torch.versions)


def _of_installs(
    service: Service,
    seen: LookedUp,
    torch: ResolvedTorch,
    build: TorchBuild,
    dockerfile: tuple[str, str],
    hashes: Hashes,
) -> Proposal:
    spec, request = service.build, torch.request
    assert spec is not None  # noqa: S101 - asked for those alone
    assert request is not None  # noqa: S101 - as above
    wanted = WantedVersions(
        versions=torch.versions,
        without=only_for_cuda(torch.lock) if build.label == "cpu" else (),
        holds=marker_holds(torch.lock),
    )
    name, line = torch.place
    limits = constraint_files(seen)
    bringing = files_named(seen, name)[:1]
    changed: dict[str, tuple[str, WrittenBuild]] = {}
    left = ""
    for path, text in seen.texts.items():
        if path.endswith(_NO_REQUIREMENTS):
            continue
        if "--hash" in text and not wanted.hashes:
            wanted = replace(wanted, hashes=hashes(request, torch, build))
        above = line if path in bringing and not torch.is_named else 0
        found = with_build(text, build, wanted, above=above, constrains=posixpath.basename(path) in limits)
        left = left or found.left
        if found.text != text:
            changed[path] = (text, found)
    if left:
        return Proposal(left=left)
    path, text = dockerfile
    if path:
        found = with_words(
            text,
            path,
            build,
            wanted,
            build_args=dict(spec.args),
            target=spec.target,
            installs=torch.line,
            brings=not bringing and not torch.is_named and _is(path, name),
            named_elsewhere=bool(changed),
        )
        if found.text != text:
            changed[path] = (text, found)
    if not changed:
        why = "its Dockerfile stands in the compose file, which is not changed" if not path else ""
        return Proposal(left=why)
    return _proposal(changed)


def _proposal(changed: Mapping[str, tuple[str, WrittenBuild]]) -> Proposal:
    place, (_, first) = next(
        ((path, each) for path, each in changed.items() if each[1].written), next(iter(changed.items()))
    )
    return Proposal(
        texts={path: new.text for path, (_, new) in changed.items()},
        before={path: old for path, (old, _) in changed.items()},
        place=place,
        line=first.line,
        written=first.written,
    )


def _is(path: str, name: str) -> bool:
    return posixpath.basename(path) == name
