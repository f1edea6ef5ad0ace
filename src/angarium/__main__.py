"""Where the program begins: `angarium`, and `sendmail` by whatever name.

Nothing is imported before it is known which of the two: what the commands are made with takes three times as long to
load as it takes `sendmail` to hand a mail over, and cron has it do so many times a day on machines that have little
else to do it with.
"""

import os
import sys


def main() -> None:
    """Run the command."""
    program, given = os.path.basename(sys.argv[0]), sys.argv[1:]
    if program in ("sendmail", "mailq", "newaliases"):
        from angarium.sendmail.main import run

        sys.exit(run(given, program))
    if given[:1] == ["sendmail"] and "--help" not in given:
        from angarium.sendmail.main import run

        sys.exit(run(given[1:]))
    from angarium.cli.main import main as commands

    commands(prog_name="angarium")


if __name__ == "__main__":
    main()
