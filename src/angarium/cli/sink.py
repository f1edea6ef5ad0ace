"""The scripted sink: a peer that takes mail and behaves as told."""

import asyncio
import signal
from dataclasses import asdict, replace
from pathlib import Path

import click
import uvloop

from angarium.cli.options import Failure, json_option
from angarium.cli.output import amount, print_json, print_json_line
from angarium.testing.sink import SinkCounters, run_sink
from angarium.testing.sink.script import SinkScript, load_script, parse_script
from angarium.testing.sink.store import HashLog, Maildir, Mbox, SinkStore


@click.command()
@click.option(
    "--listen", default="127.0.0.1:2526", show_default=True, metavar="HOST:PORT", help="Port 0: any free."
)
@click.option(
    "--script", type=click.Path(path_type=Path), help="How it behaves; without, it accepts everything."
)
@click.option("--lmtp", is_flag=True, help="Speak LMTP.")
@click.option(
    "--log", type=click.Path(path_type=Path), help="A line of JSON per message, with a hash of its content."
)
@click.option("--maildir", type=click.Path(path_type=Path), help="Keep the messages in this maildir.")
@click.option("--mbox", type=click.Path(path_type=Path), help="Append the messages to this file.")
@json_option
def sink_command(
    listen: str,
    script: Path | None,
    lmtp: bool,
    log: Path | None,
    maildir: Path | None,
    mbox: Path | None,
    as_json: bool,
) -> None:
    """Run a scripted SMTP or LMTP peer for tests and drills, until Ctrl-C; then say what came.

    Without --log, --maildir or --mbox messages are counted and dropped.
    """
    if sum(place is not None for place in (log, maildir, mbox)) > 1:
        raise click.UsageError("give one of --log, --maildir and --mbox")
    host, port = _address(listen)
    behaviour = _script(script, lmtp)
    try:
        store = _store(log, maildir, mbox)
        counters: SinkCounters = uvloop.run(_serve(behaviour, host, port, store, as_json))
    except OSError as error:
        raise Failure(f"the sink cannot run: {error}") from error
    if as_json:
        print_json(asdict(counters))
    else:
        connections = amount(counters.connections, "connection")
        click.echo(f"{amount(counters.messages, 'message')} in {connections}, {counters.refusals} refusals")


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise click.UsageError(f"--listen {listen!r} is not HOST:PORT, as 127.0.0.1:2526")
    return host.strip("[]"), int(port)


def _script(path: Path | None, lmtp: bool) -> SinkScript:
    try:
        script = load_script(path) if path is not None else parse_script("")
    except OSError as error:
        raise Failure(f"cannot read {path}: {error.strerror}") from error
    return replace(script, lmtp=True) if lmtp else script


def _store(log: Path | None, maildir: Path | None, mbox: Path | None) -> SinkStore | None:
    if log is not None:
        return HashLog(log)
    if maildir is not None:
        return Maildir(maildir)
    return Mbox(mbox) if mbox is not None else None


async def _serve(
    script: SinkScript, host: str, port: int, store: SinkStore | None, as_json: bool
) -> SinkCounters:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    def ready(address: tuple[str, int]) -> None:
        if as_json:
            print_json_line({"listening": f"{address[0]}:{address[1]}"})
        else:
            click.echo(f"listening on {address[0]}:{address[1]}")

    return await run_sink(script, host, port, store=store, on_ready=ready, stop=stop)
