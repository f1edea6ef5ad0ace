"""The command by which programs of a machine send: `sendmail`, as cron, PHP and git call it.

It starts with each mail, on small machines too. So it is not made with what the other commands are made with, and its
modules import nothing but the standard library; configuration and address lists are loaded when they are needed, by
`place` and `listed`.
"""
