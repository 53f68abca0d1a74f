"""Servers of strangers: none of them is waited for without end, and none leads further than it may."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

import psutil
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tonnage.adapters.web.client import NOT_ALLOWED, Web
from tonnage.adapters.web.deadlines import Limits, NetworkTime
from tonnage.adapters.web.disk_cache import DiskCache
from tonnage.adapters.web.names import Nearness, nearness_of
from tonnage.errors import CannotFetchError
from tonnage.forecast.python.index_access import index_access
from tonnage.forecast.python.resolution import resolve
from tonnage.forecast.python.source_archives import SourceArchives
from tonnage.forecast.python.uv import Uv
from tonnage.model.forecast.python_lock import ResolveRequest, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    Script = Callable[[socket.socket], None]

# A server that is not left is waited for far longer than that.
SOON_S = 15.0
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfine"


class Scripted:
    """A server that does what a script says with each connection, and remembers what it was asked."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.asked: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._speak, args=(client,), daemon=True).start()

    def _speak(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            self.asked.append(client.recv(65_536))
            self._script(client)

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Script], Scripted]]:
    running: list[Scripted] = []

    def start(script: Script) -> Scripted:
        running.append(Scripted(script))
        return running[-1]

    yield start
    for each in running:
        each.close()


def trickling(head: bytes, piece: bytes, pause_s: float = 0.1) -> Script:
    """Return a script that sends a beginning, and then a piece now and then for ever."""

    def script(client: socket.socket) -> None:
        client.sendall(head)
        while True:
            time.sleep(pause_s)
            client.sendall(piece)

    return script


def moved(place: str) -> Script:
    return lambda client: client.sendall(
        f"HTTP/1.1 302 Go\r\nLocation: {place}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    )


def gives(answer: bytes) -> Script:
    return lambda client: client.sendall(answer)


def silent(client: socket.socket) -> None:
    client.recv(1)


def hurried(**limits: float) -> NetworkTime:
    return NetworkTime(Limits(**{"answer_s": 0.5, "command_s": 60.0, **limits}))  # type: ignore[arg-type]


OK = b"HTTP/1.1 200 OK\r\n"
ENDLESS = {
    "silence": silent,
    "a body": trickling(OK + b"Content-Length: 999999\r\n\r\n", b"x"),
    "a body of no told length": trickling(OK + b"\r\n", b"x"),
    "a status line": trickling(b"", b"H"),
    "headers": trickling(OK, b"A: b\r\n"),
    "one header": trickling(OK + b"A: ", b"b"),
    "chunks": trickling(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "the length of a chunk": trickling(OK + b"Transfer-Encoding: chunked\r\n\r\n1", b"0"),
    "what follows the chunks": trickling(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n"),
    "answers before the answer": trickling(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.0),
    "an answer of a busy server": trickling(b"HTTP/1.1 503 Busy\r\nContent-Length: 999999\r\n\r\n", b"x"),
    "a body of a redirection": trickling(b"HTTP/1.1 302 Go\r\nLocation: /a\r\nContent-Length: 999999\r\n\r\n", b"x"),
}


@pytest.mark.parametrize(
    ("scheme", "what"),
    [
        *(("http", each) for each in ENDLESS),
        *((way, each) for way in ("https", "proxy") for each in ("silence", "headers")),
    ],
)
def test_a_server_that_is_never_done_is_left_at_the_deadline(
    serve: Callable[[Script], Scripted], scheme: str, what: str
) -> None:
    server = serve(ENDLESS[what])
    proxied = {"HTTPS_PROXY": server.address} if scheme == "proxy" else {}
    address = "https://example.org/a" if scheme == "proxy" else f"{scheme}://127.0.0.1:{server.port}/a"
    begun = time.monotonic()
    with pytest.raises(CannotFetchError) as caught:
        Web(proxied, time=hurried()).get(address)
    assert time.monotonic() - begun < SOON_S
    assert caught.value.cause == "unreachable"
    # Who spoke no TLS at all is left for that.
    assert scheme != "http" or "within 0.5 s" in caught.value.why


def test_redirections_and_repetitions_of_an_answer_have_one_deadline(serve: Callable[[Script], Scripted]) -> None:
    def slowly(client: socket.socket) -> None:
        time.sleep(0.2)
        moved("/a")(client)

    server = serve(slowly)
    with pytest.raises(CannotFetchError, match=r"within 0\.5 s"):
        Web({}, time=hurried()).get(f"{server.address}/a")
    assert len(server.asked) < 5


def test_a_slow_answer_that_goes_on_is_waited_for(serve: Callable[[Script], Scripted]) -> None:
    pieces = 8

    def steadily(client: socket.socket) -> None:
        client.sendall(OK + f"Content-Length: {pieces << 16}\r\n\r\n".encode())
        for _ in range(pieces):
            time.sleep(0.3)
            client.sendall(bytes(1 << 16))

    server = serve(steadily)
    time_s = hurried(answer_s=2.0, slowest_bytes_per_s=1024)
    assert len(Web({}, time=time_s).get(f"{server.address}/a").body) == pieces << 16


def test_a_command_has_one_deadline_for_all_its_requests(serve: Callable[[Script], Scripted]) -> None:
    servers = [serve(silent) for _ in range(4)]
    web = Web({}, time=hurried(answer_s=60.0, command_s=1.0))
    begun = time.monotonic()
    for server in servers:
        with pytest.raises(CannotFetchError) as caught:
            web.get(f"{server.address}/a")
        assert caught.value.cause == "unreachable"
        assert "All requests of one command have 1.0 s" in caught.value.why
    assert time.monotonic() - begun < SOON_S
    assert not servers[-1].asked
    with pytest.raises(CannotFetchError, match="not asked any more"):
        web.resolver_s()


def test_who_waits_is_let_go_when_the_command_ends(serve: Callable[[Script], Scripted]) -> None:
    server = serve(silent)
    web = Web({}, time=NetworkTime())
    failures: list[str] = []

    def ask() -> None:
        with pytest.raises(CannotFetchError) as caught:
            web.get(f"{server.address}/a")
        failures.append(caught.value.why)

    asking = threading.Thread(target=ask)
    asking.start()
    while not server.asked:
        time.sleep(0.01)
    web.close()
    asking.join(SOON_S)
    assert failures == ["It is not waited for any more."]


def test_the_resolver_is_ended_with_all_that_it_started(serve: Callable[[Script], Scripted], tmp_path: Path) -> None:
    page = b"Content-Type: application/vnd.pypi.simple.v1+json\r\nContent-Length: 99999\r\n\r\n"
    server = serve(trickling(OK + page, b" "))
    web, kept = Web({}, time=hurried(resolver_s=3.0)), DiskCache(tmp_path / "kept")
    request = ResolveRequest(requirements=("one",), index_url=f"{server.address}/simple")
    target = Target(python="3.11", platform="x86_64-manylinux_2_36")
    begun = time.monotonic()
    with pytest.raises(CannotFetchError, match="index cannot be reached") as caught:
        resolve(
            request, target, uv=Uv(tmp_path / "uv", {}), archives=SourceArchives(web, kept), web=web,
            access=index_access(request, {"PIP_CONFIG_FILE": "/dev/null"}), kept=kept,
        )  # fmt: skip
    assert time.monotonic() - begun < 2 * SOON_S
    assert caught.value.why == "What the requirements need was not there within 3.0 s."
    running = psutil.process_iter(["cmdline"], ad_value=())
    assert not [each for each in running if str(tmp_path) in " ".join(each.info["cmdline"] or ())]


@pytest.mark.parametrize("flood", [b"A: b\r\n" * 200, b"A: " + bytes([98]) * (1 << 20) + b"\r\n"])
def test_a_flood_of_headers_is_a_failure_like_others(serve: Callable[[Script], Scripted], flood: bytes) -> None:
    server = serve(gives(OK + flood + b"\r\n"))
    with pytest.raises(CannotFetchError, match="cannot be reached"):
        Web({}, time=hurried(answer_s=10.0)).get(f"{server.address}/a")


def test_a_name_that_nobody_tells_of_and_an_address_without_end_are_told() -> None:
    with pytest.raises(CannotFetchError, match="cannot be reached"):
        Web({}).get("http://nobody.invalid/a")
    with pytest.raises(CannotFetchError, match="is too long an address"):
        Web({}).get(f"http://example.org/{'a' * 100_000}")


def test_a_policy_is_asked_before_each_request_and_each_redirection(serve: Callable[[Script], Scripted]) -> None:
    secret = serve(gives(FINE))
    server = serve(moved(f"http://localhost:{secret.port}/b"))
    seen: list[tuple[str, tuple[str, ...]]] = []

    def allowed(address: str, resolved: Callable[[], Sequence[str]]) -> str:
        seen.append((address, tuple(resolved()) if "127.0.0.1" in address else ()))
        return "It is not one of the usual servers." if "localhost" in address else ""

    with pytest.raises(CannotFetchError, match="is not asked") as caught:
        Web({}, allowed=allowed).get(f"{server.address}/a")
    assert (caught.value.cause, caught.value.why) == (NOT_ALLOWED, "It is not one of the usual servers.")
    assert seen == [(f"{server.address}/a", ("127.0.0.1",)), (f"http://localhost:{secret.port}/b", ())]
    assert not secret.asked
    for ask in (
        Web({}, allowed=lambda *_: "No.").answers,
        lambda each: Web({}, allowed=lambda *_: "No.").post(each, {}),
    ):
        with pytest.raises(CannotFetchError, match="is not asked"):
            ask(f"{secret.address}/b")
    assert not secret.asked


def test_a_host_is_looked_up_once(serve: Callable[[Script], Scripted], monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(gives(FINE))
    looked_up: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: str, *rest: object, **more: object) -> object:
        looked_up.append(host)
        return real("127.0.0.1" if looked_up.count(host) == 1 else "127.0.0.2", *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    checked: list[Sequence[str]] = []

    def allowed(_: str, resolved: Callable[[], Sequence[str]]) -> str:
        checked.append(resolved())
        return ""

    web = Web({}, allowed=allowed)
    for _ in range(2):
        assert web.get(f"http://rebinding.example.org:{server.port}/a").body == b"fine"
    assert checked == [("127.0.0.1",)] * 2
    assert looked_up == ["rebinding.example.org"]


@pytest.mark.parametrize(
    "inside", ["127.0.0.1", "localhost", "169.254.169.254", "10.1.2.3", "[::1]", "[::ffff:7f00:1]"]
)
def test_a_public_server_leads_to_no_place_inside(serve: Callable[[Script], Scripted], inside: str) -> None:
    hidden = serve(gives(FINE))
    proxy = serve(moved(f"http://{inside}:{hidden.port}/latest/meta-data"))
    with pytest.raises(CannotFetchError, match="which is not followed") as caught:
        Web({"HTTP_PROXY": proxy.address}).get("http://example.org/a")
    assert caught.value.cause == NOT_ALLOWED
    assert (len(proxy.asked), hidden.asked) == (1, [])


@given(st.ip_addresses())
@example(IPv4Address("0.0.0.0"))
@example(IPv6Address("64:ff9b::7f00:1"))
@example(IPv6Address("2002:7f00:1::"))
def test_every_address_that_is_not_of_the_internet_is_nearer(address: IPv4Address | IPv6Address) -> None:
    inner = next((each for each in (getattr(address, n, None) for n in ("ipv4_mapped", "sixtofour")) if each), address)
    if str(address).startswith("64:ff9b::"):
        inner = IPv4Address(int(address) & 0xFFFFFFFF)
    assert nearness_of(str(inner)) <= nearness_of(str(address))
    assert inner.is_global or nearness_of(str(address)) is not Nearness.PUBLIC
    assert not inner.is_loopback or nearness_of(str(address)) is Nearness.HERE


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 with its key, in one file."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("there is no openssl that could make a certificate")
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    command = [
        program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{path}.key", "-out", str(path),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + path.with_name("server.pem.key").read_text())
    return path


def inside_tls(certificate: Path, script: Script) -> tuple[str, socket.socket]:
    """Do what a script says in each connection with TLS; return the address and what listens."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listening = socket.create_server(("127.0.0.1", 0))

    def speak(client: socket.socket) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(client, server_side=True) as secured:
            secured.recv(65_536)
            script(secured)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=speak, args=(listening.accept()[0],), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return f"https://127.0.0.1:{listening.getsockname()[1]}", listening


def test_inside_tls_the_same_holds_and_no_redirection_leads_out_of_it(
    serve: Callable[[Script], Scripted], certificate: Path
) -> None:
    plain = serve(gives(FINE))
    environment = {"SSL_CERT_FILE": str(certificate)}
    for script, said in (
        (moved(f"{plain.address}/b"), "which is not followed"),
        (ENDLESS["a body"], "cannot be reached"),
        (ENDLESS["headers"], "cannot be reached"),
    ):
        address, listening = inside_tls(certificate, script)
        with listening, pytest.raises(CannotFetchError, match=said):
            Web(environment, time=hurried()).get(f"{address}/a")
    address, listening = inside_tls(certificate, gives(FINE))
    with listening:
        assert Web(environment, time=hurried(answer_s=20.0)).get(f"{address}/a").body == b"fine"
    assert not plain.asked
