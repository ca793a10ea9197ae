"""How a command refuses: one readable line on standard error, and an exit code."""

import sys


class CommandFailed(Exception):
    """The command cannot do what was asked; the message is one line for the operator. Exit code 1."""


class BadUsage(CommandFailed):
    """What was given makes no sense. Exit code 2, as for a wrong configuration."""


def complain(message: str) -> None:
    """Say each line of `message` on standard error, as memi's."""
    for line in message.splitlines():
        print(f"memi: {line}", file=sys.stderr)
