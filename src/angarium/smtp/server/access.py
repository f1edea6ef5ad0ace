"""The part of the server machine that lets peers in: AUTH (RFC 4954), STARTTLS (RFC 3207), XCLIENT."""

from angarium.core.reply import Reply
from angarium.smtp.server import answers
from angarium.smtp.server.auth_syntax import decode_response, encode_challenge, parse_auth, parse_xclient
from angarium.smtp.server.bodies import ServerBodies

MAX_RESPONSE_LINE = 12_290
"""Bytes of a line with base64, its end among them (RFC 4954 §4 names 12288 without)."""


class ServerAccess(ServerBodies):
    """Who the peer is, and whether others can listen. See `server.ServerMachine`."""

    __slots__ = ()

    # -- AUTH

    def _auth(self, line: bytes) -> Reply | None:
        options = self._options
        if not options.auth and not options.auth_under_tls:
            return answers.NOT_IMPLEMENTED
        if not self.is_esmtp:
            return answers.HELO_FIRST
        if self.is_authenticated:
            return answers.AUTH_AGAIN
        if self._sender:
            return answers.AUTH_TOO_LATE
        mechanism, initial = parse_auth(line)
        if mechanism not in options.auth and mechanism not in options.auth_unnamed:
            return answers.AUTH_NEEDS_TLS if mechanism in options.auth_under_tls else answers.AUTH_UNKNOWN
        self.state = "waiting"  # so that the handler may answer before it returns
        reply = self._handler.on_auth(mechanism, initial)
        if reply is not None:
            self.state = "command"
        return reply

    def _auth_done(self, reply: Reply) -> Reply:
        self.is_authenticated = self.is_authenticated or reply.code < 300
        return reply

    def _send_challenge(self, data: bytes) -> None:
        verb = self._verb
        if self.state != "waiting" or verb is None or verb.run is not ServerAccess._auth:
            raise RuntimeError(f"no challenge is due in state {self.state}")
        if self._pos < len(self._buffer) and self._is_hasty(verb):
            self._end(answers.UNAUTHORISED_PIPELINING)
            return
        self._out.append(encode_challenge(data))
        self.state = "auth"
        self._since = self._now

    def _read_response(self) -> bool:
        """Work on the client's response to a challenge. Returns False when it is not complete."""
        buffer, start = self._buffer, self._pos
        end = buffer.find(b"\n", start)
        if end < 0 and len(buffer) - start < MAX_RESPONSE_LINE:
            return False
        if end < 0 or end - start >= MAX_RESPONSE_LINE:
            self._skip_from_here(answers.AUTH_LINE_TOO_LONG)
            self._handler.on_auth_cancel()
            return True
        self._pos = end + 1
        self._since = self._now
        if buffer[start:end].endswith(b"\r"):
            self._take_response(buffer[start : end - 1].rstrip(b"\r"))
        elif not self._takes_lone_lf:
            self._end(answers.BARE_LF_COMMAND)
        else:
            self._take_response(buffer[start:end])
        return True

    def _take_response(self, line: bytes) -> None:
        data = decode_response(line) if line != b"*" else None
        if data is not None:
            self.state = "waiting"
            self._handler.on_auth_line(data)
            return
        self.state = "command"
        self._handler.on_auth_cancel()
        assert self._verb is not None
        self._conclude(self._verb, answers.AUTH_CANCELLED if line == b"*" else answers.BAD_BASE64)

    # -- STARTTLS

    def _starttls(self, line: bytes) -> Reply | None:
        if line[len("STARTTLS") :].strip(b" "):
            return answers.NO_ARGUMENTS
        if self.is_encrypted:
            return answers.TLS_ALREADY
        if not self._options.starttls:
            return answers.NOT_IMPLEMENTED
        if self._options.require_helo and not self.helo_name:
            return answers.HELO_FIRST
        return None if self._drop_injection() else self._handler.on_starttls()

    def _starttls_done(self, reply: Reply) -> Reply | None:
        if self._drop_injection():
            return None
        if reply.code < 300:
            self._void()
            self.state = "tls"
        return reply

    def _drop_injection(self) -> bool:
        """Throw away what stands behind STARTTLS in clear text, for anybody may have put it there. Returns whether
        the session ended of it.
        """
        behind = len(self._buffer) - self._pos
        if behind:
            self._buffer = b""
            self._pos = 0
            self._note_injection(behind)
        return self.state == "closed"

    def _note_injection(self, size: int) -> None:
        self.injected += size
        if self._options.starttls_injection == "reject":
            self._end(answers.STARTTLS_INJECTION)

    def _restart(self) -> None:
        """Forget all that the peer has said."""
        self._void()
        self.helo_name = ""
        self.is_esmtp = self.is_authenticated = False
        self._offer(())

    # -- XCLIENT

    def _xclient(self, line: bytes) -> Reply | None:
        options = self._options
        if not options.xclient:
            return answers.XCLIENT_REFUSED
        if options.require_helo and not self.helo_name:
            return answers.HELO_FIRST
        if self._sender:
            return answers.XCLIENT_TOO_LATE
        return self._handler.on_xclient(parse_xclient(line, options.xclient))

    def _xclient_done(self, reply: Reply) -> Reply:
        if reply.code >= 400:
            return reply
        self._restart()
        return self._greeting()
