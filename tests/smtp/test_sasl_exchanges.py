"""Clients against servers: whoever knows the password gets in, and nobody else."""

from hashlib import md5

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from angarium.smtp.sasl.client import client_exchange
from angarium.smtp.sasl.exchange import (
    OUTGOING_MECHANISMS,
    Challenge,
    Claimed,
    ClientExchange,
    Failed,
    NeedSecrets,
    Proved,
    SaslError,
    Secrets,
    Step,
)
from angarium.smtp.sasl.prep import saslprep
from angarium.smtp.sasl.scram import scram_verifier
from angarium.smtp.sasl.server import exchange_for

CHALLENGED = ("CRAM-MD5", "SCRAM-SHA-256", "DIGEST-MD5")


CHARACTERS = "".join(map(chr, range(32, 127))) + "äöüßøÿ€ªⅨŁ日本語🙂é\u0301"
"""All that breaks quoting and escapes, and what encodings and normal forms do differently."""
NAMES = st.text(CHARACTERS, min_size=1, max_size=20)
PASSWORDS = st.text(CHARACTERS + "\u00a0", min_size=1, max_size=30)


class DigestClient:
    """DIGEST-MD5, written from RFC 2831 for these tests: the product's client does not speak it."""

    is_complete = True

    def __init__(self, username: str, password: str) -> None:
        self._username = username
        self._password = password

    def start(self) -> bytes | None:
        return None

    def respond(self, challenge: bytes) -> bytes:
        if challenge.startswith(b"rspauth="):
            return b""
        hashed = [
            part.encode("latin-1" if all(ord(char) < 256 for char in part) else "utf-8")
            for part in (self._username, "mx.test", self._password)
        ]
        a1 = md5(b":".join(hashed)).digest() + b":snonce:cnonce"
        a2 = md5(b"AUTHENTICATE:smtp/mx.test").hexdigest()
        response = md5(f"{md5(a1).hexdigest()}:snonce:00000001:cnonce:auth:{a2}".encode()).hexdigest()
        name = self._username.replace("\\", "\\\\").replace('"', '\\"')
        return (
            f'username="{name}",realm="mx.test",nonce="snonce",cnonce="cnonce",nc=00000001,qop=auth,'
            f'digest-uri="smtp/mx.test",response={response},charset=utf-8'
        ).encode()


def client(mechanism: str, username: str, password: str) -> ClientExchange:
    if mechanism == "DIGEST-MD5":
        return DigestClient(username, password)
    return client_exchange(mechanism, username, password, "cnonce")


def end_of(mechanism: str, username: str, password: str, stored: Secrets, initially: bool) -> Step:
    """Play the exchange. Where *initially*, the client's first message is an initial response if it can be."""
    ours, theirs = client(mechanism, username, password), exchange_for(mechanism, "mx.test", "snonce", 0.0)
    step = theirs.start(ours.start() if initially else None)
    while isinstance(step, Challenge | NeedSecrets):
        if isinstance(step, NeedSecrets):
            step = theirs.supply(stored)
        else:
            try:
                step = theirs.respond(ours.respond(step.data))
            except SaslError as error:
                pytest.fail(f"the client gives up: {error}")
    assert ours.is_complete == (mechanism != "SCRAM-SHA-256" or isinstance(step, Proved))
    return step


@settings(max_examples=150)
@given(st.sampled_from(["PLAIN", "LOGIN"]), NAMES, PASSWORDS, st.booleans())
def test_name_and_password_arrive_as_they_are(
    mechanism: str, name: str, password: str, initially: bool
) -> None:
    step = end_of(mechanism, name, password, Secrets(), initially)
    assert isinstance(step, Claimed)
    assert (step.claim.username, step.claim.secret, step.claim.mechanism) == (name, password, mechanism)


@settings(max_examples=100)
@given(st.sampled_from(CHALLENGED), NAMES, PASSWORDS, st.booleans())
def test_who_knows_the_password_is_proved(mechanism: str, name: str, password: str, initially: bool) -> None:
    stored = Secrets(password, scram_verifier(password, b"salt"))
    expected = saslprep(name) if mechanism == "SCRAM-SHA-256" else name
    assert end_of(mechanism, name, password, stored, initially) == Proved(expected)


@settings(max_examples=100)
@given(st.sampled_from(CHALLENGED), NAMES, PASSWORDS, PASSWORDS)
def test_who_does_not_know_it_is_not(mechanism: str, name: str, password: str, other: str) -> None:
    assume(saslprep(password) != saslprep(other))
    stored = Secrets(password, scram_verifier(password, b"salt"))
    assert not isinstance(end_of(mechanism, name, other, stored, True), Proved | Claimed)


@settings(max_examples=300)
@given(st.sampled_from(CHALLENGED), st.lists(st.binary(max_size=40), min_size=1, max_size=4), st.booleans())
def test_noise_proves_nothing(mechanism: str, responses: list[bytes], initially: bool) -> None:
    exchange = exchange_for(mechanism, "mx.test", "snonce", 0.0)
    step = exchange.start(responses[0] if initially else None)
    for response in responses:
        if isinstance(step, NeedSecrets):
            step = exchange.supply(Secrets("secret", scram_verifier("secret", b"salt")))
        elif isinstance(step, Challenge):
            step = exchange.respond(response)
    assert not isinstance(step, Proved | Claimed)


SCRAPS = (
    *(
        b"",
        b'"',
        b"\\",
        b",",
        b"=",
        b"=2C",
        b"\0",
        b" ",
        b"\r\n",
        b"\xff",
        b"\xed\xa0\x80",
        b"\xc2\xad",
        b"\xd8\xa7a",
    ),
    *(
        b"n,,",
        b"y,",
        b"p=tls-unique,",
        b"m=x",
        b'username="x"',
        b'authzid="bob"',
        b"nc=00000002",
        b"qop=auth-int",
    ),
    *(b"charset=utf-8,", b"A" * 5000),
)
"""What breaks quoting, encodings, lengths and the order of things, as the mechanisms write them."""


def damaged(data: st.DataObject, response: bytes) -> bytes:
    """Put something else in a few places of *response*, or the same twice."""
    for _ in range(data.draw(st.integers(0, 3))):
        begin = data.draw(st.integers(0, len(response)))
        end = data.draw(st.integers(begin, min(len(response), begin + 12)))
        scrap = data.draw(st.sampled_from((*SCRAPS, response[begin:end] * 2)))
        response = response[:begin] + scrap + response[end:]
    return response


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(st.data(), st.sampled_from(("PLAIN", "LOGIN", *CHALLENGED)), st.booleans(), st.booleans())
def test_a_damaged_exchange_ends_and_proves_nothing_without_the_password(
    data: st.DataObject, mechanism: str, knows: bool, initially: bool
) -> None:
    ours = client(mechanism, "bob", "secret" if knows else "other")
    theirs = exchange_for(mechanism, "mx.test", "snonce", 0.0)
    first = ours.start()
    step = theirs.start(damaged(data, first) if initially and first is not None else None)
    said = b"" if initially or first is None else first
    while isinstance(step, Challenge | NeedSecrets):
        if isinstance(step, NeedSecrets):
            stored = Secrets("secret", scram_verifier("secret", b"salt"))
            step = theirs.supply(data.draw(st.sampled_from((stored, Secrets(), None))))
            continue
        try:
            response = said or ours.respond(step.data)
        except SaslError:
            response = b"?"
        said = b""
        step = theirs.respond(damaged(data, response))
    assert isinstance(step, Claimed | Failed) or (knows and isinstance(step, Proved))


# -- what a client makes of a bad server


@pytest.mark.parametrize(
    "challenge",
    [
        b"r=cnonce,s=c2FsdA==,i=4096",  # nothing added
        b"r=othernonce,s=c2FsdA==,i=4096",
        b"r=cnoncex,s=c2FsdA==,i=4095",
        b"r=cnoncex,s=c2FsdA==,i=999999999",
        b"r=cnoncex,s=c2Fs=A=,i=4096",
        b"m=x,r=cnoncex,s=c2FsdA==,i=4096",
        b"e=other-error",
        b"\xff",
    ],
)
def test_a_client_of_scram_does_not_prove_itself_to_just_anybody(challenge: bytes) -> None:
    ours = client_exchange("SCRAM-SHA-256", "alice", "secret", "cnonce")
    ours.start()
    with pytest.raises(SaslError):
        ours.respond(challenge)


@pytest.mark.parametrize("final", [b"v=AAAA", b"e=invalid-proof", b""])
def test_a_server_that_does_not_know_the_password_is_not_believed(final: bytes) -> None:
    ours = client_exchange("SCRAM-SHA-256", "alice", "secret", "cnonce")
    ours.start()
    ours.respond(b"r=cnoncex,s=c2FsdA==,i=4096")
    assert not ours.is_complete
    with pytest.raises(SaslError):
        ours.respond(final)
    assert not ours.is_complete


def test_a_client_of_xoauth2() -> None:
    ours = client_exchange("XOAUTH2", "alice@example.org", "ya29.token", "")
    message = b"user=alice@example.org\x01auth=Bearer ya29.token\x01\x01"
    assert ours.start() == message
    assert ours.respond(b"") == message
    assert ours.respond(b'{"status":"401"}') == b""


def test_challenges_too_many() -> None:
    with pytest.raises(SaslError):
        client_exchange("PLAIN", "alice", "secret", "").respond(b"what?")
    for mechanism, rounds in (("LOGIN", 2), ("CRAM-MD5", 1)):
        ours = client_exchange(mechanism, "alice", "secret", "")
        for _ in range(rounds):
            ours.respond(b"<challenge>")
        with pytest.raises(SaslError):
            ours.respond(b"<challenge>")


@pytest.mark.parametrize("mechanism", OUTGOING_MECHANISMS)
def test_a_name_or_password_that_cannot_be_said(mechanism: str) -> None:
    for name, password in (("al\0ice", "secret"), ("alice\x01", "secret"), ("alice", "sec\0ret")):
        with pytest.raises(SaslError):
            client_exchange(mechanism, name, password, "cnonce")


def test_a_mechanism_that_the_client_does_not_speak() -> None:
    with pytest.raises(SaslError, match="does not speak DIGEST-MD5"):
        client_exchange("DIGEST-MD5", "alice", "secret", "cnonce")
    with pytest.raises(SaslError, match="SCRAM cannot use"):
        client_exchange("SCRAM-SHA-256", "alice", "", "cnonce")
