"""Writes H.264 clips whose bytes are the same on every machine with the same lock file."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# One thread, and none of x264's shortcuts that depend on the processor. Key frames every 2 seconds at 15 fps.
_X264 = "cpu-independent=1:keyint=30:min-keyint=30:scenecut=0:threads=1:lookahead-threads=1"


def write_h264(path: Path, frames: Iterable[NDArray[np.uint8]], fps: int, *, crf: int = 22) -> int:
    """Write RGB frames (height, width, 3), both even, as an H.264 MP4 and return how many there were.

    No frames at all give a file with a video track and nothing in it.

    Args:
        path: file to write.
        frames: pictures of one size; the first sets it.
        fps: frames per second.
        crf: x264's constant quality, lower is better and larger.
    """
    import av
    import cv2

    count = 0
    # Fragments would let a cut file be played to the cut; the classic layout with its index at the end does not.
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream = None
        for image in frames:
            if stream is None:
                stream = container.add_stream("libx264", rate=fps)
                stream.height, stream.width = image.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.time_base = Fraction(1, fps)
                stream.codec_context.thread_count = 1
                stream.codec_context.options = {
                    "crf": str(crf), "preset": "superfast", "x264-params": _X264, "flags": "+bitexact",
                }  # fmt: skip
            # OpenCV's conversion is integer arithmetic; FFmpeg's differs between processors by a last bit.
            planes = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2YUV_I420)
            frame = av.VideoFrame.from_ndarray(np.asarray(planes, np.uint8), format="yuv420p")
            frame.pts, frame.time_base = count, Fraction(1, fps)
            container.mux(stream.encode(frame))
            count += 1
        if stream is not None:
            container.mux(stream.encode())
    return count


def write_without_frames(path: Path, size: tuple[int, int], fps: int) -> None:
    """Write an MP4 that has a video track of this width and height, and not one frame."""
    import av

    options = {"movflags": "frag_keyframe+empty_moov", "fflags": "+bitexact"}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        container.start_encoding()
