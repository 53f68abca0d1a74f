"""How values of build arguments reach the docker program: in its environment, because every user sees a command line.

What docker, or a program that it starts, reads for itself keeps its value there: such an argument stands on the command
line. Only where its value holds a password it goes through the environment all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.model.stack import BuildSpec

_NAME = regex(r"[A-Za-z_][A-Za-z0-9_]*")
_PASSWORD = regex(r"\w+://[^/\s@]*:[^/\s]*@")
# Of docker 28 and buildx 0.21, of Go's network and run time, of the C library, of shells and of the languages that
# credential helpers are written in, of git and ssh. Source: the programs' own documentation of their environment.
_WORDS = """
PATH HOME USER LOGNAME SHELL PWD OLDPWD TMPDIR TERM COLUMNS LINES LANG LANGUAGE TZ TZDIR NO_COLOR
IFS ENV CDPATH PS4 SHELLOPTS
HTTP_PROXY HTTPS_PROXY ALL_PROXY FTP_PROXY NO_PROXY http_proxy https_proxy all_proxy ftp_proxy no_proxy
REQUEST_METHOD SSL_CERT_FILE SSL_CERT_DIR
GODEBUG GOGC GOMAXPROCS GOMEMLIMIT GOTRACEBACK GOCOVERDIR
LOCPATH NLSPATH GCONV_PATH GETCONF_DIR HOSTALIASES LOCALDOMAIN RES_OPTIONS RESOLV_HOST_CONF RESOLV_ADD_TRIM_DOMAINS
GLIBC_TUNABLES XDG_CONFIG_HOME XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS GNUPGHOME GPG_TTY PASSWORD_STORE_DIR
DOCKER_HOST DOCKER_CONTEXT DOCKER_CONFIG DOCKER_CERT_PATH DOCKER_TLS DOCKER_TLS_VERIFY DOCKER_API_VERSION
DOCKER_BUILDKIT DOCKER_DEFAULT_PLATFORM DOCKER_HIDE_LEGACY_COMMANDS DOCKER_CUSTOM_HEADERS DOCKER_AUTH_CONFIG
DOCKER_TMPDIR DOCKER_CONTENT_TRUST DOCKER_CONTENT_TRUST_SERVER
SSH_AUTH_SOCK SSH_AGENT_PID SSH_ASKPASS SSH_ASKPASS_REQUIRE DISPLAY
GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_COMMON_DIR
GIT_NAMESPACE GIT_CEILING_DIRECTORIES GIT_DISCOVERY_ACROSS_FILESYSTEM GIT_EXEC_PATH GIT_TEMPLATE_DIR GIT_SSH
GIT_SSH_COMMAND GIT_SSH_VARIANT GIT_ASKPASS GIT_TERMINAL_PROMPT GIT_PAGER GIT_EDITOR GIT_PROXY_COMMAND
GIT_EXTERNAL_DIFF GIT_ALLOW_PROTOCOL GIT_PROTOCOL_FROM_USER GIT_OPTIONAL_LOCKS PAGER EDITOR VISUAL
PERL5LIB PERL5OPT PERL5DB PERLLIB RUBYOPT RUBYLIB NODE_OPTIONS NODE_PATH JAVA_TOOL_OPTIONS _JAVA_OPTIONS
JDK_JAVA_OPTIONS EXPERIMENTAL_BUILDKIT_SOURCE_POLICY
"""
_READ = frozenset(_WORDS.split())
_READ_BY_BEGINNING = (
    *("LD_", "DYLD_", "LC_", "MALLOC_", "BASH_", "BUILDX_", "BUILDKIT_", "COMPOSE_", "OTEL_", "DOCKER_CLI_"),
    *("GIT_CONFIG", "GIT_TRACE"),
)
# Python's own have no underscore there; PYTHON_VERSION and the like are people's.
_OF_PYTHON = regex(r"PYTHON[A-Z0-9]+")


class BuildVariables(Struct, frozen=True):
    """What stands behind ``--build-arg`` and ``--secret``, and the environment that it needs."""

    arguments: tuple[str, ...]
    secrets: tuple[str, ...]
    environment: Mapping[str, str]


def build_variables(
    spec: BuildSpec, environment: Mapping[str, str], values: Mapping[str, str] | None = None
) -> BuildVariables:
    """Return how the values of a build section reach the program.

    Args:
        spec: Its ``args`` and ``secrets`` are looked at.
        environment: What the program is started with.
        values: Variables that secrets take their content from, before those of the environment.

    Returns:
        The words, and the whole environment.
    """
    arguments, added = [], {}
    # A program that is given one name twice takes the last.
    for name, value in dict(spec.args).items():
        hidden = environment.get(name) == value or not _is_read(name) or _holds_password(name, value)
        if hidden and _NAME.fullmatch(name):
            arguments.append(name)
            added[name] = value
        else:
            arguments.append(f"{name}={value}")
    secrets = []
    for number, secret in enumerate(spec.secrets):
        rest, marker, variable = secret.rpartition(",env=")
        content = {**environment, **(values or {})}.get(variable)
        if marker and content is not None and content != {**environment, **added}.get(variable):
            # The secret is what the user's variable says, not what the argument of that name says.
            other = f"TONNAGE_BUILD_SECRET_{number}"
            added[other] = content
            secrets.append(f"{rest},env={other}")
        else:
            secrets.append(secret)
    return BuildVariables(tuple(arguments), tuple(secrets), {**environment, **added})


def _is_read(name: str) -> bool:
    return name in _READ or name.startswith(_READ_BY_BEGINNING) or _OF_PYTHON.fullmatch(name) is not None


def _holds_password(name: str, value: str) -> bool:
    is_proxy = name.upper().endswith("_PROXY")
    return name == "DOCKER_AUTH_CONFIG" or (is_proxy and _PASSWORD.match(value) is not None)
