"""Name servers and own addresses as they change while a worker runs."""

import asyncio
from pathlib import Path

from angarium.config.records import GlobalOptions
from angarium.config.values import SocketAddress
from angarium.node.surroundings import Surroundings
from angarium.testing.clock import ManualClock
from angarium.testing.log import kept_log, records_of


class Machine:
    """A resolv.conf, and a worker's eye on it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "resolv.conf"
        self.options = GlobalOptions(resolv_conf=self.file)
        self.log = kept_log()
        self.surroundings = Surroundings(ManualClock(1.8e9), self.log)

    def look(self) -> bool:
        return asyncio.run(self.surroundings.look(self.options))

    @property
    def servers(self) -> list[str]:
        return [server.host for server in self.surroundings.seen.servers]

    @property
    def note(self) -> str:
        return self.surroundings.seen.note


def test_a_file_that_is_changed_or_replaced_is_noticed_and_an_unchanged_one_is_no_news(
    tmp_path: Path,
) -> None:
    machine = Machine(tmp_path)
    machine.file.write_text("nameserver 192.0.2.1\n")
    assert machine.look()
    assert not machine.look()
    machine.file.write_text("nameserver 192.0.2.2\n")
    assert machine.look()
    other = tmp_path / "new"
    other.write_text("nameserver 192.0.2.3\nnameserver 192.0.2.4\n")
    other.rename(machine.file)
    assert machine.look()
    assert machine.servers == ["192.0.2.3", "192.0.2.4"]
    assert machine.note == ""
    servers = [record["servers"] for record in records_of(machine.log) if record["event"] == "dns"]
    assert servers == [["192.0.2.1:53"], ["192.0.2.2:53"], ["192.0.2.3:53", "192.0.2.4:53"]]


def test_a_file_that_is_empty_or_gone_for_a_moment_takes_no_server_away(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file.write_text("nameserver 192.0.2.1\n")
    machine.look()
    for spoil in (lambda: machine.file.write_text(""), machine.file.unlink, machine.file.mkdir):
        spoil()
        assert not machine.look()
        assert machine.servers == ["192.0.2.1"]
        assert "those named before are still asked" in machine.note
    machine.file.rmdir()
    machine.file.write_text("nameserver 192.0.2.1\n")
    assert not machine.look()
    assert machine.note == ""


def test_a_machine_without_a_name_server_says_so_once_until_it_has_one(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.look()
    machine.look()
    assert machine.servers == []
    assert machine.note.startswith("no name server: ")
    assert machine.note.endswith("set DNS_Servers; mail that needs DNS waits")
    (warning,) = records_of(machine.log)
    assert (warning["level"], warning["problem"]) == ("warning", machine.note)
    machine.options = GlobalOptions(dns_servers=(SocketAddress("192.0.2.1", 53),))
    assert machine.look()
    assert (machine.servers, machine.note) == (["192.0.2.1"], "")


def test_the_settings_of_the_resolver_are_those_of_the_options_in_force(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.options = GlobalOptions(dns_servers=(SocketAddress("192.0.2.1", 53),), dns_timeout=3)
    machine.look()
    settings = machine.surroundings.settings(machine.options)
    assert (settings.servers, settings.timeout_s) == (machine.options.dns_servers, 3)
