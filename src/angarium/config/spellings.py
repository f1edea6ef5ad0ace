"""What Momentum says by one option and Angarium by several."""

from angarium.config.syntax import Assignment, DictValue, ListValue, Scalar

_EXTENSIONS = "smtp_extensions"
_UNNAMED = {"8BITMIME", "PIPELINING", "SIZE"}


def spelled_out(item: Assignment) -> tuple[Assignment, ...]:
    """Return what *item* says, as assignments: `SMTP_Extensions = ( "AUTH PLAIN" )` names mechanisms as well."""
    if item.name.lower() != _EXTENSIONS or isinstance(item.value, DictValue):
        return (item,)
    words = item.value.items if isinstance(item.value, ListValue) else (item.value,)
    mechanisms = [mechanism for word in words for mechanism in _mechanisms(word)]
    if not mechanisms:
        return (item,)
    extensions = dict.fromkeys(_extension(word) for word in words)
    return (
        Assignment(item.name, ListValue(tuple(extensions), item.value.at), item.at),
        Assignment("Auth_Mechanisms", ListValue(tuple(mechanisms), item.value.at), item.at),
    )


def _mechanisms(word: Scalar) -> list[Scalar]:
    """Return the mechanisms that `AUTH PLAIN LOGIN` or `AUTH=PLAIN LOGIN` names."""
    first, *others = word.text.replace("=", " ").split() or [""]
    return [Scalar(name, word.quoted, word.at) for name in others] if first.upper() == "AUTH" else []


def _extension(word: Scalar) -> Scalar:
    return Scalar("AUTH", word.quoted, word.at) if _mechanisms(word) else word


def leaves_out(extensions: object, default: object) -> list[str]:
    """Return what a list of extensions in Momentum's manner leaves out: Momentum offers some that are not named."""
    if not isinstance(extensions, frozenset) or not isinstance(default, frozenset) or extensions & _UNNAMED:
        return []
    return sorted(default - extensions)
