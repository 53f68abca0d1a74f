from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from tests.answering import Answer, answering

from tonnage.adapters.registry.access import Credential, Credentials
from tonnage.adapters.registry.images import ImageRegistry
from tonnage.adapters.web.client import Web
from tonnage.adapters.web.disk_cache import DiskCache
from tonnage.errors import CannotFetchError
from tonnage.model.forecast.base_image import AptSource, ReadFrom
from tonnage.model.forecast.estimate import Grade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.answering import Answering, Asked

OCI = "application/vnd.oci.image"
ARCHIVE_BYTES = 3_000_017


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class Fleet:
    """A registry with the repository fleet/base, whose layer is a gzip stream of 3,000,017 bytes."""

    server: Answering
    layer: bytes = field(default_factory=lambda: gzip.compress(bytes(ARCHIVE_BYTES)))
    layer_type: str = f"{OCI}.layer.v1.tar+gzip"
    ranges: bool = True
    config: dict[str, Any] = field(default_factory=dict)

    def serve(self, platforms: dict[str, str] | None = None, *, tag: str = "1.7") -> str:
        """Publish the image; return its name. With platforms there is an index with the image under each."""
        config = json.dumps(
            {
                "os": "linux",
                "architecture": "amd64",
                "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "a" * 64]},
                "config": {"Env": ["PATH=/bin", "A=b=c"], "User": "user"},
                "history": [{"created_by": "# debian.sh --arch 'amd64' out/ 'bookworm' '@1745798400'"}],
                **self.config,
            }
        ).encode()
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": f"{OCI}.manifest.v1+json",
                "config": {"digest": digest(config), "size": len(config), "mediaType": f"{OCI}.config.v1+json"},
                "layers": [{"digest": digest(self.layer), "size": len(self.layer), "mediaType": self.layer_type}],
            }
        ).encode()
        self.put("blobs", config)
        self.put("blobs", self.layer, ranges=self.ranges)
        top = manifest
        if platforms is not None:
            self.put("manifests", manifest)
            parts = ("os", "architecture", "variant")
            entries = [
                {"digest": each or digest(manifest), "platform": dict(zip(parts, name.split("/"), strict=False))}
                for name, each in platforms.items()
            ]
            top = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
        self.put("manifests", top)
        headers = {"Docker-Content-Digest": digest(top)}
        self.server.routes[f"/v2/fleet/base/manifests/{tag}"] = Answer(body=top, headers=headers)
        return f"{self.server.host}/fleet/base:{tag}"

    def put(self, kind: str, content: bytes, *, ranges: bool = False) -> None:
        self.server.routes[f"/v2/fleet/base/{kind}/{digest(content)}"] = Answer(body=content, ranges=ranges)

    def guard(self, how: dict[str, str], allowed: str) -> None:
        """Let only those in who show what is allowed."""
        for path, route in list(self.server.routes.items()):
            if not path.startswith("/v2/fleet"):
                continue

            assert isinstance(route, Answer)

            def guarded(asked: Asked, route: Answer = route) -> Answer:
                shown = asked.headers.get("authorization", "")
                return route if shown == allowed else Answer(401, headers=how)

            self.server.routes[path] = guarded


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with answering() as server:
        yield Fleet(server)


@pytest.fixture
def web() -> Iterator[Web]:
    with Web({}) as door:
        yield door


def registry(web: Web, tmp_path: Path, **options: Any) -> ImageRegistry:  # noqa: ANN401 - passed on
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **options.pop("environment", {})}
    return ImageRegistry(web, DiskCache(tmp_path / "kept"), environment=environment, **options)


def configured(tmp_path: Path, content: object) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(json.dumps(content))


def test_a_layer_is_as_large_as_the_end_of_its_gzip_stream_says(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    known = registry(web, tmp_path, packages_from="http://example.org/debian")
    found = known.base_image(fleet.serve(), "linux/amd64")
    (layer,) = found.layers
    assert layer.source == "the end of its gzip stream"
    assert layer.image.high_bytes == ARCHIVE_BYTES
    assert layer.image.low_bytes < layer.image.likely_bytes < ARCHIVE_BYTES < layer.disk.likely_bytes
    assert layer.image.grade is Grade.DECLARED
    assert layer.compressed_bytes == len(fleet.layer) == found.compressed_bytes
    assert web.fetched_bytes < 4_000
    assert found.config.environment == {"PATH": "/bin", "A": "b=c"}
    assert found.config.user == "user"
    assert found.distribution is not None
    assert found.distribution.suite == "bookworm"
    assert found.apt is not None
    assert not found.apt.keeps_debs
    assert found.apt.sources[0] == AptSource(address="http://example.org/debian", suite="bookworm")
    assert not found.local


def test_a_registry_without_ranges_gives_an_estimate(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    fleet.ranges, fleet.layer = False, gzip.compress(os.urandom(200_003))
    (layer,) = registry(web, tmp_path).base_image(fleet.serve(), "linux/amd64").layers
    assert layer.source == "its compressed size and the usual ratio"
    assert layer.image.low_bytes < 2 * len(fleet.layer) < layer.image.high_bytes
    assert web.fetched_bytes < 4_000


def test_what_has_a_digest_is_asked_for_once_and_a_tag_again_after_a_while(
    fleet: Fleet, web: Web, tmp_path: Path
) -> None:
    name = fleet.serve()
    first = registry(web, tmp_path).base_image(name, "linux/amd64")
    count = len(fleet.server.asked)
    assert registry(web, tmp_path).base_image(name, "linux/amd64") == first
    assert len(fleet.server.asked) == count
    assert registry(web, tmp_path, tag_holds_s=-1.0).base_image(name, "linux/amd64").layers == first.layers
    assert [each for each in fleet.server.paths()[count:] if "/v2/fleet" in each] == [
        "HEAD /v2/fleet/base/manifests/1.7"
    ]


def test_a_registry_tells_whether_it_has_a_digest(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    name = fleet.serve({"linux/amd64": ""})
    route = fleet.server.routes["/v2/fleet/base/manifests/1.7"]
    assert isinstance(route, Answer)
    there = route.headers["Docker-Content-Digest"]
    repository = name.rpartition(":")[0]
    asked = registry(web, tmp_path)
    assert asked.has(f"{repository}@{there}")
    assert not asked.has(f"{repository}@sha256:{'7' * 64}")
    assert not asked.has(name)
    assert {each.partition(" ")[0] for each in fleet.server.paths() if "/manifests/" in each} == {"HEAD"}


def test_a_registry_that_does_not_answer_has_told_nothing(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    repository, wanted = fleet.serve().rpartition(":")[0], f"sha256:{'7' * 64}"
    fleet.server.routes[f"/v2/fleet/base/manifests/{wanted}"] = Answer(503)
    with pytest.raises(CannotFetchError):
        registry(web, tmp_path).has(f"{repository}@{wanted}")


def test_a_registry_that_does_not_answer_is_stood_in_for_by_what_was_known_last(
    fleet: Fleet, web: Web, tmp_path: Path
) -> None:
    name = fleet.serve()
    first = registry(web, tmp_path).base_image(name, "linux/amd64")
    fleet.server.routes["/v2/fleet/base/manifests/1.7"] = Answer(503)
    again = registry(web, tmp_path, tag_holds_s=-1.0).base_image(name, "linux/amd64")
    assert again.layers == first.layers
    assert again.origin is ReadFrom.CACHE
    assert again.notes[0].startswith("fleet/base:1.7 is what it was a moment ago: the registry 127.0.0.1:")


def test_the_manifest_for_the_platform_is_chosen(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    name = fleet.serve({"linux/amd64": "", "linux/arm64/v8": "sha256:" + "0" * 64, "unknown/unknown": "sha256:0"})
    assert registry(web, tmp_path).base_image(name, "linux/x86_64").platform == "linux/amd64"
    with pytest.raises(CannotFetchError, match="there is no image fleet/base@sha256:000"):
        registry(web, tmp_path).base_image(name, "linux/arm64")
    with pytest.raises(CannotFetchError) as failed:
        registry(web, tmp_path).base_image(name, "linux/riscv64")
    assert failed.value.why == "It has: linux/amd64, linux/arm64/v8."


def test_a_token_is_fetched_where_the_registry_asks_for_one(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    name = fleet.serve()
    realm = f'Bearer realm="{fleet.server.address}/token",service="registry.example.org"'
    fleet.guard({"WWW-Authenticate": realm}, "Bearer seven")
    fleet.server.routes["/token"] = Answer(body=b'{"token": "seven"}')
    registry(web, tmp_path).base_image(name, "linux/amd64")
    tokens = [each for each in fleet.server.paths() if "/token" in each]
    assert tokens == ["GET /token?service=registry.example.org&scope=repository%3Afleet%2Fbase%3Apull"]


def test_the_users_password_is_shown_to_the_place_of_tokens_only(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    secret = base64.b64encode(b"user:secret").decode()
    configured(tmp_path, {"auths": {fleet.server.host: {"auth": secret}}})
    name = fleet.serve()
    fleet.guard({"WWW-Authenticate": f'Bearer realm="{fleet.server.address}/token"'}, "Bearer seven")
    fleet.server.routes["/token"] = Answer(body=b'{"access_token": "seven"}')
    registry(web, tmp_path).base_image(name, "linux/amd64")
    shown = {each.path.partition("?")[0] for each in fleet.server.asked if secret in str(each.headers)}
    assert shown == {"/token"}


def test_a_helper_program_is_asked_for_the_password(
    fleet: Fleet, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(tmp_path, {"credHelpers": {fleet.server.host: "example"}})
    helper = tmp_path / "docker-credential-example"
    helper.write_text('#!/bin/sh\ncat >"$0.asked"\necho \'{"Username": "user", "Secret": "secret"}\'\n')
    helper.chmod(0o755)
    name = fleet.serve()
    allowed = "Basic " + base64.b64encode(b"user:secret").decode()
    fleet.guard({"WWW-Authenticate": 'Basic realm="fleet"'}, allowed)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    registry(web, tmp_path).base_image(name, "linux/amd64")
    assert (tmp_path / "docker-credential-example.asked").read_text() == fleet.server.host


@pytest.mark.parametrize("says", ["exit 1", "echo 'credentials not found in native keychain'; exit 1", "echo 7"])
def test_a_helper_program_without_an_answer_leaves_what_is_written(
    fleet: Fleet, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str
) -> None:
    secret = base64.b64encode(b"user:secret").decode()
    configured(tmp_path, {"auths": {fleet.server.host: {"auth": secret}}, "credsStore": "example"})
    helper = tmp_path / "docker-credential-example"
    helper.write_text(f"#!/bin/sh\n{says}\n")
    helper.chmod(0o755)
    name = fleet.serve()
    fleet.guard({"WWW-Authenticate": 'Basic realm="fleet"'}, f"Basic {secret}")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert registry(web, tmp_path).base_image(name, "linux/amd64").layers


def test_an_identity_token_is_exchanged(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    configured(tmp_path, {"auths": {fleet.server.host: {"identitytoken": "long"}}})
    name = fleet.serve()
    fleet.guard({"WWW-Authenticate": f'Bearer realm="{fleet.server.address}/token",service="s"'}, "Bearer seven")
    fleet.server.routes["/token"] = Answer(body=b'{"access_token": "seven"}')
    registry(web, tmp_path).base_image(name, "linux/amd64")
    (sent,) = [each for each in fleet.server.asked if each.path == "/token"]
    assert sent.method == "POST"
    assert b"grant_type=refresh_token&refresh_token=long" in sent.body


@pytest.mark.parametrize(
    ("status", "cause", "said"),
    [
        (401, "refused", "does not show fleet/base:1.7"),
        (403, "refused", "does not show fleet/base:1.7"),
        (404, "not found", "there is no image fleet/base:1.7 in the registry"),
        (429, "rate limited", "was asked too often"),
        (500, "unreachable", "does not give fleet/base:1.7"),
    ],
)
def test_what_a_registry_refuses_is_told(
    fleet: Fleet, web: Web, tmp_path: Path, status: int, cause: str, said: str
) -> None:
    name = fleet.serve()
    headers = {"WWW-Authenticate": 'Basic realm="fleet"'}
    fleet.server.routes["/v2/fleet/base/manifests/1.7"] = Answer(status, headers=headers)
    with pytest.raises(CannotFetchError, match=said) as failed:
        registry(web, tmp_path).base_image(name, "linux/amd64")
    assert failed.value.cause == cause


def test_nobody_listening_is_told(web: Web, tmp_path: Path) -> None:
    with pytest.raises(CannotFetchError, match="cannot be reached") as failed:
        registry(web, tmp_path).base_image("127.0.0.1:9/fleet/base", "linux/amd64")
    assert failed.value.cause == "unreachable"


def test_content_that_does_not_have_its_digest_is_not_believed(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    name = fleet.serve()
    for path in list(fleet.server.routes):
        if path.startswith("/v2/fleet/base/manifests/sha256:"):
            fleet.server.routes[path] = Answer(body=b'{"schemaVersion": 2}')
    with pytest.raises(CannotFetchError, match="gives something else"):
        registry(web, tmp_path).base_image(name, "linux/amd64")


def test_a_manifest_of_the_first_kind_is_told(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    content = b'{"schemaVersion": 1}'
    fleet.put("manifests", content)
    name = f"{fleet.server.host}/fleet/base@{digest(content)}"
    with pytest.raises(CannotFetchError, match="of the first kind"):
        registry(web, tmp_path).base_image(name, "linux/amd64")


def test_a_registry_that_does_not_tell_a_tags_digest_is_asked_for_the_manifest(
    fleet: Fleet, web: Web, tmp_path: Path
) -> None:
    name = fleet.serve()
    route = fleet.server.routes["/v2/fleet/base/manifests/1.7"]
    assert isinstance(route, Answer)
    route.headers.clear()
    assert registry(web, tmp_path).base_image(name, "linux/amd64").layers


def test_a_mirror_stands_in_for_the_index_and_may_lack_images(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    fleet.serve()
    with answering() as empty:
        found = registry(web, tmp_path, mirrors=[empty.address, fleet.server.address])
        assert found.base_image("fleet/base:1.7", "linux/amd64").layers
        assert empty.paths()[0] == "HEAD /v2/fleet/base/manifests/1.7"


def test_offline_without_anything_kept_is_told(tmp_path: Path) -> None:
    with Web({}, offline=True) as web, pytest.raises(CannotFetchError) as failed:
        registry(web, tmp_path).base_image("registry.example.org/fleet/base", "linux/amd64")
    assert failed.value.cause == "offline"


def test_a_configuration_that_cannot_be_read_is_told(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text("{")
    name = fleet.serve()
    fleet.guard({"WWW-Authenticate": 'Basic realm="fleet"'}, "never")
    with pytest.raises(CannotFetchError, match="Docker configuration"):
        registry(web, tmp_path).base_image(name, "linux/amd64")


def test_the_configuration_may_lie_elsewhere_and_its_helper_may_be_missing(
    fleet: Fleet, web: Web, tmp_path: Path
) -> None:
    secret = base64.b64encode(b"user:secret").decode()
    (tmp_path / "elsewhere").mkdir()
    content = {"auths": {f"https://{fleet.server.host}/v2/": {"auth": secret}}, "credsStore": "that-is-missing"}
    (tmp_path / "elsewhere" / "config.json").write_text(json.dumps(content))
    name = fleet.serve()
    fleet.guard({"WWW-Authenticate": 'Basic realm="fleet"'}, f"Basic {secret}")
    elsewhere = {"DOCKER_CONFIG": str(tmp_path / "elsewhere")}
    assert registry(web, tmp_path, environment=elsewhere).base_image(name, "linux/amd64").layers


def test_a_password_is_never_shown_where_no_tls_is(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    name = fleet.serve()
    fleet.guard({"WWW-Authenticate": 'Bearer realm="ftp://example.org/token"'}, "never")
    with pytest.raises(CannotFetchError, match="names no safe place for tokens"):
        registry(web, tmp_path).base_image(name, "linux/amd64")


def test_a_helper_that_does_not_answer_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = base64.b64encode(b"user:secret").decode()
    configured(tmp_path, {"auths": {"example.org": {"auth": secret}}, "credsStore": "example"})
    helper = tmp_path / "docker-credential-example"
    helper.write_text("#!/bin/sh\nsleep 20\ntouch $0.ended\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}

    assert Credentials(environment, helper_within_s=0.2).of("example.org") == Credential("user", "secret")
    assert not (tmp_path / "docker-credential-example.ended").exists()
