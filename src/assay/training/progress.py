"""What a person sees while a model trains: a bar on a terminal, and one line per epoch everywhere."""

import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class EpochProgress:
    """Counts images and seconds of the epochs from `done` to `epochs`, of `images` training images each."""

    def __init__(self, *, epochs: int, images: int, done: int = 0) -> None:
        self._epochs, self._images, self._done = epochs, images, done
        self._console = Console(stderr=True, highlight=False)
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %  {task.fields[note]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
        )
        total = epochs * images
        self._task = self._bar.add_task(
            "", total=total, completed=done * images, epoch=done + 1, epochs=epochs, note=""
        )
        self._start = self._training = 0.0

    def __enter__(self) -> "EpochProgress":
        """Show the bar and start the clock."""
        self._bar.start()
        self._start = self._training = time.monotonic()
        if self._done:
            self._console.print(f"resumed after epoch {self._done}", soft_wrap=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        self._bar.stop()

    def begin(self, epoch: int) -> None:
        """Start the clock of an epoch's training part."""
        self._bar.update(self._task, epoch=epoch, completed=(epoch - 1) * self._images)
        self._training = time.monotonic()

    def batch(self, images: int) -> None:
        """Count the images of one training step."""
        self._bar.advance(self._task, images)

    def trained(self) -> float:
        """Stop the clock of the training part; training images per second."""
        return self._images / max(time.monotonic() - self._training, 1e-9)

    def end(self, row: Mapping[str, float], speed: float, best: float) -> None:
        """Report the epoch that `row` describes, validation included."""
        epoch = int(row["epoch"])
        per_epoch = (time.monotonic() - self._start) / (epoch - self._done)
        left = round(per_epoch * (self._epochs - epoch))
        accuracy = f"train {row['train/accuracy']:.2%}  val {row['val/accuracy']:.2%}"
        self._bar.update(self._task, note=accuracy)
        self._console.print(
            f"epoch {epoch}/{self._epochs}  loss {row['train/loss']:.4f}  {accuracy} (best {best:.2%})  "
            f"{speed:.0f} img/s  {left // 60}:{left % 60:02d} left",
            soft_wrap=True,
        )
