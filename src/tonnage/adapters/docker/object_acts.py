"""Small acts on what an engine holds: names, images, containers, cache records.

Each does exactly the one thing that it says: a name goes without its image, an image goes without force, a container
goes with nothing but its anonymous volumes. What is already so is no failure, so an interrupted run can do it again.
"""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
import time
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from tonnage.adapters.docker import sdk, wire
from tonnage.adapters.docker.error_translation import speaking_to
from tonnage.adapters.docker.facts import disk_usage
from tonnage.errors import StepFailedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.adapters.docker.connect import DockerConnection
    from tonnage.model.deploy.rolling import Attachment
    from tonnage.model.inventory import CacheRecord

_SLOW_S = 600
_GONE_WITHIN_S = 60.0


def tag(connection: DockerConnection, image: str, reference: str) -> None:
    """Give an image a further name; the name moves when another image had it.

    Raises:
        StepFailedError: There is no such image, or the name is none.
        EngineUnreachableError: The engine stops answering.
    """
    params = _as_query(reference)
    with speaking_to(connection.endpoint, f"name the image {image} {reference}"):
        connection.ask("POST", f"/images/{image}/tag", params=params)


def untag(connection: DockerConnection, reference: str) -> None:
    """Take a name away without removing the image; when it is the last one, the image stays, dangling.

    The engine removes an image together with its last name. So that name is first moved to an empty image, made for
    this, which then goes with it.

    Raises:
        StepFailedError: The engine refuses.
        EngineUnreachableError: The engine stops answering.
    """
    with speaking_to(connection.endpoint, f"take the name {reference} away"):
        found = _image_names(connection, reference)
        if found is None:
            return
        if len(found.tags) <= 1:
            _move_to_nothing(connection, reference)
        with contextlib.suppress(sdk.NotFound):
            connection.ask("DELETE", f"/images/{reference}", params={"noprune": "1"})


def make_record(connection: DockerConnection, reference: str, labels: Mapping[str, str]) -> None:
    """Name an empty image that has these labels.

    Args:
        labels: Words without spaces and quotes, of at most 60 kB each.

    Raises:
        StepFailedError: The engine refuses.
        EngineUnreachableError: The engine stops answering.
    """
    with speaking_to(connection.endpoint, f"write {reference}"):
        _move_to_nothing(connection, reference, labels)


def remove_image(connection: DockerConnection, image_id: str, names: Sequence[str] = ()) -> None:
    """Remove one image by id, never by force, with the unnamed steps under it that no other image needs.

    Raises:
        StepFailedError: A container or another image uses it, or another name holds it.
        EngineUnreachableError: The engine stops answering.
    """
    doing = f"remove the image {image_id}"
    with speaking_to(connection.endpoint, doing):
        found = _image_names(connection, image_id)
        if found is None:
            return
        others = [name for name in found.tags if name not in names]
        if others:
            raise StepFailedError(
                f"could not {doing}",
                why=f"It still has the name {', '.join(others)}.",
                todo=f"Take the name away first:\n  docker rmi {others[0]}",
            )
        try:
            # The last name goes with the image by its id: should it be another image's by now, that one keeps it.
            for name in _names_before(found.tags, [each for each in found.digests if each in names]):
                with contextlib.suppress(sdk.NotFound):
                    connection.ask("DELETE", f"/images/{name}", timeout_s=_SLOW_S)
            with contextlib.suppress(sdk.NotFound):
                connection.ask("DELETE", f"/images/{image_id}", timeout_s=_SLOW_S)
        except sdk.APIError:
            _give_names_back(connection, image_id, found.tags)
            raise


def _names_before(tags: Sequence[str], digests: Sequence[str]) -> list[str]:
    """Return the names that have to go before an image can go by its id: all but one, and digests elsewhere than that.

    Source: moby, daemon/images/image_delete.go, ``isSingleReference``.
    """
    last = tags[0] if tags else next(iter(digests), "")
    repository = sdk.parse_repository_tag(last)[0] if last else ""
    elsewhere = [each for each in digests if sdk.parse_repository_tag(each)[0] != repository]
    return [*tags[1:], *elsewhere]


def _give_names_back(connection: DockerConnection, image_id: str, names: Sequence[str]) -> None:
    """Let an image that stays have the names that it had, where it is there and no other image has them now."""
    for name in names:
        with contextlib.suppress(sdk.APIError):
            if _image_names(connection, image_id) is not None and _image_names(connection, name) is None:
                connection.ask("POST", f"/images/{image_id}/tag", params=_as_query(name))


def remove_volume(connection: DockerConnection, name: str) -> None:
    """Remove one volume, never by force; nothing happens when it is not there.

    Raises:
        StepFailedError: A container mounts it, or the engine refuses.
        EngineUnreachableError: The engine stops answering.
    """
    with speaking_to(connection.endpoint, f"remove the volume {name}"), contextlib.suppress(sdk.NotFound):
        connection.ask("DELETE", f"/volumes/{name}", timeout_s=_SLOW_S)


def remove_container(connection: DockerConnection, container: str, timeout_s: float | None = 10.0) -> None:
    """Stop and remove one container with its anonymous volumes only; nothing happens when it is not there.

    Raises:
        StepFailedError: The engine refuses.
        EngineUnreachableError: The engine stops answering.
    """
    where = f"/containers/{container}"
    with speaking_to(connection.endpoint, f"remove the container {container}"):
        try:
            state = wire.container(connection.read(f"{where}/json")).state
            if state == "paused":
                connection.ask("POST", f"{where}/unpause")
            if state != "created":
                given = {} if timeout_s is None else {"t": round(timeout_s)}
                connection.ask("POST", f"{where}/stop", params=given, timeout_s=(timeout_s or 0) + _SLOW_S)
            connection.ask("DELETE", where, params={"v": "1"}, timeout_s=_SLOW_S)
        except sdk.NotFound:
            return
        except sdk.APIError as error:
            if "already in progress" not in str(error.explanation):
                raise
        _wait_until_gone(connection, container)


def start_apart(
    connection: DockerConnection, container: str, *, apart: Sequence[str], kept: Sequence[Attachment]
) -> None:
    """Start a container that was just made, on some of its networks only.

    Compose 1 puts a container on the first of its networks only before it starts it.

    Raises:
        StepFailedError: The engine refuses.
        EngineUnreachableError: The engine stops answering.
    """
    with speaking_to(connection.endpoint, f"start the container {container}"):
        there = connection.read(f"/containers/{container}/json")["NetworkSettings"]["Networks"] or {}
        for network in apart:
            if network in there:
                _send(connection, f"/networks/{network}/disconnect", {"Container": container, "Force": False})
    for attachment in kept:
        if attachment.network not in there:
            connect(connection, container, attachment)
    with speaking_to(connection.endpoint, f"start the container {container}"):
        connection.ask("POST", f"/containers/{container}/start", timeout_s=_SLOW_S)


def connect(connection: DockerConnection, container: str, attachment: Attachment) -> None:
    """Bring a container onto a network; nothing happens when it is on it.

    Raises:
        StepFailedError: The engine refuses.
        EngineUnreachableError: The engine stops answering.
    """
    network = attachment.network
    with speaking_to(connection.endpoint, f"connect the container {container} with the network {network}"):
        if network in (connection.read(f"/containers/{container}/json")["NetworkSettings"]["Networks"] or {}):
            return
        endpoint = {"Aliases": list(attachment.aliases), "DriverOpts": dict(attachment.options)}
        _send(connection, f"/networks/{network}/connect", {"Container": container, "EndpointConfig": endpoint})


def _send(connection: DockerConnection, path: str, content: Mapping[str, object]) -> None:
    body = json.dumps(content).encode()
    connection.ask("POST", path, headers={"Content-Type": "application/json"}, body=body, timeout_s=_SLOW_S)


def rename_container(connection: DockerConnection, container: str, name: str) -> None:
    """Give a container another name; it keeps its own where that is taken, or it is gone."""
    with speaking_to(connection.endpoint, f"rename the container {container[:12]}"), contextlib.suppress(sdk.APIError):
        connection.client.api.rename(container, name)


def restart_container(connection: DockerConnection, container: str) -> None:
    """Stop one container, within the time that it was made with, and start it again.

    Raises:
        StepFailedError: It is not there, or the engine refuses.
        EngineUnreachableError: The engine stops answering.
    """
    with speaking_to(connection.endpoint, f"restart the container {container}"):
        connection.ask("POST", f"/containers/{container}/restart", timeout_s=_SLOW_S)


def stop_container(connection: DockerConnection, container: str) -> None:
    """Stop one container, within the time that it was made with; nothing happens when it is not there.

    Raises:
        StepFailedError: The engine refuses.
        EngineUnreachableError: The engine stops answering.
    """
    with speaking_to(connection.endpoint, f"stop the container {container}"), contextlib.suppress(sdk.NotFound):
        where = f"/containers/{container}"
        if wire.container(connection.read(f"{where}/json")).state == "paused":
            connection.ask("POST", f"{where}/unpause")
        connection.ask("POST", f"{where}/stop", timeout_s=_SLOW_S)


def remove_network(connection: DockerConnection, network: str) -> None:
    """Remove one network; nothing happens when it is not there.

    Raises:
        StepFailedError: A container is on it that runs, or the engine refuses.
        EngineUnreachableError: The engine stops answering.
    """
    with speaking_to(connection.endpoint, f"remove the network {network}"), contextlib.suppress(sdk.NotFound):
        connection.ask("DELETE", f"/networks/{network}", timeout_s=_SLOW_S)


def remove_ended_container(connection: DockerConnection, container: str) -> None:
    """Remove one container that has ended, never by force and with none of its volumes.

    Raises:
        StepFailedError: It runs by now, or the engine refuses.
        EngineUnreachableError: The engine stops answering.
    """
    with speaking_to(connection.endpoint, f"remove the container {container}"):
        try:
            connection.ask("DELETE", f"/containers/{container}", timeout_s=_SLOW_S)
        except sdk.NotFound:
            return
        except sdk.APIError as error:
            if "already in progress" not in str(error.explanation):
                raise
        _wait_until_gone(connection, container)


def remove_cache(connection: DockerConnection, record_ids: Sequence[str]) -> None:
    """Remove build-cache records that are not in use, those that stand on others before the others.

    What the engine says came free is not read: with images in containerd it is wrong, up to 29.6.

    Raises:
        StepFailedError: The engine refuses.
        EngineUnreachableError: The engine stops answering.
    """
    with speaking_to(connection.endpoint, "remove build cache"):
        records = wire.cache(disk_usage(connection, "build-cache"))
        wanted = set(record_ids)
        for record_id in top_down([record for record in records if record.record_id in wanted and not record.in_use]):
            # One at a time: a prune takes a single id. It is matched as a regular expression.
            filters = json.dumps({"id": [record_id]})
            connection.ask("POST", "/build/prune", params={"all": "1", "filters": filters}, timeout_s=_SLOW_S)


def top_down(records: Sequence[CacheRecord]) -> tuple[str, ...]:
    """Return the ids of cache records so that each comes before those it stands on."""
    known = {record.record_id for record in records}
    graph = {record.record_id: [parent for parent in record.parents if parent in known] for record in records}
    try:
        order = tuple(TopologicalSorter(graph).static_order())
    except CycleError:
        return tuple(graph)
    return order[::-1]


def image_id(connection: DockerConnection, reference: str) -> str | None:
    """Return the id of an image, or None when the engine has none."""
    with speaking_to(connection.endpoint, f"look at the image {reference}"):
        try:
            return str(connection.read(f"/images/{reference}/json")["Id"])
        except sdk.NotFound:
            return None


def _image_names(connection: DockerConnection, image: str) -> wire.ImageNames | None:
    """Return the names and digests of an image, or None when there is no such image."""
    try:
        return wire.image_names(connection.read(f"/images/{image}/json"))
    except sdk.NotFound:
        return None


def _as_query(reference: str) -> dict[str, str]:
    repository, tag_name = sdk.parse_repository_tag(reference)
    return {"repo": repository, "tag": tag_name or "latest"}


def _move_to_nothing(connection: DockerConnection, reference: str, labels: Mapping[str, str] | None = None) -> None:
    """Let an empty image take the name over, so that the image which has it loses nothing else."""
    archive = io.BytesIO()
    tarfile.open(fileobj=archive, mode="w").close()
    connection.ask(
        "POST",
        "/images/create",
        params={
            "fromSrc": "-",
            **_as_query(reference),
            "changes": [f"LABEL {name}={value}" for name, value in (labels or {}).items()],
        },
        headers={"Content-Type": "application/x-tar"},
        body=archive.getvalue(),
    )


def _wait_until_gone(connection: DockerConnection, container: str) -> None:
    """Wait for a removal that has begun: its name is free again only then."""
    end = time.monotonic() + _GONE_WITHIN_S
    while time.monotonic() < end:
        try:
            connection.read(f"/containers/{container}/json")
        except sdk.NotFound:
            return
        time.sleep(0.1)
    raise StepFailedError(
        f"could not remove the container {container}",
        why=f"Its removal has begun, but has not ended within {_GONE_WITHIN_S:g} s.",
        todo=f"Look at it:\n  docker inspect {container}",
    )
