"""Judging what the DNS has under the name of a signing key (RFC 6376 §3.6.1). Pure."""

from collections.abc import Sequence

_MUCH = 60


def tags_of(text: str) -> dict[str, str]:
    """Read a list of tags (RFC 6376 §3.2). White space in values is dropped; of a tag given twice the first holds."""
    tags: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            tags.setdefault(name.strip().lower(), "".join(value.split()))
    return tags


def judge_key(texts: Sequence[str], wanted: str) -> tuple[bool, str]:
    """Return whether *texts*, all TXT records of the name, are at fault beside *wanted*, and what to do.

    There may be advice without a fault.
    """
    if len(texts) > 1:
        right = sum(not _fault(tags_of(text), text, wanted) for text in texts)
        keep = "the one that is as shown" if right else f"one with this value: {wanted}"
        return True, f"{len(texts)} TXT records stand there, and receivers take any of them: keep {keep}"
    tags = tags_of(texts[0])
    fault = _fault(tags, texts[0], wanted)
    if not fault and "y" in tags.get("t", "").split(":"):
        return False, "t=y says that signatures are only tested: take it out"
    return bool(fault), fault


def _fault(tags: dict[str, str], text: str, wanted: str) -> str:
    want = tags_of(wanted)
    if '"' in text or "\\" in text:
        return "quotes or backslashes have become part of the value: enter it without them"
    if tags.get("v", "DKIM1") != "DKIM1" or ("v" in tags and next(iter(tags)) != "v"):
        return f"the value must begin with v=DKIM1; it is {_short(text)}"
    if "p" not in tags:
        return f"the value has no p=, it is {_short(text)}; replace it by: {wanted}"
    if not tags["p"]:
        return f"p= is empty, which revokes the key; replace the value by: {wanted}"
    if tags.get("k", "rsa") != want["k"]:
        return f"it says k={tags.get('k', 'rsa')}, and the key is one of {want['k']}: write k={want['k']}"
    if tags["p"] != want["p"]:
        return _wrong_key(tags["p"], want["p"], wanted)
    return _restriction(tags)


def _wrong_key(found: str, want: str, wanted: str) -> str:
    if want.startswith(found):
        return (
            f"the key is cut off after {len(found)} of {len(want)} characters: "
            "enter it as two strings of at most 255 characters each, which belong to one record"
        )
    return f"another key stands there (p={_short(found)}); replace the value by: {wanted}"


def _restriction(tags: dict[str, str]) -> str:
    if "h" in tags and "sha256" not in tags["h"].lower().split(":"):
        return f"h={tags['h']} does not allow SHA-256, which is what is signed with: take h= out"
    if "s" in tags and not {"*", "email"} & set(tags["s"].lower().split(":")):
        return f"s={tags['s']} does not allow the key for mail: take s= out"
    return ""


def _short(text: str) -> str:
    return text if len(text) <= _MUCH else f"{text[:_MUCH]}…"
