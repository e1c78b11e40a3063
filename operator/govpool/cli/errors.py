"""What a command answers when it can't do what was asked: a code for programs, a sentence for people."""

from __future__ import annotations

from enum import IntEnum

from govpool.messages import Language, message


class Exit(IntEnum):
    """Exit codes of every command."""

    OK = 0
    """It was done, or the answer is yes."""
    NO = 1
    """It was refused or failed, or the answer is no."""
    USAGE = 2
    """The command line can't be understood."""
    UNKNOWN = 3
    """It could not be found out: the control plane gave no answer."""
    INTERRUPTED = 130
    """Ctrl-C."""


class CliError(Exception):
    """An expected failure; its text says what to do next."""

    def __init__(self, text: str, code: Exit = Exit.NO) -> None:
        super().__init__(text)
        self.code = code


def refusal(key: str, language: Language = "en", **values: object) -> CliError:
    """A failure told by the message catalogue, with exit code 1."""
    return CliError(message(f"cli.{key}", **values).render(language))
