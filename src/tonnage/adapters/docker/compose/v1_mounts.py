"""The mounts of one service in the form that Compose 1 understands."""

from __future__ import annotations

from typing import Any

Mapping = dict[str, Any]

_KINDS = frozenset({"bind", "volume", "tmpfs", "npipe"})
_OPTIONS = {"bind": frozenset({"propagation"}), "volume": frozenset({"nocopy"}), "tmpfs": frozenset({"size"})}


def rewrite_mounts(where: str, config: Mapping) -> list[str]:
    """Rewrite the mounts of one service, in place."""
    lacks: list[str] = []
    kept: list[Mapping | str] = []
    for mount in config.get("volumes") or ():
        if not isinstance(mount, dict):
            kept.append(mount)
            continue
        rewritten = _mount(mount)
        if mount["type"] == "tmpfs" and isinstance(rewritten, str):
            tmpfs = config.get("tmpfs") or []
            config["tmpfs"] = [*([tmpfs] if isinstance(tmpfs, str) else tmpfs), rewritten]
            continue
        kept.append(rewritten)
        if isinstance(rewritten, dict):
            lacks += [f"{where}.volumes: {lack} of {mount.get('target')}" for lack in _lacks(rewritten)]
    if kept:
        config["volumes"] = kept
    else:
        config.pop("volumes", None)
    return lacks


def _mount(mount: Mapping) -> Mapping | str:
    kind = mount["type"]
    options = {key: value for key, value in (mount.get(kind) or {}).items() if value not in (None, "", False)}
    if kind == "bind":
        creates, selinux = options.pop("create_host_path", False), options.pop("selinux", "")
        if options.get("recursive") == "enabled":
            del options["recursive"]
        # Only the short form creates the directory, and only it has labels of SELinux.
        if (creates or selinux) and ":" not in mount["source"] and set(options) <= {"propagation"}:
            mode = ["ro"] if mount.get("read_only") else []
            mode += [word for word in (options.get("propagation"), selinux) if word]
            return ":".join([mount["source"], mount["target"], *([",".join(mode)] if mode else [])])
        if selinux:
            options["selinux"] = selinux
    if kind == "tmpfs":
        if "mode" in options and set(options) <= {"size", "mode"}:
            mode = options["mode"]
            written = [f"mode={mode if isinstance(mode, str) else format(mode, 'o')}"]
            written += [f"size={options['size']}"] if "size" in options else []
            written += ["ro"] if mount.get("read_only") else []
            return f"{mount['target']}:{','.join(written)}"
        if "size" in options:
            options["size"] = int(options["size"])
    rest = {key: value for key, value in mount.items() if key != kind and value is not None}
    return {**rest, kind: options} if options else rest


def _lacks(mount: Mapping) -> list[str]:
    kind = mount["type"]
    if kind not in _KINDS:
        return [f"the type {kind}"]
    return [key for key in mount.get(kind) or {} if key not in _OPTIONS.get(kind, frozenset())]
