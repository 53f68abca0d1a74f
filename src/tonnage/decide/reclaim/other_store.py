"""Whether what lies in the store that an engine does not use may go. It goes only where it was named.

What containers have written there is somebody's data: as long as one is there that was made in that store, all stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.reclaim.costs import NOT_TO_BE_HAD_AGAIN_S, PULLED_BYTES_PER_S, removal_s
from tonnage.model.inventory import CONTAINERD
from tonnage.model.reclaim.candidate import (
    Candidate,
    CandidateId,
    CandidateKind,
    Findings,
    NamedKind,
    Protected,
    SharedBytes,
)
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from tonnage.model.reclaim.other_store import OtherStore

NOT_NAMED = f"only with --only {NamedKind.OTHER_STORE}"
_KEY = CandidateId(CandidateKind.PLACES, NamedKind.OTHER_STORE)
_SHOWN = 3


def other_store_findings(store: OtherStore, *, named: bool) -> Findings:
    """Return what lies in the other store as something that may go, or that stays with its reason.

    Args:
        named: It was asked for by name.
    """
    stays = why_it_stays(store) or ("" if named else NOT_NAMED)
    if stays:
        protected = Protected(
            candidate_id=_KEY, kind=NamedKind.OTHER_STORE, name=store.place, reason=stays, size_bytes=store.size_bytes
        )
        return Findings(protected=(protected,), notes=() if named else (f"{found_text(store)}: {stays}",))
    candidate = Candidate(
        candidate_id=_KEY,
        kind=NamedKind.OTHER_STORE,
        name=store.place,
        unique_bytes=store.size_bytes,
        cost_s=NOT_TO_BE_HAD_AGAIN_S + store.size_bytes / PULLED_BYTES_PER_S,
        removal_s=removal_s(NamedKind.OTHER_STORE, store.size_bytes),
        reason=f"the engine keeps images in its {_OTHER[store.store]} store now, and no container was made in this one",
        breaks=f"{_images(store)} for an engine that is switched back",
        back="images that registries have are pulled again; whoever made the others has to make them again",
        paths=store.paths,
        names=store.images,
    )
    return Findings(candidates=(candidate,), pieces=(SharedBytes(store.size_bytes, frozenset({_KEY})),))


_OTHER = {CONTAINERD: "classic", "classic": CONTAINERD}


def why_it_stays(store: OtherStore) -> str:
    """Return why nothing of it may go; empty when it may."""
    if store.containers:
        many = len(store.containers) > 1
        some = _some(store.containers, "container")
        return f"{some} {'were' if many else 'was'} made in it, and what {'they' if many else 'it'} wrote lies there"
    return store.obstacle


def found_text(store: OtherStore) -> str:
    """Say what lies there, with its bytes."""
    size = format_bytes(store.size_bytes)
    if not store.counted:
        size = f"at least {size}" if store.size_bytes else "bytes that could not be counted"
    return f"{size} in {store.place} are of the {store.store} image store, which the engine does not use any more"


def what_to_do(store: OtherStore) -> str:
    """Return the commands that give its bytes back."""
    go = f"tonnage reclaim --only {NamedKind.OTHER_STORE} --everything --yes"
    if not why_it_stays(store):
        return f"What it holds: {_images(store)}. To remove it:\n  {go}"
    if not store.containers:
        return f"It stays: {store.obstacle}."
    back = "true" if store.store == CONTAINERD else "false"
    return (
        f"It stays: {why_it_stays(store)}. To remove what was made in it, switch back with this in daemon.json:\n"
        f'  "features": {{"containerd-snapshotter": {back}}}\n'
        "and then:\n"
        "  systemctl restart docker\n"
        f"  docker rm {' '.join(store.containers)}\n"
        f"Switch to the store of now again, restart the engine, and then:\n  {go}"
    )


def _images(store: OtherStore) -> str:
    return _some(store.images, "image") if store.images else "images without a name, and build cache"


def _some(names: tuple[str, ...], what: str) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"the {what}{'s' if len(names) > 1 else ''} {', '.join(names[:_SHOWN])}{more}"
