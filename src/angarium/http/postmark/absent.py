"""What Postmark has and this node has not: it answers so, in Postmark's shape."""

from typing import NoReturn

from angarium.dialects.postmark.problem import UNSUPPORTED, PostmarkProblem
from angarium.http.postmark.call import PostmarkCall


def no_senders(call: PostmarkCall) -> NoReturn:
    """Sender signatures: whole domains are verified here; see `/domains`."""
    _absent("Sender signatures are not offered here: verify the domain instead.")


def no_sender(call: PostmarkCall, sender: str) -> NoReturn:
    """Sender signatures: whole domains are verified here; see `/domains`."""
    no_senders(call)


def no_inbound(call: PostmarkCall) -> NoReturn:
    """Inbound mail: no mail is taken in for customers."""
    _absent("Inbound mail is not offered here.")


def no_inbound_message(call: PostmarkCall, message: str) -> NoReturn:
    """Inbound mail: no mail is taken in for customers."""
    no_inbound(call)


def no_inbound_rule(call: PostmarkCall, rule: str) -> NoReturn:
    """Inbound mail: no mail is taken in for customers."""
    no_inbound(call)


def no_read_times(call: PostmarkCall) -> NoReturn:
    """How long mail was looked at: nobody can tell it any more, and Postmark tells of it no more."""
    _absent("How long mail was looked at is not measured.")


def no_templates(call: PostmarkCall) -> NoReturn:
    """Templates: by this node's own API, `/manage/v1/templates`."""
    _absent("Templates are managed by this node's own API here, /manage/v1/templates.")


def no_template(call: PostmarkCall, template: str) -> NoReturn:
    """Templates: by this node's own API, `/manage/v1/templates`."""
    no_templates(call)


def _absent(said: str) -> NoReturn:
    raise PostmarkProblem(UNSUPPORTED, said, status=501)
