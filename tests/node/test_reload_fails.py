"""A configuration that cannot be obeyed changes nothing, in no process of the node."""

import pytest

from angarium.core.errors import AngariumError
from angarium.testing.node import Node


def test_a_reload_without_a_name_server_leaves_everything_as_it_was(ask, tmp_path):
    servers = tmp_path / "resolv.conf"
    servers.write_text("nameserver 127.0.0.1\n")
    with Node(f'Resolv_Conf = "{servers}"\n', workers=1) as node:
        before = node.pids
        servers.unlink()  # as it is for a moment while the system writes it anew
        with pytest.raises(AngariumError, match="names no server"):
            ask(node, "reload")
        servers.write_text("nameserver 127.0.0.1\n")
        assert ask(node, "reload")["generation"] == 2
        assert node.pids == before
