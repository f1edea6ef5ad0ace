"""The public HTTP port of the real program: workers serve it, and without them it is answered all the same."""

import contextlib
import fcntl
import json
import os
import signal
import socket
import stat
from pathlib import Path

import pytest

from angarium.testing.node import Node
from angarium.testing.programs import PATIENCE_S

pytestmark = pytest.mark.process


@pytest.fixture
def node():
    with Node(workers=2) as running:
        yield running


def sockets_of(pid):
    """Return the inodes of the sockets that a process has."""
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(os.readlink(entry))
        except FileNotFoundError:
            continue
    return {name.removeprefix("socket:[").removesuffix("]") for name in found if name.startswith("socket:")}


def server_of(node, sock):
    """Return which process of the node has the other end of a connection."""
    ours, theirs = (f"0100007F:{sock.getsockname()[1]:04X}", f"0100007F:{node.http_port:04X}")
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    inode = next(line[9] for line in lines if line[1:3] == [theirs, ours])
    return next((pid for pid in node.pids if inode in sockets_of(pid)), None)


def asked(node, sock, path="/healthz"):
    """Ask on an open connection; return the status."""
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += sock.recv(65_536)
    return int(answer.split()[1])


def connected(node, own_ip="127.0.0.1"):
    return socket.create_connection(("127.0.0.1", node.http_port), PATIENCE_S, source_address=(own_ip, 0))


def test_two_connections_are_served_by_two_workers(node):
    with connected(node) as first:
        assert asked(node, first) == 200
        with connected(node) as second:
            assert asked(node, second) == 200
            workers = node.pids[1:]
            assert {server_of(node, first), server_of(node, second)} == set(workers)


def test_health_is_told_while_every_worker_stands_still(node):
    workers = node.pids[1:]
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        with connected(node) as client:
            status = asked(node, client)
            assert server_of(node, client) in (node.pids[0], None)  # None: closed after its one answer
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
    assert status in (200, 503)
    assert node.pids[1:] == workers


def test_health_is_told_while_workers_are_started_again(node):
    with contextlib.ExitStack() as stack:
        for pid in node.pids[1:]:
            os.kill(pid, signal.SIGKILL)
        locks = list(node.data.glob("**/p?/lock"))
        assert len(locks) == 2
        for lock in locks:  # no worker comes up without it
            fcntl.flock(stack.enter_context(lock.open("rb")), fcntl.LOCK_EX)
        status, body = node.get("/readyz")
        assert status == 503
        assert any("worker" in reason for reason in json.loads(body)["reasons"])
    node.program.wait_until(lambda: node.get("/readyz")[0] == 200, "readiness")
    with connected(node) as client:
        assert asked(node, client) == 200
        assert server_of(node, client) in node.pids[1:]


def test_who_asks_is_known_behind_the_workers(node):
    key = node.cli("init")["key"]["secret"]
    bound = node.cli("keys", "create", "bound", "--grant", "account/manage", "--network", "127.0.0.9")[
        "secret"
    ]

    def status(key, own_ip, field=b""):
        request = b"GET /manage/v1/servers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s\r\n"
        with connected(node, own_ip) as client:
            client.sendall(request % (key.encode(), field))
            return int(client.recv(65_536).split()[1])

    assert status(key, "127.0.0.1") == 200
    assert status(bound, "127.0.0.9") == 200
    assert status(bound, "127.0.0.1") == 401
    assert status(bound, "127.0.0.1", b"Angarium-Peer: 127.0.0.9 25\r\n") == 401


def test_the_socket_behind_is_for_the_owner_alone_and_goes_with_the_node(node):
    path = node.data / "http.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert node.stop() == 0
    assert not path.exists()


def test_a_folder_with_a_long_name_has_a_socket_all_the_same(tmp_path):
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    with Node(folder=folder, workers=1) as node:
        assert node.get("/healthz")[0] == 200
        with connected(node) as client:
            assert asked(node, client) == 200
            assert server_of(node, client) == node.pids[1]


def test_what_one_peer_may_open_it_may_open_at_the_node_and_not_at_each_worker(node):
    """More than there may be: the oldest make room, in every worker, and another peer finds its place."""
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connected(node)) for _ in range(400)]
        with connected(node, "127.0.0.2") as other:
            assert asked(node, other) == 200
        for sock in idle:
            sock.setblocking(False)
        node.program.wait_until(lambda: sum(map(is_open, idle)) <= 256, "room made")
        assert is_open(idle[-1])


def is_open(sock):
    try:
        return bool(sock.recv(1))
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def test_a_reload_leaves_no_descriptors(node):
    def open_files():
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in node.pids[1:])

    before = open_files()
    for count in range(1, 6):
        node.reload()
        node.wait_for_event("reload", count)
        assert node.get("/healthz")[0] == 200
    # the last connections may be about to close
    node.program.wait_until(lambda: open_files() <= before, "as few files as before")
