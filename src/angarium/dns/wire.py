"""Questions into DNS messages and messages into answers. Pure."""

import struct

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
from dns.rdtypes.ANY.CNAME import CNAME
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TXT import TXT

from angarium.dns.records import Answer, Mx, Question

EDNS_PAYLOAD_BYTES = 1232
"""Fits a packet on every path, so answers are truncated rather than fragmented."""

MAX_RECORDS = 1000
"""Records of one answer that are looked at; a larger set is cut."""

MALFORMED = (dns.exception.DNSException, ValueError, IndexError, OverflowError, struct.error)
"""What dnspython is known to raise on bytes that are no message."""


def build_query(question: Question) -> dns.message.QueryMessage:
    """Make the query with a random id. Raises ValueError when the name cannot be one of DNS."""
    if not question.name.isascii():
        raise ValueError(f"{question.name!r} is not in ASCII")
    try:
        name = dns.name.from_text(question.name)
        return dns.message.make_query(
            name,
            question.type,
            use_edns=0,
            payload=EDNS_PAYLOAD_BYTES,
            flags=dns.flags.RD | dns.flags.AD,
        )
    except dns.exception.DNSException as error:
        raise ValueError(f"{question.name!r} is not a name in DNS: {error}") from None


def is_truncated(query: dns.message.Message, data: bytes) -> bool:
    """Whether *data* is the answer to *query*'s id with the TC flag: the same must be asked over TCP."""
    return len(data) >= 12 and int.from_bytes(data[:2], "big") == query.id and data[2] & 0x82 == 0x82


def parse_response(query: dns.message.Message, data: bytes) -> dns.message.QueryMessage | None:
    """Return the message when *data* answers *query* (id, question), None for anything else."""
    try:
        response = dns.message.from_wire(data, ignore_trailing=True)
        if isinstance(response, dns.message.QueryMessage) and query.is_response(response):
            return response
    except MALFORMED:
        return None
    return None


def read_response(response: dns.message.QueryMessage) -> tuple[Answer, str | None]:
    """Return the answer, and a name to ask next where the response ended at a CNAME without its target.

    The TTL is the smallest on the way; for nodata and nxdomain that of RFC 2308 §5.
    """
    rcode = response.rcode()
    if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return Answer("failure", note=f"the server answered {dns.rcode.to_text(rcode)}"), None
    try:
        chain = response.resolve_chaining()
    except MALFORMED as error:
        return Answer("failure", note=f"unusable answer: {error}"), None
    signed = bool(response.flags & dns.flags.AD)
    if chain.answer is not None:
        records = tuple(_value(rdata) for rdata in list(chain.answer)[:MAX_RECORDS])
        return Answer("found", records, chain.minimum_ttl, signed), None
    if rcode == dns.rcode.NXDOMAIN:
        return Answer("nxdomain", (), chain.minimum_ttl, signed), None
    ended_at_cname = bool(chain.cnames) and not response.authority
    nodata = Answer("nodata", (), chain.minimum_ttl, signed)
    return nodata, text_of(chain.canonical_name) if ended_at_cname else None


def text_of(name: dns.name.Name) -> str:
    """Return *name* in lower case without final dot, control characters and dots within labels escaped."""
    return name.to_text(omit_final_dot=True).lower().removesuffix(".")


def _value(rdata: dns.rdata.Rdata) -> Mx | str:
    if isinstance(rdata, MX):
        return Mx(rdata.preference, text_of(rdata.exchange))
    if isinstance(rdata, CNAME):
        return text_of(rdata.target)
    if isinstance(rdata, TXT):
        return b"".join(rdata.strings).decode("utf-8", "replace")
    return rdata.to_text()
