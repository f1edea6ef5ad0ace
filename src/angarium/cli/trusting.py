"""How programs of each kind are told to trust a certificate that no public authority has issued. Pure."""

import json
import shlex
from collections.abc import Callable
from typing import Final, NamedTuple

KEYSTORE_PASSWORD: Final = "changeit"
"""Java's usual one: a list of authorities is no secret."""
_SYSTEM: Final = "/etc/ssl/certs/ca-certificates.crt"
_INSTEAD: Final = "instead of the authorities that it knows"


class Trusting(NamedTuple):
    """How programs of one kind are told. *lines* returns what to paste: given the certificate's file, and the URL of
    a socket that shows it: `smtp://host:port`, or `smtps://…` where TLS begins with the first byte.
    """

    note: str
    lines: Callable[[str, str], tuple[str, ...]]


def _curl(file: str, url: str) -> tuple[str, ...]:
    options = f"--ssl-reqd --crlf --mail-from me@example.com --mail-rcpt you@example.com --upload-file mail.eml {url}"
    return (f"curl --cacert {shlex.quote(file)} {options}",)


def _python(file: str, url: str) -> tuple[str, ...]:
    context = f"ssl.create_default_context(cafile={json.dumps(file)})"
    kind, _, where = url.partition("://")
    if kind == "smtps":
        host, _, port = where.rpartition(":")
        return (f'smtp = smtplib.SMTP_SSL("{host}", {port}, context={context})',)
    return (f"smtp.starttls(context={context})",)


def _nodemailer(file: str, url: str) -> tuple[str, ...]:
    return (f"NODE_EXTRA_CA_CERTS={shlex.quote(file)} node app.js",)


def _java(file: str, url: str) -> tuple[str, ...]:
    store = "-keystore angarium.p12 -storetype PKCS12"
    used = "-Djavax.net.ssl.trustStore=angarium.p12"
    word = f"-storepass {KEYSTORE_PASSWORD}"
    return (
        f"keytool -importcert -noprompt -alias angarium -file {shlex.quote(file)} {store} {word}",
        f"java {used} -Djavax.net.ssl.trustStorePassword={KEYSTORE_PASSWORD} -jar app.jar",
    )


def _php(file: str, url: str) -> tuple[str, ...]:
    return (f"php -d openssl.cafile={shlex.quote(file)} app.php",)


def _by_variable(program: str) -> Callable[[str, str], tuple[str, ...]]:
    return lambda file, url: (f"SSL_CERT_FILE={shlex.quote(file)} {program}",)


def _whole_machine(file: str, url: str) -> tuple[str, ...]:
    return (
        f"cp {shlex.quote(file)} /usr/local/share/ca-certificates/angarium.crt",
        "update-ca-certificates",
    )


def _bundle(file: str, url: str) -> tuple[str, ...]:
    return (f"cat {_SYSTEM} {shlex.quote(file)} > angarium-bundle.pem",)


TRUSTING: Final[dict[str, Trusting]] = {
    "curl": Trusting(f"{_INSTEAD}; for all calls: CURL_CA_BUNDLE", _curl),
    "Python": Trusting(f"{_INSTEAD}; without a change of the program: SSL_CERT_FILE", _python),
    "Node.js": Trusting("beside the authorities that it knows", _nodemailer),
    "Java": Trusting(f"{_INSTEAD}; to have it beside them, as root: keytool -importcert -cacerts", _java),
    "PHP": Trusting(f"{_INSTEAD}; also as openssl.cafile in php.ini", _php),
    "Ruby": Trusting(_INSTEAD, _by_variable("ruby app.rb")),
    "Go": Trusting(f"{_INSTEAD}, on Linux", _by_variable("./app")),
    ".NET": Trusting(f"{_INSTEAD}, on Linux", _by_variable("dotnet app.dll")),
    "machine": Trusting(
        "all of Debian or Ubuntu, as root; Java and Node.js have lists of their own", _whole_machine
    ),
    "bundle": Trusting("one file for programs that speak to others as well", _bundle),
}
"""By the kind of program."""


def how_to_trust(file: str, url: str) -> dict[str, tuple[str, ...]]:
    """Return the lines that make programs of each kind trust the certificate in *file*."""
    return {kind: trusting.lines(file, url) for kind, trusting in TRUSTING.items()}
