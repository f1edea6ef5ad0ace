"""What a client session waits for: the table of its stages. Pure.

    banner ─► ehlo ─► starttls ─► tls ─► ehlo ─► auth ─► ready          the opening, see `client.opening`
                └──► helo                                               when EHLO is refused with 5xx

    ready ─► rset ─► mail ─► rcpt … ─► data ─► body ─► final ─► ready   a transaction, see `client.run`
    ready ─► rset ─► xclient ─► ehlo ─► auth ─► mail …                  before one, for settings that want it
    ready ─► quit ─► closed

Of a stage that the settings and the peer's offer have no need for, nothing is said.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClientStage:
    """One stage. *awaited* says what is waited for, in the words of our own replies; *limit* names the field of
    `Timeouts` that says how long, None: for ever.
    """

    awaited: str
    limit: str | None


STAGES = {
    "new": ClientStage("the connection", None),
    "banner": ClientStage("the banner", "banner_s"),  # RFC 5321 §3.1; time: §4.5.3.2.1
    "ehlo": ClientStage("the answer to our greeting", "ehlo_s"),  # §3.2, §4.1.1.1; LHLO: RFC 2033 §4.1
    "helo": ClientStage("the answer to our greeting", "ehlo_s"),  # §3.2, §4.1.1.1
    "starttls": ClientStage("the answer to STARTTLS", "tls_s"),  # RFC 3207 §4
    "tls": ClientStage("the TLS handshake", "tls_s"),  # RFC 3207 §4
    "auth": ClientStage("the answer to AUTH", "ehlo_s"),  # RFC 4954 §4
    "xclient": ClientStage("the answer to XCLIENT", "ehlo_s"),  # Postfix's XCLIENT_README
    "ready": ClientStage("the next message", None),
    "rset": ClientStage("the answer to RSET", "rset_s"),  # RFC 5321 §4.1.1.5
    "mail": ClientStage("the answer to MAIL", "mail_s"),  # §4.1.1.2; time: §4.5.3.2.2
    "rcpt": ClientStage("the answer to RCPT", "rcpt_s"),  # §4.1.1.3; time: §4.5.3.2.3
    "data": ClientStage("the answer to DATA", "data_s"),  # §4.1.1.4; time: §4.5.3.2.4
    "body": ClientStage("the peer to take the message", "body_s"),  # time: §4.5.3.2.5
    "final": ClientStage("the answer to the end of the message", "final_s"),  # time: §4.5.3.2.6
    "quit": ClientStage("the answer to QUIT", "quit_s"),  # §4.1.1.10
    "closed": ClientStage("nothing", None),
}
