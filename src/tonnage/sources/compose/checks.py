"""What must be true of a stack before anything is planned, whichever way it was read; complaints name their place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.model.forecast.image_reference import image_name
from tonnage.small_files import is_below, real_path
from tonnage.sources.compose.canonical import hidden_by, replicas_of
from tonnage.sources.compose.file_selection import is_text
from tonnage.sources.compose.nodes import mapping_at, nearest
from tonnage.sources.compose.short_syntax import is_remote, names_a_context
from tonnage.sources.compose.since import NOT_DONE

if TYPE_CHECKING:
    from tonnage.model.stack import BuildSpec, Place
    from tonnage.sources.compose.canonical import Canonical
    from tonnage.sources.compose.to_stack import ComposeExtras

_NAME = regex(r"[A-Za-z0-9._-]+")
_WILDCARDS = {"", "0.0.0.0", "::"}  # noqa: S104 - compared, never bound


def check_form(form: Canonical, origin: ComposeExtras) -> Canonical:
    """Check the canonical form; it is the first thing that both ways of reading do with it.

    Raises:
        UsageError: No services, a service without image and build, something undefined that is referred to, a
            dependency that is unknown, hidden or in a circle, or two services that publish the same port.
    """
    services: Canonical = form["services"]
    if not services:
        hidden = mapping_at(origin.tree, "services")
        raise UsageError(
            "the stack has no active services" if hidden else "the stack has no services",
            why="Every service has a profile, and none of them is active." if hidden else "",
            todo="Name one with --profile NAME." if hidden else "Write at least one under 'services'.",
            place=str(origin.place("services")),
        )
    checked = {name: _checked(name, service, form, origin) for name, service in services.items()}
    result = {**form, "services": checked}
    _check_circle(result, origin)
    if not _is_clustered(origin):
        _check_ports(result, origin)
    return result


def check_build(service: str, build: BuildSpec, *, within: str = "") -> None:
    """Check that what a build reads is there.

    Args:
        within: A directory, outside of which nothing may lie and nothing is looked at; empty for no such limit.

    Raises:
        UsageError: The context or the Dockerfile does not exist, cannot be read, or lies outside.
    """
    place = str(build.place or "")
    if within:
        _check_inside(service, build, within)
    if not is_remote(build.context):
        _check_directory(build.context, f"the build context of the service {service!r}", place)
        found = _found(build.dockerfile) if build.dockerfile else ""
        if found:
            raise UsageError(
                f"the service {service!r} has no Dockerfile",
                why=f"{build.dockerfile} {found}.",
                todo="Create it, or name another with build.dockerfile.",
                place=place,
            )
    for name, value in build.additional_contexts:
        if not names_a_context(value):
            _check_directory(value, f"the additional context {name!r} of the service {service!r}", place)


def _found(dockerfile: str) -> str:
    """Return what is wrong with a Dockerfile; nothing where it is a file."""
    try:
        return "" if Path(dockerfile).is_file() else "is not a file" if Path(dockerfile).exists() else "does not exist"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _check_inside(service: str, build: BuildSpec, within: str) -> None:
    """Refuse what really lies outside of a directory, links included."""
    here = () if is_remote(build.context) else (build.context, *((build.dockerfile,) if build.dockerfile else ()))
    for path in (*here, *(value for _, value in build.additional_contexts if not names_a_context(value))):
        try:
            inside = is_below(real_path(path), real_path(within))
        except OSError:
            # What is not there is told by its own name, as long as that does not lead outside.
            inside = is_below(path, within)
        if not inside:
            raise UsageError(
                f"the build of the service {service!r} reads {path}, which is outside {within}",
                why="--untrusted reads nothing outside of the checkout.",
                todo="Read the files yourself first; then forecast without --untrusted.",
                place=str(build.place or ""),
            )


def _check_directory(path: str, what: str, place: str) -> None:
    try:
        exists, usable = Path(path).exists(), Path(path).is_dir()
        if usable:
            next(Path(path).iterdir(), None)
    except OSError as error:
        raise UsageError(f"{what} cannot be read", why=f"{path}: {error.strerror}.", place=place) from None
    if not usable:
        why = f"{path} is not a directory." if exists else f"{path} does not exist."
        raise UsageError(f"{what} is out of reach", why=why, todo="Correct build.context.", place=place)


def _checked(name: str, service: Canonical, form: Canonical, origin: ComposeExtras) -> Canonical:
    place = origin.place("services", name)
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a service",
            todo="Use letters, digits, '.', '_' and '-' only.",
            place=str(place),
        )
    if service.get("provider"):
        raise UsageError(
            f"the service {name!r} has a provider, which is not carried out",
            why=NOT_DONE["provider"],
            place=str(origin.place("services", name, "provider")),
        )
    if not service.get("image") and not service.get("build"):
        raise UsageError(
            f"the service {name!r} has neither an image nor a build",
            todo="Write 'image: NAME' or 'build: DIRECTORY'.",
            place=str(place),
        )
    _check_image(name, service, form, origin)
    _check_text(service, origin, "services", name)
    _check_references(name, service, form, origin)
    _check_replicas(name, service, origin)
    if service.get("network_mode") and service.get("networks"):
        raise UsageError(
            f"the service {name!r} has both network_mode and networks",
            todo="Remove one of them.",
            place=str(origin.place("services", name, "network_mode")),
        )
    for context, other in _built_on(service).items():
        if other not in form["services"]:
            where = origin.place("services", name, "build", "additional_contexts", context)
            raise _missing_dependency(name, other, where, form, origin)
    kept = {}
    for other, wanted in (service.get("depends_on") or {}).items():
        if other in form["services"]:
            kept[other] = wanted
            continue
        where = origin.place("services", name, "depends_on", other)
        if wanted.get("required") is False:
            continue
        raise _missing_dependency(name, other, where, form, origin)
    result = {key: value for key, value in service.items() if key != "depends_on"}
    return {**result, "depends_on": kept} if kept else result


def _check_image(name: str, service: Canonical, form: Canonical, origin: ComposeExtras) -> None:
    written = service.get("image")
    if image_name(written or f"{form['name']}-{name}") is not None:
        return
    rules = "Names of images are of lower-case letters and digits, single '.', '_' and '-' between them, and a tag."
    if written:
        raise UsageError(
            f"{written!r} cannot be the name of an image",
            why=rules,
            todo="Write it like example.org/team/web:1.2.",
            place=str(origin.place("services", name, "image")),
        )
    raise UsageError(
        f"the image of the service {name!r} would be called {form['name']}-{name}, which is not a valid image name",
        why=rules,
        todo="Give the service the key 'image' with another name.",
        place=str(origin.place("services", name)),
    )


def _check_text(value: object, origin: ComposeExtras, *path: str) -> None:
    """Refuse bytes that are no UTF-8 text; they come from variables and paths, never from the files themselves."""
    if isinstance(value, str) and not is_text(value):
        raise UsageError(
            f"{'.'.join(path)} holds bytes that are not UTF-8 text",
            why="They come from a variable, a path or half of an escaped pair. Compose and the engine take text only.",
            todo="Set the variable to text, rename the directory, or write the character itself.",
            place=str(origin.place(*path)),
        )
    if isinstance(value, dict):
        for key, entry in value.items():
            _check_text(entry, origin, *path, str(key))
    elif isinstance(value, list):
        for entry in value:
            _check_text(entry, origin, *path)


def _check_replicas(name: str, service: Canonical, origin: ComposeExtras) -> None:
    place = str(origin.place("services", name, *(("scale",) if "scale" in service else ("deploy", "replicas"))))
    replicas = replicas_of(service)
    if replicas < 0:
        raise UsageError(f"the service {name!r} cannot have {replicas} replicas", place=place)
    if replicas > 1 and service.get("container_name"):
        raise UsageError(
            f"the service {name!r} has {replicas} replicas and a fixed container_name",
            why="Only one container can have a name.",
            todo="Remove container_name, or run one replica.",
            place=place,
        )


def _missing_dependency(name: str, other: str, place: Place, form: Canonical, origin: ComposeExtras) -> UsageError:
    written = mapping_at(origin.tree, "services").get(other)
    if written is None:
        return UsageError(
            f"the service {name!r} depends on {other!r}, which does not exist",
            todo=nearest(other, form["services"], kind="services"),
            place=str(place),
        )
    profiles = ", ".join(hidden_by(written, origin.profiles))
    return UsageError(
        f"the service {name!r} depends on {other!r}, which is not active",
        why=f"{other!r} has the profiles {profiles}, and none of them is active.",
        todo="Activate one with --profile, or write 'required: false' at the dependency.",
        place=str(place),
    )


def _check_references(name: str, service: Canonical, form: Canonical, origin: ComposeExtras) -> None:
    wanted = [("networks", key, key) for key in service.get("networks") or {}]
    wanted += [
        ("volumes", mount["source"], mount.get("target") or "")
        for mount in service.get("volumes") or ()
        if mount.get("type") == "volume" and mount.get("source")
    ]
    for section in ("secrets", "configs"):
        wanted += [(section, entry["source"], entry.get("target") or "") for entry in service.get(section) or ()]
    wanted += [("secrets", entry["source"], "") for entry in (service.get("build") or {}).get("secrets") or ()]
    for section, key, place_key in wanted:
        known = form.get(section) or {}
        if key in known and section in {"secrets", "configs"} and known[key].get("external"):
            raise UsageError(
                f"the {section[:-1]} {key!r} is external",
                why="Only a swarm keeps secrets and configs of its own; Compose reads them from files.",
                todo="Name a file with the key 'file'.",
                place=str(origin.place(section, key)),
            )
        if key in known:
            continue
        raise UsageError(
            f"the service {name!r} refers to {section[:-1]} {key!r}, which is not defined",
            todo=f"Define it at the top of the file, under {section!r}.",
            place=str(origin.place("services", name, section, place_key)),
        )


def _built_on(service: Canonical) -> dict[str, str]:
    """Return the services whose images a build reads, by the name of the context."""
    contexts = (service.get("build") or {}).get("additional_contexts") or {}
    parts = {name: str(value).partition("service:") for name, value in contexts.items()}
    return {name: other for name, (before, found, other) in parts.items() if found and not before}


def _check_circle(form: Canonical, origin: ComposeExtras) -> None:
    """Refuse services that wait for each other, and name the circle."""
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            circle = (*path[path.index(name) :], name)
            raise UsageError(
                f"services depend on each other in a circle: {' -> '.join(circle)}",
                todo="Remove one of these dependencies.",
                place=str(origin.place("services", circle[-2], "depends_on", name)),
            )
        if name in done:
            return
        service = form["services"][name]
        for other in (*(service.get("depends_on") or {}), *_built_on(service).values()):
            visit(other, (*path, name))
        done.add(name)

    for name in form["services"]:
        visit(name, ())


def _is_clustered(origin: ComposeExtras) -> bool:
    """Return whether the stack runs on several machines, each of which has ports of its own."""
    said = mapping_at(origin.tree, "x-tonnage").get("cluster")
    return said is not None and said.value == "swarm"


def _check_ports(form: Canonical, origin: ComposeExtras) -> None:
    """Refuse two containers that would listen on the same port of the host."""
    seen: list[tuple[str, int, str, str]] = []
    for name, service in form["services"].items():
        if service.get("network_mode") == "host" or not replicas_of(service):
            continue
        for port in service.get("ports") or ():
            published = str(port.get("published") or "")
            if not published or published == "0" or "-" in published:
                continue
            number, address = int(published), str(port.get("host_ip") or "")
            protocol = str(port.get("protocol") or "tcp")
            key = f"{address}:{published}:{port['target']}/{protocol}"
            place = str(origin.place("services", name, "ports", key))
            for other, *taken, other_address in seen:
                if taken == [number, protocol] and _same(address, other_address):
                    raise UsageError(
                        f"the services {other!r} and {name!r} both publish port {number}/{protocol}"
                        if other != name
                        else f"the service {name!r} publishes port {number}/{protocol} twice",
                        why="Only one container can listen on a port of the host.",
                        todo="Give one of them another published port.",
                        place=place,
                    )
            replicas = replicas_of(service)
            if replicas > 1:
                raise UsageError(
                    f"the service {name!r} publishes port {number}/{protocol} and has {replicas} replicas",
                    why="Only one container can listen on a port of the host.",
                    todo=f"Publish a range of ports, such as {number}-{number + replicas - 1}, or none.",
                    place=place,
                )
            seen.append((name, number, protocol, address))


def _same(address: str, other: str) -> bool:
    if address == other or "" in {address, other}:
        return True
    wild, fixed = (address, other) if address in _WILDCARDS else (other, address)
    return wild in _WILDCARDS and fixed not in _WILDCARDS and (":" in wild) == (":" in fixed)
