"""What is wrong with the files and ciphers that a configuration names for outgoing TLS, told before mail needs them.

Blocks on disk: not for the event loop. Whether a certificate and its key belong together shows when a context is made
of both (`tls_context`): they may be set in different scopes.
"""

import ssl
from collections.abc import Callable
from functools import cache
from typing import Any

from angarium.config.model import Config
from angarium.config.problems import ConfigErrors, Problem
from angarium.config.scopes import Setting
from angarium.delivery.tls_context import TlsSetupError, check_key, expiry_of, load_authorities, set_ciphers


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


def _problem(setting: Setting, error: TlsSetupError) -> Problem:
    place = f" ({error.path})" if error.path is not None else ""
    return Problem(setting.where.file, setting.where.line, 0, f"{error}{place}")
