"""The servers that the user configured for package indexes, registries and packages, found only where they matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tonnage.forecast.python.index_access import IndexAccess
    from tonnage.forecast.python.uv import Uv


def users_servers(
    environment: Mapping[str, str], registries: Sequence[str], uv: Callable[[], Uv]
) -> tuple[Callable[[], Iterable[str]], ...]:
    """Return what tells the addresses of such servers, the cheaper first.

    Args:
        registries: Those that the engine was told of.
        uv: Makes the resolver, which knows the index that is asked where no other is named.
    """

    def access() -> IndexAccess:
        from tonnage.forecast.python.index_access import index_access  # noqa: PLC0415 - of untrusted stacks alone
        from tonnage.model.forecast.python_lock import ResolveRequest  # noqa: PLC0415 - as above

        return index_access(ResolveRequest(requirements=()), environment)

    def written() -> Iterable[str]:
        from tonnage.adapters.images.image_files import apt_sources_here  # noqa: PLC0415 - as above
        from tonnage.adapters.registry.access import Credentials  # noqa: PLC0415 - as above
        from tonnage.forecast.node.npm_settings import npm_settings  # noqa: PLC0415 - as above

        indexes = access()
        named = (*registries, *Credentials(environment).hosts())
        yield from (each if "://" in each else f"https://{each}" for each in named)
        yield from npm_settings(environment).addresses()
        yield from (indexes.index_url, *indexes.extra_index_urls, *apt_sources_here())

    return written, lambda: (uv().default_index(access()),)
