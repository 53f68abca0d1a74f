"""The canonical form to the model: one way for what Compose v2 printed and for what the built-in reader made."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tonnage.errors import UsageError
from tonnage.model.names_on_engine import renamed_volumes
from tonnage.model.stack import BuildSpec, Dependency, HealthSpec, Mount, Port, Service, Stack
from tonnage.sources.compose.canonical import hidden_by, replicas_of
from tonnage.sources.compose.nodes import mapping_at, place_of
from tonnage.sources.compose.pull_policy import pull_policy
from tonnage.sources.compose.quantities import engine_bytes, nanoseconds_of
from tonnage.sources.compose.short_syntax import is_remote
from tonnage.sources.compose.x_tonnage import SETTINGS, refuse_misspelt, service_settings, stack_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.stack import Place, PullPolicy
    from tonnage.sources.compose.canonical import Canonical
    from tonnage.sources.compose.nodes import ComposeNode

_OF_SERVICE = "service:"
_MOST_SERVICES = 2_000
_NOT_CONFIG = {"build", "profiles"}
_NAMESPACES = ("network_mode", "pid", "ipc", "uts", "cgroup")
_BUILD_KEYS_IGNORED = (
    "entitlements", "isolation", "no_cache_filter", "privileged", "tags", "ulimits"
)  # fmt: skip


class ComposeExtras(Struct, frozen=True, kw_only=True):
    """What the canonical form does not tell.

    Args:
        tree: The merged tree, for places and for ``x-tonnage``.
        files: The files that were read, absolute.
        directory: The project directory, absolute.
        notes: What the reading already wants people to know.
    """

    tree: ComposeNode
    files: tuple[str, ...]
    directory: str
    profiles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def place(self, *path: str) -> Place:
        """Return where a path of keys is written, or the nearest key above it."""
        return place_of(self.tree, *path)

    def written(self, service: str, key: str) -> ComposeNode | None:
        """Return what is written at a key of a service; None when there is nothing."""
        found = mapping_at(self.tree, "services").get(service)
        return found.value.get(key) if found is not None and isinstance(found.value, dict) else None


def build_stack(form: Canonical, origin: ComposeExtras) -> Stack:
    """Make the model of a stack.

    Raises:
        UsageError: ``x-tonnage`` holds an unknown key or a wrong value, or there are too many services.
    """
    top = origin.tree.value if isinstance(origin.tree.value, dict) else {}
    written = (each.value for each in mapping_at(origin.tree, "services").values() if isinstance(each.value, dict))
    for keys in (top, *written):
        refuse_misspelt(keys)
    settings, places = stack_settings(top.get(SETTINGS))
    waited_for = {
        name
        for service in form["services"].values()
        for name, wanted in (service.get("depends_on") or {}).items()
        if wanted.get("condition") == "service_completed_successfully"
    }
    known = form["services"]
    names = [*dict.fromkeys((*filter(known.__contains__, mapping_at(origin.tree, "services")), *known))]
    if len(names) > _MOST_SERVICES:
        raise UsageError(
            f"the stack has {len(names):,} services",
            why=f"More than {_MOST_SERVICES:,} are not looked at.",
            todo="Split it into several stacks.",
            place=str(origin.place("services", names[_MOST_SERVICES])),
        )
    services = tuple(_service(name, form, origin, one_shot=name in waited_for) for name in names)
    shared = {key: form.get(key) or {} for key in ("networks", "volumes", "secrets", "configs")}
    return Stack(
        name=form["name"],
        directory=origin.directory,
        files=origin.files,
        services=services,
        shared={key: value for key, value in shared.items() if value},
        settings=settings,
        settings_places=places,
        shared_places=tuple(
            (f"{section}.{key}", origin.place(section, key))
            for section, found in shared.items()
            for key in _in_order(found, origin.tree.value.get(section))
        ),
        notes=(*origin.notes, *_notes(form, origin)),
        inactive=tuple(name for name in mapping_at(origin.tree, "services") if name not in form["services"]),
    )


def _notes(form: Canonical, origin: ComposeExtras) -> list[str]:
    notes = []
    for name, written in mapping_at(origin.tree, "services").items():
        profiles = hidden_by(written, origin.profiles)
        if profiles and name not in form["services"]:
            notes.append(
                f"{written.place}: the service {name} is not active: enable it with"
                f" {' or '.join(f'--profile {each}' for each in profiles)}"
            )
    for name, service in form["services"].items():
        for key in _BUILD_KEYS_IGNORED:
            if (service.get("build") or {}).get(key):
                place = origin.place("services", name, "build", key)
                notes.append(f"{place}: build.{key} of the service {name} has no effect here")
    return notes


def _service(name: str, form: Canonical, origin: ComposeExtras, *, one_shot: bool) -> Service:
    raw: Canonical = form["services"][name]
    image = _image(name, form)
    config = {key: value for key, value in raw.items() if key not in _NOT_CONFIG and key[:2] != "x-"}
    return Service(
        name=name,
        image=image,
        config=config,
        renamed_volumes=renamed_volumes(form["name"], form, raw),
        build=_build(name, raw["build"], form, origin) if raw.get("build") else None,
        pull=_pull_policy(raw.get("pull_policy"), name, origin),
        names_image=bool(raw.get("image")),
        depends_on=tuple(_dependencies(name, form, origin)),
        ports=tuple(
            Port(
                target=int(port["target"]),
                published=str(port.get("published") or ""),
                protocol=port.get("protocol") or "tcp",
                host_ip=port.get("host_ip") or "",
            )
            for port in raw.get("ports") or ()
        ),
        mounts=tuple(_mounts(raw)),
        devices=tuple(_devices(raw)),
        hostname=raw.get("hostname") or "",
        container_name=raw.get("container_name") or "",
        network_mode=raw.get("network_mode") or "",
        replicas=replicas_of(raw),
        health=_health(raw.get("healthcheck")),
        settings=service_settings(origin.written(name, SETTINGS), name, one_shot=one_shot),
        place=origin.place("services", name),
    )


def _dependencies(name: str, form: Canonical, origin: ComposeExtras) -> list[Dependency]:
    raw: Canonical = form["services"][name]
    found: Mapping[str, Canonical] = raw.get("depends_on") or {}
    shared = _shared(raw, form)
    names = dict.fromkeys((*_in_order(found, origin.written(name, "depends_on")), *shared))
    return [
        Dependency(
            service=key,
            required=found.get(key, {}).get("required") is not False,
            restart=found.get(key, {}).get("restart") is True,
            shares=tuple(shared.get(key, ())),
        )
        for key in names
    ]


def _shared(raw: Canonical, form: Canonical) -> dict[str, list[str]]:
    """Return what a service has of the containers of others, which it may name by their service or by their name."""
    wanted = [(key.removesuffix("_mode"), str(raw.get(key) or "")) for key in _NAMESPACES]
    for source in raw.get("volumes_from") or ():
        kind, _, rest = source.partition(":")
        wanted.append(("volumes", f"container:{rest.partition(':')[0]}" if kind == "container" else f"service:{kind}"))
    if not any(mode for _, mode in wanted):
        return {}
    by_name = {str(each["container_name"]): key for key, each in form["services"].items() if each.get("container_name")}
    shared: dict[str, list[str]] = {}
    for what, mode in wanted:
        kind, _, name = mode.partition(":")
        owner = by_name.get(name) if kind == "container" else name if kind == "service" else None
        if owner is not None and owner in form["services"]:
            shared.setdefault(owner, []).append(what)
    return shared


def _build(name: str, raw: Canonical, form: Canonical, origin: ComposeExtras) -> BuildSpec:
    written = origin.written(name, "build")
    context = raw["context"]
    inline = raw.get("dockerfile_inline") or ""
    dockerfile = "" if inline else raw.get("dockerfile") or "Dockerfile"
    if dockerfile and not is_remote(context):
        dockerfile = str(PurePosixPath(context) / dockerfile)
    contexts = _pairs(raw, "additional_contexts", written)
    return BuildSpec(
        context=context,
        dockerfile=dockerfile,
        dockerfile_inline=inline,
        args=_pairs(raw, "args", written),
        target=raw.get("target") or "",
        labels=_pairs(raw, "labels", written),
        additional_contexts=tuple((name, _context(value, form)) for name, value in contexts),
        built_on=tuple(value.removeprefix(_OF_SERVICE) for _, value in contexts if value.startswith(_OF_SERVICE)),
        cache_from=tuple(raw.get("cache_from") or ()),
        cache_to=tuple(raw.get("cache_to") or ()),
        extra_hosts=tuple(_hosts(raw.get("extra_hosts"))),
        network=raw.get("network") or "",
        platforms=tuple(raw.get("platforms") or ()),
        secrets=tuple(_secret(entry, form.get("secrets") or {}) for entry in raw.get("secrets") or ()),
        ssh=tuple(_listed(raw.get("ssh"))),
        shm_bytes=engine_bytes(str(raw["shm_size"])) if raw.get("shm_size") else None,
        no_cache=bool(raw.get("no_cache")),
        pull=bool(raw.get("pull")),
        provenance=_told(raw.get("provenance")),
        sbom=_told(raw.get("sbom")),
        place=origin.place("services", name, "build"),
    )


def _pull_policy(said: str | None, name: str, origin: ComposeExtras) -> PullPolicy | None:
    try:
        return pull_policy(said or "")
    except UsageError as error:
        error.place = str(origin.place("services", name, "pull_policy"))
        raise


def _told(value: str | bool | None) -> str:  # noqa: FBT001 - as it is written
    """Return an answer to a question of builders; empty where none is given."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else value


def _context(value: str, form: Canonical) -> str:
    """Return a named context as builders know it: they have heard of images, and not of services."""
    name = value.removeprefix(_OF_SERVICE)
    return value if name == value else f"docker-image://{_image(name, form)}"


def _image(name: str, form: Canonical) -> str:
    return form["services"][name].get("image") or f"{form['name']}-{name}"


def _pairs(raw: Canonical, key: str, build: ComposeNode | None) -> tuple[tuple[str, str], ...]:
    found: Mapping[str, Any] = raw.get(key) or {}
    names = _in_order(found, build.value.get(key) if build is not None and isinstance(build.value, dict) else None)
    return tuple((name, str(found[name])) for name in names if found[name] is not None)


def _in_order(found: Mapping[str, Any], written: ComposeNode | None) -> list[str]:
    """Return names in the order of writing, as far as it is known; Compose v2 prints them sorted."""
    known = written.value if written is not None and isinstance(written.value, dict) else {}
    return [*(name for name in known if name in found), *(name for name in found if name not in known)]


def _listed(value: Mapping[str, Any] | Sequence[str] | None) -> list[str]:
    if isinstance(value, dict):
        return [f"{key}={entry}" if entry else key for key, entry in value.items()]
    return [str(entry) for entry in value or ()]


def _hosts(value: Mapping[str, Any] | Sequence[str] | None) -> list[str]:
    if isinstance(value, dict):
        return [
            f"{key}={host}" for key, entry in value.items() for host in ([entry] if isinstance(entry, str) else entry)
        ]
    return [entry if "=" in entry else entry.replace(":", "=", 1) for entry in value or ()]


def _secret(entry: Canonical, secrets: Canonical) -> str:
    source = entry.get("source") or ""
    wanted = secrets.get(source) or {}
    identity = f"id={(entry.get('target') or source).removeprefix('/run/secrets/')}"
    if wanted.get("environment"):
        return f"{identity},env={wanted['environment']}"
    return f"{identity},src={wanted['file']}" if wanted.get("file") else identity


def _mounts(raw: Canonical) -> list[Mount]:
    mounts = [
        Mount(
            kind=entry.get("type") or "volume",
            source=entry.get("source") or "",
            target=entry.get("target") or "",
            read_only=bool(entry.get("read_only")),
        )
        for entry in raw.get("volumes") or ()
    ]
    tmpfs = raw.get("tmpfs") or ()
    mounts += [
        Mount(kind="tmpfs", source="", target=entry.partition(":")[0])
        for entry in ([tmpfs] if isinstance(tmpfs, str) else tmpfs)
    ]
    mounts += [
        Mount(kind="volumes_from", source=entry.removesuffix(":ro").removesuffix(":rw"), target="",
              read_only=entry.endswith(":ro"))
        for entry in raw.get("volumes_from") or ()
    ]  # fmt: skip
    return mounts


def _devices(raw: Canonical) -> list[str]:
    devices = [entry if isinstance(entry, str) else str(entry.get("source", "")) for entry in raw.get("devices") or ()]
    reservations = ((raw.get("deploy") or {}).get("resources") or {}).get("reservations") or {}
    for request in (*(reservations.get("devices") or ()), *(raw.get("gpus") or ())):
        capabilities = ",".join(request.get("capabilities") or ["gpu"])
        count = request.get("count", -1)
        which = ",".join(request.get("device_ids") or ()) or ("all" if count in {-1, "all"} else str(count))
        devices.append(f"{capabilities} ({which})")
    return devices


def _health(raw: Canonical | None) -> HealthSpec | None:
    if not raw:
        return None
    if raw.get("disable") or list(raw.get("test") or ()) == ["NONE"]:
        return HealthSpec(disabled=True)
    defaults = HealthSpec()
    return HealthSpec(
        interval_s=_seconds(raw.get("interval"), defaults.interval_s),
        timeout_s=_seconds(raw.get("timeout"), defaults.timeout_s),
        retries=int(raw["retries"]) if raw.get("retries") is not None else defaults.retries,
        start_period_s=_seconds(raw.get("start_period"), defaults.start_period_s),
    )


def _seconds(text: str | None, default: float) -> float:
    found = nanoseconds_of(text) if text else None
    return default if found is None else found / 1e9
