"""The Debian packages: installed in a Debian of their own, used by programs that look for a `sendmail`, upgraded,
removed, purged. There is no systemd in there: that the service is started again is seen by what its commands are
called with.
"""

import os
import re
import shlex
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from angarium.testing.lab import Lab, LabSink
from angarium.testing.programs import Program, free_port, run

pytestmark = [
    pytest.mark.process,
    pytest.mark.long,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(os.geteuid() != 0, reason="installing a Debian package wants root"),
    pytest.mark.skipif(
        shutil.which("mmdebstrap") is None, reason="no mmdebstrap: run script/debian-packages as root"
    ),
]

ROOT = Path(__file__).parents[2]
BASE = ROOT / ".cache/debian-root.tar"
PATIENCE_S = 900.0
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}
STUB = """\
#!/bin/sh
echo "$(basename "$0") $*" >> /called
[ "$*" != "--quiet is-active angarium.service" ] || [ -e /is-active ]
"""


class Debian:
    """A Debian in a folder, in which commands run with a /proc of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        run(["tar", "-C", folder, "-xf", BASE], timeout_s=PATIENCE_S)
        shutil.copy("/etc/resolv.conf", folder / "etc/resolv.conf")
        self.write("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)  # no service starts because of us
        self.shell("apt-get update -q")

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def read(self, name: str) -> str:
        """Return what is in a file."""
        return (self.folder / name).read_text()

    def command(self, words: str, user: str = "root") -> list[str]:
        """Return how a command is run in it."""
        inside = f"exec chroot --userspec={user} {self.folder} sh -c {shlex.quote(words)}"
        environment = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
        script = f"mount -t proc proc {self.folder}/proc; {inside}"
        return ["env", "-i", *environment, "unshare", "--mount", "sh", "-c", script]

    def shell(self, words: str, user: str = "root", stdin: str = "") -> str:
        """Run a command and return what it prints. Raises ProgramFailed."""
        return run(self.command(words, user), stdin.encode(), PATIENCE_S)

    def install(self, *packages: Path | str) -> str:
        """Install packages, from files or from Debian."""
        names = []
        for package in packages:
            if isinstance(package, Path):
                shutil.copy(package, self.folder / "tmp")
                names.append(f"/tmp/{package.name}")
            else:
                names.append(package)
        keep = "-o Dpkg::Options::=--force-confold"
        return self.shell(f"apt-get install -y -q --no-install-recommends {keep} {' '.join(names)}")


@pytest.fixture(scope="module")
def debs(source: Path, build: Callable[..., None]) -> dict[int, list[Path]]:
    """Two builds of this version; the second has another configuration."""
    build("build_deb 1", PATIENCE_S)
    (source / "dist").rename(source / "first")
    (source / "dist").mkdir()
    with (source / "build/deb/angarium/etc/angarium/angarium.conf").open("a") as file:
        file.write("# new\n")
    build('pack_debs "$version-2"', PATIENCE_S)
    return {1: sorted((source / "first").glob("*.deb")), 2: sorted((source / "dist").glob("*.deb"))}


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debian]:
    """A Debian with the base system alone."""
    if not BASE.exists():
        made = BASE.with_suffix(".new")
        BASE.parent.mkdir(exist_ok=True)
        run(
            ["mmdebstrap", "--quiet", "--variant=apt", "--format=tar", "bookworm", str(made)],
            timeout_s=PATIENCE_S,
        )
        made.rename(BASE)
    folder = tmp_path_factory.mktemp("debian")
    yield Debian(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def installed(debian: Debian, debs: dict[int, list[Path]]) -> Debian:
    """The same with the packages in it, and programs that send by `sendmail`."""
    debian.install(*debs[1])
    debian.install("bsd-mailx", "cron", "php-cli", "git-email", "libmailtools-perl", "man-db")
    return debian


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_brings_user_folders_and_configuration(installed: Debian) -> None:
    root = installed.folder
    _, _, uid, gid, *_ = installed.shell("getent passwd angarium").split(":")
    for place, mode in (("var/lib/angarium", 0o700), ("var/spool/angarium", 0o1733)):
        found = (root / place).stat()
        assert (mode_of(root / place), found.st_uid, found.st_gid) == (mode, int(uid), int(gid))
    assert mode_of(root / "etc/angarium/angarium.conf") == 0o644
    assert (
        installed.shell("dpkg-query -W -f '${Conffiles}' angarium").split()[0]
        == "/etc/angarium/angarium.conf"
    )
    installed.shell("angarium config check /etc/angarium/angarium.conf")
    assert installed.shell("dpkg --audit; dpkg --verify angarium angarium-mta") == ""


def test_the_program_is_root_s_alone_and_compiled(installed: Debian) -> None:
    opt = installed.folder / "opt/angarium"
    states = [path.lstat() for path in opt.rglob("*")]
    assert {state.st_uid for state in states} == {0}
    assert not [state for state in states if state.st_mode & 0o022 and not stat.S_ISLNK(state.st_mode)]
    compiled = list(opt.rglob("site-packages/angarium/**/*.pyc"))
    assert len(compiled) == len(list(opt.rglob("site-packages/angarium/**/*.py")))
    assert str(ROOT).encode() not in b"".join(path.read_bytes() for path in compiled)
    assert not list(opt.rglob("hatchling*"))
    assert list((installed.folder / "tmp").glob("*/")) == []


def test_it_can_be_looked_up(installed: Debian) -> None:
    installed.shell("man --where angarium angarium-queue sendmail mailq newaliases")
    for place in ("bash-completion/completions/angarium", "zsh/vendor-completions/_angarium"):
        assert "_ANGARIUM_COMPLETE" in installed.read(f"usr/share/{place}")
    assert "Installing" in installed.read("usr/share/doc/angarium/install.md")


def test_no_other_mail_server_stands_beside_it(installed: Debian) -> None:
    assert "Remv angarium-mta" in installed.shell("apt-get install -s --no-install-recommends nullmailer")


@pytest.fixture(scope="module")
def running(installed: Debian) -> Iterator[tuple[Program, LabSink]]:
    """The service, as its unit would run it, on ports of no privilege; what it sends goes to a sink."""
    with ExitStack() as stack:
        lab = stack.enter_context(Lab())
        sink = lab.sink()
        text = installed.read("etc/angarium/angarium.conf")
        text = re.sub(r'Listen "[^"/]+"', lambda match: f'Listen "127.0.0.1:{free_port()}"', text)
        installed.write("etc/angarium/angarium.conf", f'{text}\nGateway = "127.0.0.1:{sink.port}"\n')
        installed.shell("install -d -o angarium -g angarium /run/angarium")
        yield serve(installed, stack), sink


def serve(debian: Debian, stack: ExitStack) -> Program:
    unit = debian.read("lib/systemd/system/angarium.service").splitlines()
    (start,) = (line.partition("=")[2] for line in unit if line.startswith("ExecStart="))
    program = stack.enter_context(Program(debian.command(f"exec {start} --workers 1", "angarium:angarium")))
    program.wait_until(lambda: '"state":"ready"' in program.log, "readiness", PATIENCE_S)
    return program


PATCH = """\
From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
From: Me <me@example.org>
Date: Mon, 1 Jan 2024 00:00:00 +0000
Subject: [PATCH] from git

---
 a | 1 +

diff --git a/a b/a
new file mode 100644
--- /dev/null
+++ b/a
@@ -0,0 +1 @@
+a
--
2.39
"""

PHP = 'mail("php@users.test", "subject", "from php\\n.\\n", "Bcc: hidden@users.test") or exit(1);'

GIT = "git -c user.email=me@example.org -c user.name=Me send-email"

SENDERS = {
    "mail": ("echo from mail | mail -s subject mail@users.test", "nobody"),
    "php": (f"php -r '{PHP}'", "nobody"),
    "git": (
        f"{GIT} --quiet --confirm=never --from=me@example.org --to=git@users.test /tmp/from.patch",
        "root",
    ),
    "sendmail": (
        "printf 'Subject: x\\n\\nfrom sendmail\\n' | /usr/lib/sendmail sendmail@users.test",
        "www-data",
    ),
}


@pytest.mark.parametrize("name", SENDERS)
def test_programs_send_by_it(installed: Debian, running: tuple[Program, LabSink], name: str) -> None:
    command, user = SENDERS[name]
    installed.write("tmp/from.patch", PATCH)
    installed.shell(f"cd /tmp; {command}", user)
    mail = running[1].wait_for_mail_to(f"{name}@users.test", timeout_s=PATIENCE_S)[0]
    assert f"from {name}".encode() in mail.data
    assert b"hidden@users.test" not in mail.data
    assert mail.peer


def test_cron_sends_by_it(installed: Debian, running: tuple[Program, LabSink]) -> None:
    installed.write("etc/aliases", "root: cron@users.test\n")
    installed.write("etc/cron.d/test", "* * * * * root printf 'from cron\\rdone\\n'\n")
    with Program(installed.command("exec cron -f")):
        mail = running[1].wait_for_mail_to("cron@users.test", timeout_s=PATIENCE_S)[0]
    assert b"from cron\r\ndone\r\n" in mail.data
    assert b"\r\nFrom: root (Cron Daemon)\r\n" in mail.data
    (installed.folder / "etc/cron.d/test").unlink()


def test_while_it_is_down_mail_waits_and_an_upgrade_keeps_all(
    installed: Debian, running: tuple[Program, LabSink], debs: dict[int, list[Path]]
) -> None:
    program, sink = running
    before = installed.read("etc/angarium/angarium.conf")
    program.stop()
    installed.shell("echo waits | mail -s waits waits@users.test", "nobody")
    assert len(list((installed.folder / "var/spool/angarium").glob("*.mail"))) == 1

    installed.install(*debs[2])
    assert installed.shell("dpkg-query -W -f '${Version}' angarium").endswith("-2")
    assert installed.read("etc/angarium/angarium.conf") == before
    assert installed.read("etc/angarium/angarium.conf.dpkg-dist").endswith("# new\n")
    with ExitStack() as stack:
        serve(installed, stack)
        sink.wait_for_mail_to("waits@users.test", timeout_s=PATIENCE_S)


def test_its_scripts_may_run_again(installed: Debian) -> None:
    look = "ls -lanR --time-style=+ /etc/angarium /var/lib/angarium /var/spool/angarium; getent passwd"
    before = installed.shell(look)
    for _ in range(2):
        installed.shell("dpkg-reconfigure angarium; /var/lib/dpkg/info/angarium.postinst configure 0.0")
    assert installed.shell(look) == before


@pytest.fixture
def called(installed: Debian) -> Iterator[Path]:
    """Stand-ins for the commands of systemd, which write down what they are called with."""
    for name in ("systemctl", "deb-systemd-invoke"):
        installed.write(f"usr/local/sbin/{name}", STUB, 0o755)
    (installed.folder / "run/systemd/system").mkdir(parents=True)
    yield installed.folder / "called"
    shutil.rmtree(installed.folder / "run/systemd")
    for name in ("usr/local/sbin/systemctl", "usr/local/sbin/deb-systemd-invoke", "called", "is-active"):
        (installed.folder / name).unlink(missing_ok=True)


def test_an_upgrade_restarts_what_runs_and_nothing_else(installed: Debian, called: Path) -> None:
    reconfigure = "/var/lib/dpkg/info/angarium.postinst configure 0.1.0-1"
    installed.shell(reconfigure)
    assert "deb-systemd-invoke" not in called.read_text()
    installed.write("is-active", "")
    installed.shell(reconfigure)
    assert "deb-systemd-invoke restart angarium.service\n" in called.read_text()


def test_a_first_installation_starts_it(installed: Debian, called: Path) -> None:
    installed.shell("/var/lib/dpkg/info/angarium.postinst configure ''")
    assert "deb-systemd-invoke start angarium.service\n" in called.read_text()


def test_a_removal_stops_it_and_keeps_what_is_yours(
    installed: Debian, called: Path, debs: dict[int, list[Path]]
) -> None:
    installed.shell(f"apt-get remove -y -q -o DPkg::Path={ENVIRONMENT['PATH']} angarium")
    assert "deb-systemd-invoke stop angarium.socket angarium.service\n" in called.read_text()
    root = installed.folder
    assert not (root / "opt/angarium").exists()
    assert (root / "etc/angarium/angarium.conf").exists()
    assert list((root / "var/lib/angarium/spool").iterdir())
    installed.install(*debs[2])
    assert "angarium 0" in installed.shell("angarium version")


def test_a_purge_asks_before_it_takes_mail_away(installed: Debian, debs: dict[int, list[Path]]) -> None:
    root = installed.folder
    said = installed.shell("apt-get purge -y -q angarium 2>&1")
    assert "the mail and the accounts in /var/lib/angarium are kept" in said
    assert not (root / "etc/angarium/angarium.conf").exists()
    assert list((root / "var/lib/angarium/spool").iterdir())

    installed.install(*debs[2])
    installed.shell("echo 'angarium angarium/purge-data boolean true' | debconf-set-selections")
    assert "are kept" not in installed.shell("apt-get purge -y -q angarium 2>&1")
    for name in (
        "var/lib/angarium",
        "var/spool/angarium",
        "etc/angarium",
        "opt/angarium",
        "usr/sbin/sendmail",
    ):
        assert not (root / name).exists(), name
    assert "angarium" not in installed.shell("debconf-show --listowners")
    assert installed.shell("dpkg --audit") == ""
    assert subprocess.run(installed.command("getent passwd angarium"), check=False).returncode == 0
