"""What ``apt-get``, ``apt``, ``aptitude`` and ``dpkg`` install.

Source: apt-get(8) of Debian 12.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tonnage.forecast.commands.cheap_commands import cheap, cheap_effects
from tonnage.forecast.commands.context import table
from tonnage.forecast.commands.pipes import is_pipe
from tonnage.lazily import regex
from tonnage.model.forecast.effects import AptClean, AptInstall, AptMark, AptRemove, AptUpdate, Nothing, Unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.forecast.commands.context import Context
    from tonnage.model.forecast.effects import AnyEffect
    from tonnage.model.forecast.shell_script import Word

APT = table(
    "--option --target-release --config-file --host-architecture --build-profiles",
    "--yes --assume-yes --quiet --no-install-recommends --install-recommends --no-install-suggests --install-suggests "
    "--download-only --fix-missing --fix-broken --allow-unauthenticated --allow-downgrades --allow-remove-essential "
    "--allow-change-held-packages --reinstall --only-upgrade --no-upgrade --purge --autoremove --auto-remove "
    "--ignore-missing --show-progress --simulate --ignore-hold --force-yes --verbose-versions --print-uris "
    "--without-recommends --with-recommends --no-remove --allow-releaseinfo-change",
    y="--yes", q="--quiet", d="--download-only", f="--fix-broken", m="--fix-missing", t="--target-release",
    o="--option", c="--config-file", s="--simulate", V="--verbose-versions",
)  # fmt: skip
# What was remembered of what a build does to the settings of apt.
KEEPS, APT_KEEPS = "\0apt keeps archives", "\0apt itself keeps archives"
_INSTALLS = frozenset({"-i", "--install", "--unpack"})
_REMOVES = frozenset({"-r", "--remove", "-P", "--purge"})
_NOTES = frozenset({
    "--configure", "--add-architecture", "--remove-architecture", "--set-selections", "--triggers-only",
})  # fmt: skip
_EXTRACTS = frozenset({"-x", "--extract", "-X", "--vextract", "-R", "--raw-extract", "-e", "--control"})
# What has other characters is a pattern.
_NAME = regex(r"[a-z0-9][a-z0-9+.:-]*")
_LISTS = "/var/lib/apt/lists"
_ARCHIVES = "/var/cache/apt/archives"
_SWITCH = regex(r"apt::install-(?P<which>recommends|suggests)=\"?(?P<value>\w+)\"?", re.IGNORECASE)


def apt(context: Context, words: Sequence[Word]) -> AnyEffect:
    """Read ``apt-get``, ``apt`` or ``aptitude``; ``words`` are those after the program."""
    options = APT.read(words)
    action = options.positional[0].text if options.positional else ""
    named = options.positional[1:]
    if options.has("--simulate", "--print-uris"):
        return Nothing(**context.shared)
    if action == "update":
        return AptUpdate(**context.shared, lists_mounted=context.mount_over(_LISTS) is not None)
    if action == "autoclean":
        # Only archives that no server has any more.
        return Nothing(**context.shared)
    if action in {"clean", "distclean", "dist-clean"}:
        everything = action.startswith("dist")
        # Before apt 2.7.8 there is no such command, and it removes nothing.
        perhaps = context.command.conditional or (everything and context.command.forgiven)
        return AptClean(**context.shared | {"conditional": perhaps}, archives=True, lists=everything)
    if action in {"remove", "purge", "autoremove", "autopurge"}:
        unneeded = action.startswith("auto") or options.has("--auto-remove", "--autoremove")
        return AptRemove(**context.shared, packages=tuple(word.text for word in named), unneeded=unneeded)
    upgrades = action in {"upgrade", "dist-upgrade", "full-upgrade", "safe-upgrade"}
    if action != "install" and not upgrades:
        if action in {"", "list", "search", "show", "policy", "check", "moo", "changelog"}:
            return Nothing(**context.shared)
        return context.opaque(f"apt-get {action} names no packages to install")
    files = [word.text for word in named if word.known and ("/" in word.text and word.text.endswith(".deb"))]
    listed = tuple(word.text for word in named if is_pipe(word.text) or word.text == context.fed_from)
    plain = [
        word.text for word in named if word.known and word.text not in {*files, *listed} and not word.text.endswith("-")
    ]
    switches = {
        match["which"].lower(): match["value"].lower() in {"1", "true", "yes"}
        for value in options.all("--option")
        if (match := _SWITCH.fullmatch(value.replace(" ", "")))
    }
    recommends = switches.get("recommends", context.setting("APT_INSTALL_RECOMMENDS") != "0")
    if options.has("--no-install-recommends", "--without-recommends"):
        recommends = False
    elif options.has("--install-recommends", "--with-recommends"):
        recommends = True
    return AptInstall(
        **context.shared,
        packages=tuple(plain),
        listed=listed,
        files=tuple(context.absolute(file) for file in files),
        recommends=recommends,
        suggests=options.has("--install-suggests") or switches.get("suggests", False),
        target_release=options.last("--target-release"),
        fixes=options.has("--fix-broken") and not named,
        upgrades=upgrades,
        downloads_only=options.has("--download-only"),
        cache_mounted=context.mount_over(_ARCHIVES) is not None,
        # Only apt itself, and not apt-get, throws them away unless it is told otherwise.
        keeps_debs=context.on(KEEPS) and (context.command.program != "apt" or context.on(APT_KEEPS)),
        unread=tuple(word.text for word in named if not word.known),
    )


def apt_mark(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Read ``apt-mark``; ``words`` are those after the program."""
    plain = [word for word in words if not word.text.startswith("-")]
    action = plain[0].text if plain else ""
    if action not in {"auto", "manual", "minimize-manual"}:
        return cheap_effects(context)
    named = [word for word in plain[1:] if word.known and _NAME.fullmatch(word.text)]
    told = AptMark(
        **context.shared,
        packages=tuple(word.text for word in named),
        automatic=action != "manual",
        every=len(named) < len(plain) - 1 or action == "minimize-manual",
    )
    return (told, *cheap_effects(context))


def dpkg(context: Context, words: Sequence[Word]) -> AnyEffect:
    """Read ``dpkg`` or ``dpkg-deb``; ``words`` are those after the program."""
    named = [word.text for word in words if not word.text.startswith("-")]
    asked = {word.text for word in words}
    if asked & _EXTRACTS and named:
        into = named[1] if len(named) > 1 else "DEBIAN"
        return Unpack(**context.shared, archive=context.absolute(named[0]), directory=context.absolute(into))
    if asked & _REMOVES and named:
        return AptRemove(**context.shared, packages=tuple(named))
    if asked & _NOTES:
        return cheap(context, "/var/lib/dpkg")
    if not asked & _INSTALLS:
        return Nothing(**context.shared)
    files = tuple(map(context.absolute, named))
    return AptInstall(**context.shared, files=files, recommends=False, alone=True)
