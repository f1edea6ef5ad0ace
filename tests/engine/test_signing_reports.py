"""Notifications of this node's own are signed like other mail: by the domain of their From field."""

import pytest

from angarium.config.load import parse_config
from angarium.core.ids import MessageId
from angarium.core.records import ForwardPath, Message, Recipient
from angarium.core.reply import Reply
from angarium.engine.reports.report import Report, build_report


@pytest.mark.parametrize(
    ("config", "domain"),
    [
        ('Hostname = "mail.example.com"', "mail.example.com"),
        ('MailerDaemon = "Bounces@Example.ORG"', "example.org"),
    ],
)
def test_the_author_of_a_report_is_the_mailer_daemon(config: str, domain: str) -> None:
    path = ForwardPath(address="gone@far.test", domain="far.test")
    failed = Message(
        id=MessageId(b"1" * 16),
        received_at=0.0,
        reverse_path="a@sender.test",
        recipients=(path,),
        binding="default",
        lane=0,
        tenant="",
        trace=b"",
        body_size=0,
    )
    recipient = Recipient(failed, 0, "default", "far.test")
    event = recipient.event("bounced", 1.0, "bounced", reply=Reply(550, "5.1.1", "gone"))
    report = Report("failed", failed, 1.0, [(event, recipient)])
    message, text = build_report(report, None, parse_config(config))
    assert message.author_domain == domain
    assert f"@{domain}".encode() in text.lower().partition(b"\r\n\r\n")[0]
