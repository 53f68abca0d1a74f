"""Every key of a compose file that this reader knows, with its shape and the kinds of values it takes. Only data.

Source: the Compose specification's JSON schema as vendored by check-jsonschema 0.39, whose keys a test compares, and
that of compose-go 2.9 for the kinds, which tests/compose holds them to.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

from tonnage.sources.compose.kinds import Kind, Worded
from tonnage.sources.compose.scalars import Mode, Number, PathText, Size, Span, Text, Truth, Whole
from tonnage.sources.compose.shapes import CommandShape, Distinct, Either, Fields, Listed, Mounted, Named, Pairs
from tonnage.sources.compose.short_syntax import (
    config_key,
    is_fetched,
    name_key,
    names_a_context,
    paired_host,
    path_key,
    port_key,
    secret_key,
    short,
    short_device,
    short_host,
    short_port,
    short_ssh,
    short_volume,
    stays,
    target_key,
)

if TYPE_CHECKING:
    from tonnage.sources.compose.scalars import Shape


def _keys(names: str, shape: Shape) -> dict[str, Shape]:
    return dict.fromkeys(names.split(), shape)


def _one_of(*choices: str) -> Kind:
    return Kind(Text(choices=choices), ("text",))


_SCALAR = Text()
_TEXT = Kind(_SCALAR, ("text",))
_OPTION = Kind(_SCALAR, ("text", "number"))
_WHOLE = Kind(Whole(wraps=True), ("whole", "text"))
_CUT = Kind(Whole(wraps=True), ("number", "text"))
"""A whole number of which Compose leaves out what stands behind a point."""
_WEIGHT = Kind(Whole(within=(0, 2**16 - 1)), ("whole",))
_TRUTH = Kind(Truth(), ("truth", "text"))
_NUMBER = Kind(Number(), ("number", "text"))
_CPUS = Kind(Number(narrow=True), ("number", "text"))
_SPAN = Kind(Span(), ("text",))
_SIZE = Kind(Size(), ("number", "text"))
_WHOLE_SIZE = Kind(Size(), ("whole", "text"))
_MODE = Kind(Mode(), ("number", "text"))
_PATH = Kind(PathText(read_here=True), ("text",))
_MOUNTED_PATH = Kind(PathText(mounted=True), ("text",))
_FILE = Kind(PathText(keep=is_fetched, read_here=True, home=False), ("text",))
_OPTIONAL_DIRECTORY = Kind(PathText(keep=operator.not_, read_here=True, home=False), ("text",))
_TEXTS = Listed(_TEXT)
_UNIQUE_TEXTS = Listed(_TEXT, unique=True)
_ONE_OR_TEXTS = Listed(_TEXT, single=True, unique=True)
_WORDS = Distinct(_TEXT, key=name_key)
_ONE_OR_WORDS = Distinct(_TEXT, key=name_key, single=True)
_PAIRS = Pairs(missing="")
_UNIQUE_PAIRS = Pairs(missing="", unique=True)
_OPTIONS = Named(_OPTION)
_TEXT_OPTIONS = Named(_TEXT)
_EXTRA_HOSTS = Distinct(
    Kind(Text(pattern=r"[^:=]+=.*", example="db=192.0.2.1"), ("text",)),
    pairs="=",
    of_pair=paired_host,
    short=short_host,
    unique=True,
    takes=("text",),
)
_LIMIT = Kind(Whole(), ("digits", "text"))
_ULIMITS = Named(Either(_LIMIT, Fields(_keys("hard soft", _LIMIT), required=("hard", "soft"))), replaced=True)
_THROTTLES = Listed(Fields({"path": _TEXT, "rate": _WHOLE_SIZE}, extended=False))
_REQUEST = {
    **_keys("capabilities device_ids", _UNIQUE_TEXTS),
    "count": Kind(Whole(words=(("all", -1),)), ("text", "whole")),
    "driver": _TEXT,
    "options": _UNIQUE_PAIRS,
}
_FILE_MOUNT = Fields(
    {**_keys("source target uid gid", _TEXT), "mode": _MODE}, short=short("source"), required=("source",)
)
_UPDATE = Fields(
    {
        "failure_action": _TEXT,
        "order": _one_of("start-first", "stop-first"),
        **_keys("delay monitor", _SPAN),
        "parallelism": _WHOLE,
        "max_failure_ratio": _NUMBER,
    }
)
_HOOK = Fields(
    {
        **_keys("user working_dir", _TEXT),
        "command": CommandShape(),
        "privileged": _TRUTH,
        "environment": Pairs(unique=True),
    },
    merged=("command",),
)

BUILD = Fields(
    {
        **_keys("dockerfile dockerfile_inline network target isolation", _TEXT),
        **_keys("provenance sbom", Kind(_SCALAR, ("text", "truth"))),
        **_keys("cache_from cache_to entitlements platforms", _TEXTS),
        **_keys("no_cache pull privileged", _TRUTH),
        "tags": _WORDS,
        "context": Kind(PathText(keep=stays), ("text",)),
        "args": Pairs(),
        "ssh": Distinct(_TEXT, pairs="=", short=short_ssh, unique=True),
        "labels": _PAIRS,
        "no_cache_filter": _ONE_OR_TEXTS,
        "additional_contexts": Pairs(each=PathText(keep=names_a_context), valued=True, merged=True),
        "shm_size": _WHOLE_SIZE,
        "extra_hosts": _EXTRA_HOSTS,
        "secrets": Listed(_FILE_MOUNT),
        "ulimits": _ULIMITS,
    },
    short=short("context"),
)

DEPENDS_ON = Named(
    Fields(
        {
            "restart": _TRUTH,
            "required": Kind(Truth(), ("truth",)),
            "condition": _one_of("service_started", "service_healthy", "service_completed_successfully"),
        },
        merged=("condition",),
    ),
    listed=True,
    default=(("condition", "service_started"), ("required", True)),
    plain=True,
)

HEALTHCHECK = Fields(
    {
        **_keys("interval timeout start_period start_interval", _SPAN),
        "disable": _TRUTH,
        "retries": Kind(Whole(within=(0, 2**64 - 1), wraps=True), ("number", "text")),
        "test": CommandShape(in_shell=True, optional=False),
    }
)

DEPLOY = Fields(
    {
        **_keys("mode endpoint_mode", _TEXT),
        **_keys("rollback_config update_config", _UPDATE),
        "replicas": _WHOLE,
        "labels": _PAIRS,
        "resources": Fields(
            {
                "limits": Fields({"cpus": _CPUS, "memory": Kind(Size(), ("text",)), "pids": _WHOLE}),
                "reservations": Fields(
                    {
                        "cpus": _CPUS,
                        "memory": Kind(Size(), ("text",)),
                        "generic_resources": Listed(
                            Fields({"discrete_resource_spec": Fields({"kind": _TEXT, "value": _CUT})})
                        ),
                        "devices": Listed(Fields(_REQUEST, merged=("capabilities",))),
                    }
                ),
            }
        ),
        "restart_policy": Fields({"condition": _TEXT, "max_attempts": _WHOLE, **_keys("delay window", _SPAN)}),
        "placement": Fields(
            {"constraints": _TEXTS, "preferences": Listed(Fields({"spread": _TEXT})), "max_replicas_per_node": _WHOLE}
        ),
    },
    optional=True,
)

PORTS = Distinct(
    Fields(
        {
            **_keys("name host_ip protocol app_protocol mode", _TEXT),
            "target": Kind(Whole(within=(0, 2**32 - 1)), ("whole", "text")),
            "published": Kind(
                Text(pattern=r"([0-9]{1,9}(-[0-9]{1,9})?)?", example="8080 or 8000-8010"), ("text", "whole")
            ),
        },
        required=("target",),
    ),
    key=port_key,
    short=short_port,
)

VOLUMES = Distinct(
    Mounted(
        Fields(
            {
                "type": _one_of("bind", "volume", "tmpfs", "npipe", "cluster", "image"),
                **_keys("source target consistency", _TEXT),
                "read_only": _TRUTH,
                "bind": Fields(
                    {
                        "propagation": _TEXT,
                        "create_host_path": _TRUTH,
                        "recursive": _one_of("enabled", "disabled", "writable", "readonly"),
                        "selinux": _one_of("z", "Z"),
                    }
                ),
                "volume": Fields({"labels": _UNIQUE_PAIRS, "nocopy": _TRUTH, "subpath": _TEXT}),
                "tmpfs": Fields(
                    {"size": Kind(Size(), ("count", "text")), "mode": Kind(Whole(within=(0, 2**32 - 1)), ("number",))}
                ),
                "image": Fields({"subpath": _TEXT}),
            },
            short=short_volume,
            required=("type", "target"),
        )
    ),
    key=target_key,
)

NETWORKS = Named(
    Fields(
        {
            **_keys("interface_name ipv4_address ipv6_address mac_address", _TEXT),
            **_keys("aliases link_local_ips", _WORDS),
            **_keys("priority gw_priority", Kind(Whole(wraps=True), ("number",))),
            "driver_opts": _OPTIONS,
            "use_service_name_alias": _TRUTH,
        },
        optional=True,
    ),
    listed=True,
    plain=True,
)

SERVICE = Fields(
    {
        **_keys(
            "cgroup_parent cpuset domainname hostname image ipc isolation mac_address network_mode pid platform"
            " pull_refresh_after restart runtime stop_signal user userns_mode uts working_dir",
            _TEXT,
        ),
        **_keys("attach init oom_kill_disable privileged read_only stdin_open tty", _TRUTH),
        **_keys("cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares pids_limit", _CUT),
        **_keys("mem_limit memswap_limit shm_size", _SIZE),
        **_keys("mem_reservation mem_swappiness", _WHOLE_SIZE),
        **_keys("device_cgroup_rules external_links security_opt volumes_from", _UNIQUE_TEXTS),
        **_keys("cap_add cap_drop dns_opt links profiles", _WORDS),
        "dns": Distinct(_TEXT, key=name_key, single=True, blanks=False),
        **_keys("dns_search tmpfs", _ONE_OR_WORDS),
        **_keys("annotations labels sysctls", _PAIRS),
        **_keys("command entrypoint", CommandShape()),
        "configs": Distinct(_FILE_MOUNT, key=config_key),
        "secrets": Distinct(_FILE_MOUNT, key=secret_key),
        **_keys("post_start pre_stop", Listed(_HOOK)),
        "blkio_config": Fields(
            {
                **_keys("device_read_bps device_read_iops device_write_bps device_write_iops", _THROTTLES),
                "weight": _WEIGHT,
                "weight_device": Listed(Fields({"path": _TEXT, "weight": _WEIGHT}, extended=False)),
            },
            extended=False,
        ),
        "build": BUILD,
        "cgroup": _one_of("host", "private"),
        "container_name": Kind(
            Text(pattern=r"(?s:.*)[a-zA-Z0-9][a-zA-Z0-9_.-]+(?s:.*)", example="web-1, at least two characters long"),
            ("text",),
        ),
        "cpu_count": Kind(Whole(within=(0, 2**63 - 1), wraps=True), ("whole", "text")),
        "cpu_percent": Kind(Whole(within=(0, 100)), ("whole", "text")),
        "cpus": _CPUS,
        "credential_spec": Fields(_keys("config file registry", _TEXT)),
        "depends_on": DEPENDS_ON,
        "deploy": DEPLOY,
        "develop": Fields(
            {
                "watch": Listed(
                    Fields(
                        {
                            **_keys("ignore include", _ONE_OR_TEXTS),
                            "action": _one_of("rebuild", "sync", "restart", "sync+restart", "sync+exec"),
                            "target": _TEXT,
                            "path": Kind(PathText(keep=stays), ("text",)),
                            "exec": _HOOK,
                            "initial_sync": Kind(Truth(), ("truth",)),
                        },
                        required=("path", "action"),
                    )
                )
            },
            optional=True,
        ),
        "devices": Distinct(
            Fields(_keys("source target permissions", _TEXT), short=short_device, required=("source", "target")),
            key=target_key,
        ),
        "env_file": Distinct(
            Fields(
                {"path": _PATH, "format": _TEXT, "required": _TRUTH},
                short=short("path"),
                required=("path",),
                extended=False,
            ),
            key=path_key,
            single=True,
        ),
        "environment": Pairs(),
        "expose": Distinct(Kind(_SCALAR, ("text", "digits"))),
        "extends": Fields(
            {"service": _TEXT, "file": _FILE}, short=short("service"), required=("service",), closed=False
        ),
        "extra_hosts": _EXTRA_HOSTS,
        "gpus": Worded("all", (("count", -1),), Listed(Fields(_REQUEST))),
        "group_add": Listed(_OPTION, unique=True),
        "healthcheck": HEALTHCHECK,
        "label_file": Distinct(_PATH, single=True),
        "logging": Fields(
            {"driver": _TEXT, "options": Named(Kind(_SCALAR, ("text", "number"), missing=""))},
        ),
        "networks": NETWORKS,
        "oom_score_adj": Kind(Whole(within=(-1000, 1000)), ("whole", "text")),
        "ports": PORTS,
        "pull_policy": Kind(
            Text(
                pattern=r"(?s:.*)(always|never|build|if_not_present|missing|refresh|daily|weekly|every_[0-9]+[wdhms])(?s:.*)",
                example="always, never, missing, build, daily, weekly or every_12h",
            ),
            ("text",),
        ),
        "scale": _WHOLE,
        "stop_grace_period": _SPAN,
        "storage_opt": Named(Kind(_SCALAR, ("text", "digits"), missing="")),
        "ulimits": _ULIMITS,
        "umask": Mode(),
        "use_api_socket": Kind(Truth(), ("truth",)),
        "volumes": VOLUMES,
    },
    unsupported=frozenset({"models", "pre_start", "provider"}),
)

_FILES = Listed(_FILE, single=True, unique=True)
_SHARED: dict[str, Shape] = {
    "name": _TEXT,
    "external": Either(_TRUTH, Fields({"name": _TEXT})),
    "labels": _UNIQUE_PAIRS,
}
"""What networks, volumes, secrets and configs have in common."""
_DRIVEN: dict[str, Shape] = {**_SHARED, "driver": _TEXT, "driver_opts": _OPTIONS}

COMPOSE_FILE = Fields(
    {
        "version": _TEXT,
        "name": _TEXT,
        "include": Listed(
            Fields(
                {**_keys("path env_file", _FILES), "project_directory": _OPTIONAL_DIRECTORY},
                short=short("path"),
                closed=False,
            ),
            gaps=True,
        ),
        "services": Named(SERVICE, plain=True, filled=True),
        "networks": Named(
            Fields(
                {
                    **_DRIVEN,
                    "labels": _PAIRS,
                    "ipam": Fields(
                        {
                            "driver": _TEXT,
                            "config": Listed(
                                Fields({**_keys("subnet ip_range gateway", _TEXT), "aux_addresses": _TEXT_OPTIONS})
                            ),
                            "options": _TEXT_OPTIONS,
                        }
                    ),
                    **_keys("internal enable_ipv4 enable_ipv6 attachable", _TRUTH),
                },
                optional=True,
            )
        ),
        "volumes": Named(Fields(_DRIVEN, optional=True), plain=True),
        "secrets": Named(
            Fields({**_DRIVEN, **_keys("environment template_driver", _TEXT), "file": _MOUNTED_PATH}), plain=True
        ),
        "configs": Named(
            Fields({**_SHARED, **_keys("content environment template_driver", _TEXT), "file": _MOUNTED_PATH}),
            plain=True,
        ),
    },
    unsupported=frozenset({"jobs", "models"}),
)
