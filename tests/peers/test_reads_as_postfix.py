"""What a real Postfix takes from its clients, the server machine takes too: the same lines are said to both."""

import smtplib

from angarium.testing.peers import Postfix
from angarium.testing.programs import PATIENCE_S
from angarium.testing.server_peer import ServerPeer

QUIET = {"smtpd_hard_error_limit": "1000", "smtpd_error_sleep_time": "0s"}
LONG = "bounces+2309175-1e1a-firstname.lastname=some-rather-long-domain.example.com@emails.example.com"

TAKEN = [
    "MAIL FROM:a@example.com",
    "MAIL FROM: a@example.com",
    "MAIL FROM:a@example.com SIZE=3",
    "MAIL  FROM:<a@example.com>",
    "MAIL\tFROM:<a@example.com>",
    " MAIL FROM:<a@example.com>\tSIZE=3\t",
    "MAIL FROM:<<a@example.com>>",
    "MAIL FROM: < >",
    "MAIL FROM:root",
    "MAIL FROM:<root>",
    'MAIL FROM:"a b"@example.com',
    "MAIL FROM:<a@example.com.>",
    "MAIL FROM:<root@project_web_1.project_default>",
    "MAIL FROM:<a..b@example.com>",
    f"MAIL FROM:<{LONG}>",
    "MAIL FROM:<a@example.com> AUTH=newsletter",
    "MAIL FROM:<a@example.com> AUTH=",
    "MAIL FROM:<a@example.com> AUTH=+zz",
    "MAIL FROM:<a@example.com> BODY=8BITMIME BODY=7BIT",
    "MAIL FROM:<a@example.com> SIZE=3 SIZE=3",
    "MAIL FROM:<a@example.com> ENVID=a=b",
    f"MAIL FROM:<a@example.com> ENVID={'a' * 200}",
    "RCPT TO: b@example.net",
    "RCPT TO:<b@example.net>\t",
    "RCPT TO:< b@example.net >",
    "RCPT TO:<b @\texample.net>",
    "RCPT TO:<b@example.net>,",
    "RCPT TO:<b@example.net>; NOTIFY=NEVER",
    "RCPT TO:<try..this..05@docomo.example>",
    "RCPT TO:<abc.@docomo.example>",
    "RCPT TO:<.abc@docomo.example>",
    "RCPT TO:<bob@my_host.example.net>",
    "RCPT TO:<b@example.net.>",
    "RCPT TO:<root>",
    "RCPT TO:<@one.example,@two.example:bob@example.net>",
    "RCPT TO:<b@example.net> ORCPT=rfc822;a=b@example.net",
    f"RCPT TO:<b@example.net> ORCPT=rfc822;{'a' * 600}",
    "RCPT TO:<b@example.net> ORCPT=rfc822;",
    "RCPT TO:<b@example.net> ORCPT=rfc822;b+2bx+0a@example.net",
    "RCPT TO:<b@example.net> ORCPT=x_y;bü@example.net",
    "RCPT TO:<b@example.net>\r",
    "EHLO MÜLLER-PC",
    "EHLO my laptop",
    "EHLO my\x1b\x01laptop\x7f",
    "EHLO\tmy\tlaptop",
    "NOOP\t",
]
REFUSED = [
    "MAIL FROM :<a@example.com>",
    "MAIL FROM:",
    "MAIL FROM:<a@example.com",
    "MAIL FROM:<a@example.com>SIZE=3",
    "MAIL FROM:Name <a@example.com>",
    "MAIL FROM:<a b@example.com>",
    "MAIL FROM:<a,b@example.com>",
    "MAIL FROM:<a@example.com..>",
    "MAIL FROM:<a@example..com>",
    "MAIL FROM:<a@-example.com>",
    "MAIL FROM:<a@127.1>",
    "MAIL FROM:<a@example.com> SIZE=",
    "MAIL FROM:<a@example.com> RET=HDRS RET=FULL",
    "MAIL FROM:<a@example.com> ENVID=a ENVID=b",
    "RCPT TO:<>",
    "RCPT TO:<b@[::1]>",
    "RCPT TO:<b@example.net> NOTIFY=NEVER NOTIFY=SUCCESS",
    "RCPT TO:<b@example.net> NOTIFY=NEVER,SUCCESS",
    "RCPT TO:<b@example.net> ORCPT=rfc822;a ORCPT=rfc822;b",
    "RCPT TO:<b@example.net> ORCPT=bob@example.net",
    "RCPT TO:<b@example.net> ORCPT=rfc822;b+3",
    "EHLO",
]


def of_postfix(client: smtplib.SMTP, line: str) -> int:
    client.docmd("RSET")
    if line.startswith("RCPT"):
        client.docmd("MAIL FROM:<a@example.com>")
    client.send(f"{line}\r\n".encode())
    return client.getreply()[0]


def of_ours(peer: ServerPeer, line: str) -> int:
    before = "RSET\r\nMAIL FROM:<a@example.com>\r\n" if line.startswith("RCPT") else "RSET\r\n"
    peer.send(before.encode())
    peer.take_output()
    peer.send(f"{line}\r\n".encode())
    return int(peer.take_output()[:3])


def test_what_postfix_takes_is_taken_and_what_it_refuses_is_refused() -> None:
    peer = ServerPeer("limit max_errors 0", "limit max_null_commands 0")
    peer.send(b"EHLO client.example\r\n")
    with (
        Postfix(transport="smtp:[127.0.0.1]:1", settings=QUIET) as postfix,
        smtplib.SMTP("127.0.0.1", postfix.port, "client.test", timeout=PATIENCE_S) as client,
    ):
        client.ehlo()
        for lines, codes in ((TAKEN, {250}), (REFUSED, {501, 555})):
            for line in lines:
                said = of_postfix(client, line), of_ours(peer, line)
                assert set(said) <= codes, f"{line!r}: {said}"
