"""What the demo shows: steps with their time, details below them; a spinner only on a terminal."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from govpool.messages import Language, message

REFRESH = 8
"""Frames a second of the spinner."""


class Step:
    """A step that is under way."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.began = time.monotonic()
        self.doing = ""
        self.notes: list[str | Text] = []
        self._spinner = Spinner("dots")

    def says(self, text: str) -> None:
        """What is going on right now; shown until the step ends."""
        self.doing = text

    def note(self, text: str | Text) -> None:
        """A line that stays below the step."""
        self.notes.append(text)

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self.began

    def __rich__(self) -> Table:
        """The spinner's line, with what is going on."""
        grid = Table.grid(padding=(0, 1))
        grid.add_row(self._spinner, Text(self.title), Text(f"{self.seconds:.0f} s", style="dim"))
        if self.doing:
            grid.add_row("", Text(self.doing, style="dim", overflow="ellipsis", no_wrap=True), "")
        return grid


class Screen:
    """The demo's output, in one language."""

    def __init__(self, console: Console, language: Language) -> None:
        self.console = console
        self.language: Language = language
        self._live: Live | None = None

    def text(self, key: str, /, **values: object) -> str:
        """A text of the demo in the chosen language."""
        return message(f"demo.{key}", **values).render(self.language)

    def say(self, key: str, /, **values: object) -> None:
        """A line of its own."""
        self.console.print(Text(self.text(key, **values)), soft_wrap=True)

    def chapter(self, key: str) -> None:
        """A new part of the story."""
        self.console.print()
        self.console.print(Text(self.text(key), style="bold"))

    @contextlib.contextmanager
    def step(self, key: str, /, **values: object) -> Iterator[Step]:
        """A step with its time; whatever is raised inside marks it as failed."""
        step = Step(self.text(key, **values))
        try:
            with self._spinning(step):
                yield step
        except BaseException:
            self._ended(step, Text("✗ ", style="bold red"))
            raise
        self._ended(step, Text("✓ ", style="bold green"))

    @contextlib.contextmanager
    def _spinning(self, step: Step) -> Iterator[None]:
        if not self.console.is_terminal:
            yield
            return
        with Live(step, console=self.console, refresh_per_second=REFRESH, transient=True):
            yield

    def _ended(self, step: Step, mark: Text) -> None:
        line = Text.assemble(mark, step.title, (f"  {step.seconds:.1f} s", "dim"))
        self.console.print(line, soft_wrap=True)
        for note in step.notes:
            told = note if isinstance(note, Text) else Text(note)
            self.console.print(Text("    ").append_text(told), soft_wrap=True)


def command(line: str, user: str = "") -> Text:
    """A command as a reader could type it."""
    return Text.assemble(("$ ", "cyan"), (line, "cyan"), (f"   # {user}" if user else "", "dim"))
