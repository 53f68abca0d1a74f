"""What ``apt-get``, ``apt``, ``aptitude`` and ``dpkg`` install.

Source: apt-get(8) of Debian 12.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tonnage.forecast.commands.context import table
from tonnage.forecast.commands.pipes import is_pipe
from tonnage.lazily import regex
from tonnage.model.forecast.effects import AptClean, AptInstall, AptRemove, AptUpdate, Nothing

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
    if action in {"clean", "autoclean", "distclean"}:
        return AptClean(**context.shared, archives=True, lists=action == "distclean")
    if action in {"remove", "purge", "autoremove", "autopurge"}:
        return AptRemove(**context.shared, packages=tuple(word.text for word in named))
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


def dpkg(context: Context, words: Sequence[Word]) -> AnyEffect:
    """Read ``dpkg``; ``words`` are those after the program."""
    if not any(word.text in {"-i", "--install", "--unpack"} for word in words):
        return Nothing(**context.shared)
    files = tuple(context.absolute(word.text) for word in words if not word.text.startswith("-"))
    return AptInstall(**context.shared, files=files, recommends=False, alone=True)
