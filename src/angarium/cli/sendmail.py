"""`angarium sendmail` among the commands: its help. What it does is in `angarium.sendmail`, which the program begins
with.
"""

import click

from angarium.sendmail.main import run


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
    options_metavar="[OPTION]...",
)
@click.argument("given", nargs=-1, type=click.UNPROCESSED, metavar="[RECIPIENT]...")
def sendmail_command(given: tuple[str, ...]) -> None:
    """Send the mail on standard input, as programs have Sendmail do it.

    For cron, PHP, git and others that look for /usr/sbin/sendmail. The mail goes to the node of this machine by
    /run/angarium/submission.sock, else to the first listener of the configuration that asks for no login; while no node
    answers it waits in the drop folder.

    \b
    -t            recipients are those of To, Cc and Bcc, and those that are named here
    -i, -oi       a line with a dot alone does not end the mail
    -f, -r ADDR   the sender, to whom reports go; "" for nobody
    -F NAME       the name in a From that is missing
    -N WHEN       reports: never, or some of success,failure,delay
    -R full|hdrs  how much of the mail a report has in it
    -V ID         the envelope id of the reports
    -v            show the dialogue with the node
    -C FILE       the configuration  [default: /etc/angarium/angarium.conf]
    -bm           send (the default)
    -bs           speak SMTP with the node over standard input and output
    -bp           as `mailq`: what waits, by `angarium queue`
    -bi           as `newaliases`: nothing; /etc/aliases is read with each mail
    -q            have waiting mail tried now, by `angarium flush`
    --            what follows are recipients

    Bcc is taken out; From, Date and Message-ID are added where they are missing. Other options of Sendmail and Postfix
    are taken and mean nothing. ANGARIUM_SUBMISSION (a path or HOST:PORT) and ANGARIUM_DROP go before the configuration,
    which ANGARIUM_CONFIG names.

    Exit codes are those of sysexits.h: 0 the node has it or it lies in the drop folder, 64 wrong usage, 65 no
    addresses, 67, 69 and 77 the node refuses, 75 no node answers and there is no drop folder, 78 the configuration is
    wrong.
    """
    click.get_current_context().exit(run(list(given)))
