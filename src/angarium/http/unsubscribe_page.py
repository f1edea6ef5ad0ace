"""The pages that recipients see who want no more mail: plain, without a script, a picture, or anything from elsewhere.

They name nobody: the mail may have been passed on. Pure.
"""

import html
import re
from typing import Final, Literal, NamedTuple

PageKind = Literal["ask", "done", "ask_again", "again"]
"""What is asked or told: whether to unsubscribe, that it is done, whether to take that back, that it is taken back."""

PAGE_FIELDS: Final = {
    "Cache-Control": "no-store, no-cache, must-revalidate, max-age=0, private",
    "X-Robots-Tag": "noindex, nofollow",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept-Language",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'",
}


class _Words(NamedTuple):
    unsubscribe: str
    no_more: str
    done: str
    mistake: str
    again: str
    is_again: str
    more: str
    go_on: str


_LANGUAGES: Final = {
    "en": _Words(
        "Unsubscribe",
        "You will get no more mail of this kind from its sender.",
        "You are unsubscribed",
        "Was that a mistake?",
        "Subscribe again",
        "You are subscribed again",
        "You will get mail of this kind from its sender as before.",
        "Go on to",
    ),
    "de": _Words(
        "Abmelden",
        "Sie erhalten von diesem Absender keine Mails dieser Art mehr.",
        "Sie sind abgemeldet",
        "War das ein Versehen?",
        "Wieder anmelden",
        "Sie sind wieder angemeldet",
        "Sie erhalten von diesem Absender Mails dieser Art wie bisher.",
        "Weiter zu",
    ),
    "nl": _Words(
        "Afmelden",
        "U ontvangt van deze afzender geen mail van deze soort meer.",
        "U bent afgemeld",
        "Was dat een vergissing?",
        "Weer aanmelden",
        "U bent weer aangemeld",
        "U ontvangt van deze afzender weer mail van deze soort.",
        "Verder naar",
    ),
    "fr": _Words(
        "Se désabonner",
        "Vous ne recevrez plus de messages de ce type de la part de cet expéditeur.",
        "Vous êtes désabonné",
        "Était-ce une erreur ?",
        "Se réabonner",
        "Vous êtes de nouveau abonné",
        "Vous recevrez de nouveau les messages de ce type de la part de cet expéditeur.",
        "Continuer vers",
    ),
    "es": _Words(
        "Darse de baja",
        "No recibirá más mensajes de este tipo de este remitente.",
        "Se ha dado de baja",
        "¿Ha sido un error?",
        "Volver a suscribirse",
        "Se ha vuelto a suscribir",
        "Volverá a recibir mensajes de este tipo de este remitente.",
        "Continuar a",
    ),
    "it": _Words(
        "Annulla l'iscrizione",
        "Non riceverai più messaggi di questo tipo da questo mittente.",
        "L'iscrizione è stata annullata",
        "È stato un errore?",
        "Iscriviti di nuovo",
        "Sei di nuovo iscritto",
        "Riceverai di nuovo messaggi di questo tipo da questo mittente.",
        "Continua su",
    ),
}
_PAGE: Final = """<!DOCTYPE html>
<html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 sans-serif; max-width: 30em; margin: 4em auto; padding: 0 1em }}
button {{ font: inherit; padding: .4em 1.2em }}</style></head>
<body><main><h1>{title}</h1><p>{text}</p>{form}</main></body></html>
"""
_FORM: Final = (
    '<form method="post"{action}><button name="List-Unsubscribe" value="One-Click">{button}</button></form>'
)
_ONWARD: Final = '<p><a href="{target}" rel="noreferrer">{words} {host}</a></p>'
_RANGE: Final = re.compile(
    r"\s*([A-Za-z]{2,3})(?:-[A-Za-z0-9-]{0,20})?\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?)\s*)?"
)
_LONGEST: Final = 500
_WEB: Final = re.compile(r"https?://([^/?#\\\s]+)", re.IGNORECASE)


def language_of(accepted: str) -> str:
    """Return the language that a reader wants most of those that there are, by Accept-Language (RFC 9110 §12.5.4)."""
    wanted: list[tuple[float, str]] = []
    for part in accepted[:_LONGEST].split(","):
        match = _RANGE.fullmatch(part)
        if match and match[1].lower() in _LANGUAGES:
            wanted.append((float(match[2] or 1), match[1].lower()))
    weight, language = max(wanted, key=lambda each: each[0], default=(0.0, ""))
    return language if weight > 0 else "en"


def page_of(kind: PageKind, language: str, *, back: str = "", target: str = "") -> str:
    """Return a page in one of the languages. *back* is the path by which the reader can take it back, *target* where
    the link of the mail leads to; empty: nowhere.
    """
    words = _LANGUAGES[language]
    form = _onward(words, target)
    if kind == "ask":
        title, text, form = words.unsubscribe, words.no_more, _form(words.unsubscribe) + form
    elif kind == "done":
        mistake = f"<p>{_shown(words.mistake)}</p>{_form(words.again, back)}" if back else ""
        title, text, form = words.done, words.no_more, form + mistake
    elif kind == "ask_again":
        title, text, form = words.again, words.more, _form(words.again)
    else:
        title, text = words.is_again, words.more
    return _PAGE.format(language=language, title=_shown(title), text=_shown(text), form=form)


def _form(button: str, action: str = "") -> str:
    to = f' action="{html.escape(action)}"' if action else ""
    return _FORM.format(action=to, button=_shown(button))


def _onward(words: _Words, target: str) -> str:
    host = _WEB.match(target)
    if host is None:
        return ""
    return _ONWARD.format(target=html.escape(target), words=_shown(words.go_on), host=_shown(host[1]))


def _shown(text: str) -> str:
    return html.escape(text, quote=False)
