"""The real program for tests: `angarium serve` as a child process, with its own data folder and ports."""

import json
import os
import shutil
import signal
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from angarium.testing.log import described
from angarium.testing.programs import PATIENCE_S, Program, free_port, last_lines, run

ANGARIUM = Path(sys.executable).with_name("angarium")

_OK = (200).__eq__
_WELL = '{"ok":true,"reasons":[]}'
# The peers of tests are on loopback, and DNS may say so.
_GIVEN = """\
ESMTP_Listener "default" {{ Listen "127.0.0.1:{smtp_port}" {{ }} }} Prohibited_Hosts = ( )
HTTP_Listener "default" {{ Listen "127.0.0.1:{http_port}" {{ }} }}
"""
_AROUND = {
    "Hostname": 'Hostname = "node.test"\n',
    "Server_Max_Outbound_Connections": "Server_Max_Outbound_Connections = 4000\n",
}
"""Given as well, unless the test speaks of the option: a node tells of a machine that has no full name, or opens fewer
files than the limits need.
"""


class Node:
    """One running node. *config* is the text of angarium.conf after two listeners, and leave to send mail
    to loopback, which are given.

    The folder is removed at the end unless *folder* was given; it holds `angarium.conf` and `data`. What the
    node logged is in `program.log`, or in the file *log_to*. The node is ready, or the constructor has raised
    ProgramFailed.
    """

    def __init__(
        self,
        config: str = "",
        *,
        workers: int = 2,
        folder: Path | None = None,
        env: dict[str, str] | None = None,
        log_to: Path | None = None,
        ready_within_s: float = PATIENCE_S,
    ) -> None:
        self._remove = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="angarium-node-"))
        self.data = self.folder / "data"
        self.config_file = self.folder / "angarium.conf"
        self.smtp_port = free_port()
        self.http_port = free_port()
        self._workers = workers
        self._env = env
        self._log_to = log_to
        self.configure(config)
        try:
            self.program = self._start(ready_within_s)
        except BaseException:
            self._clean()
            raise

    def configure(self, config: str) -> None:
        """Write another configuration; it takes force with a reload or restart."""
        given = _GIVEN.format(smtp_port=self.smtp_port, http_port=self.http_port)
        given += "".join(text for option, text in _AROUND.items() if option not in config)
        self.config_file.write_text(given + config)

    def cli(self, *arguments: str) -> Any:
        """Run `angarium ARGUMENTS --json` against this node and return what it printed as data."""
        return json.loads(run([ANGARIUM, *arguments, "--data", self.data, "--json"]))

    def get(self, path: str) -> tuple[int, str]:
        """Ask the HTTP listener; return status and text. Status 0: there is no answer."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.http_port}{path}", timeout=PATIENCE_S
            ) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    @property
    def events(self) -> list[dict[str, Any]]:
        """The log lines so far, as records. Raises AssertionError for one that is not as docs/logs.md says."""
        return [described(json.loads(line)) for line in self.program.log.splitlines() if line.startswith("{")]

    def wait_for_event(self, event: str, count: int = 1, **fields: object) -> list[dict[str, Any]]:
        """Wait until the log has *count* records of *event* with these fields, and return all that it has.

        The log comes in batches: what a peer or a command shows already may not be in it yet.
        """
        found: list[dict[str, Any]] = []

        def enough() -> bool:
            found[:] = [
                record for record in self.events if {"event": event, **fields}.items() <= record.items()
            ]
            return len(found) >= count

        self.program.wait_until(enough, f"{count} × {event} with {fields}")
        return found

    def wait_until_well(self) -> None:
        """Wait until nothing is the matter: of a process that a busy machine keeps waiting it is told for a moment."""
        self.program.wait_until(lambda: self.get("/readyz") == (200, _WELL), "a node that is well")

    @property
    def pids(self) -> list[int]:
        """The process ids of the node: the supervisor, then its workers in the order they were started."""
        return [self.program.pid, *self._children("angarium.node.worker")]

    @property
    def recorder_pids(self) -> list[int]:
        """The process id of the recorder, none while there is none."""
        return self._children("angarium.node.recorder.process")

    @property
    def webhook_pids(self) -> list[int]:
        """The process id of what tells webhooks, none while there is none."""
        return self._children("angarium.node.webhooks.process")

    def _children(self, module: str) -> list[int]:
        children = Path(f"/proc/{self.program.pid}/task/{self.program.pid}/children").read_text()
        return [pid for pid in map(int, children.split()) if module.encode() in _command_of(pid)]

    def kill_worker(self, number: int = 0) -> int:
        """Kill the worker that was started *number*-th with SIGKILL; return its process id."""
        pid = self.pids[1 + number]
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill(self) -> None:
        """Kill supervisor and workers with SIGKILL, as the loss of the machine would."""
        self.program.kill_group()
        self.program.stop()

    def reload(self) -> None:
        """Have the node read its configuration again (SIGHUP). Returns at once."""
        os.kill(self.program.pid, signal.SIGHUP)

    def start(self, ready_within_s: float = PATIENCE_S, *, is_ready: Callable[[int], bool] = _OK) -> None:
        """Start again, on the same data and ports, after `stop` or `kill`.

        *is_ready* is asked about the status of `/readyz`, for nodes that cannot become ready.
        """
        self.program = self._start(ready_within_s, is_ready)

    def launch(self) -> None:
        """Start again as `start` does, without waiting for anything."""
        self.program = self._program()

    def restart(self) -> None:
        """Stop in order and start again."""
        self.program.stop()
        self.start()

    def stop(self) -> int:
        """Stop in order (SIGTERM) and return the exit status. The data folder stays."""
        return self.program.stop()

    def close(self) -> None:
        """Stop, and remove what the node wrote."""
        self.stop()
        self.program.kill_group()
        self._clean()

    def _clean(self) -> None:
        if self._remove:
            shutil.rmtree(self.folder)

    def _program(self) -> Program:
        places = ["--config", str(self.config_file), "--data", str(self.data)]
        arguments = [str(ANGARIUM), "serve", *places, "--workers", str(self._workers)]
        return Program(arguments, name="angarium", env=self._env, log_to=self._log_to)

    def _start(self, ready_within_s: float, is_ready: Callable[[int], bool] = _OK) -> Program:
        program = self._program()
        try:
            program.wait_until(lambda: is_ready(self.get("/readyz")[0]), "readiness", ready_within_s)
        except BaseException:
            program.kill_group()
            program.stop()
            raise
        return program

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        print(f"--- end of angarium's log\n{last_lines(self.program.log)}")  # pytest shows it on failure
        self.close()


def _command_of(pid: int) -> list[bytes]:
    """Return the command line of a process, nothing for one that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return []
