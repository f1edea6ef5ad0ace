"""Mail servers that Debian does not let stand beside Postfix, from where `script/debian-packages` unpacks them.

Each runs in a mount namespace of its own, in which it looks installed: its programs in /usr, its users in /etc/passwd,
its folders in /var. Nothing of the system is changed, and all is gone with the process.
"""

import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from angarium.testing.peers import Peer, PeerMissing
from angarium.testing.programs import Program, run

_CACHE = Path(__file__).parents[3] / ".cache"
_FIRST_ID: Final = 990
"""Users that are made up begin here, below those of people."""

_LOOK_INSTALLED = """
set -e
hostname "$1"; tree=$2; own=$3
mount -t overlay overlay -o lowerdir="$tree/usr:/usr" /usr
mount -t overlay overlay -o lowerdir="$own/etc:/etc" /etc
for folder in /run /var/lib /var/spool; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done
mount --bind "$own/log" /var/log
. "$own/start"
"""


class Guest(Peer):
    """A server in a namespace. *etc* are files to be put into /etc, *start* is what a shell does in the end."""

    def __init__(self, kind: str, users: Sequence[str], etc: Mapping[str, str], start: str) -> None:
        tree = _CACHE / kind
        if not tree.is_dir():
            raise PeerMissing(f"{kind} is not there; script/debian-packages unpacks Debian's")
        super().__init__(kind)
        self.log = self._folder("log")
        self._folder("etc")
        for name, text in {**_accounts(users), **etc}.items():
            self._put(name, text.replace("PORT", str(self.port)))
        (self.directory / "start").write_text(start)
        places = [f"{kind}.example.org", str(tree), str(self.directory)]
        namespace = ["unshare", "--mount", "--uts", "--propagation", "private"]
        program = Program([*namespace, "sh", "-c", _LOOK_INSTALLED, "sh", *places], name=kind)
        self._start(program, lambda: program.wait_until(self._listens, "a listening socket"))

    def _put(self, name: str, text: str) -> None:
        path = self.directory / "etc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def run(self, *command: str, text: bytes = b"") -> str:
        """Run a command where the server is."""
        inside = ["nsenter", "--target", str(self.program.pid), "--mount", "--uts"]
        return run([*inside, *command], text)


def _accounts(users: Sequence[str]) -> dict[str, str]:
    passwd, group = Path("/etc/passwd").read_text(), Path("/etc/group").read_text()
    for number, user in enumerate(users, _FIRST_ID):
        passwd += f"{user}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n"
        group += f"{user}:x:{number}:\n"
    return {"passwd": passwd, "group": group}


class Exim(Guest):
    """Exim as Debian sets it up, listening on `port`.

    *settings* are those of `update-exim4.conf.conf` that differ; *files* are put into /etc, by name.
    """

    def __init__(self, settings: Mapping[str, str], files: Mapping[str, str] | None = None) -> None:
        lines = {**_EXIM_SETTINGS, **settings}
        etc = {
            "mailname": "exim.example.org\n",
            "email-addresses": "",
            "exim4/update-exim4.conf.conf": "".join(f"{name}='{value}'\n" for name, value in lines.items()),
            **(files or {}),
        }
        super().__init__("exim", ("Debian-exim",), etc, _START_EXIM)

    def sendmail(self, sender: str, recipients: Sequence[str], message: bytes) -> None:
        """Hand a mail over by its sendmail command, in lines that end in LF; it is sent before this returns."""
        self.run("/usr/sbin/sendmail", "-odi", "-i", "-f", sender, "--", *recipients, text=message)

    def main_log(self) -> str:
        """Return what it has logged."""
        return (self.log / "exim4/mainlog").read_text()


_EXIM_SETTINGS = {
    "dc_eximconfig_configtype": "internet",
    "dc_other_hostnames": "",
    "dc_local_interfaces": "127.0.0.1.PORT",
    "dc_readhost": "",
    "dc_relay_domains": "",
    "dc_minimaldns": "false",
    "dc_relay_nets": "",
    "dc_smarthost": "",
    "CFILEMODE": "644",
    "dc_use_split_config": "false",
    "dc_hide_mailname": "",
    "dc_mailname_in_oh": "true",
    "dc_localdelivery": "mail_spool",
}

_START_EXIM = """
cp -rn "$tree/etc/exim4" /run/exim4-etc && cp -r /etc/exim4/. /run/exim4-etc && mount --bind /run/exim4-etc /etc/exim4
chmod 640 /etc/exim4/passwd.client && chgrp Debian-exim /etc/exim4/passwd.client
for folder in /var/lib/exim4 /var/spool/exim4 /var/log/exim4 /run/exim4; do
    install -d -o Debian-exim -g Debian-exim "$folder"
done
update-exim4.conf
# a smart host on this machine, as only tests have it, Exim takes for itself
sed -i 's/^  route_list = \\* DCsmarthost byname/&\\n  self = send/' /var/lib/exim4/config.autogenerated
exec exim4 -bdf -q1h
"""


class OpenSmtpd(Guest):
    """OpenSMTPD, listening on `port`. *lines* are its smtpd.conf but for that; *files* are put into /etc, by name."""

    def __init__(self, lines: str, files: Mapping[str, str] | None = None) -> None:
        etc = {
            "smtpd.conf": f"listen on 127.0.0.1 port PORT\n{lines}",
            "mailname": "opensmtpd.example.org\n",
            **(files or {}),
        }
        super().__init__("opensmtpd", ("opensmtpd", "opensmtpq"), etc, _START_OPENSMTPD)

    def sendmail(self, sender: str, recipients: Sequence[str], message: bytes) -> None:
        """Hand a mail over with its sendmail command, which takes lines that end in LF."""
        group = str(_FIRST_ID + 1)  # of opensmtpq, as the bit on the installed program gives it
        as_installed = ["setpriv", "--rgid=0", f"--egid={group}", "--clear-groups"]
        self.run(*as_installed, "/run/sendmail", "-i", "-f", sender, "--", *recipients, text=message)


_START_OPENSMTPD = """
mkdir -p /var/lib/opensmtpd/empty
mkdir -m 711 /var/spool/smtpd
ln -s /usr/sbin/smtpctl /run/sendmail
exec smtpd -d -f /etc/smtpd.conf
"""
