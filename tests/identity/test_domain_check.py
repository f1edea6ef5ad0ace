"""What `domains verify` finds in the DNS, and what it advises."""

import asyncio
import base64
from typing import Any

import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.zone
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.dns.records import Answer, Question, RecordType
from angarium.identity.domains.check import DomainReport, RecordCheck, check_domain, records_for
from angarium.identity.domains.records import tracking_host, zone_text
from angarium.identity.records import Domain, DomainKey
from angarium.testing.dns import answer_question, parse_zone

HOST = "mail.sender.test"
RSA = base64.b64encode(bytes(range(256)) + bytes(38)).decode()  # as long as a key of 2048 bits
EDWARDS = base64.b64encode(bytes(32)).decode()
DOMAIN = Domain(
    id=1,
    account=1,
    name="example.com",
    created_at=0.0,
    return_path="bounces.example.com",
    keys=(
        DomainKey(1, 1, "old", "rsa", "T2xk", "retired", 0.0),
        DomainKey(2, 1, "r1", "rsa", RSA, "active", 0.0, verified_at=1.0),
        DomainKey(3, 1, "e1", "ed25519", EDWARDS, "pending", 0.0),
    ),
)
R1 = "r1._domainkey.example.com"
GOOD_R1 = f"v=DKIM1; k=rsa; p={RSA}"


class Zone:
    """A DNS of which one zone text is all there is."""

    def __init__(self, text: str) -> None:
        self._zone = parse_zone(text)

    async def query(self, name: str, type: RecordType) -> Answer:
        return answer_question(self._zone, Question(name, type))


class Silent:
    """A DNS that does not answer."""

    async def query(self, name: str, type: RecordType) -> Answer:
        return Answer("failure", note="no answer")


TRACKED = msgspec.structs.replace(DOMAIN, tracking="clicks.example.com")


def check(zone: str, domain: Domain = DOMAIN) -> DomainReport:
    return asyncio.run(check_domain(domain, Zone(zone), hostname=HOST))


def check_of(purpose: str, zone: str, domain: Domain = DOMAIN) -> RecordCheck:
    return next(each for each in check(zone, domain).checks if each.record.purpose == purpose)


def published() -> str:
    return "\n".join(
        record.zone_line.replace(" IN ", " ").replace("( ", "").replace(" )", "")
        for record in records_for(DOMAIN, HOST)
    )


# -- what is to be published


def test_records_are_those_of_keys_in_use_of_bounces_and_of_policy() -> None:
    assert [(record.name, record.type, record.required) for record in records_for(DOMAIN, HOST)] == [
        (R1, "TXT", True),
        ("e1._domainkey.example.com", "TXT", True),
        ("bounces.example.com", "CNAME", False),
        (HOST, "TXT", False),
        ("_dmarc.example.com", "TXT", False),
    ]


@pytest.mark.parametrize("hostname", ["", "laptop"])
def test_a_node_without_a_name_in_the_dns_has_no_bounces_sent_to_it(hostname: str) -> None:
    assert {record.purpose for record in records_for(DOMAIN, hostname)} == {"dkim", "dmarc"}


def test_lines_are_read_by_a_name_server() -> None:
    lines = [record.zone_line for record in records_for(DOMAIN) if record.purpose != "return_path"]
    zone = dns.zone.from_text("\n".join(lines), origin="example.com", check_origin=False)
    [rdata] = zone.find_rdataset("r1._domainkey", "TXT")
    assert [len(string) for string in rdata.strings] == [255, len(GOOD_R1) - 255]
    assert b"".join(rdata.strings).decode() == GOOD_R1


@given(st.text(max_size=600))
def test_any_text_survives_a_zone_file(value: str) -> None:
    text = zone_text(value).removeprefix("( ").removesuffix(" )")
    rdata: Any = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.TXT, text)
    assert b"".join(rdata.strings).decode() == value
    assert max(map(len, rdata.strings)) <= 255


def test_a_name_that_readers_come_by_leads_to_the_tracking_domain() -> None:
    for host, wanted in (("", HOST), ("clicks.sender.test", "clicks.sender.test")):
        (record,) = (
            each for each in records_for(TRACKED, HOST, tracking_host=host) if each.purpose == "tracking"
        )
        assert (record.name, record.type, record.value) == ("clicks.example.com", "CNAME", wanted)
        assert not record.required
    assert tracking_host("https://Clicks.sender.test:8443") == "clicks.sender.test"
    assert tracking_host(None) == ""


@pytest.mark.parametrize(
    ("zone", "status"),
    [
        (f"clicks.example.com CNAME {HOST}", "found"),
        ("clicks.example.com CNAME cdn.test", "wrong"),
        ("clicks.example.com A 192.0.2.1", "missing"),
        ("clicks.example.com FAILURE", "unknown"),
    ],
)
def test_whether_that_name_leads_here(zone: str, status: str) -> None:
    if status == "unknown":
        report = asyncio.run(check_domain(TRACKED, Silent(), hostname=HOST))
    else:
        report = check(zone, TRACKED)
    (found,) = (each for each in report.checks if each.record.purpose == "tracking")
    assert found.status == status
    assert report.tracking_found is {"found": True, "unknown": None}.get(status, False)
    assert check("other.test A 192.0.2.1").tracking_found is None


# -- all in order


def test_what_was_printed_is_found_when_published() -> None:
    report = check(published())
    assert [(each.status, each.advice) for each in report.checks] == [("found", "")] * 5
    assert report.keys_found == {2: True, 3: True}
    assert report.is_verified


def test_nothing_published_is_all_missing_and_says_what_to_publish() -> None:
    report = check("other.test A 192.0.2.1")
    assert {each.status for each in report.checks} == {"missing"}
    assert report.keys_found == {2: False, 3: False}
    assert report.checks[0].advice == f"publish a TXT record named {R1} with this value: {GOOD_R1}"
    assert not report.is_verified


# -- a key's record

FINE = {
    "cut elsewhere": f'{R1} TXT "{GOOD_R1[:100]}" "{GOOD_R1[100:200]}" "{GOOD_R1[200:]}"',
    "white space": f'{R1} TXT " v = DKIM1 ;  k = rsa ; p = {RSA[:200]} " " {RSA[200:]} ; "',
    "no version": f'{R1} TXT "k=rsa; p={RSA[:200]}" "{RSA[200:]}"',
    "no algorithm": f'{R1} TXT "v=DKIM1; p={RSA[:200]}" "{RSA[200:]}"',
    "more tags": f'{R1} TXT "v=DKIM1; h=sha1:sha256; s=email; t=s; n=note; p={RSA[:150]}" "{RSA[150:]}"',
    "an alias": f'{R1} CNAME keys.provider.test\nkeys.provider.test TXT "{GOOD_R1[:200]}" "{GOOD_R1[200:]}"',
}


@pytest.mark.parametrize("zone", FINE.values(), ids=FINE)
def test_a_key_is_found_however_it_is_written(zone: str) -> None:
    seen = check_of("dkim", zone)
    assert (seen.status, seen.advice) == ("found", "")


WRONG = {
    "another key": ('"v=DKIM1; k=rsa; p=T3RoZXI="', f"stands there (p=T3RoZXI=); replace the value by: {GOOD_R1}"),
    "cut off": (f'"{GOOD_R1[:255]}"', "the key is cut off after 237 of 392 characters"),
    "revoked": ('"v=DKIM1; p="', "p= is empty, which revokes the key"),
    "other algorithm": (f'"v=DKIM1; k=ed25519; p={RSA[:200]}" "{RSA[200:]}"', "write k=rsa"),
    "quotes inside": (f'"\\"v=DKIM1; k=rsa; p={RSA[:200]}" "{RSA[200:]}\\""', "enter it without them"),
    "backslashes": (f'"v=DKIM1\\\\; k=rsa\\\\; p={RSA[:200]}" "{RSA[200:]}"', "enter it without them"),
    "something else": ('"hello"', "the value has no p=, it is hello"),
    "other version": ('"v=DKIM2; p=abcd"', "the value must begin with v=DKIM1"),
    "SHA-1 only": (f'"v=DKIM1; h=sha1; p={RSA[:200]}" "{RSA[200:]}"', "take h= out"),
    "not for mail": (f'"v=DKIM1; s=tlsrpt; p={RSA[:200]}" "{RSA[200:]}"', "take s= out"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "advice"), WRONG.values(), ids=WRONG)
def test_a_wrong_key_is_shown_with_what_to_do(text: str, advice: str) -> None:
    seen = check_of("dkim", f"{R1} TXT {text}")
    assert seen.status == "wrong"
    assert advice in seen.advice
    assert len(seen.found) == 1


def test_a_second_record_under_the_name_is_wrong_although_one_is_right() -> None:
    seen = check_of("dkim", f'{R1} TXT "{GOOD_R1[:200]}" "{GOOD_R1[200:]}"\n{R1} TXT "v=spf1 -all"')
    assert (seen.status, len(seen.found)) == ("wrong", 2)
    assert "keep the one that is as shown" in seen.advice


def test_a_key_for_tests_only_is_found_with_advice() -> None:
    seen = check_of("dkim", f'{R1} TXT "v=DKIM1; t=y; p={RSA[:200]}" "{RSA[200:]}"')
    assert seen.status == "found"
    assert "take it out" in seen.advice


def test_a_name_with_the_domain_twice_is_recognised() -> None:
    seen = check_of("dkim", f'{R1}.example.com TXT "v=DKIM1; p=x"')
    assert seen.status == "missing"
    assert "enter only r1._domainkey as its name" in seen.advice


@pytest.mark.parametrize("trouble", ["!servfail", "!drop"])
def test_a_silent_dns_says_nothing_about_a_key(trouble: str) -> None:
    report = check(f"{R1} {trouble}")
    assert report.checks[0].status == "unknown"
    assert "try again later" in report.checks[0].advice
    assert report.keys_found == {3: False}  # nothing about key 2, which was verified before


# -- bounces

RETURN = "bounces.example.com"


@pytest.mark.parametrize(
    ("zone", "status", "advice"),
    [
        (f"{RETURN} CNAME {HOST}", "found", ""),
        (f"{RETURN} CNAME {HOST.upper()}.", "found", ""),
        (f"{RETURN} MX 10 {HOST}", "found", ""),
        (f"{RETURN} CNAME elsewhere.test", "wrong", "leads elsewhere"),
        (f"{RETURN} MX 10 elsewhere.test", "wrong", f"an MX record: 10 {HOST}"),
        (f"{RETURN} !servfail", "unknown", "try again later"),
        (f"{RETURN} A 192.0.2.1", "missing", f"a CNAME record to {HOST}"),
    ],
)
def test_the_return_path_leads_here_by_alias_or_mx(zone: str, status: str, advice: str) -> None:
    seen = check_of("return_path", zone)
    assert (seen.status, advice in seen.advice) == (status, True)


@pytest.mark.parametrize(
    ("zone", "status"),
    [
        (f'{RETURN} CNAME {HOST}\n{HOST} TXT "v=spf1 a -all"', "found"),
        (f'{RETURN} TXT "v=spf1 ip4:192.0.2.1 -all"\n{RETURN} TXT "other"', "found"),
        (f'{RETURN} TXT "v=spf1 a -all"\n{RETURN} TXT "v=spf1 mx -all"', "wrong"),
        (f'{RETURN} TXT "other"', "missing"),
        (f"{RETURN} !servfail", "unknown"),
    ],
)
def test_spf_is_looked_for_where_receivers_do(zone: str, status: str) -> None:
    assert check_of("spf", zone).status == status


# -- policy


@pytest.mark.parametrize(
    ("zone", "status", "advice"),
    [
        ('_dmarc.example.com TXT "v=DMARC1; p=none"', "found", ""),
        ('_dmarc.example.com TXT "v=DMARC1;p=Reject;rua=mailto:a@b.test"', "found", ""),
        ('_dmarc.example.com TXT "v=DMARC1; rua=mailto:a@b.test"', "wrong", "names no policy"),
        ('_dmarc.example.com TXT "v=DMARC1; p=maybe"', "wrong", "names no policy"),
        ('_dmarc.example.com TXT "v=DMARC1; p=none"\n_dmarc.example.com TXT "v=DMARC1; p=reject"', "wrong", "keep one"),
        ("_dmarc.example.com !servfail", "unknown", "try again later"),
        ('_dmarc.example.com TXT "v=spf1 -all"', "missing", "v=DMARC1; p=none; rua=mailto:dmarc@example.com"),
    ],
)  # fmt: skip
def test_a_policy_is_any_that_receivers_can_read(zone: str, status: str, advice: str) -> None:
    seen = check_of("dmarc", zone)
    assert (seen.status, advice in seen.advice) == (status, True)


def test_the_policy_of_the_domain_above_holds_below_it() -> None:
    news = msgspec.structs.replace(DOMAIN, name="news.example.com")
    assert check_of("dmarc", '_dmarc.example.com TXT "v=DMARC1; p=reject"', news).status == "found"
    assert check_of("dmarc", '_dmarc.com TXT "v=DMARC1; p=reject"', news).status == "missing"
