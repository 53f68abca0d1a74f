"""What the containers of an engine mount of this machine, read from the engine's own files: it need not answer."""

from __future__ import annotations

import json
from pathlib import Path


def mounted_by_containers(data_root: str) -> dict[str, str]:
    """Return what containers mount, as far as this user may read it.

    Args:
        data_root: The engine's, on this machine.

    Returns:
        By path, the name of a container that mounts it, whether it runs or not.

    Source: moby, container/container.go: ``config.v2.json`` has ``MountPoints`` by where they are mounted.
    """
    found: dict[str, str] = {}
    try:
        files = sorted(Path(data_root, "containers").glob("*/config.v2.json"))
    except OSError:
        return {}
    for file in files:
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
            mounts = [each for each in told["MountPoints"].values() if each["Type"] == "bind" and each["Source"]]
            found |= dict.fromkeys((str(each["Source"]) for each in mounts), str(told["Name"]).removeprefix("/"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return found
