"""Video clips: what a file holds, found out cheaply, and its frames one after the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.stream import VideoStream

SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v")
MAX_SIDE = 8192  # px; no dash camera writes more, a damaged header may


class BadClip(Exception):  # noqa: N818 - it names a state of the file, like BadImage
    """A clip that can't be used; `reason` says why in a few words, `frame` where decoding ended, if it did."""

    def __init__(self, reason: str, frame: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.frame = frame


@dataclass(frozen=True)
class Clip:
    """What a readable clip holds."""

    path: Path
    frames: int  # pictures, counted from the packets and not taken from the header
    fps: float  # frames per second, on average
    width: int  # px, as `frames` yields them: a rotation that the file asks for is applied
    height: int
    seconds: float  # frames / fps


def probe(path: Path) -> Clip:
    """Say what a clip holds, in about a twentieth of the time that decoding takes.

    Three things are checked: the container opens and has a video stream; every packet that the index promises is
    there (a file cut short after its index lacks some, one cut short before has none) and has the outer form that
    its codec wants; every key frame decodes. Damage inside the frames between shows only when they are decoded:
    `frames` then raises, or, where the damaged bits happen to be valid, nobody can tell.

    Raises:
        BadClip: missing, empty, no video, truncated, of 0 frames, or damaged as far as is checked.
    """
    import av

    with _open(path) as container:
        stream = _video(container)
        stream.codec_context.skip_frame = "NONKEY"
        count = width = height = 0
        try:
            for packet in container.demux(stream):
                if packet.is_corrupt:
                    raise BadClip(f"truncated within frame {count} of {stream.frames or '?'}", count)
                for frame in packet.decode():
                    height, width = _upright_size(frame)
                count += packet.size > 0 and not packet.is_discard
        except av.FFmpegError as error:
            raise BadClip(f"damaged at frame {count} of {stream.frames or '?'}", count) from error
        promised, rate = stream.frames, stream.average_rate or stream.guessed_rate
    if not count:
        raise BadClip("0 frames", 0)
    if promised > count:
        raise BadClip(f"truncated: {count} of {promised} frames are there", count)
    if not width:
        raise BadClip("damaged: no key frame", 0)
    if not rate:
        raise BadClip("its frame rate is unknown")
    return Clip(path, count, float(rate), width, height, count / float(rate))


def frames(path: Path, *, stride: int, start: int = 0) -> Iterator[tuple[int, float, NDArray[np.uint8]]]:
    """Yield frames `start`, `start + stride`, … of a clip.

    The file is decoded from its first frame on, so a frame's number is the same for every stride, and no more than
    the decoder's own few pictures are in memory. Pixels equal those of OpenCV's reader, `cv2.VideoCapture`, in RGB order.

    Args:
        path: the clip.
        stride: every so many frames are yielded, from 1.
        start: the first frame to yield.

    Yields:
        Frame number from 0, its time in seconds, uint8 RGB (height, width, 3).

    Raises:
        BadClip: the file can't be opened, or a frame can't be decoded; `frame` is its number, and those before it
            have been yielded.
        ValueError: `stride` is below 1 or `start` below 0.
    """
    import av

    if stride < 1 or start < 0:
        raise ValueError(f"stride {stride} must be at least 1 and start {start} at least 0")
    number = 0
    with _open(path) as container:
        stream = _video(container)
        rate = float(stream.average_rate or stream.guessed_rate or 0) or 1.0
        try:
            for frame in container.decode(stream):
                if frame.is_corrupt:
                    raise BadClip(f"frame {number} is damaged", number)
                if number >= start and (number - start) % stride == 0:
                    yield number, _seconds(frame, stream, number / rate), _upright(frame)
                number += 1
        except av.FFmpegError as error:
            raise BadClip(f"frame {number} can't be decoded", number) from error
    if not number:
        raise BadClip("0 frames", 0)


def _open(path: Path) -> "InputContainer":
    import av

    av.logging.set_level(None)  # FFmpeg writes to the terminal what is raised anyway
    try:
        if not path.is_file():
            raise BadClip("it is a folder" if path.is_dir() else "no such file")
        if path.stat().st_size == 0:
            raise BadClip("empty file")
        container = av.open(str(path))
    except av.FFmpegError as error:
        raise BadClip(_why_unopened(path)) from error
    except OSError as error:
        raise BadClip(f"cannot be read: {error.strerror}") from error
    if container.format.name.endswith("_pipe") or container.format.name == "image2":
        container.close()
        raise BadClip("not a video but a picture")
    return container


def _why_unopened(path: Path) -> str:
    """An MP4 or MOV starts with the size and the name of its first box; the box `moov` is its index."""
    with path.open("rb") as stream:
        begin = stream.read(12)
        if begin[4:8] not in (b"ftyp", b"moov", b"mdat", b"free", b"wide"):
            return "not a video"
        end, at = path.stat().st_size, 0
        while at < end:
            stream.seek(at)
            box = stream.read(16)
            size = int.from_bytes(box[:4], "big")
            size = int.from_bytes(box[8:16], "big") if size == 1 else size
            if box[4:8] == b"moov":
                return "damaged: its index can't be read"
            if size < 8 or at + size > end:
                break
            at += size
    return "truncated: the index (moov) is missing"


def _video(container: "InputContainer") -> "VideoStream":
    streams = container.streams.video
    if not streams:
        raise BadClip("no video stream")
    stream = streams[0]
    width, height = stream.codec_context.width, stream.codec_context.height
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise BadClip(f"its pictures are said to be {width}x{height} px")
    return stream


def _quarter_turns(frame: "av.VideoFrame") -> int:
    """How often the picture must be turned left: what a telephone held upright writes into its files."""
    return round((frame.rotation or 0) / 90) % 4


def _upright_size(frame: "av.VideoFrame") -> tuple[int, int]:
    size = (frame.height, frame.width)
    return size[::-1] if _quarter_turns(frame) % 2 else size


def _upright(frame: "av.VideoFrame") -> NDArray[np.uint8]:
    image = frame.to_ndarray(format="rgb24")
    turns = _quarter_turns(frame)
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else np.asarray(image, np.uint8)


def _seconds(frame: "av.VideoFrame", stream: "VideoStream", otherwise: float) -> float:
    if frame.pts is None or stream.time_base is None:
        return otherwise
    return float((frame.pts - (stream.start_time or 0)) * stream.time_base)
