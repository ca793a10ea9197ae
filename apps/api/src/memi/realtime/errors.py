"""Refusals of the sockets."""

from memi.platform.errors import AppError


class UnknownCommand(AppError):
    code, status, title = "unknown_command", 404, "There is no such command."


class TooManyCommands(AppError):
    code, status, title = "too_many_commands", 429, "Too many commands; slow down."


class WrongAccount(AppError):
    code, status, title = "wrong_account", 403, "This socket belongs to another account."
