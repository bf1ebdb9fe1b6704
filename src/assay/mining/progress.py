"""What a person sees while clips are mined: clips and frames done, frames a second, time left."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

EVERY = 30.0  # seconds between two lines where there is no terminal


class ClipProgress:
    """A bar on a terminal; elsewhere a line every half minute, so that a log says how far it is."""

    def __init__(self, clips: int, frames: int) -> None:
        """clips, frames: that are to be done; frames that are not known count as 0."""
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("mining clips"),
            BarColumn(),
            TextColumn("{task.fields[says]}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._plain = not console.is_terminal
        self._clips, self._frames = clips, frames
        self._clips_done = self._frames_done = self._looked = 0
        self._start = self._said = time.monotonic()
        self._task = self._bar.add_task("", total=frames or clips, says="")

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
        """Count a frame that was looked at in the clip at hand."""
        self._looked += 1
        self._say()

    def clip(self, frames: int) -> None:
        """Count a clip that is done; frames: as they were counted in the total."""
        self._clips_done += 1
        self._frames_done += frames
        self._looked = 0
        self._say()

    def says(self, seconds: float) -> str:
        """`3/12 clips  812/3456 frames, 14.2/s, 3:06 left`, `seconds` after the start."""
        done = self._frames_done + self._looked
        rate = done / max(seconds, 1e-9)
        words = f"{self._clips_done}/{self._clips} clips  {done}/{self._frames} frames, {rate:.1f}/s"
        if not rate or not self._frames:
            return words
        minutes, rest = divmod(round(max(self._frames - done, 0) / rate), 60)
        return f"{words}, {minutes}:{rest:02d} left"

    def _say(self) -> None:
        now = time.monotonic()
        words = self.says(now - self._start)
        done = self._frames_done + self._looked if self._frames else self._clips_done
        self._bar.update(self._task, completed=done, says=words)
        if self._plain and now - self._said >= EVERY:
            self._said = now
            print(f"mining clips: {words}", file=sys.stderr, flush=True)
