"""Every key of a service that this reader knows, with its shape. Data, no behaviour.

Source: the Compose specification's JSON schema as vendored by check-jsonschema 0.39; a test compares the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.sources.compose.scalars import Anything, Mode, Number, PathText, Size, Span, Text, Truth, Whole
from tonnage.sources.compose.shapes import CommandShape, Distinct, Either, Fields, Listed, Mounted, Named, Pairs
from tonnage.sources.compose.short_syntax import (
    is_remote,
    names_a_context,
    path_key,
    port_key,
    secret_key,
    short_build,
    short_device,
    short_extends,
    short_gpus,
    short_host,
    short_path,
    short_port,
    short_source,
    short_volume,
    target_key,
    tmpfs_key,
)

if TYPE_CHECKING:
    from tonnage.sources.compose.scalars import Shape

_TEXT, _WHOLE, _TRUTH, _NUMBER, _SPAN, _SIZE = Text(), Whole(), Truth(), Number(), Span(), Size()
_PATH = PathText()
_TEXTS = Listed(_TEXT)
_WORDS = Distinct(_TEXT)
_WORD_OR_WORDS = Distinct(_TEXT, single=True)
_PAIRS = Pairs(missing="")
_OPTIONS = Named(_TEXT)
_EXTRA_HOSTS = Distinct(_TEXT, pairs="=", short=short_host)
_ULIMITS = Named(Either(_WHOLE, Fields({"hard": _WHOLE, "soft": _WHOLE})))
_THROTTLES = Listed(Fields({"path": _TEXT, "rate": _SIZE}))
_COUNT = Whole(words=(("all", -1),))
_DEVICE_KEYS: dict[str, Shape] = {
    "capabilities": _TEXTS,
    "count": _COUNT,
    "device_ids": _TEXTS,
    "driver": _TEXT,
    "options": _PAIRS,
}
_DEVICE_REQUEST = Fields(_DEVICE_KEYS)
_FILE_MOUNTS = Distinct(
    Fields(
        {"source": _TEXT, "target": _TEXT, "uid": _TEXT, "gid": _TEXT, "mode": Mode()},
        short=short_source,
        required=("source",),
    ),
    key=secret_key,
)
_UPDATE = Fields(
    {
        "parallelism": _WHOLE,
        "delay": _SPAN,
        "failure_action": _TEXT,
        "monitor": _SPAN,
        "max_failure_ratio": _NUMBER,
        "order": _TEXT,
    }
)
_HOOK_KEYS: dict[str, Shape] = {
    "command": CommandShape(),
    "user": _TEXT,
    "privileged": _TRUTH,
    "working_dir": _TEXT,
    "environment": Pairs(),
}

BUILD = Fields(
    {
        "context": PathText(keep=is_remote),
        "dockerfile": _TEXT,
        "dockerfile_inline": _TEXT,
        "entitlements": _WORDS,
        "args": Pairs(),
        "ssh": Distinct(_TEXT, pairs="=", single=True),
        "labels": _PAIRS,
        "cache_from": _TEXTS,
        "cache_to": _TEXTS,
        "no_cache": _TRUTH,
        "no_cache_filter": Listed(_TEXT, single=True),
        "additional_contexts": Pairs(each=PathText(keep=names_a_context)),
        "network": _TEXT,
        "provenance": Truth(words=("mode=min", "mode=max")),
        "sbom": Anything(),
        "pull": _TRUTH,
        "target": _TEXT,
        "shm_size": _SIZE,
        "extra_hosts": _EXTRA_HOSTS,
        "isolation": _TEXT,
        "privileged": _TRUTH,
        "secrets": _FILE_MOUNTS,
        "tags": _WORDS,
        "ulimits": _ULIMITS,
        "platforms": _WORDS,
    },
    short=short_build,
)

DEPENDS_ON = Named(
    Fields(
        {
            "restart": _TRUTH,
            "required": _TRUTH,
            "condition": Text(
                choices=("service_started", "service_healthy", "service_completed_successfully"),
            ),
        }
    ),
    listed=True,
    default=(("condition", "service_started"), ("required", True)),
)

HEALTHCHECK = Fields(
    {
        "disable": _TRUTH,
        "interval": _SPAN,
        "retries": _WHOLE,
        "test": CommandShape(in_shell=True),
        "timeout": _SPAN,
        "start_period": _SPAN,
        "start_interval": _SPAN,
    }
)

DEPLOY = Fields(
    {
        "mode": _TEXT,
        "endpoint_mode": _TEXT,
        "replicas": _WHOLE,
        "labels": _PAIRS,
        "rollback_config": _UPDATE,
        "update_config": _UPDATE,
        "resources": Fields(
            {
                "limits": Fields({"cpus": _NUMBER, "memory": _SIZE, "pids": _WHOLE}),
                "reservations": Fields(
                    {
                        "cpus": _NUMBER,
                        "memory": _SIZE,
                        "generic_resources": Listed(
                            Fields({"discrete_resource_spec": Fields({"kind": _TEXT, "value": _NUMBER})})
                        ),
                        "devices": Listed(_DEVICE_REQUEST),
                    }
                ),
            }
        ),
        "restart_policy": Fields(
            {"condition": _TEXT, "delay": _SPAN, "max_attempts": _WHOLE, "window": _SPAN},
        ),
        "placement": Fields(
            {
                "constraints": _TEXTS,
                "preferences": Listed(Fields({"spread": _TEXT})),
                "max_replicas_per_node": _WHOLE,
            }
        ),
    }
)

PORTS = Distinct(
    Fields(
        {
            "name": _TEXT,
            "mode": Text(choices=("host", "ingress")),
            "host_ip": _TEXT,
            "target": _WHOLE,
            "published": Text(pattern=r"(\d+(-\d+)?)?", example="8080 or 8000-8010"),
            "protocol": _TEXT,
            "app_protocol": _TEXT,
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
                "type": Text(choices=("bind", "volume", "tmpfs", "npipe", "cluster", "image")),
                "source": _TEXT,
                "target": _TEXT,
                "read_only": _TRUTH,
                "consistency": _TEXT,
                "bind": Fields(
                    {
                        "propagation": _TEXT,
                        "create_host_path": _TRUTH,
                        "recursive": Text(choices=("enabled", "disabled", "writable", "readonly")),
                        "selinux": Text(choices=("z", "Z")),
                    }
                ),
                "volume": Fields({"labels": _PAIRS, "nocopy": _TRUTH, "subpath": _TEXT}),
                "tmpfs": Fields({"size": _SIZE, "mode": Whole()}),
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
            "aliases": _WORDS,
            "interface_name": _TEXT,
            "ipv4_address": _TEXT,
            "ipv6_address": _TEXT,
            "link_local_ips": _WORDS,
            "mac_address": _TEXT,
            "driver_opts": _OPTIONS,
            "priority": _NUMBER,
            "gw_priority": _NUMBER,
            "use_service_name_alias": _TRUTH,
        }
    ),
    listed=True,
)

SERVICE = Fields(
    {
        "annotations": _PAIRS,
        "attach": _TRUTH,
        "blkio_config": Fields(
            {
                "device_read_bps": _THROTTLES,
                "device_read_iops": _THROTTLES,
                "device_write_bps": _THROTTLES,
                "device_write_iops": _THROTTLES,
                "weight": _WHOLE,
                "weight_device": Listed(Fields({"path": _TEXT, "weight": _WHOLE})),
            }
        ),
        "build": BUILD,
        "cap_add": _WORDS,
        "cap_drop": _WORDS,
        "cgroup": Text(choices=("host", "private")),
        "cgroup_parent": _TEXT,
        "command": CommandShape(),
        "configs": _FILE_MOUNTS,
        "container_name": _TEXT,
        "cpu_count": _WHOLE,
        "cpu_percent": _NUMBER,
        "cpu_period": _TEXT,
        "cpu_quota": _TEXT,
        "cpu_rt_period": _TEXT,
        "cpu_rt_runtime": _TEXT,
        "cpu_shares": _WHOLE,
        "cpus": _NUMBER,
        "cpuset": _TEXT,
        "credential_spec": Fields({"config": _TEXT, "file": _TEXT, "registry": _TEXT}),
        "depends_on": DEPENDS_ON,
        "deploy": DEPLOY,
        "develop": Fields(
            {
                "watch": Listed(
                    Fields(
                        {
                            "ignore": Listed(_TEXT, single=True),
                            "include": Listed(_TEXT, single=True),
                            "path": _PATH,
                            "action": _TEXT,
                            "target": _TEXT,
                            "exec": Fields(_HOOK_KEYS),
                            "initial_sync": _TRUTH,
                        }
                    )
                )
            }
        ),
        "device_cgroup_rules": _WORDS,
        "devices": Distinct(
            Fields({"source": _TEXT, "target": _TEXT, "permissions": _TEXT}, short=short_device, required=("source",)),
            key=target_key,
        ),
        "dns": _WORD_OR_WORDS,
        "dns_opt": _WORDS,
        "dns_search": _WORD_OR_WORDS,
        "domainname": _TEXT,
        "entrypoint": CommandShape(),
        "env_file": Distinct(
            Fields(
                {"path": _PATH, "format": Text(choices=("raw",)), "required": _TRUTH},
                short=short_path,
                required=("path",),
            ),
            key=path_key,
            single=True,
        ),
        "environment": Pairs(),
        "expose": _WORDS,
        "extends": Fields({"service": _TEXT, "file": _PATH}, short=short_extends, required=("service",)),
        "external_links": _WORDS,
        "extra_hosts": _EXTRA_HOSTS,
        "gpus": Distinct(_DEVICE_REQUEST, key=lambda w: str(w.place), single=True, short=short_gpus),
        "group_add": _WORDS,
        "healthcheck": HEALTHCHECK,
        "hostname": _TEXT,
        "image": _TEXT,
        "init": _TRUTH,
        "ipc": _TEXT,
        "isolation": _TEXT,
        "label_file": Distinct(_PATH, single=True),
        "labels": _PAIRS,
        "links": _WORDS,
        "logging": Fields({"driver": _TEXT, "options": _OPTIONS}),
        "mac_address": _TEXT,
        "mem_limit": _SIZE,
        "mem_reservation": _SIZE,
        "mem_swappiness": _WHOLE,
        "memswap_limit": _SIZE,
        "network_mode": _TEXT,
        "networks": NETWORKS,
        "oom_kill_disable": _TRUTH,
        "oom_score_adj": _WHOLE,
        "pid": _TEXT,
        "pids_limit": _WHOLE,
        "platform": _TEXT,
        "ports": PORTS,
        "post_start": Listed(Fields(_HOOK_KEYS)),
        "pre_stop": Listed(Fields(_HOOK_KEYS)),
        "privileged": _TRUTH,
        "profiles": _WORDS,
        "pull_policy": _TEXT,
        "pull_refresh_after": _TEXT,
        "read_only": _TRUTH,
        "restart": _TEXT,
        "runtime": _TEXT,
        "scale": _WHOLE,
        "secrets": _FILE_MOUNTS,
        "security_opt": _WORDS,
        "shm_size": _SIZE,
        "stdin_open": _TRUTH,
        "stop_grace_period": _SPAN,
        "stop_signal": _TEXT,
        "storage_opt": _OPTIONS,
        "sysctls": _PAIRS,
        "tmpfs": Distinct(_TEXT, key=tmpfs_key, single=True),
        "tty": _TRUTH,
        "ulimits": _ULIMITS,
        "umask": Mode(),
        "use_api_socket": _TRUTH,
        "user": _TEXT,
        "userns_mode": _TEXT,
        "uts": _TEXT,
        "volumes": VOLUMES,
        "volumes_from": _WORDS,
        "working_dir": _TEXT,
    },
    unsupported=frozenset({"models", "pre_start", "provider"}),
)
