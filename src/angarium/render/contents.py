"""What is done to a content, the same for all its recipients: style sheets in its elements, a text beside its HTML, its
pictures hosted. Pure but for those, which are kept.

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
from angarium.render.images.lift import Hosting, lift_images
from angarium.render.images.shelf import ImageShelf

MOST_KEPT: Final = 64
LARGEST_KEPT: Final = 262_144
"""So many contents are kept, of at most so many bytes."""


def wants_preparation(options: Options) -> bool:
    """Whether *options* ask for anything that is done here."""
    return bool(options.inline_css or options.text_from_html or options.host_images)


def prepared(mail: bytes, options: Options, hosting: Hosting | None = None) -> bytes:
    """Return *mail* with what *options* ask for; the very object where it is nothing. Without *hosting* no pictures are
    lifted out.
    """
    if options.inline_css:
        mail = edit_texts(mail, _with_styles)
    if options.text_from_html:  # behind the style sheets, which say what is hidden
        mail = with_plain_text(mail, _text_of)
    if options.host_images and hosting is not None:
        mail = lift_images(mail, hosting)
    return mail


def _with_styles(text: ShownText) -> bytes | None:
    return inlined_css(text.data, text.charset) if text.kind == "html" else None


def _text_of(html: ShownText) -> str:
    return text_of(html.data, html.charset)


class PreparedContents:
    """Remembers what was made of contents that have several recipients. Pictures are kept on *images*; without it they
    stay in the mail. Used by several threads.
    """

    def __init__(self, images: ImageShelf | None = None) -> None:
        self._images = images
        self._lock = threading.Lock()
        self._kept: Bounded[tuple[bytes, str, Options], bytes] = Bounded(MOST_KEPT)

    def of(self, message: Message, mail: bytes) -> bytes:
        """Return what *mail*, the content of *message*, is for all its recipients. Raises OSError where a picture
        cannot be kept.
        """
        if not message.content and len(message.recipients) == 1:
            return self._made(message, mail)
        key = (message.content or message.id, message.tracking_url, _steps(message.options))
        with self._lock:
            kept = self._kept.get(key)
        if kept is None:
            kept = self._made(message, mail)
            if len(kept) <= LARGEST_KEPT:
                with self._lock:
                    self._kept.put(key, kept)
        return kept

    def _made(self, message: Message, mail: bytes) -> bytes:
        images, url = self._images, message.tracking_url
        if images is None or not url:
            return prepared(mail, message.options)
        return prepared(mail, message.options, lambda data: (path := images.host(data)) and url + path)


def _steps(options: Options) -> Options:
    """Return only what decides what is done."""
    return Options(
        inline_css=options.inline_css,
        text_from_html=options.text_from_html,
        host_images=options.host_images,
    )
