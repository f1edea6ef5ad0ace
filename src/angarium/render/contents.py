"""What is done to a content, the same for all its recipients: style sheets in its elements, a text beside its HTML.

Once per content: where several recipients have one, it is kept for them for a while.
"""

import threading
from typing import Final

from angarium.core.bounded import Bounded
from angarium.core.options import Options
from angarium.core.records import Message
from angarium.mime.alternative import with_plain_text
from angarium.mime.texts import ShownText, edit_texts
from angarium.render.css import inlined_css
from angarium.render.html.text import text_of

MOST_KEPT: Final = 64
LARGEST_KEPT: Final = 262_144
"""So many contents are kept, of at most so many bytes."""


def wants_preparation(options: Options) -> bool:
    """Whether *options* ask for anything that is done here."""
    return bool(options.inline_css or options.text_from_html)


def prepared(mail: bytes, options: Options) -> bytes:
    """Return *mail* with what *options* ask for; the very object where it is nothing."""
    if options.inline_css:
        mail = edit_texts(mail, _with_styles)
    if options.text_from_html:  # behind the style sheets, which say what is hidden
        mail = with_plain_text(mail, _text_of)
    return mail


def _with_styles(text: ShownText) -> bytes | None:
    return inlined_css(text.data, text.charset) if text.kind == "html" else None


def _text_of(html: ShownText) -> str:
    return text_of(html.data, html.charset)


class PreparedContents:
    """Remembers what was made of contents that have several recipients. Used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: Bounded[tuple[bytes, Options], bytes] = Bounded(MOST_KEPT)

    def of(self, message: Message, mail: bytes) -> bytes:
        """Return what *mail*, the content of *message*, is for all its recipients."""
        if not message.content and len(message.recipients) == 1:
            return prepared(mail, message.options)
        key = (message.content or message.id, _steps(message.options))
        with self._lock:
            kept = self._kept.get(key)
        if kept is None:
            kept = prepared(mail, message.options)
            if len(kept) <= LARGEST_KEPT:
                with self._lock:
                    self._kept.put(key, kept)
        return kept


def _steps(options: Options) -> Options:
    """Return only what decides what is done."""
    return Options(inline_css=options.inline_css, text_from_html=options.text_from_html)
