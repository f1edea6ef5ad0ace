"""What a recipient finds in a message that came whole: the way out of a mailing, another address behind each link, and
a picture that is asked for when the message is looked at. Pure, and the same each time for a recipient.
"""

from collections.abc import Iterator
from typing import Final

from angarium.core.options import Options
from angarium.core.records import Message, Recipient
from angarium.mime.texts import ShownText, TextKind, edit_texts
from angarium.render.html.links import Splice, after_body_tag, place_of_pixel, spliced
from angarium.render.return_path import ReturnPaths
from angarium.render.tracking.addresses import IN_TEXT, Tracked, TrackedKind, TrackingAddresses
from angarium.render.tracking.links import (
    LinkRules,
    TrackedLink,
    has_way_out,
    marked_targets,
    tracked_html,
    tracked_text,
)
from angarium.render.tracking.way_out import has_place, way_out_fields, with_link

_IN_HTML: Final = ("html", "all")
_IN_TEXT: Final = ("text", "all")


def wants_tracking(options: Options) -> bool:
    """Whether *options* ask for anything that is done here."""
    return bool(options.track_opens) or options.track_links in (*_IN_HTML, *_IN_TEXT)


def personal_mail(
    recipient: Recipient, mail: bytes, addresses: TrackingAddresses, returns: ReturnPaths | None
) -> bytes:
    """Return *mail* as *recipient* gets it: its first HTML part and its first plain one have what its message asks for.
    Nothing else of it is changed, and no text where it is signed or encrypted. *returns* writes the address for mail
    that means to unsubscribe.
    """
    message, personal = recipient.message, _Personal(recipient, addresses)
    if message.offers_way_out or message.options.track_links == "all":
        edit_texts(mail, personal.look)  # the plain part stands before the HTML part, which has a say in it
    mail = edit_texts(mail, personal.edit)
    if message.offers_way_out:
        mail = way_out_fields(personal.way_out, _mail_out(recipient, returns)) + mail
    return mail


def _mail_out(recipient: Recipient, returns: ReturnPaths | None) -> str:
    message = recipient.message
    if returns is None or not message.return_domain:
        return ""
    return returns.address("unsubscribe", message.id, recipient.index, message.return_domain)


class _Personal:
    """Goes through the texts of one mail."""

    def __init__(self, recipient: Recipient, addresses: TrackingAddresses) -> None:
        message = recipient.message
        self._message: Message = message
        self._index = recipient.index
        self._options = message.options
        self._addresses = addresses
        self._seen: set[TextKind] = set()
        self._has_place = False
        self.way_out = self._url("unsubscribe")
        host = message.tracking_url.partition("://")[2].lower()
        self._rules = LinkRules(frozenset([host]), leaves_shown_urls=bool(self._options.prevent_scam))

    def look(self, text: ShownText) -> None:
        """Learn which links the first HTML part marks as not to be tracked, and whether the way out has a place."""
        self._has_place = self._has_place or has_place(text) or self._has_marked_link(text)
        if text.kind == "html" and not self._rules.untracked:
            self._rules = self._rules._replace(untracked=marked_targets(text.data, text.charset))

    def _has_marked_link(self, text: ShownText) -> bool:
        is_tracked = text.kind == "html" and self._options.track_links in _IN_HTML
        return is_tracked and has_way_out(text.data, text.charset)

    def edit(self, text: ShownText) -> ShownText | None:
        """Return what takes the place of *text*, None where it stays."""
        if text.kind in self._seen:
            return None
        self._seen.add(text.kind)
        if text.kind == "amp":
            return None
        if self._message.offers_way_out:
            text = with_link(text, self.way_out, None if self._has_place else self._message.footer)
        return text._replace(data=self._html(text) if text.kind == "html" else self._plain(text))

    def _html(self, text: ShownText) -> bytes:
        html = text.data
        if self._options.track_links in _IN_HTML:
            html = tracked_html(html, text.charset, self._rules, self._link)
        return spliced(html, self._pictures(html)) if self._options.track_opens else html

    def _pictures(self, html: bytes) -> Iterator[Splice]:
        at_top = after_body_tag(html) if self._options.initial_open else None
        if at_top is not None:
            yield self._picture("initial_open", at_top)
        yield self._picture("open", place_of_pixel(html))

    def _picture(self, kind: TrackedKind, at: int) -> Splice:
        picture = f'<img src="{self._url(kind)}" width="1" height="1" border="0" alt="" />'
        return Splice(at, at, picture.encode())

    def _plain(self, text: ShownText) -> bytes:
        if self._options.track_links not in _IN_TEXT:
            return text.data
        read = text.data.decode(text.charset, "surrogateescape")
        tracked = tracked_text(read, self._rules, self._link_in_text)
        return tracked.encode(text.charset, "surrogateescape")

    def _link(self, link: TrackedLink) -> str:
        kind: TrackedKind = "link_unsubscribe" if link.is_way_out else "click"
        target = link.target.encode("utf-8", "surrogateescape")
        tracked = Tracked(kind, self._message.id, self._index, link.number, target, link.name.encode())
        return self._message.tracking_url + self._addresses.path(tracked, link.sublink)

    def _link_in_text(self, link: TrackedLink) -> str:
        return self._link(link._replace(number=link.number + IN_TEXT))

    def _url(self, kind: TrackedKind) -> str:
        tracked = Tracked(kind, self._message.id, self._index)
        return self._message.tracking_url + self._addresses.path(tracked)
