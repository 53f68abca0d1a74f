"""Every key of a compose file that this reader knows, with its shape. Data, no behaviour.

Source: the Compose specification's JSON schema as vendored by check-jsonschema 0.39; a test compares the two.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

from tonnage.sources.compose.scalars import Mode, Number, PathText, Size, Span, Text, Truth, Whole
from tonnage.sources.compose.shapes import CommandShape, Distinct, Either, Fields, Listed, Mounted, Named, Pairs
from tonnage.sources.compose.short_syntax import (
    is_fetched,
    is_remote,
    names_a_context,
    path_key,
    port_key,
    secret_key,
    short,
    short_device,
    short_gpus,
    short_host,
    short_port,
    short_volume,
    target_key,
    tmpfs_key,
)

if TYPE_CHECKING:
    from tonnage.sources.compose.scalars import Shape


def _keys(names: str, shape: Shape) -> dict[str, Shape]:
    return dict.fromkeys(names.split(), shape)


_TEXT, _WHOLE, _TRUTH, _NUMBER, _SPAN, _SIZE = Text(), Whole(), Truth(), Number(), Span(), Size()
_PATH = PathText(read_here=True)
_FILE = PathText(keep=is_fetched, read_here=True, home=False)
_OPTIONAL_DIRECTORY = PathText(keep=operator.not_, read_here=True, home=False)
_TEXTS = Listed(_TEXT)
_ONE_OR_TEXTS = Listed(_TEXT, single=True)
_WORDS = Distinct(_TEXT)
_ONE_OR_WORDS = Distinct(_TEXT, single=True)
_PAIRS = Pairs(missing="")
_OPTIONS = Named(_TEXT)
_EXTRA_HOSTS = Distinct(_TEXT, pairs="=", short=short_host)
_ULIMITS = Named(Either(_WHOLE, Fields(_keys("hard soft", _WHOLE))))
_THROTTLES = Listed(Fields({"path": _TEXT, "rate": _SIZE}))
_DEVICE_REQUEST = Fields(
    {
        **_keys("capabilities device_ids", _TEXTS),
        "count": Whole(words=(("all", -1),)),
        "driver": _TEXT,
        "options": _PAIRS,
    }
)
_FILE_MOUNTS = Distinct(
    Fields({**_keys("source target uid gid", _TEXT), "mode": Mode()}, short=short("source"), required=("source",)),
    key=secret_key,
)
_UPDATE = Fields(
    {
        **_keys("failure_action order", _TEXT),
        **_keys("delay monitor", _SPAN),
        "parallelism": _WHOLE,
        "max_failure_ratio": _NUMBER,
    }
)
_HOOK = Fields(
    {**_keys("user working_dir", _TEXT), "command": CommandShape(), "privileged": _TRUTH, "environment": Pairs()}
)

BUILD = Fields(
    {
        **_keys("dockerfile dockerfile_inline network target isolation provenance sbom", _TEXT),
        **_keys("cache_from cache_to", _TEXTS),
        **_keys("entitlements tags platforms", _WORDS),
        **_keys("no_cache pull privileged", _TRUTH),
        "context": PathText(keep=is_remote),
        "args": Pairs(),
        "ssh": Distinct(_TEXT, pairs="=", single=True),
        "labels": _PAIRS,
        "no_cache_filter": _ONE_OR_TEXTS,
        "additional_contexts": Pairs(each=PathText(keep=names_a_context), merged=True),
        "shm_size": _SIZE,
        "extra_hosts": _EXTRA_HOSTS,
        "secrets": _FILE_MOUNTS,
        "ulimits": _ULIMITS,
    },
    short=short("context"),
)

DEPENDS_ON = Named(
    Fields(
        {
            **_keys("restart required", _TRUTH),
            "condition": Text(choices=("service_started", "service_healthy", "service_completed_successfully")),
        }
    ),
    listed=True,
    default=(("condition", "service_started"), ("required", True)),
)

HEALTHCHECK = Fields(
    {
        **_keys("interval timeout start_period start_interval", _SPAN),
        "disable": _TRUTH,
        "retries": _WHOLE,
        "test": CommandShape(in_shell=True),
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
        "restart_policy": Fields({"condition": _TEXT, "max_attempts": _WHOLE, **_keys("delay window", _SPAN)}),
        "placement": Fields(
            {"constraints": _TEXTS, "preferences": Listed(Fields({"spread": _TEXT})), "max_replicas_per_node": _WHOLE}
        ),
    }
)

PORTS = Distinct(
    Fields(
        {
            **_keys("name host_ip protocol app_protocol", _TEXT),
            "mode": Text(choices=("host", "ingress")),
            "target": _WHOLE,
            "published": Text(pattern=r"([0-9]{1,9}(-[0-9]{1,9})?)?", example="8080 or 8000-8010"),
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
                **_keys("source target consistency", _TEXT),
                "read_only": _TRUTH,
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
            **_keys("interface_name ipv4_address ipv6_address mac_address", _TEXT),
            **_keys("aliases link_local_ips", _WORDS),
            **_keys("priority gw_priority", _NUMBER),
            "driver_opts": _OPTIONS,
            "use_service_name_alias": _TRUTH,
        }
    ),
    listed=True,
)

SERVICE = Fields(
    {
        **_keys(
            "cgroup_parent container_name cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpuset"
            " domainname hostname image ipc isolation mac_address network_mode pid platform pull_policy"
            " pull_refresh_after restart runtime stop_signal user userns_mode uts working_dir",
            _TEXT,
        ),
        **_keys("attach init oom_kill_disable privileged read_only stdin_open tty use_api_socket", _TRUTH),
        **_keys("cpu_count mem_swappiness oom_score_adj pids_limit scale", _WHOLE),
        **_keys("cpu_percent cpus", _NUMBER),
        **_keys("mem_limit mem_reservation memswap_limit shm_size", _SIZE),
        **_keys(
            "cap_add cap_drop device_cgroup_rules dns_opt expose external_links group_add links profiles security_opt"
            " volumes_from",
            _WORDS,
        ),
        **_keys("dns dns_search", _ONE_OR_WORDS),
        **_keys("annotations labels sysctls", _PAIRS),
        **_keys("command entrypoint", CommandShape()),
        **_keys("configs secrets", _FILE_MOUNTS),
        **_keys("post_start pre_stop", Listed(_HOOK)),
        "blkio_config": Fields(
            {
                **_keys("device_read_bps device_read_iops device_write_bps device_write_iops", _THROTTLES),
                "weight": _WHOLE,
                "weight_device": Listed(Fields({"path": _TEXT, "weight": _WHOLE})),
            }
        ),
        "build": BUILD,
        "cgroup": Text(choices=("host", "private")),
        "credential_spec": Fields(_keys("config file registry", _TEXT)),
        "depends_on": DEPENDS_ON,
        "deploy": DEPLOY,
        "develop": Fields(
            {
                "watch": Listed(
                    Fields(
                        {
                            **_keys("ignore include", _ONE_OR_TEXTS),
                            **_keys("action target", _TEXT),
                            "path": _PATH,
                            "exec": _HOOK,
                            "initial_sync": _TRUTH,
                        }
                    )
                )
            }
        ),
        "devices": Distinct(
            Fields(_keys("source target permissions", _TEXT), short=short_device, required=("source",)), key=target_key
        ),
        "env_file": Distinct(
            Fields(
                {"path": _PATH, "format": Text(choices=("raw",)), "required": _TRUTH},
                short=short("path"),
                required=("path",),
            ),
            key=path_key,
            single=True,
        ),
        "environment": Pairs(),
        "extends": Fields(
            {"service": _TEXT, "file": _FILE}, short=short("service"), required=("service",), closed=False
        ),
        "extra_hosts": _EXTRA_HOSTS,
        "gpus": Distinct(_DEVICE_REQUEST, key=lambda w: str(w.place), single=True, short=short_gpus),
        "healthcheck": HEALTHCHECK,
        "label_file": Distinct(_PATH, single=True),
        "logging": Fields({"driver": _TEXT, "options": _OPTIONS}),
        "networks": NETWORKS,
        "ports": PORTS,
        "stop_grace_period": _SPAN,
        "storage_opt": _OPTIONS,
        "tmpfs": Distinct(_TEXT, key=tmpfs_key, single=True),
        "ulimits": _ULIMITS,
        "umask": Mode(),
        "volumes": VOLUMES,
    },
    unsupported=frozenset({"models", "pre_start", "provider"}),
)

_FILES = Listed(_FILE, single=True)
_SHARED: dict[str, Shape] = {"name": _TEXT, "external": Either(_TRUTH, Fields({"name": _TEXT})), "labels": _PAIRS}
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
        "services": Named(SERVICE),
        "networks": Named(
            Fields(
                {
                    **_DRIVEN,
                    "ipam": Fields(
                        {
                            "driver": _TEXT,
                            "config": Listed(
                                Fields({**_keys("subnet ip_range gateway", _TEXT), "aux_addresses": _OPTIONS})
                            ),
                            "options": _OPTIONS,
                        }
                    ),
                    **_keys("internal enable_ipv4 enable_ipv6 attachable", _TRUTH),
                }
            )
        ),
        "volumes": Named(Fields(_DRIVEN)),
        "secrets": Named(
            Fields({**_DRIVEN, **_keys("environment template_driver", _TEXT), "file": PathText(mounted=True)})
        ),
        "configs": Named(
            Fields({**_SHARED, **_keys("content environment template_driver", _TEXT), "file": PathText(mounted=True)})
        ),
    },
    unsupported=frozenset({"jobs", "models"}),
)
