"""Each mechanism of the server against the examples of its RFC, and against clients that bend the rules."""

import hmac
from base64 import b64decode, b64encode
from hashlib import sha256

import pytest

from angarium.smtp.sasl.digest import digest_response, parse_directives
from angarium.smtp.sasl.digest import server_course as digest_course
from angarium.smtp.sasl.exchange import (
    MECHANISMS,
    Challenge,
    Claim,
    Claimed,
    Exchange,
    Failed,
    NeedSecrets,
    Proved,
    Secrets,
    Step,
)
from angarium.smtp.sasl.prep import saslprep
from angarium.smtp.sasl.scram import keys_of, read_verifier, scram_verifier, xor
from angarium.smtp.sasl.server import cram_course, cram_digest, exchange_for
from angarium.smtp.sasl.steps import CourseExchange

MALFORMED, WRONG = Failed("malformed"), Failed("wrong")


def begun(mechanism: str, initial: bytes | None = None) -> tuple[Exchange, Step]:
    exchange = exchange_for(mechanism, "mx.test", "snonce", 1000.5)
    return exchange, exchange.start(initial)


# -- PLAIN and LOGIN


@pytest.mark.parametrize(
    ("message", "end"),
    [
        (b"\0tim\0tanstaaftanstaaf", Claimed(Claim("PLAIN", "tim", "tanstaaftanstaaf"))),  # RFC 4616 §4
        (b"tim\0tim\0tanstaaftanstaaf", Claimed(Claim("PLAIN", "tim", "tanstaaftanstaaf", "tim"))),
        (b"Ursel\0Kurt\0xipj3plmq", WRONG),  # RFC 4616 §4; nobody acts for another here
        ("\0grün\0pässword".encode(), Claimed(Claim("PLAIN", "grün", "pässword"))),
        (b"\0\0", Claimed(Claim("PLAIN", "", ""))),
        (b"", MALFORMED),
        (b"tim\0tanstaaftanstaaf", MALFORMED),
        (b"\0tim\0tanstaaf\0tanstaaf", MALFORMED),
        (b"\0t\nim\0tanstaaftanstaaf", MALFORMED),
        (b"\0tim\0\xff", MALFORMED),
    ],
)
def test_plain(message: bytes, end: Step) -> None:
    assert begun("PLAIN", message)[1] == end
    exchange, step = begun("PLAIN")
    assert step == Challenge(b"")
    assert exchange.respond(message) == end


def test_login() -> None:
    exchange, step = begun("LOGIN")
    assert step == Challenge(b"Username:")
    assert exchange.respond(b"tim") == Challenge(b"Password:")
    assert exchange.respond(b"tanstaaf tanstaaf") == Claimed(Claim("LOGIN", "tim", "tanstaaf tanstaaf"))
    assert begun("LOGIN", b"tim")[1] == Challenge(b"Password:")
    assert begun("LOGIN", b"\xff")[1] == MALFORMED
    assert begun("LOGIN", b"t\0im")[1] == MALFORMED


def test_secrets_are_not_shown() -> None:
    shown = f"{Claim('PLAIN', 'tim', 'tanstaaf')} {Secrets('tanstaaf', scram_verifier('tanstaaf', b'salt'))}"
    assert "tanstaaf" not in shown
    assert "4096" not in shown
    assert repr(read_verifier(scram_verifier("tanstaaf", b"salt"))) == "Verifier(iterations=4096)"


# -- CRAM-MD5


def cram() -> CourseExchange:
    return CourseExchange(lambda initial: cram_course(initial, "<1896.697170952@postoffice.reston.mci.net>"))


def test_cram_md5_as_in_rfc_2195() -> None:
    exchange = cram()
    assert exchange.start(None) == Challenge(b"<1896.697170952@postoffice.reston.mci.net>")
    assert exchange.respond(b"tim b913a602c7eda7a495b4e6e7334d3890") == NeedSecrets("tim")
    assert exchange.supply(Secrets("tanstaaftanstaaf")) == Proved("tim")


@pytest.mark.parametrize(
    ("response", "secrets", "end"),
    [
        (b"tim B913A602C7EDA7A495B4E6E7334D3890", Secrets("tanstaaftanstaaf"), Proved("tim")),
        (b"tim b913a602c7eda7a495b4e6e7334d3890", Secrets("tanstaaf"), WRONG),
        (b"tim b913a602c7eda7a495b4e6e7334d3890", Secrets(None, "4096:x:y:z"), WRONG),
        (b"tim b913a602c7eda7a495b4e6e7334d3890", None, WRONG),
        (b"tim ", None, WRONG),
        ("tim äöü".encode(), Secrets("tanstaaftanstaaf"), WRONG),
    ],
)
def test_cram_md5(response: bytes, secrets: Secrets | None, end: Step) -> None:
    exchange = cram()
    exchange.start(None)
    assert exchange.respond(response) == NeedSecrets("tim")
    assert exchange.supply(secrets) == end


def test_an_unknown_user_with_an_empty_password_is_not_proved() -> None:
    exchange = cram()
    step = exchange.start(None)
    assert isinstance(step, Challenge)
    exchange.respond(f"tim {cram_digest(step.data, '')}".encode())
    assert exchange.supply(None) == WRONG


@pytest.mark.parametrize("response", [b"", b"tim", b"\xff\xff 00", b"t\x07im 00"])
def test_a_response_that_is_not_cram_md5(response: bytes) -> None:
    exchange = cram()
    exchange.start(None)
    assert exchange.respond(response) == MALFORMED


def test_a_challenge_has_nonce_time_and_host() -> None:
    assert begun("CRAM-MD5")[1] == Challenge(b"<snonce.1000@mx.test>")


# -- DIGEST-MD5

CHRIS = (
    b'charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",nc=00000001,'
    b'cnonce="OA6MHXh6VqTrRk",digest-uri="imap/elwood.innosoft.com",'
    b"response=d388dad90d4bbd760a152321f2143af7,qop=auth"
)


def digest(service: str = "imap") -> CourseExchange:
    exchange = CourseExchange(
        lambda initial: digest_course(initial, "elwood.innosoft.com", "OA6MG9tEQGm2hh", service)
    )
    exchange.start(None)
    return exchange


def test_digest_md5_as_in_rfc_2831() -> None:
    exchange = digest()
    assert exchange.respond(CHRIS) == NeedSecrets("chris")
    assert exchange.supply(Secrets("secret")) == Challenge(b"rspauth=ea40f60335c427b5527b84dbabcdfffd")
    assert exchange.respond(b"") == Proved("chris")


def test_digest_md5_offers_authentication_only() -> None:
    assert begun("DIGEST-MD5")[1] == Challenge(
        b'realm="mx.test",nonce="snonce",qop="auth",charset=utf-8,algorithm=md5-sess'
    )


def test_a_digest_client_that_comes_again_gets_a_new_challenge() -> None:
    """RFC 2831 §2.2.2: it answers the challenge of another session first."""
    exchange = CourseExchange(
        lambda initial: digest_course(initial, "elwood.innosoft.com", "OA6MG9tEQGm2hh", "imap")
    )
    again = CHRIS.replace(b"nc=00000001", b"nc=00000002").replace(b"OA6MG9tEQGm2hh", b"of-before")
    offer = exchange.start(again)
    assert isinstance(offer, Challenge)
    assert parse_directives(offer.data) == {
        "realm": b"elwood.innosoft.com",
        "nonce": b"OA6MG9tEQGm2hh",
        "qop": b"auth",
        "charset": b"utf-8",
        "algorithm": b"md5-sess",
        "stale": b"true",
    }
    assert exchange.respond(CHRIS) == NeedSecrets("chris")
    assert exchange.supply(Secrets("secret")) == Challenge(b"rspauth=ea40f60335c427b5527b84dbabcdfffd")
    assert exchange.respond(b"") == Proved("chris")


@pytest.mark.parametrize("initial", [b"", b"=", CHRIS[:60], b"response=d388dad90d4bbd760a152321f2143af7"])
def test_a_digest_client_that_begins_with_something_else_is_told_so(initial: bytes) -> None:
    exchange = CourseExchange(lambda said: digest_course(said, "elwood.innosoft.com", "snonce", "imap"))
    assert exchange.start(initial) == MALFORMED


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"nc=00000001", b"nc=00000002"),
        (b'nonce="OA6MG9tEQGm2hh"', b'nonce="OA6MG9tEQGm2hi"'),
        (b'realm="elwood.innosoft.com"', b'realm="other.example"'),
        (b'"imap/elwood', b'"smtp/elwood'),
        (b"qop=auth", b"qop=auth-int"),
        (b"qop=auth", b'qop=auth,authzid="root"'),
    ],
)
def test_a_digest_for_something_else_proves_nothing(old: bytes, new: bytes) -> None:
    said = CHRIS.replace(old, new)
    right = digest_response(parse_directives(said), "secret", "utf-8", "AUTHENTICATE")
    exchange = digest()
    assert exchange.respond(said.replace(b"d388dad90d4bbd760a152321f2143af7", right)) == NeedSecrets("chris")
    assert exchange.supply(Secrets("secret")) == WRONG


def test_a_digest_that_was_overheard_proves_nothing_later() -> None:
    exchange = CourseExchange(lambda initial: digest_course(initial, "elwood.innosoft.com", "new", "imap"))
    exchange.start(None)
    exchange.respond(CHRIS)
    assert exchange.supply(Secrets("secret")) == WRONG


@pytest.mark.parametrize("secrets", [None, Secrets("other"), Secrets(None)])
def test_a_digest_of_another_password_or_for_nobody_proves_nothing(secrets: Secrets | None) -> None:
    exchange = digest()
    exchange.respond(CHRIS)
    assert exchange.supply(secrets) == WRONG


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'username="chris",', b""),
        (b",qop=auth", b',qop=auth,nonce="OA6MG9tEQGm2hh"'),
        (b",qop=auth", b",qop=auth,"),
        (b",qop=auth", b",qop=auth,,a=b"),
        (b",qop=auth", b";qop=auth"),
        (b",qop=auth", b',qop="auth'),
        (b",qop=auth", b",qop="),
        (b",qop=auth", b',qop=auth,pad="' + b"x" * 4096 + b'"'),
        (b"charset=utf-8", b"charset=utf-7"),
        (b'"chris"', b'"chr\xffis"'),
        (b'"chris"', b'"chr\ris"'),
        (CHRIS, b""),
    ],
)
def test_what_is_no_digest(old: bytes, new: bytes) -> None:
    assert digest().respond(CHRIS.replace(old, new)) == MALFORMED


def test_directives_that_are_unknown_or_quoted_otherwise_are_no_harm() -> None:
    exchange = digest()
    said = CHRIS.replace(b"nc=", b'maxbuf=65536 , future="a\\"b,c",NC=').replace(b'"chris"', b'"chr\\is"')
    assert exchange.respond(said) == NeedSecrets("chris")
    assert isinstance(exchange.supply(Secrets("secret")), Challenge)


def test_a_client_that_answers_the_servers_proof_with_something_is_refused() -> None:
    exchange = digest()
    exchange.respond(CHRIS)
    exchange.supply(Secrets("secret"))
    assert exchange.respond(b"more") == MALFORMED


# -- SCRAM-SHA-256 (RFC 7677 §3)

NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
SALT = b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
SERVER_FIRST = f"r=rOprNGfwEbeRWgbNEkqO{NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".encode()
FINAL = f"c=biws,r=rOprNGfwEbeRWgbNEkqO{NONCE},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=".encode()
PENCIL = Secrets(scram=scram_verifier("pencil", SALT))


def scram(first: bytes | None) -> tuple[Exchange, Step]:
    exchange = exchange_for("SCRAM-SHA-256", "mx.test", NONCE, 0.0)
    return exchange, exchange.start(first)


def test_scram_as_in_rfc_7677() -> None:
    exchange, step = scram(FIRST)
    assert step == NeedSecrets("user")
    assert exchange.supply(PENCIL) == Challenge(SERVER_FIRST)
    assert exchange.respond(FINAL) == Challenge(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    assert exchange.respond(b"") == Proved("user")


def test_scram_without_initial_response() -> None:
    exchange, step = scram(None)
    assert step == Challenge(b"")
    assert exchange.respond(FIRST) == NeedSecrets("user")


@pytest.mark.parametrize(
    ("first", "step"),
    [
        (b"n,a=user,n=user,r=x", NeedSecrets("user")),
        (b"y,,n=user,r=x", NeedSecrets("user")),
        (b"n,,n=u=2Cs=3Der,r=x,f=future", NeedSecrets("u,s=er")),
        ("n,,n=us\u00ader,r=x".encode(), NeedSecrets("user")),
        (b"n,a=root,n=user,r=x", WRONG),
        (b"p=tls-unique,,n=user,r=x", MALFORMED),
        (b"n,,m=extension,n=user,r=x", MALFORMED),
        (b"n,,n=us=41er,r=x", MALFORMED),
        (b"n,,n=user,r=", MALFORMED),
        (b"n,,n=,r=x", MALFORMED),
        (b"n,,n=user,r=a b", MALFORMED),
        (b"n,,n=us\x07er,r=x", MALFORMED),
        (b"n,,n=us\xffer,r=x", MALFORMED),
        (b"n,n=user,r=x", MALFORMED),
        (b"", MALFORMED),
    ],
)
def test_first_messages_of_scram(first: bytes, step: Step) -> None:
    assert scram(first)[1] == step


@pytest.mark.parametrize(
    ("old", "new", "end"),
    [
        (b"c=biws", b"c=eSws", WRONG),  # the client believes that we offer no channel binding, or is made to
        (b"c=biws", b"c=biw", MALFORMED),
        (b"hNlF", b"hNlG", WRONG),
        (b"p=dHzb", b"p=dHzc", WRONG),
        (b"p=dHzb", b"p=", WRONG),
        (b"p=dHzb", b"p=!", MALFORMED),
        (b",p=", b",x=future,p=", WRONG),
        (FINAL, b"", MALFORMED),
        (b"c=biws,", b"", MALFORMED),
        (b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", b"", MALFORMED),
    ],
)
def test_final_messages_of_scram(old: bytes, new: bytes, end: Step) -> None:
    exchange, _ = scram(FIRST)
    exchange.supply(PENCIL)
    assert exchange.respond(FINAL.replace(old, new)) == end


def test_a_proof_for_another_nonce_is_none() -> None:
    said = f"c=biws,r=rOprNGfwEbeRWgbNEkqO{NONCE}other".encode()
    client_key, _ = keys_of("pencil", SALT, 4096)
    signed = b",".join((FIRST.removeprefix(b"n,,"), SERVER_FIRST, said))
    proof = xor(client_key, hmac.digest(sha256(client_key).digest(), signed, "sha256"))
    exchange, _ = scram(FIRST)
    exchange.supply(PENCIL)
    assert exchange.respond(said + b",p=" + b64encode(proof)) == WRONG


@pytest.mark.parametrize("secrets", [None, Secrets("pencil")])
def test_scram_needs_a_verifier(secrets: Secrets | None) -> None:
    exchange, _ = scram(FIRST)
    assert exchange.supply(secrets) == WRONG


def test_a_decoy_of_a_verifier_looks_like_one_and_is_never_proved() -> None:
    exchange, _ = scram(FIRST)
    decoy = scram_verifier("nobody's password", SALT)
    assert exchange.supply(Secrets(scram=decoy)) == Challenge(SERVER_FIRST)
    assert exchange.respond(FINAL) == WRONG


@pytest.mark.parametrize(
    "text", ["", "4096:a:b", "x:YQ==:YQ==:YQ==", "4096:YQ:YQ==:YQ==", "4096:YQ==:YQ==:YQ==:"]
)
def test_what_is_no_verifier(text: str) -> None:
    with pytest.raises(ValueError):
        read_verifier(text)


def test_a_verifier_is_not_made_weak() -> None:
    with pytest.raises(ValueError, match="4095 iterations are too few"):
        scram_verifier("pencil", SALT, 4095)


# -- all of them


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_calls_out_of_turn_are_our_own_mistake(mechanism: str) -> None:
    exchange = exchange_for(mechanism, "mx.test", "snonce", 0.0)
    with pytest.raises(RuntimeError):
        exchange.respond(b"")
    exchange.start(None)
    with pytest.raises(RuntimeError):
        exchange.supply(None)
    with pytest.raises(RuntimeError):
        exchange.start(None)
    while isinstance(exchange.respond(b"\xff"), Challenge):
        pass
    with pytest.raises(RuntimeError):
        exchange.respond(b"")


@pytest.mark.parametrize(
    ("text", "prepared"),  # RFC 4013 §3
    [
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
    ],
)
def test_saslprep(text: str, prepared: str) -> None:
    assert saslprep(text) == prepared


@pytest.mark.parametrize(
    "text", ["\u0007", "\u0627\u0031", "", "\u00ad", "\u0627a\u0627", "\ue000", "\ufffd"]
)
def test_saslprep_prohibits(text: str) -> None:
    with pytest.raises(ValueError):
        saslprep(text)
