"""What is read of a resolv.conf, and that nothing in one is an error."""

from hypothesis import given
from hypothesis import strategies as st

from angarium.config.values import SocketAddress
from angarium.dns.resolv_conf import name_servers

TEXT = """
# made by a program
; nameserver 192.0.2.9
search example.com corp.example
options ndots:5 timeout:1 attempts:2 edns0 rotate trust-ad
nameserver 192.0.2.53
nameserver\t2001:db8::53   # with a remark
nameserver fe80::1%eth0
nameserver 192.0.2.53
nameserver 192.0.2.530
nameserver dns.example.com
nameserver
nameservers 192.0.2.1
"""


def test_the_servers_are_those_of_good_lines_each_once_in_their_order() -> None:
    assert [str(server) for server in name_servers(TEXT)] == [
        "192.0.2.53:53",
        "[2001:db8::53]:53",
        "[fe80::1%eth0]:53",
    ]


def test_a_file_cut_short_names_what_it_names_so_far() -> None:
    assert name_servers("nameserver 192.0.2.53\nnameser") == (SocketAddress("192.0.2.53", 53),)
    assert name_servers("") == ()


@given(
    st.text() | st.lists(st.sampled_from(["nameserver", " ", "\n", "::1", "1.2.3.4", "%", "#"])).map("".join)
)
def test_any_text_names_servers_or_none(text: str) -> None:
    assert all(server.port == 53 for server in name_servers(text))
