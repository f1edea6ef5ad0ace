"""Dovecot as the one who knows passwords, for a Postfix that lets users log in (`smtpd_sasl_type = dovecot`)."""

from angarium.testing.peers import Peer, find_program
from angarium.testing.programs import Program


class DovecotAuth(Peer):
    """One user who may log in; `socket` is where Postfix asks."""

    def __init__(self, user: str, password: str, mechanisms: str = "plain") -> None:
        dovecot = find_program("dovecot", "dovecot-core")
        super().__init__("dovecot-auth")
        self._folder("run")
        self._folder("state")
        self.socket = self.directory / "auth"
        users = self.directory / "users"
        users.write_text(f"{user}:{{PLAIN}}{password}\n")
        users.chmod(0o644)  # whatever the umask
        configuration = self.directory / "dovecot.conf"
        configuration.write_text(_CONF.format(directory=self.directory, mechanisms=mechanisms))
        program = Program([dovecot, "-F", "-c", configuration], name="dovecot")
        self._start(program, lambda: program.wait_until(self.socket.exists, "its socket"))


_CONF = """\
protocols =
base_dir = {directory}/run
state_dir = {directory}/state
log_path = /dev/stderr
ssl = no
auth_mechanisms = {mechanisms}
passdb {{
  driver = passwd-file
  args = {directory}/users
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}}
service auth {{
  unix_listener {directory}/auth {{
    mode = 0666
  }}
}}
"""
