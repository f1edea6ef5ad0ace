"""The names of domains and hosts in a configuration: what can match something, and what to write for what cannot.

What a stanza is named by decides what it is for. A name that no routing domain and no mail host can ever have would be
silently without effect, so each is refused with what was meant.
"""

import re

from angarium.config.reading import BadValue, domain_name, host_port, is_host_name, numeric_address

_SEVERAL = re.compile(r"[\s,;|]+")
_GLOB = re.compile(r"[*?]")
_PATTERN_MARKS = re.compile(r"[\\^$(){}+]")
_FOR_ALL = "what holds for all stands outside of such stanzas"


def is_pattern(text: str) -> bool:
    """Whether a domain or host is written as a pattern, `/…/`."""
    return len(text) > 2 and text.startswith("/") and text.endswith("/")


def site_name(text: str) -> str:
    """Return the name of a `Domain` or `Host`: a pattern as it is, a domain in lower-case A-labels, or a numeric
    address without brackets. Raises BadValue.
    """
    if text.startswith("/"):
        return _pattern(text)
    address = bare_address(text)
    if address is not None:
        return address
    is_glob = _GLOB.search(text) or text.startswith(".")
    if is_glob and "@" not in text and "://" not in text and not _PATTERN_MARKS.search(text):
        raise _no_glob(text)
    return _plain_name(text)


def domain_glob(text: str) -> str:
    """Return an item of a list of domains: a name, one with `*` and `?`, or an address in brackets. Raises BadValue."""
    if bare_address(text) is not None:
        if text.startswith("["):
            return text
        raise BadValue(f'"{text}" is an address, and no domain', f'write "[{text}]" for mail to that address')
    if text.startswith("/"):
        raise BadValue(
            f'"{text}": a list takes no patterns', 'write names and globs: example.com "*.example.com"'
        )
    if text.startswith("."):
        raise BadValue(f'"{text}" matches no domain', f'write "*{text}"')
    names = [part for part in _SEVERAL.split(text) if part]
    if len(names) > 1:
        each = " ".join(f'"{name}"' for name in names)
        raise BadValue(f'"{text}" is not one domain', f"write {each}")
    if not _GLOB.search(text) or "@" in text or "://" in text:
        return _plain_name(text)
    name = domain_name(text)
    if not re.fullmatch(r"[a-z0-9_.*?-]{1,253}", name) or name.endswith("."):
        raise BadValue(f'"{text}" matches no domain', 'write "example.com" or "*.example.com"')
    return name


def bare_address(text: str) -> str | None:
    """Return the numeric address that *text* is, alone or as a literal (`[192.0.2.1]`, `[IPv6:2001:db8::1]`)."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return numeric_address(re.sub(r"(?i)^ipv6:", "", bare))
    except BadValue:
        return None


def has_no_dot(name: str) -> bool:
    """Whether a name is that of a top-level domain, and so probably of a part of one."""
    return not is_pattern(name) and "." not in name and ":" not in name and name != "localhost"


def _pattern(text: str) -> str:
    if not is_pattern(text):
        flags = re.fullmatch(r"(/.+/)[a-z]+", text)
        hint = f'write "{flags[1]}"; case never counts' if flags else 'write a pattern as "/…/"'
        raise BadValue(f'"{text}" begins as a pattern', hint)
    inner = text[1:-1]
    if inner[0] in "*?+":
        glob = inner.replace("\\", "").rstrip("$")
        message = f'the pattern "{text}" is wrong: it begins with {inner[0]}, which repeats nothing'
        raise BadValue(message, f'write "/{_as_pattern(glob)}/"')
    if "@" in inner:
        raise BadValue(f'the pattern "{text}" matches nothing: no domain has an @', _behind_at(inner))
    if not inner.isascii():
        raise BadValue(
            f'the pattern "{text}" matches nothing: names are held against it as A-labels',
            "write xn--… in it",
        )
    return text


def _behind_at(pattern: str) -> str:
    return f'write "/{pattern.rpartition("@")[2]}/"'


def _no_glob(text: str) -> BadValue:
    plain = text.strip("*?.")
    if not plain:
        return BadValue(f'"{text}" matches nothing: it is no pattern', _FOR_ALL)
    return BadValue(f'"{text}" matches nothing: it is no pattern', f'write "/{_as_pattern(text)}/"')


def _as_pattern(glob: str) -> str:
    """Return the pattern that means what *glob* does."""
    if glob.startswith("."):
        glob = f"*{glob}"
    glob = ".".join(map(_a_label, glob.lower().split(".")))
    body = re.escape(glob).replace(r"\*", ".*").replace(r"\?", ".").replace(r"\-", "-")
    start = "" if body.startswith(".*") else "^"
    end = "" if body.endswith(".*") else "$"
    return f"{start}{body.removeprefix('.*').removesuffix('.*')}{end}"


def _a_label(label: str) -> str:
    try:
        return label if _GLOB.search(label) else domain_name(label)
    except BadValue:
        return label


def _plain_name(text: str) -> str:
    """Return a domain in lower-case A-labels. Raises BadValue that says which one is meant."""
    for found in (_variable, _address, _url, _no_slashes, _several, _range, _dotted, _no_literal, _with_port):
        problem = found(text)
        if problem is not None:
            raise problem
    name = domain_name(text)
    if not is_host_name(name):
        raise BadValue(f'"{text}" is not a domain', _why_not(name))
    return name


def _why_not(name: str) -> str:
    if name and re.fullmatch(r"[0-9.]+", name):
        return "an address is written in full, as 192.0.2.1"
    if re.search(r"\.\.|[^.]{64}", name) or len(name) > 253:
        return "a domain has labels of 1 to 63 characters, and 253 in all"
    return "domains have letters, digits, - and _, between dots" if name else 'write "example.com"'


def _meant(text: str) -> str:
    """Return what to write instead, where *text* is a name at all."""
    try:
        name = domain_name(text)
    except BadValue:
        name = ""
    return f'write "{name}"' if is_host_name(name) else 'write "example.com"'


def _address(text: str) -> BadValue | None:
    if "@" not in text or "://" in text:
        return None
    behind = text.rpartition("@")[2].strip("<> .")
    return BadValue(f'"{text}" is the address of a mailbox, and no domain', _meant(behind))


def _variable(text: str) -> BadValue | None:
    if not re.search(r"[$%]\{|\$[A-Za-z]", text):
        return None
    return BadValue(
        f'"{text}" is not a domain: nothing is put in for variables here', "write the name itself"
    )


def _url(text: str) -> BadValue | None:
    if "://" not in text and not text.lower().startswith("mailto:"):
        return None
    host = re.split(r"[/?#]", text.partition("://")[2])[0].rpartition("@")[2].partition(":")[0]
    return BadValue(f'"{text}" is a URL, and no domain', _meant(host))


def _several(text: str) -> BadValue | None:
    names = [part.rstrip(".") for part in _SEVERAL.split(text) if part]
    if len(names) < 2:
        return (
            BadValue(f'"{text}" is not a domain', _meant(names[0]))
            if _SEVERAL.search(text) and names
            else None
        )
    if not all("." in name and is_host_name(name.lower()) for name in names):
        return BadValue(f'"{text}" is not a domain', "write one name, without spaces, commas and bars")
    pattern = "|".join(re.escape(name.lower()).replace(r"\-", "-") for name in names)
    return BadValue(f'"{text}" is not one domain', f'write a stanza for each, or name it "/^({pattern})$/"')


def _range(text: str) -> BadValue | None:
    head, slash, _ = text.strip("[]").partition("/")
    if not slash:
        return None
    if bare_address(head) is not None:
        return BadValue(f'"{text}" is a range of addresses, and no domain', "write one address")
    return BadValue(f'"{text}" is not a domain', _meant(head))


def _dotted(text: str) -> BadValue | None:
    if not text.endswith("."):
        return None
    return BadValue(
        f'"{text}" matches nothing: names are without the dot at the end', _meant(text.rstrip("."))
    )


def _with_port(text: str) -> BadValue | None:
    if ":" not in text:
        return None
    try:
        host, _ = host_port(text)
    except BadValue:
        return BadValue(f'"{text}" is neither a domain nor an address', 'write "example.com" or "192.0.2.1"')
    return BadValue(f'"{text}" matches nothing: names are without a port', f'write "{host}"')


def _no_literal(text: str) -> BadValue | None:
    if not (text.startswith("[") and text.endswith("]")):
        return None
    return BadValue(f'"{text}" has brackets and no address in them', _meant(text[1:-1]))


def _no_slashes(text: str) -> BadValue | None:
    if not _PATTERN_MARKS.search(text):
        return None
    return BadValue(f'"{text}" matches nothing: it is no pattern without slashes', f'write "/{text}/"')
