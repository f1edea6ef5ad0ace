"""What a sender wishes for a message besides its envelope: one flat record, whatever door it came through.

Several parties have a say: the message's own header fields, the login or key, the stream, the server, the account.
Each is a layer, and a layer that says nothing about a field leaves it to the next (`layered`).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec

TrackLinks = Literal["none", "html", "text", "all"]
"""In which parts of a message links are rewritten so that clicks are seen."""

RecipientReason = Literal["hard_bounce", "complaint", "unsubscribe"]
"""What recipients do, or is true of them, that suppresses."""


MOST_BODY_DAYS: Final = 3_650


class Options(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """The options of one submission, or one layer of them. None: not said.

    Durable as a part of `records.Message`: fields may only be appended, each with None as default.

    *stream* is the id of a message stream. *tags* and *campaign* group messages in events and statistics; *metadata*
    is the sender's own data, given back with every event. *binding* names the binding, or the group of them, that the
    mail leaves by. *lane* is that of `records.Lane`. *keep_id* keeps the sender's Message-ID. *sign* False leaves the
    DKIM signature out, *dkim_key* names the selector to use. *transactional* exempts from unsubscribe handling and
    non-transactional suppressions, *skip_suppression* from all but the operator's; *suppressed_by* names what keeps
    mail from recipients from then on. *bounce_type* asks for a made-up bounce of that type where bounces are tested.
    The rest is for the renderer: opens (*initial_open*: also by a picture at the beginning of the text) and clicks are
    tracked, envelope senders replaced (*track_bounces*), style sheets put into the elements (*inline_css*), links whose
    text is a link left alone (*prevent_scam*), embedded images lifted out (*host_images*), a plain text put beside an
    HTML part that has none (*text_from_html*). *keep_body_days* is for how many days the text of the message is kept
    after it was received; 0, and not said: it is not.
    """

    stream: str | None = None
    tags: tuple[str, ...] | None = None
    metadata: dict[str, Any] | None = None
    campaign: str | None = None
    binding: str | None = None
    lane: int | None = None
    keep_id: bool | None = None
    sign: bool | None = None
    dkim_key: str | None = None
    transactional: bool | None = None
    skip_suppression: bool | None = None
    bounce_type: str | None = None
    track_opens: bool | None = None
    track_links: TrackLinks | None = None
    track_bounces: bool | None = None
    inline_css: bool | None = None
    prevent_scam: bool | None = None
    host_images: bool | None = None
    keep_body_days: Annotated[int, msgspec.Meta(ge=0, le=MOST_BODY_DAYS)] | None = None
    suppressed_by: tuple[RecipientReason, ...] | None = None
    initial_open: bool | None = None
    text_from_html: bool | None = None


NO_OPTIONS = Options()


def layered(*layers: Options) -> Options:
    """Return what is in force: of each field, what the first layer says that says anything."""
    said = [layer for layer in layers if layer is not NO_OPTIONS and layer != NO_OPTIONS]
    if len(said) < 2:
        return said[0] if said else NO_OPTIONS
    return Options(
        **{name: _first(getattr(layer, name) for layer in said) for name in Options.__struct_fields__}
    )


def as_mapping(options: Options) -> Mapping[str, Any]:
    """Return what *options* say, by name; what they do not say is left out."""
    return {
        name: value for name in Options.__struct_fields__ if (value := getattr(options, name)) is not None
    }


def _first(values: Any) -> Any:
    return next((value for value in values if value is not None), None)
