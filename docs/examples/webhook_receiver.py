"""Receives webhooks: believes only what is signed, takes each event once, and knows what became of each recipient.

    WEBHOOK_SECRET=whsec_… python webhook_receiver.py 8000

Answer within ten seconds, with a status from 200 to 299; do what takes long afterwards. Anything else is told again.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

RANK = {"received": 0, "delayed": 1, "delivered": 2, "expired": 3, "bounced": 3, "suppressed": 3, "late_bounce": 4,
        "complaint": 5}  # fmt: skip
"""What is worse, or later in the life of a mail, is higher: a late `delivered` never makes a complaint undone."""


def is_ours(headers, body: bytes, secrets: list[str]) -> bool:
    """Whether the request is by who knows one of our secrets, and not older than five minutes."""
    moment = headers.get("webhook-timestamp", "")
    if not moment.isdigit() or abs(time.time() - int(moment)) > 300:
        return False
    content = f"{headers['webhook-id']}.{moment}.".encode() + body
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        wanted = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        if any(hmac.compare_digest(each, wanted) for each in headers.get("webhook-signature", "").split()):
            return True
    return False


class Mailbox:
    """What is known. A real receiver keeps this in its database, in one transaction with what follows from an event."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.state: dict[tuple[str, str], str] = {}
        self._lock = Lock()

    def take(self, event: dict) -> bool:
        """Take an event; return whether it was new. One that is told again has the same id."""
        with self._lock:
            if event["id"] in self.seen:
                return False
            self.seen.add(event["id"])
            of = (event["data"]["message"], event["data"]["recipient"])
            now, before = event["type"], self.state.get(of)
            if now in RANK and (before is None or RANK[now] >= RANK[before]):
                self.state[of] = now
            return True


class Receiver(BaseHTTPRequestHandler):
    """One request. The server has `secrets` and a `mailbox`."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if is_ours(self.headers, body, self.server.secrets):
            self.server.mailbox.take(json.loads(body))
            self.answer(204)
        else:
            self.answer(401)

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def serve(port: int, secrets: list[str]) -> ThreadingHTTPServer:
    """Return a server on loopback; two secrets while one is rotated."""
    server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    server.secrets, server.mailbox = secrets, Mailbox()
    return server


if __name__ == "__main__":
    serve(int(sys.argv[1]), os.environ["WEBHOOK_SECRET"].split()).serve_forever()
