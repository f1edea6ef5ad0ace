"""The fields that mail is searched by."""

from angarium.events.catalogue import STATES
from angarium.query.fields import QueryField, QueryFields

MAIL = QueryFields(
    [
        QueryField("to", "text", "The recipient's address.", is_bare=True),
        QueryField("from", "text", "The envelope sender, and the From field.", is_bare=True),
        QueryField("subject", "text", "The subject.", is_bare=True),
        QueryField("tag", "value", "A tag that the sender gave it.", is_bare=True),
        QueryField(
            "reply", "text", "What a peer, or this node, answered to an attempt that failed.", is_bare=True
        ),
        QueryField("status", "value", "What has become of it.", values=STATES),
        QueryField("reason", "value", "Why it was not taken, in a word: see docs/bounces.md."),
        QueryField("stream", "value", "The message stream."),
        QueryField("campaign", "value", "The campaign."),
        QueryField("domain", "value", "The domain of the address."),
        QueryField(
            "provider",
            "value",
            "The provider whose host was tried: google, outlook, …; of many small ones, other.",
        ),
        QueryField("binding", "value", "The binding that it leaves by."),
        QueryField("listener", "value", "The door it came in by."),
        QueryField("server", "value", "The number of the server it was sent with."),
        QueryField("account", "value", "The number of the account it belongs to."),
        QueryField("id", "value", "Its id here, or its Message-ID."),
        QueryField("date", "time", "When it was accepted."),
        QueryField("size", "size", "Its bytes."),
        QueryField("attempts", "number", "How often its delivery was tried."),
        QueryField("meta.", "value", "What the sender has said of it, by name: `meta.order:4711`."),
    ],
    aliases={
        "recipient": "to",
        "rcpt": "to",
        "sender": "from",
        "state": "status",
        "tags": "tag",
        "message-id": "id",
    },
)
