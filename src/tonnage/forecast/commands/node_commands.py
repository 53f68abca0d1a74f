"""What npm, yarn, pnpm and bun install, and what they remove of their caches.

Source: npm 10 ``npm help install``, yarn 1.22 and 4, pnpm 10, bun 1.2.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from tonnage.forecast.commands.cheap_commands import cheap
from tonnage.forecast.commands.context import table
from tonnage.model.forecast.effects import ChangeMode, Nothing, Remove
from tonnage.model.forecast.node_packages import NODE_LOCKS, NodeInstall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.forecast.commands.context import Context, Options
    from tonnage.model.forecast.effects import AnyEffect
    from tonnage.model.forecast.shell_script import Word

_OPTIONS = table(
    "--prefix --cwd --dir --cache --cache-folder --cache-dir --registry --omit --include --only --loglevel --tag "
    "--fetch-retries --fetch-timeout --network-timeout --network-concurrency --store-dir --virtual-store-dir --filter "
    "--workspace --modules-folder --node-linker --reporter --maxsockets --fetch-retry-maxtimeout --mutex --scope "
    "--fetch-retry-mintimeout --backend --configuration --python --before --cpu --os --libc --install-strategy",
    "--production --prod --global --force --legacy-peer-deps --silent --frozen-lockfile --immutable --no-audit "
    "--no-fund "
    "--no-optional --ignore-scripts --save --save-dev --save-exact --no-save --unsafe-perm --verbose --quiet --offline "
    "--offline --prefer-offline --no-progress --non-interactive --no-lockfile --pure-lockfile --ignore-engines "
    "--dev --recursive "
    "--no-frozen-lockfile --no-package-lock --ignore-optional --no-cache --no-bin-links --all --help --version",
    C="--dir", g="--global", P="--prod", D="--save-dev", f="--force", w="--workspace", s="--silent", r="--recursive",
    E="--save-exact",
)  # fmt: skip
_INSTALLS = {
    "npm": frozenset({"ci", "clean-install", "ic", "install-clean", "install", "i", "in", "ins", "add", "isntall"}),
    "yarn": frozenset({"install", "add", "global", "workspaces"}),
    "pnpm": frozenset({"install", "i", "add", "fetch", "ci"}),
    "bun": frozenset({"install", "i", "add"}),
}
_QUIET = frozenset({
    "get", "info", "list", "ls", "search", "view", "outdated", "fund", "whoami", "ping", "why", "bin", "root", "prefix",
    "check", "versions", "doctor", "licenses", "team",
})  # fmt: skip
# They write settings, or what is installed down anew.
_NOTES = frozenset({
    "config", "set", "init", "audit", "login", "logout", "setup", "pkg", "version", "plugin", "approve-builds",
    "policies",
})  # fmt: skip
_REMOVES = frozenset(
    {"prune", "remove", "uninstall", "rm", "r", "un", "unlink", "dedupe", "ddp", "find-dupes", "autoclean"}
)
_GLOBAL_PLACES = (
    "/usr/local/lib/node_modules", "/usr/lib/node_modules", "/root/.bun/install/global",
    "/usr/local/share/.config/yarn/global",
)  # fmt: skip
_CLEANS = frozenset({"clean", "clear", "cache", "rm", "prune"})


def is_node(program: str) -> bool:
    """Return whether a program installs packages for Node.js."""
    return program in NODE_LOCKS


def node(context: Context, program: str, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Read one of these programs; ``words`` are those after it."""
    options = _OPTIONS.read(words)
    named = [word.text for word in options.positional]
    action = named[0] if named else ("install" if program == "yarn" and not options.has("--version", "--help") else "")
    cache = _cache(context, program, options)
    second = named[1] if len(named) > 1 else ""
    if (action == "cache" and second in _CLEANS) or (action, second) == ("store", "prune"):
        return (Remove(**context.shared, paths=(f"{cache}/*", cache)),)
    globally = action == "global" or options.has("--global")
    directory = context.absolute((options.last("--prefix", "--cwd", "--dir") if not globally else "") or ".")
    if (quiet := _without_installing(context, program, (action, second), directory, globally=globally)) is not None:
        return quiet
    if any(not word.known for word in options.positional):
        return (context.opaque(f"what {program} installs is not known"),)
    packages = named[2:] if action == "global" else [] if action in {"fetch", "workspaces"} else named[1:]
    install = NodeInstall(
        **context.shared,
        manager=program,
        directory=directory,
        packages=tuple(packages),
        globally=globally,
        production=_production(context, options),
        without_optional=options.has("--no-optional", "--ignore-optional") or "optional" in options.all("--omit"),
        scripts=not options.has("--ignore-scripts") and not context.on("npm_config_ignore_scripts"),
        fetches=action == "fetch",
        cache=cache,
    )
    return (install,)


def _without_installing(
    context: Context, program: str, actions: tuple[str, str], directory: str, *, globally: bool
) -> tuple[AnyEffect, ...] | None:
    """Return what a command does that installs nothing; None for one that does."""
    action, second = actions
    if action in _REMOVES or (action == "global" and second in _REMOVES):
        # Which packages go depends on what else needs them, and npm may write those anew that stay.
        paths = _GLOBAL_PLACES if globally else (posixpath.join(directory, "node_modules"),)
        noted = cheap(context, f"{paths[0]}/.package-lock.json")
        changed = ChangeMode(**context.shared, paths=paths, recursive=True, found=True, sure=False)
        return (Remove(**context.shared, paths=paths, found=True, sure=False), changed, noted)
    if (action in _NOTES and second != "fix") or (action == "global" and second not in {"add", "install"}):
        return (cheap(context),)
    if action == "cache" and second == "verify":
        return (cheap(context),)
    if not action or action in _QUIET or action == "cache" or (action == "pm" and program == "bun"):
        return (Nothing(**context.shared),)
    if action not in _INSTALLS[program]:
        return (context.opaque(f"{program} {action} runs a program"),)
    if action == "workspaces" and second != "focus":
        return (context.opaque(f"{program} {action} runs programs"),)
    return None


def _production(context: Context, options: Options) -> bool:
    """Return whether what is for development alone is left out."""
    if "dev" in options.all("--include") or options.has("--dev") or "--production=false" in context.text:
        return False
    told = options.has("--production", "--prod") or "dev" in options.all("--omit")
    only = options.last("--only").startswith("prod")
    return told or only or context.setting("NODE_ENV") == "production" or "dev" in context.setting("npm_config_omit")


def _cache(context: Context, program: str, options: Options) -> str:
    """Return the directory of a program's cache."""
    home = context.setting("HOME") or "/root"
    named = options.last("--cache", "--cache-folder", "--cache-dir", "--store-dir")
    if program == "npm":
        named = named or context.setting("npm_config_cache") or context.setting("NPM_CONFIG_CACHE")
        return context.absolute(named) if named else f"{home}/.npm"
    if program == "yarn":
        named = named or context.setting("YARN_CACHE_FOLDER")
        usual = "/usr/local/share/.cache/yarn" if home == "/root" else f"{home}/.cache/yarn"
        return context.absolute(named) if named else usual
    if program == "pnpm":
        home_of_pnpm = context.setting("PNPM_HOME")
        usual = posixpath.join(home_of_pnpm, "store") if home_of_pnpm else f"{home}/.local/share/pnpm/store"
        return context.absolute(named) if named else usual
    return context.absolute(named) if named else f"{home}/.bun/install/cache"
