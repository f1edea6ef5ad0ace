"""The sending side from the banner to a session that is ready for mail (RFC 5321 §3.1, §3.2; LHLO: RFC 2033).

    banner ─► ehlo ─► starttls ─► tls ─► ehlo ─► auth ─► open
                └──► helo                                       when EHLO is refused with 5xx

STARTTLS and AUTH are there as the settings want them and the peer offers them (RFC 3207, RFC 4954). During `tls`
the shell makes the handshake; what was learnt before it is forgotten.

    (rset ─►) xclient ─► ehlo ─► auth ─► open

XCLIENT begins an opening in the middle of a session. The peer answers as to a new connection, so the greeting and the
login are said again; the greeting with the name that the client gave, as Postfix's XCLIENT_README has it.
"""

from collections.abc import Callable
from typing import Literal

from angarium.core.records import Stage
from angarium.core.reply import Reply
from angarium.smtp.client.dialogue import Said
from angarium.smtp.client.events import ClientSettings, XclientAttributes
from angarium.smtp.client.login import Login, login_problem
from angarium.smtp.client.stages import STAGES
from angarium.smtp.client.writer import ClientWriter
from angarium.smtp.client.xclient import greeting_name, xclient_command
from angarium.smtp.extensions import (
    AFTER_HELO,
    NO_EXTENSIONS,
    Extensions,
    parse_extensions,
    without,
)
from angarium.smtp.refusals import IN_VAIN, is_about_encryption, temporary
from angarium.smtp.replies import shorten

OpeningStage = Literal["banner", "ehlo", "helo", "starttls", "tls", "auth", "rset", "xclient"]
_GREETING = {"ESMTP": "EHLO", "SMTP": "HELO", "LMTP": "LHLO"}

_REPORTED: dict[str, Stage] = {
    "banner": "banner",
    "starttls": "tls",
    "tls": "tls",
    "auth": "auth",
}

NO_STARTTLS = Reply(451, "4.7.6", "[internal] STARTTLS required but not advertised")
NO_XCLIENT = Reply(451, "4.7.6", "[internal] XCLIENT required but not advertised")
NO_MORE_XCLIENT = Reply(421, "4.7.6", "[internal] the peer takes no other XCLIENT in this session")
INJECTED = Reply(
    451, "4.7.5", "[internal] the peer, or somebody on the way, sent more behind its answer to STARTTLS"
)


class Opening:
    """How far a session has come on its way to being ready.

    *is_open*: it is ready, and *extensions* says what the peer offers. *refusal*: the peer does not want us, or
    we it. Neither: go on. *is_encrypted*: the handshake was made. *timings* are those of `Ready` and `NotReady`.
    *is_on_terms*: the peer would have us, so what goes wrong from now on is about what the settings ask for.
    *is_believed*: the peer has taken over what XCLIENT told it.
    """

    __slots__ = (
        "_command",
        "_has_told",
        "_login",
        "_may_encrypt",
        "_name",
        "_settings",
        "_since",
        "_writer",
        "extensions",
        "is_believed",
        "is_encrypted",
        "is_on_terms",
        "is_open",
        "refusal",
        "said",
        "stage",
        "timings",
    )

    def __init__(self, settings: ClientSettings, writer: ClientWriter, now: float) -> None:
        self.stage: OpeningStage = "banner"
        self.extensions: Extensions = NO_EXTENSIONS
        self.is_open = False
        self.is_encrypted = False
        self.is_on_terms = False
        self.is_believed = False
        self.refusal: Reply | None = None
        self.timings: list[tuple[Stage, float]] = []
        self._settings = settings
        self._writer = writer
        self.said: Said = []
        writer.said = self.said
        self._since = now
        self._login: Login | None = None
        self._may_encrypt = settings.tls != "no"
        self._name = settings.ehlo_name
        self._command = ""
        self._has_told = False

    def introduce(
        self,
        attributes: XclientAttributes,
        extensions: Extensions,
        *,
        is_encrypted: bool,
        has_told: bool,
        needs_reset: bool,
    ) -> bool:
        """Begin with XCLIENT, in a session that is open and whose peer offers *extensions*; after a RSET where the
        transaction before left something to undo. Returns False, and has said nothing, when the peer wants to know
        nothing of what there is to tell.

        With *has_told* the peer believes something else already, so that a refusal must end the session: the
        message would be attributed to another client.
        """
        self._command = xclient_command(attributes, extensions)
        if not self._command:
            return False
        self.extensions, self.is_encrypted, self._has_told = extensions, is_encrypted, has_told
        self._may_encrypt = False
        self._name = greeting_name(attributes, self._name)
        if needs_reset:
            self._writer.say("RSET\r\n")
            self.stage = "rset"
        else:
            self._say_xclient()
        return True

    @property
    def reported_stage(self) -> Stage:
        """The stage as records name it: HELO is part of *ehlo*, STARTTLS and handshake are *tls*."""
        return _REPORTED.get(self.stage, "ehlo")

    @property
    def is_about_tls(self) -> bool:
        """Whether a failure now may be one of the encryption: up to the first encrypted answer."""
        if self._command:  # the handshake was long ago
            return False
        return self.stage in ("starttls", "tls") or (self.is_encrypted and self.stage == "ehlo")

    @property
    def is_in_clear_for_want(self) -> bool:
        """Whether the session is in clear text although encryption would be welcome; HELO by our wish rules it out."""
        settings = self._settings
        return not self.is_encrypted and (
            settings.fell_back or (settings.tls != "no" and settings.method != "SMTP")
        )

    def without_secrets(self, reply: Reply) -> Reply:
        """Return *reply* without what we logged in with, should the peer repeat it."""
        return reply if self._login is None else self._login.without_secrets(reply)

    def reply(self, reply: Reply, now: float) -> None:
        """Take the peer's next answer."""
        self.said.append(reply)
        self.note_time(now)
        if 300 <= reply.code < 400 and self.stage not in ("auth", "rset", "xclient"):
            text = f"[internal] unexpected reply while waiting for {STAGES[self.stage].awaited}: {reply}"
            self.refusal = shorten(Reply(421, "4.5.0", text))
        else:
            _ON_REPLY[self.stage](self, reply)

    def secured(self, now: float) -> None:
        """The handshake was made: greet again, as if nothing had been said (RFC 3207 §4.2)."""
        self.note_time(now)
        self.is_encrypted = True
        self._may_encrypt = False
        self.extensions = NO_EXTENSIONS
        self._greet(_GREETING[self._settings.method])

    def note_time(self, now: float) -> None:
        """Count the time since the last progress to the present stage, which may be entered twice."""
        stage, spent_ms = self.reported_stage, (now - self._since) * 1000
        self._since = now
        for index, (before, already_ms) in enumerate(self.timings):
            if before == stage:
                self.timings[index] = (stage, already_ms + spent_ms)
                return
        self.timings.append((stage, spent_ms))

    def _on_banner(self, reply: Reply) -> None:
        if reply.code >= 400:
            self._refused(reply)
        else:
            self._greet(_GREETING[self._settings.method])

    def _on_ehlo(self, reply: Reply) -> None:
        if reply.code < 300:
            offered = parse_extensions(reply, self._settings.discarded)
            self.extensions = without(offered, self._settings.distrusted)
            self._greeted()
        elif reply.code >= 500 and self._settings.method == "ESMTP":
            self._refused_ehlo()
        else:
            self._refused(reply)

    def _refused_ehlo(self) -> None:
        """Say HELO instead, unless what only EHLO offers is required."""
        problem = self._problem()
        if problem is None:
            self.extensions = AFTER_HELO
            self._greet("HELO")
        else:
            self.is_on_terms = True
            self._give_up(problem)

    def _on_helo(self, reply: Reply) -> None:
        if reply.code < 300:
            self.extensions = without(self.extensions, self._settings.distrusted)
            self._greeted()
        else:
            self._refused(reply)

    def _greeted(self) -> None:
        """The peer knows us and we know what it offers: encrypt, log in, or be done."""
        self.is_on_terms = True
        if self._may_encrypt and self.extensions.starttls:
            self._writer.say("STARTTLS\r\n")
            self.stage = "starttls"
            return
        problem = self._problem()
        if problem is not None:
            self._give_up(problem)
        elif self._settings.auth is not None:
            self.stage = "auth"
            self._login = Login(self._settings.auth, self._writer)
            self._login.begin()
        else:
            self.is_open = True

    def _problem(self) -> Reply | None:
        """Return what the settings require and the peer does not offer."""
        settings = self._settings
        if not self._command:  # who we speak for may not be trusted with a further XCLIENT, and need not
            if settings.tls == "required" and not self.is_encrypted:
                return NO_STARTTLS
            if settings.xclient == "required" and not self.extensions.xclient:
                return NO_XCLIENT
        if settings.auth is not None:
            return login_problem(settings.auth, self.extensions, self.is_encrypted)
        return None

    def _on_starttls(self, reply: Reply) -> None:
        if reply.code < 300:
            self.stage = "tls"
        elif reply.code == 421:
            self._refused(reply)
        elif self._settings.tls == "required":
            self._give_up(shorten(Reply(451, "4.7.5", f"[internal] the peer refused STARTTLS: {reply}")))
        else:
            self._may_encrypt = False
            self._greeted()

    def _on_auth(self, reply: Reply) -> None:
        login = self._login
        assert login is not None
        login.reply(reply)
        if login.refusal is not None and self.is_in_clear_for_want and is_about_encryption(login.refusal):
            self._give_up(shorten(temporary(login.refusal, IN_VAIN)))
        elif login.refusal is not None:
            self._refused(login.refusal)
        else:
            self.is_open = login.is_done

    def _say_xclient(self) -> None:
        self._writer.say(self._command)
        self.stage = "xclient"

    def _on_rset(self, reply: Reply) -> None:
        if reply.code < 300:
            self._say_xclient()
        else:
            self._refused(shorten(Reply(421, "4.5.0", f"[internal] the peer refused RSET: {reply}")))

    def _on_xclient(self, reply: Reply) -> None:
        if reply.code < 300:
            self.is_believed = True
            self._greet(_GREETING[self._settings.method])
        elif reply.code == 421:
            self._refused(reply)
        elif self._settings.xclient == "required" or self._has_told:
            self._give_up(shorten(Reply(451, "4.7.6", f"[internal] the peer refused XCLIENT: {reply}")))
        else:
            self.is_open = True

    def _greet(self, verb: str) -> None:
        self._writer.say(f"{verb} {self._name}\r\n")
        self.stage = "helo" if verb == "HELO" else "ehlo"

    def _refused(self, reply: Reply) -> None:
        """The peer said no: say goodbye, unless it has hung up already with 421."""
        self._give_up(shorten(reply), is_silent=reply.code == 421)

    def _give_up(self, reply: Reply, *, is_silent: bool = False) -> None:
        if not is_silent:
            self._writer.say("QUIT\r\n")
        self.refusal = reply


_ON_REPLY: dict[str, Callable[[Opening, Reply], None]] = {
    "banner": Opening._on_banner,
    "ehlo": Opening._on_ehlo,
    "helo": Opening._on_helo,
    "starttls": Opening._on_starttls,
    "auth": Opening._on_auth,
    "rset": Opening._on_rset,
    "xclient": Opening._on_xclient,
}
