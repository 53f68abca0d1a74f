"""What registries answer."""

from __future__ import annotations

import json

from tests.fuzz.subject import Subject, as_bytes

from tonnage.adapters.registry.access import challenge
from tonnage.adapters.registry.documents import Manifest, chosen, configuration, manifest_or_index, platform_matches
from tonnage.adapters.registry.sizes import by_ratio, disk_bytes, from_gzip_tail, from_zstd_head, image_bytes

DIGEST = "sha256:" + "a" * 64
MANIFESTS = (
    json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "x", "size": 1469, "digest": DIGEST},
        "layers": [
            {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "size": 29126484, "digest": DIGEST},
            {"mediaType": "z+zstd", "size": 5, "digest": DIGEST,
             "annotations": {"io.containers.estargz.uncompressed-size": "77"}},
        ],
    }),
    json.dumps({
        "schemaVersion": 2, "manifests": [
            {"digest": DIGEST, "size": 5, "platform": {"os": "linux", "architecture": "arm", "variant": "v7"}},
            {"digest": DIGEST, "size": 5, "platform": {"os": "linux", "architecture": "amd64"}},
            {"digest": DIGEST, "size": 5, "platform": {"os": "unknown", "architecture": "unknown"}},
        ],
    }),
)  # fmt: skip
CONFIGURATIONS = (
    json.dumps({
        "os": "linux", "architecture": "amd64", "config": {
            "Env": ["PATH=/bin", "A"], "WorkingDir": "/w", "User": "1", "Shell": ["/bin/sh", "-c"], "Labels": {"a": "b"},
            "OnBuild": ["RUN x"],
        },
        "rootfs": {"type": "layers", "diff_ids": [DIGEST]}, "history": [{"created_by": "RUN x", "empty_layer": True}],
    }),
)  # fmt: skip
CHALLENGES = (
    'Bearer realm="https://auth.example.org/token",service="registry.example.org",scope="repository:a/b:pull"',
    'Basic realm="a \\"b\\" c"', "bearer realm=https://a,scope=b",
)  # fmt: skip
PLATFORMS = ("linux/amd64", "linux/arm/v7", "linux/arm64/v8", "linux/amd64/v3", "windows/amd64")
_MOST = 1 << 63


def _manifest(text: str) -> None:
    found = manifest_or_index(as_bytes(text), "a")
    if isinstance(found, Manifest):
        for each in (found.config, *found.layers):
            assert each.size_bytes is None or 0 <= each.size_bytes < _MOST, each
            assert each.told_bytes is None or 0 <= each.told_bytes < _MOST, each
            for estimate in (
                image_bytes(by_ratio(each.size_bytes or 0), each.digest),
                disk_bytes(by_ratio(5), each.digest),
            ):
                assert 0 <= estimate.low_bytes <= estimate.likely_bytes <= estimate.high_bytes
    else:
        for platform in PLATFORMS:
            chosen(found, platform)


def _configuration(text: str) -> None:
    found = configuration(as_bytes(text), "a")
    for platform in PLATFORMS:
        platform_matches(found.platform, platform)


def _challenge(text: str) -> None:
    found = challenge(text)
    assert found is None or found.scheme in {"basic", "bearer"}


def _platform(text: str) -> None:
    for platform in PLATFORMS:
        platform_matches(text, platform)
        platform_matches(platform, text)


def _ends(text: str) -> None:
    content = as_bytes(text)
    for found in (from_gzip_tail(content[-8:], 500_000), from_zstd_head(content)):
        if found is not None:
            assert image_bytes(found, DIGEST).low_bytes >= 0


SUBJECTS = (
    Subject(name="manifest", read=_manifest, seeds=MANIFESTS, inputs=500),
    Subject(name="configuration of an image", read=_configuration, seeds=CONFIGURATIONS, inputs=400),
    Subject(name="challenge of a registry", read=_challenge, seeds=CHALLENGES, inputs=600, refuses=()),
    Subject(name="platform", read=_platform, seeds=PLATFORMS, inputs=500),
    Subject(name="ends of a layer", read=_ends, inputs=400, refuses=(),
            seeds=("\x28\udcb5\x2f\udcfd\x24\x05\x29\x00\x00hello", "\x1f\udc8b\x08\x00\x00\x00\x00\x00\x11\x22\x33\x00")),
)  # fmt: skip
