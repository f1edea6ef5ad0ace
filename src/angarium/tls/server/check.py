"""What is wrong with the files and ciphers that a configuration names for its listeners, told before a node begins.

Blocks on disk: not for the event loop.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from angarium.config.model import Config
from angarium.config.problems import ConfigErrors, ConfigProblem
from angarium.config.values import Where
from angarium.tls.certificate import TlsProblem
from angarium.tls.server.contexts import Pair, Socket, make_context, plan_of, sockets_of
from angarium.tls.server.own import ensure_own_certificate, own_pair

_OPTIONS = ("TLS_Certificate", "TLS_Key", "TLS_Client_CA", "TLS_Verify_Mode", "TLS_Ciphers", "TLS_Protocols")


def check_listeners(config: Config, now: float) -> None:
    """Raise ConfigErrors with a problem for each listener that no handshake can be made with."""
    with TemporaryDirectory() as folder:
        stand_in = own_pair(Path(folder))
        ensure_own_certificate(Path(folder), config.globals.hostname, now)
        found = (_fault(config, socket, stand_in) for socket in sockets_of(config))
        problems = list(dict.fromkeys(problem for problem in found if problem is not None))
    if problems:
        raise ConfigErrors(problems)


def _fault(config: Config, socket: Socket, stand_in: Pair) -> ConfigProblem | None:
    try:
        make_context(plan_of(config.inbound(*socket, ""), stand_in))
    except TlsProblem as problem:
        where = _where(config, socket, str(problem))
        return ConfigProblem(where.file, where.line, 0, str(problem)) if where else None
    return None


def _where(config: Config, socket: Socket, text: str) -> Where | None:
    """Return the place that set what *text* speaks of: the option itself or a file that it names, else any of them."""
    listener, listen = socket
    found = [(option, config.resolve(option, listener=listener, listen=listen)) for option in _OPTIONS]
    places = [(option, each.value, each.where) for option, each in found if each.where is not None]
    spoken = (where for option, value, where in places if option in text or _names(value, text))
    return next(spoken, places[0][2] if places else None)


def _names(value: object, text: str) -> bool:
    paths = value if isinstance(value, tuple) else (value,)
    return any(isinstance(path, Path) and str(path) in text for path in paths)
