"""What a person sees while clips are mined: clips done, and frames a second."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class ClipProgress:
    """A bar on a terminal, nothing elsewhere."""

    def __init__(self, clips: int) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("mining clips"),
            BarColumn(),
            TextColumn(
                "{task.completed:.0f}/{task.total:.0f}  {task.fields[frames]} frames, {task.fields[rate]:.0f}/s"
            ),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("", total=clips, frames=0, rate=0.0)
        self._frames = 0

    def __enter__(self) -> "ClipProgress":
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        self._bar.stop()

    def frame(self) -> None:
        """Count a frame that was looked at."""
        self._frames += 1
        elapsed = self._bar.tasks[0].elapsed or 0.0
        self._bar.update(self._task, frames=self._frames, rate=self._frames / max(elapsed, 1e-9))

    def clip(self) -> None:
        """Count a clip."""
        self._bar.advance(self._task)
