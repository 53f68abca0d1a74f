"""What only BuildKit can do; what of it the classic builder does is checked with Docker 20.10 and 28.5."""

from __future__ import annotations

import pytest

from tonnage.sources.dockerfile.buildkit_needs import BuildKitNeed, buildkit_needs


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("RUN --mount=type=cache,target=/c true", "RUN --mount"),
        ("RUN --network=none true", "RUN --network"),
        ("RUN --security=insecure true", "RUN --security"),
        ("COPY --chmod=755 f /f", "COPY --chmod"),
        ("ADD --chmod=755 f /f", "ADD --chmod"),
        ("COPY --parents f /x/", "COPY --parents"),
        ("COPY --exclude=a f /x/", "COPY --exclude"),
        ("ADD --checksum=sha256:17 http://example.org/f /x/", "ADD --checksum"),
        ("RUN <<EOF\necho hi\nEOF", "RUN <<EOF"),
        ("RUN sh <<'END'\necho hi\nEND", "RUN <<END"),
        ("COPY <<EOF /x\nhi\nEOF", "COPY <<EOF"),
        ("FROM --platform=$BUILDPLATFORM busybox", "FROM with $BUILDPLATFORM"),
        ("FROM --platform=${TARGETPLATFORM} busybox AS x", "FROM with $TARGETPLATFORM"),
        ("FROM base-$TARGETARCH", "FROM with $TARGETARCH"),
        ("FROM base-${TARGETARCH}${TARGETVARIANT}", "FROM with $TARGETARCH"),
    ],
)
def test_what_the_classic_builder_refuses_or_does_otherwise_is_found_with_its_line(line: str, what: str) -> None:
    assert buildkit_needs(f"# a comment\nFROM busybox\n{line}\n") == (BuildKitNeed(what, 3),)


@pytest.mark.parametrize(
    "text",
    [
        "FROM --platform=${BUILDPLATFORM:-linux/amd64} busybox",
        "ARG BUILDPLATFORM=linux/amd64\nFROM --platform=$BUILDPLATFORM busybox",
        "FROM busybox\nARG TARGETARCH\nRUN echo $TARGETARCH",
        "FROM busybox\nCOPY --link --chown=1:1 --from=other/image:1 f /f",
        "# syntax=docker/dockerfile:1\nFROM busybox\nRUN true",
        "FROM busybox\nRUN echo '<<EOF' && echo $BUILDPLATFORMS",
        "FROM busybox-$BUILDPLATFORMS",
        'FROM busybox\nRUN ["cat", "<<EOF"]',
        "FROM --platform=linux/amd64 busybox",
        "",
        "RUN <<NEVER ENDED",
    ],
)
def test_what_the_classic_builder_does_as_well_needs_no_other(text: str) -> None:
    assert buildkit_needs(text) == ()


def test_a_variable_that_is_given_as_a_build_argument_needs_no_buildkit() -> None:
    text = "ARG BUILDPLATFORM\nFROM --platform=$BUILDPLATFORM busybox"
    assert buildkit_needs(text, ["BUILDPLATFORM"]) == ()
    assert buildkit_needs(text) == (BuildKitNeed("FROM with $BUILDPLATFORM", 2),)


def test_every_line_is_told_in_its_order() -> None:
    text = "FROM busybox\nRUN --mount=type=cache,target=/a --mount=type=tmpfs,target=/b true\nCOPY --chmod=1 a b\n"
    assert [(each.what, each.line) for each in buildkit_needs(text)] == [("RUN --mount", 2), ("COPY --chmod", 3)]
