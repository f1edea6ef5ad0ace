"""What is wrong with the files and ciphers that a configuration names for outgoing TLS, told before mail needs them.

Blocks on disk: not for the event loop. Whether a certificate and its key belong together shows when a context is made
of both (`tls_context`): they may be set in different scopes.
"""

import ssl
from collections.abc import Callable
from functools import cache
from typing import Any

from angarium.config.model import Config
from angarium.config.problems import ConfigErrors, ConfigProblem
from angarium.config.scopes import Setting
from angarium.config.verification import CLEAR_MECHANISMS
from angarium.tls.client.context import TlsSetupError, check_key, expiry_of, load_authorities, set_ciphers


def check_tls(config: Config, now: float) -> None:
    """Raise ConfigErrors with a problem for each setting that no connection can be encrypted with."""
    checks = _checks(now)
    problems = [
        _problem(setting, error)
        for scope in config.root.walk()
        for field, setting in scope.settings.get("outbound", {}).items()
        if field in checks and setting.value is not None
        if (error := checks[field](setting.value)) is not None
    ]
    if problems:
        raise ConfigErrors(problems)


def tls_warnings(config: Config) -> list[ConfigProblem]:
    """Return what can be used and is not wise: passwords for a peer that is not verified."""
    warnings = []
    for scope in config.root.walk():
        settings = scope.settings.get("outbound", {})
        unverified, verify = settings.get("outbound_smtp_auth_unverified"), settings.get("tls_verify")
        mechanism = settings.get("outbound_smtp_auth_type")
        if unverified is not None and unverified.value:
            text = "shows the password to the one who answers in the peer's place"
            warnings.append(_warning(unverified, f"Outbound_SMTP_AUTH_Unverified {text}"))
        elif (
            verify is not None
            and verify.value in ("no", "optional")
            and mechanism is not None
            and mechanism.value in CLEAR_MECHANISMS
        ):
            text = f"{mechanism.value} shows the password, so the certificate must prove the host"
            warnings.append(_warning(verify, f"TLS_Verify = {verify.value} does not hold here: {text}"))
    return warnings


def _warning(setting: Setting, text: str) -> ConfigProblem:
    hint = "let TLS_CA name who made the certificate, or log in by SCRAM-SHA-256, which shows nothing"
    return ConfigProblem(setting.where.file, setting.where.line, 0, text, hint)


def _checks(now: float) -> dict[str, Callable[[Any], TlsSetupError | None]]:
    """Return, by option, what finds the fault in a value; each value is read once, however often it is set."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return {
        "tls_ca": cache(lambda path: _fault(load_authorities, context, path)),
        "tls_certificate": cache(lambda path: _fault(expiry_of, path, now)),
        "tls_key": cache(lambda path: _fault(check_key, path)),
        "tls_ciphers": cache(lambda ciphers: _fault(set_ciphers, context, ciphers)),
    }


def _fault(check: Callable[..., object], *values: object) -> TlsSetupError | None:
    try:
        check(*values)
    except TlsSetupError as error:
        return error
    return None


def _problem(setting: Setting, error: TlsSetupError) -> ConfigProblem:
    place = f" ({error.path})" if error.path is not None else ""
    return ConfigProblem(setting.where.file, setting.where.line, 0, f"{error}{place}")
