"""Mail clients of other people as one call each: a `Job` says what to send and how to log in.

The libraries of other languages are driven by small programs (in the tests' folder `peers/clients`) that read the job
from standard input, so that no password stands in a list of processes.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from angarium.testing.peers import Postfix, find_program
from angarium.testing.programs import ProgramFailed, run

JAVA_PATH = "/usr/share/java/jakarta-mail.jar:/usr/share/java/jakarta-activation.jar"
"""Where Java finds Jakarta Mail."""
NODE_MODULES = Path(__file__).parents[3] / ".cache/node/node_modules"
"""Where Node.js finds Nodemailer."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One mail for one server. *ca* is a file with the certificate that the server shows, which names `localhost`.

    Without a *mechanism* the client chooses one of those that the server offers.
    """

    port: int
    user: str
    password: str
    ca: Path
    mechanism: str = "PLAIN"
    tls: Literal["starttls", "tls"] = "starttls"
    host: str = "localhost"
    sender: str = "me@example.org"
    recipients: tuple[str, ...] = ("ann@local.example.com",)
    subject: str = "hello"
    text: str = "a few words"
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_json(self, **more: str) -> bytes:
        """Return the job as the drivers read it."""
        return json.dumps(asdict(self) | {"ca": str(self.ca)} | more).encode()

    def mail(self) -> bytes:
        """Return the message itself, in lines that end in LF, for clients that take a finished one."""
        fields = {
            "From": self.sender,
            "To": ", ".join(self.recipients),
            "Subject": self.subject,
            **self.headers,
        }
        return (
            "".join(f"{name}: {value}\n" for name, value in fields.items()).encode()
            + f"\n{self.text}\n".encode()
        )


Send = Callable[[Job, Path], str]
"""Send a job; *folder* has the drivers. Returns what the client printed. Raises ProgramFailed on refusal."""


def smtplib(job: Job, folder: Path) -> str:
    """Send with Python's smtplib."""
    return run([sys.executable, folder / "send_mail.py"], job.to_json())


def nodemailer(job: Job, folder: Path) -> str:
    """Send with Nodemailer."""
    library = str(NODE_MODULES / "nodemailer")
    return run([find_program("node", "nodejs"), folder / "nodemailer.js"], job.to_json(library=library))


def phpmailer(job: Job, folder: Path) -> str:
    """Send with PHPMailer."""
    return run([find_program("php", "php-cli"), folder / "phpmailer.php"], job.to_json())


def ruby_mail(job: Job, folder: Path) -> str:
    """Send with Ruby's mail, as Action Mailer uses it."""
    return run([find_program("ruby", "ruby-mail"), folder / "mail.rb"], job.to_json())


def net_smtp(job: Job, folder: Path) -> str:
    """Send with Perl's Net::SMTP."""
    return run([find_program("perl", "perl"), folder / "net_smtp.pl"], job.to_json())


def jakarta_mail(job: Job, folder: Path) -> str:
    """Send with Jakarta Mail."""
    said = {name: value for name, value in asdict(job).items() if name != "headers"}
    said |= {"recipients": ",".join(job.recipients)} | {
        f"header.{name}": job.headers[name] for name in job.headers
    }
    lines = "".join(f"{name}={str(value).replace(chr(92), chr(92) * 2)}\n" for name, value in said.items())
    return run(
        [find_program("java", "openjdk-17-jdk-headless"), "-cp", JAVA_PATH, folder / "SendMail.java"],
        lines.encode(),
    )


def swaks(job: Job, folder: Path) -> str:
    """Send with swaks, which reads what is not given on its command line from a file."""
    secure = "--tls" if job.tls == "starttls" else "--tls-on-connect"
    lines = [
        f"--server {job.host}",
        f"--port {job.port}",
        secure,
        "--tls-verify",
        f"--tls-ca-path {job.ca}",
        f"--auth {job.mechanism}".rstrip(),
        f"--auth-user {job.user}",
        f"--auth-password {job.password}",
        f"--from {job.sender}",
        f"--to {','.join(job.recipients)}",
    ]
    with _private_file("\n".join(lines) + "\n") as settings, _private_file(job.mail().decode()) as mail:
        return run([find_program("swaks", "swaks"), "--config", settings.name, "--data", f"@{mail.name}"])


def msmtp(job: Job, folder: Path) -> str:
    """Send with msmtp."""
    lines = [
        "defaults",
        f"host {job.host}",
        f"port {job.port}",
        "tls on",
        f"tls_starttls {'on' if job.tls == 'starttls' else 'off'}",
        f"tls_trust_file {job.ca}",
        f"auth {job.mechanism.lower() or 'on'}",
        f"user {job.user}",
        f"password {job.password}",
        f"from {job.sender}",
        "account default",
    ]
    with _private_file("\n".join(lines) + "\n") as settings:
        command: list[str | Path] = [
            find_program("msmtp", "msmtp"),
            f"--file={settings.name}",
            "--",
            *job.recipients,
        ]
        return run(command, job.mail())


def postfix(job: Job, folder: Path) -> str:
    """Send with a Postfix, started for this one mail, that hands everything over logged in."""
    with relaying_postfix(job) as relay:
        relay.sendmail(job.sender, job.recipients, job.mail())
        status = relay.program.wait_for(r"status=(\w+) .*")[0]
        if status[1] != "sent":
            raise ProgramFailed(f"postfix: {status[0]}")
        return status[0]


def relaying_postfix(job: Job) -> Postfix:
    """Start a Postfix that hands everything over to the job's server, logged in."""
    passwords = f"inline:{{{{[{job.host}]:{job.port} = {job.user}:{job.password}}}}}"
    return Postfix(
        transport=f"smtp:[{job.host}]:{job.port}",
        settings={
            "smtp_sasl_auth_enable": "yes",
            "smtp_sasl_password_maps": passwords,
            "smtp_sasl_security_options": "noanonymous",
            "smtp_sasl_mechanism_filter": job.mechanism.lower(),
            "smtp_tls_security_level": "verify",
            "smtp_tls_CAfile": str(job.ca),
            "smtp_tls_verify_cert_match": "hostname",
            "smtp_tls_wrappermode": "yes" if job.tls == "tls" else "no",
        },
    )


CLIENTS: dict[str, Send] = {
    "smtplib": smtplib,
    "nodemailer": nodemailer,
    "phpmailer": phpmailer,
    "ruby-mail": ruby_mail,
    "net-smtp": net_smtp,
    "jakarta-mail": jakarta_mail,
    "swaks": swaks,
    "msmtp": msmtp,
    "postfix": postfix,
}
"""By name."""


def _private_file(text: str) -> "tempfile._TemporaryFileWrapper[str]":
    file = tempfile.NamedTemporaryFile("w", prefix="angarium-client-")  # noqa: SIM115 - the caller closes it
    os.fchmod(file.fileno(), 0o600)
    file.write(text)
    file.flush()
    return file
