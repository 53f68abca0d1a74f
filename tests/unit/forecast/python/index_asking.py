"""Asking the resolver through what stands in for indexes, and pages of indexes in HTML."""

from __future__ import annotations

import gzip
import hashlib
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from tonnage.adapters.web.client import Web
from tonnage.adapters.web.disk_cache import DiskCache
from tonnage.forecast.python.index_access import index_access
from tonnage.forecast.python.index_relay import IndexRelay
from tonnage.forecast.python.resolution import resolve
from tonnage.model.forecast.python_lock import Lock, ResolveRequest, Target

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.unit.adapters.file_server import FileServer

Ask = Callable[..., list[Lock]]
PY311 = Target(python="3.11", platform="x86_64-manylinux_2_36")
MANY = {f"pkg/module_{number:05}.py": b"x = 1\n" for number in range(400)}


def asking(directory: Path) -> Ask:
    """Return what resolves sets of lines with one relay for all of them, at the same time."""

    def run(
        *sets: tuple[str, ...], offline: bool = False, extra: Mapping[str, str] | None = None, **asked: object
    ) -> list[Lock]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "PIP_CONFIG_FILE": os.devnull,
            **(extra or {}),
        }
        kept = DiskCache(directory / "kept")
        found: dict[int, Lock | BaseException] = {}
        with Web(environment, offline=offline) as web, IndexRelay(web, kept, environment) as relay:

            def one(number: int, lines: tuple[str, ...]) -> None:
                request = ResolveRequest(requirements=lines, **asked)  # type: ignore[arg-type]
                access = index_access(request, environment)
                try:
                    found[number] = resolve(
                        request, PY311, web=web, access=access, kept=kept, relay=relay, environment=environment
                    )
                except BaseException as error:  # noqa: BLE001 - raised below
                    found[number] = error

            threads = [threading.Thread(target=one, args=each) for each in enumerate(sets)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        answers = [found[number] for number in range(len(sets))]
        for each in answers:
            if isinstance(each, BaseException):
                raise each
        return [each for each in answers if isinstance(each, Lock)]

    return run


def page(server: FileServer, name: str, links: Mapping[str, bytes], *, form: str = "{}", **behaviour: object) -> None:
    """Offer files of a project on a page in HTML, their addresses written in some form."""
    lines = []
    for filename, content in links.items():
        server.add(f"/files/{filename}", content)
        address = form.format(f"/files/{filename}")
        lines.append(f'<a href="{address}#sha256={hashlib.sha256(content).hexdigest()}">{filename}</a><br/>')
    text = f"<!DOCTYPE html><html><body>{''.join(lines)}</body></html>".encode()
    headers = {"Content-Type": "text/html", **behaviour.pop("headers", {})}  # type: ignore[dict-item]
    if headers.get("Content-Encoding") == "gzip":
        text = gzip.compress(text)
    server.add(f"/simple/{name}/", text, ranges=False, headers=headers, **behaviour)


def count(server: FileServer, path: str) -> int:
    return sum(asked == path for asked, _ in server.asked)
