"""Every key at the top of a compose file that this reader knows, with its shape. Data, no behaviour.

Source: the Compose specification's JSON schema as vendored by check-jsonschema 0.39; a test compares the two.
"""

from __future__ import annotations

from tonnage.sources.compose.scalars import PathText, Text, Truth
from tonnage.sources.compose.service_keys import SERVICE
from tonnage.sources.compose.shapes import Either, Fields, Listed, Named, Pairs
from tonnage.sources.compose.short_syntax import short_path

_TEXT, _TRUTH, _PATH = Text(), Truth(), PathText()
_PAIRS = Pairs(missing="")
_OPTIONS = Named(_TEXT)
_EXTERNAL = Either(_TRUTH, Fields({"name": _TEXT}))

INCLUDE = Listed(
    Fields(
        {
            "path": Listed(_PATH, single=True),
            "env_file": Listed(_PATH, single=True),
            "project_directory": _PATH,
        },
        short=short_path,
        required=("path",),
    )
)

COMPOSE_FILE = Fields(
    {
        "version": _TEXT,
        "name": _TEXT,
        "include": INCLUDE,
        "services": Named(SERVICE),
        "networks": Named(
            Fields(
                {
                    "name": _TEXT,
                    "driver": _TEXT,
                    "driver_opts": _OPTIONS,
                    "ipam": Fields(
                        {
                            "driver": _TEXT,
                            "config": Listed(
                                Fields(
                                    {"subnet": _TEXT, "ip_range": _TEXT, "gateway": _TEXT, "aux_addresses": _OPTIONS}
                                )
                            ),
                            "options": _OPTIONS,
                        }
                    ),
                    "external": _EXTERNAL,
                    "internal": _TRUTH,
                    "enable_ipv4": _TRUTH,
                    "enable_ipv6": _TRUTH,
                    "attachable": _TRUTH,
                    "labels": _PAIRS,
                }
            )
        ),
        "volumes": Named(
            Fields({"name": _TEXT, "driver": _TEXT, "driver_opts": _OPTIONS, "external": _EXTERNAL, "labels": _PAIRS})
        ),
        "secrets": Named(
            Fields(
                {
                    "name": _TEXT,
                    "environment": _TEXT,
                    "file": _PATH,
                    "external": _EXTERNAL,
                    "labels": _PAIRS,
                    "driver": _TEXT,
                    "driver_opts": _OPTIONS,
                    "template_driver": _TEXT,
                }
            )
        ),
        "configs": Named(
            Fields(
                {
                    "name": _TEXT,
                    "content": _TEXT,
                    "environment": _TEXT,
                    "file": _PATH,
                    "external": _EXTERNAL,
                    "labels": _PAIRS,
                    "template_driver": _TEXT,
                }
            )
        ),
    },
    unsupported=frozenset({"jobs", "models"}),
)
