from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from tonnage.adapters.host.presence import listening, missing

if TYPE_CHECKING:
    from pathlib import Path

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F51 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1
   2: 0100007F:A1B2 0100007F:1F51 01 00000000:00000000 00:00000000 00000000     0        0 4713 1
"""
TCP6 = """\
  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A
   1: 00000000000000000000000001000000:0017 00000000000000000000000000000000:0000 0A
   2: 0000000000000000FFFF00000100007F:0018 00000000000000000000000000000000:0000 0A
"""
UDP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
  10: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4714 2
  11: 0100007F:A1B3 0100007F:0035 01 00000000:00000000 00:00000000 00000000     0        0 4715 2
"""


def test_who_listens_is_read_with_the_address(tmp_path: Path) -> None:
    (tmp_path / "tcp").write_text(TCP)
    (tmp_path / "tcp6").write_text(TCP6)
    (tmp_path / "udp").write_text(UDP)
    assert listening(str(tmp_path)) == (
        ("", 53, "udp"),
        ("", 80, "tcp"),
        ("", 8080, "tcp"),
        ("127.0.0.1", 24, "tcp"),
        ("127.0.0.1", 8017, "tcp"),
        ("::1", 23, "tcp"),
    )


def test_a_port_of_this_machine_is_seen_while_something_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert ("127.0.0.1", port, "tcp") in listening()


def test_a_port_of_udp_is_seen_while_something_waits_for_whoever_comes() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waiting,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        waiting.bind(("127.0.0.1", 0))
        port = waiting.getsockname()[1]
        assert ("127.0.0.1", port, "udp") in listening()
        other.connect(("127.0.0.1", port))
        assert (*other.getsockname(), "udp") not in listening()


def test_nothing_is_where_no_name_leads(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    paths = [str(tmp_path / name) for name in ("file", "absent", "file/below", "dangling")]
    assert missing([*paths, "/no\0name"]) == {*paths[1:], "/no\0name"}
