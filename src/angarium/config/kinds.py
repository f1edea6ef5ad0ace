"""The kinds of values that options have: how each is read from the tree, and how one is written."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl

from angarium.config.quantities import NO_LIMIT, integer, seconds, size, throttle
from angarium.config.reading import (
    HOST_NAME,
    BadValue,
    address_range,
    domain_name,
    host_port,
    numeric_address,
    port_number,
    scalar,
    scalars,
    whole_number,
)
from angarium.config.sites import domain_glob
from angarium.config.syntax import Scalar, Value
from angarium.config.values import (
    NAMED_RANGES,
    CidrSet,
    DomainSet,
    Gateway,
    Route,
    Secret,
    SharedLimit,
    SocketAddress,
    quoted,
    show_value,
)

_BOOLS = {
    **dict.fromkeys(("true", "on", "yes", "enabled", "1"), True),
    **dict.fromkeys(("false", "off", "no", "disabled", "0"), False),
}

_RANGE_WORDS = " ".join(sorted(NAMED_RANGES))


@dataclass(frozen=True)
class Kind:
    """One kind of value. *form* shows how it is written. *read* raises BadValue.

    *none* is how None is written; empty where it cannot be. *show* writes any other value, so that *read*
    gives it back.
    """

    name: str
    form: str
    read: Callable[[Value], object]
    none: str = ""
    show: Callable[[object], str] = show_value


def _bool(value: Value) -> bool:
    text = scalar(value, "true or false")
    if text.lower() not in _BOOLS:
        raise BadValue(f'"{text}" is neither true nor false', "write true or false")
    return _BOOLS[text.lower()]


def _bool_or_without_login(value: Value) -> bool | None:
    text = scalar(value, "true, false or without_login")
    return None if text.lower() == "without_login" else _bool(value)


def _perms(value: Value) -> int:
    text = scalar(value, "0660")
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise BadValue(f'"{text}" is not a file mode', "write three octal digits, as 0660")
    return int(text, 8)


def _path(value: Value) -> Path:
    return _path_of(scalar(value, '"/path"'))


def _path_of(text: str) -> Path:
    if not text:
        raise BadValue("the path is empty", 'write "/path"')
    if text.startswith(("~", "$")) or "${" in text:
        raise BadValue(f'"{text}": nothing is put in for ~ and variables here', "write the path in full")
    return Path(text)


def _mailbox(value: Value) -> str:
    return _mailbox_of(scalar(value, '"name@example.com"'))


def _mailbox_of(text: str) -> str:
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain or re.search(r"[\s<>\"\\,;:]", text):
        raise BadValue(f'"{text}" is not an address', "write name@example.com")
    return text


def _optional_mailbox(value: Value) -> str | None:
    return None if _is_none(value) else _mailbox(value)


def _mailboxes(value: Value) -> tuple[str, ...]:
    return tuple(map(_mailbox_of, scalars(value, "( fbl@example.com )")))


def _durations(value: Value) -> tuple[int, ...]:
    found = tuple(map(whole_number, scalars(value, "( 10 60 300 )")))
    if not 1 <= len(found) <= 100 or not all(1 <= each <= 604_800 for each in found):
        raise BadValue("write 1 to 100 durations of a second to a week", "( 10 60 300 )")
    return found


def _optional_domain(value: Value) -> str | None:
    return None if _is_none(value) else _domain(value)


_WEB_ORIGIN = re.compile(r"(?:(https?)://)?([^/?#@\s]+?)/?", re.IGNORECASE)


def _web_origin(value: Value) -> str | None:
    """Read a host with its scheme, https where none is said: `https://host[:port]`, lower case."""
    if _is_none(value):
        return None
    text = scalar(value, '"https://clicks.example.com"')
    match = _WEB_ORIGIN.fullmatch(text)
    if match is None:
        raise BadValue(
            f'"{text}" has more than a scheme, a host and a port', 'write "https://clicks.example.com"'
        )
    host, port = host_port(match[2])
    return f"{(match[1] or 'https').lower()}://{host.lower()}{f':{port}' if port is not None else ''}"


def _is_none(value: Value) -> bool:
    return isinstance(value, Scalar) and value.text.lower() == "none"


def _retries(value: Value) -> int | None:
    text = scalar(value, "auto, none or a number").lower()
    return None if text == "auto" or text in NO_LIMIT else whole_number(text)


def _shared_limit(value: Value) -> SharedLimit | None:
    """Read a number; -1 cancels an inherited one."""
    text = scalar(value, "a whole number")
    return None if text.lower() in NO_LIMIT else SharedLimit(integer(value))


def _source_address(value: Value) -> str | None:
    text = scalar(value, "an IP address")
    if re.search(r"[g-z]", text.lower()):
        raise BadValue(f'"{text}": names are not looked up here', "write an address of this machine")
    return None if text == "*" else numeric_address(text)


def _mx_failures(value: Value) -> int:
    """Read a number; Momentum's -1 is to look up the address after the first failure."""
    number = integer(value)
    return 1 if number == -1 else number


def _own_name(value: Value) -> str:
    text = scalar(value, "mta.example.com")
    if text.startswith("[") and text.endswith("]"):
        numeric_address(text.removeprefix("[IPv6:").strip("[]"))
        return text
    name = domain_name(text)
    if name == "__message__":
        raise BadValue(f"{text} is known, not supported yet", "write a name, or __hostname__")
    if not HOST_NAME.match(name):
        raise BadValue(f'"{text}" is not the name of a host', "write mta.example.com")
    return name


def _domain(value: Value) -> str:
    return domain_name(scalar(value, "example.com"))


def _banner(value: Value) -> str:
    text = scalar(value, '"mta.example.com ESMTP"')
    if not re.fullmatch(r"[ -~]{1,500}", text):
        raise BadValue("a greeting is one line of up to 500 ASCII characters")
    return re.sub(r"^220[ -]", "", text)


def _sockets(value: Value) -> tuple[SocketAddress, ...]:
    return tuple(_socket(text) for text in scalars(value, '( "127.0.0.1:53" )'))


def _socket(text: str) -> SocketAddress:
    host, port = host_port(text, "address:port")
    return SocketAddress(numeric_address(host), port or 53)


def _gateway(value: Value) -> Gateway | None:
    text = scalar(value, '"relay.example.com:25"')
    if text in ("", "none"):
        return None
    return Gateway(*_relay(text))


def _relay(text: str) -> tuple[str, int | None]:
    """Read host and port; say what to write for a URL, or for brackets round a name as Postfix has them."""
    match = re.fullmatch(
        r"(?i)(?:\[(?P<name>[a-z][a-z0-9.-]*)\]|(?:smtp|lmtp)://(?P<rest>.+?))(?P<port>:[0-9]+)?", text
    )
    if match is not None:
        meant = (match["name"] or match["rest"].strip("[]/")) + (match["port"] or "")
        raise BadValue(f'"{text}" is not host:port', f'write "{meant}"')
    return host_port(text)


def _routes(value: Value) -> tuple[Route, ...]:
    return tuple(_route(text) for text in scalars(value, '( "smtp://relay.example.com?pref=10" )'))


def _route(text: str) -> Route:
    if "://" not in text:
        host, port = ("__mx__", None) if text == "__mx__" else _relay(text)
        return Route(host, port)
    scheme, _, rest = text.partition("://")
    if scheme.lower() != "smtp":
        raise BadValue(f'"{text}" is not a route', 'write "host", "__mx__" or "smtp://host?pref=10&port=25"')
    name, _, query = rest.partition("?")
    host, port = ("__mx__", None) if name == "__mx__" else host_port(name.rstrip("/"))
    return _route_with(Route(host, port), query, text)


def _route_with(route: Route, query: str, text: str) -> Route:
    given = dict(parse_qsl(query, keep_blank_values=True))
    unknown = set(given) - {"pref", "ttl", "port", "type"}
    if unknown:
        raise BadValue(f'"{min(unknown)}" in "{text}" is unknown', "a route knows pref, ttl, port and type")
    look_up = given.get("type")
    if look_up is not None and look_up not in ("mx", "a"):
        raise BadValue(f'type "{look_up}" in "{text}" is unknown', "write type=mx or type=a")
    numbers = {key: whole_number(given[key]) for key in ("pref", "ttl") if key in given}
    if any(number < 0 for number in numbers.values()):
        raise BadValue(f'"{text}" has a negative number')
    port = port_number(given["port"]) if "port" in given else route.port
    return Route(route.host, port, numbers.get("pref"), numbers.get("ttl"), look_up)  # type: ignore[arg-type]


def _cidrs(value: Value) -> CidrSet:
    return CidrSet(tuple(address_range(text) for text in scalars(value, "( 192.0.2.0/24 ::1 )")))


def _hosts(value: Value) -> CidrSet:
    return CidrSet(tuple(map(_named_range, scalars(value, "( private 192.0.2.0/24 )"))))


def _named_range(text: str) -> str:
    if text.lower() in NAMED_RANGES:
        return text.lower()
    if re.search("[.:]", text):
        return address_range(text)
    raise BadValue(f'"{text}" is no address range, nor a word for some', f"the words are {_RANGE_WORDS}")


def _domains(value: Value) -> DomainSet:
    return DomainSet(tuple(domain_glob(text) for text in scalars(value, '( example.com "*.example.org" )')))


def _senders(value: Value) -> DomainSet:
    found = _domains(value)
    if not found:
        raise BadValue(
            "an empty list would let everyone relay", "name the domains, or write Open_Relay = true"
        )
    return found


def _show_some(value: object) -> str:
    return show_value(value) if value else ""


def _show_durations(value: object) -> str:
    return f"( {' '.join(map(str, value))} )" if isinstance(value, tuple) else ""


def enum(
    *words: str,
    not_yet: tuple[str, ...] = (),
    aliases: Mapping[str, str] | None = None,
    refused: Mapping[str, str] | None = None,
) -> Kind:
    """Make a kind that is one of *words*, in any case.

    *not_yet* are words that are known elsewhere, *aliases* other words for the same, *refused* words that are refused
    for a reason.
    """
    meaning: dict[str, object] = {word.lower(): word for word in words}
    meaning |= {alias.lower(): word for alias, word in (aliases or {}).items()}
    known = dict.fromkeys(not_yet, "is known, but not supported yet") | dict(refused or {})
    return replace(_choice(meaning, " | ".join(words), known), show=show_value)


def mapped(**words: object) -> Kind:
    """Make a kind that is one of the words given by name, and has the value given with it."""
    return _choice(words, " | ".join(words), {})


def _choice(meaning: Mapping[str, object], form: str, known: Mapping[str, str]) -> Kind:
    def read(value: Value) -> object:
        text = scalar(value, form)
        if text.lower() in meaning:
            return meaning[text.lower()]
        if text.lower() in known:
            raise BadValue(f'"{text}" {known[text.lower()]}', f"write {form}")
        raise BadValue(f'"{text}" is not one of {form}', f"write {form}")

    shown = {value: word for word, value in reversed(list(meaning.items()))}
    return Kind("word", form, read, show=lambda value: str(shown[value]))


def words(served: frozenset[str], not_yet: tuple[str, ...], also: frozenset[str] = frozenset()) -> Kind:
    """Make a kind that is a list of words out of *served* and *also*, in any case."""
    served = served | also
    form = f"( {' '.join(sorted(served))} )"

    def read(value: Value) -> frozenset[str]:
        return frozenset(one(text.upper()) for text in scalars(value, form))

    def one(text: str) -> str:
        if text in served:
            return text
        if text.split(" ")[0] in not_yet:
            raise BadValue(f'"{text}" is known, but not supported yet', f"leave it out of {form}")
        raise BadValue(f'"{text}" is unknown here', f"write some of {form}")

    return Kind("list of words", "( … )", read)


def _text(value: Value) -> str:
    text = scalar(value, '"text"')
    if not re.fullmatch(r"[ -~]{1,1000}", text):
        raise BadValue("takes one line of up to 1000 printable ASCII characters")
    return text


def _secret(value: Value) -> Secret:
    return Secret(scalar(value, '"secret"'))


def _database(value: Value) -> Secret:
    """Read a URL, which is shown without the password in it."""
    url = scalar(value, '"text"')
    shown = re.sub(r"(//[^/@:]*:)[^/]*@", r"\1***@", url)
    return Secret(url, re.sub(r"([?&]password=)[^&]*", r"\1***", shown))


def _postgresql(value: Value) -> Secret:
    """Read the URL of a database that has to be PostgreSQL."""
    found = _database(value)
    if not re.match(r"postgres(ql)?(\+psycopg)?://", found.value):
        raise BadValue(f'"{found.shown}" is not PostgreSQL', 'write "postgresql://user@host/database"')
    return found


def _optional_path(value: Value) -> Path | None:
    return None if scalar(value, '"/path"') in ("", "none") else _path(value)


def _paths(value: Value) -> tuple[Path, ...]:
    texts = [value.text] if isinstance(value, Scalar) else scalars(value, '( "/one.pem" "/other.pem" )')
    return tuple(map(_path_of, texts))


def _endings(value: Value) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.lower().lstrip(".") for text in scalars(value, "( exe js )")))


def _header_names(value: Value) -> tuple[str, ...]:
    names = scalars(value, "( From Subject Date )")
    for name in names:
        if not re.fullmatch(r"[!-9;-~]{1,100}", name):
            raise BadValue(f'"{name}" is not the name of a header field', "write ( From Subject Date )")
    return tuple(names)


def with_number(kind: Kind, instead: str) -> Kind:
    """Return *kind*, which tells who writes a number that *instead* takes it."""

    def read(value: Value) -> object:
        text = scalar(value, kind.form)
        if text.isdecimal():
            raise BadValue(f'"{text}" is not one of {kind.form}', f"write {instead} = {text}")
        return kind.read(value)

    return replace(kind, read=read)


TLS_VERSIONS = ("TLSv1.2", "TLSv1.3")
_TOO_OLD = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.0", "TLSv1.1")


def _protocols(value: Value) -> tuple[str, ...]:
    """Read `+ALL:-TLSv1.2` as Momentum writes it; signs apply from left to right."""
    chosen: set[str] = set()
    known = {name.lower(): name for name in (*TLS_VERSIONS, *_TOO_OLD, "ALL")}
    for word in re.split(r"[:\s]+", scalar(value, '"+ALL"').strip()):
        name = known.get(word.lstrip("+-").lower())
        if name is None:
            raise BadValue(f'"{word}" is no version of TLS', 'write "+ALL", "TLSv1.2" or "TLSv1.3"')
        if name in _TOO_OLD and not word.startswith("-"):
            raise BadValue(f"{name} is broken and not served", 'write "+ALL", "TLSv1.2" or "TLSv1.3"')
        meant = set(TLS_VERSIONS) if name == "ALL" else {name}
        chosen = chosen - meant if word.startswith("-") else chosen | meant
    if not chosen & set(TLS_VERSIONS):
        raise BadValue("no version of TLS is left", 'write "+ALL"')
    return tuple(name for name in TLS_VERSIONS if name in chosen)


OWN_NAME = Kind("host name", "mta.example.com", _own_name)
DOMAIN = Kind("domain", "example.com", _domain)
BANNER = Kind("string", '"text"', _banner)
INT = Kind("number", "N", integer)
SIZE = Kind("size", "bytes", size)
SECONDS = Kind("duration", "seconds", seconds)
DURATIONS = Kind("durations", "( 10 60 300 )", _durations, show=_show_durations)
BOOL = Kind("bool", "true | false", _bool)
BOOL_OR_WITHOUT_LOGIN = Kind(
    "bool or word", "true | false | without_login", _bool_or_without_login, none="without_login"
)
PERMS = Kind("file mode", "0660", _perms, show="{:04o}".format)
TEXT = Kind("string", '"text"', _text)
DATABASE = Kind("string", '"text"', _database)
POSTGRESQL = Kind("string", '"text"', _postgresql)
SECRET = Kind("secret", '"secret"', _secret)
OPTIONAL_PATH = Kind("path", '"/path" | none', _optional_path, none="none")
PATHS = Kind("paths", '"/path" | ( "/one" "/other" )', _paths)
ENDINGS = Kind("endings of file names", "( exe js )", _endings)
HEADER_NAMES = Kind("header names", "( From Subject )", _header_names)
PROTOCOLS = Kind("TLS versions", '"+ALL" | "TLSv1.3"', _protocols, show=lambda value: quoted(":".join(value)))  # type: ignore[arg-type]
PATH = Kind("path", '"/path"', _path)
MAILBOX = Kind("address", "name@example.com", _mailbox)
OPTIONAL_MAILBOX = Kind("address", "name@example.com | none", _optional_mailbox, none="none")
MAILBOXES = Kind("addresses", "( fbl@example.com )", _mailboxes)
OPTIONAL_DOMAIN = Kind("domain", "example.com | none", _optional_domain, none="none")
WEB_ORIGIN = Kind("web address", '"https://clicks.example.com" | none', _web_origin, none="none")
RETRIES = Kind("number", "auto | none | N", _retries, none="auto")
THROTTLE = Kind("throttle", '"N" | "N/S"', throttle, none="0")
SHARED_LIMIT = Kind("number", "N | -1", _shared_limit)
MX_FAILURES = Kind("number", "N", _mx_failures)
SOURCE_ADDRESS = Kind("IP address", "192.0.2.1 | *", _source_address, none="*")
SOCKETS = Kind("list of sockets", '( "192.0.2.53:53" )', _sockets)
GATEWAY = Kind("host", '"host" | "host:port" | none', _gateway, none="none")
ROUTES = Kind("routes", '( "host" "__mx__" "smtp://host?pref=P&port=O" )', _routes)
CIDRS = Kind("address ranges", "( 192.0.2.0/24 ::1 )", _cidrs)
HOSTS = Kind("address ranges and words for them", f"( 192.0.2.0/24 {_RANGE_WORDS} )", _hosts)
DOMAINS = Kind("domains", '( example.com "*.example.org" )', _domains)
SENDERS = Kind("domains", '( example.com "*.example.org" )', _senders, show=_show_some)


def number_of(value: object) -> int | None:
    """Return what a range applies to, for kinds that have one."""
    if isinstance(value, SharedLimit):
        return value.limit
    return value if type(value) is int else None
