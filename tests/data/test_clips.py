import struct
import time

import cv2
import numpy as np
import pytest

from assay.data.clips import BadClip, Clip, frames, probe
from assay.sample.video import write_h264, write_without_frames


def _pictures(count, size=(64, 48)):
    """A bright square that crosses a gradient: every frame differs from the one before."""
    ramp = np.linspace(20, 120, size[0], dtype=np.uint8)
    for k in range(count):
        picture = np.repeat(np.tile(ramp, (size[1], 1))[..., None], 3, axis=2)
        picture[10:30, (3 * k) % (size[0] - 16) :][:, :16] = (250, 120, 20)
        yield picture


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "drive.mp4"
    assert write_h264(path, _pictures(70), 15) == 70
    return path


def _changed(clip, tmp_path, change):
    data = bytearray(clip.read_bytes())
    path = tmp_path / "changed.mp4"
    path.write_bytes(bytes(change(data)))
    return path


def _reason(path):
    with pytest.raises(BadClip) as error:
        probe(path)
    return error.value.reason


def test_a_clip_is_described(clip):
    assert probe(clip) == Clip(clip, frames=70, fps=15.0, width=64, height=48, seconds=70 / 15)


def test_frames_equal_those_of_opencv(clip):
    capture = cv2.VideoCapture(str(clip))
    for number, seconds, image in frames(clip, stride=1):
        found, expected = capture.read()
        assert found and np.array_equal(image, expected[..., ::-1])
        assert seconds == pytest.approx(number / 15)
    assert number == 69 and not capture.read()[0]


@pytest.mark.parametrize(
    ("stride", "start", "expected"),
    [(1, 0, range(70)), (2, 0, range(0, 70, 2)), (7, 3, range(3, 70, 7)), (100, 69, [69]), (1, 70, [])],
)
def test_a_stride_takes_the_frames_it_names(clip, stride, start, expected):
    every = {number: image for number, _, image in frames(clip, stride=1)}
    taken = list(frames(clip, stride=stride, start=start))
    assert [number for number, _, _ in taken] == list(expected)
    assert all(np.array_equal(image, every[number]) for number, _, image in taken)


def test_a_frame_that_is_kept_does_not_change_when_the_next_is_decoded(clip):
    stream = frames(clip, stride=1)
    _, _, first = next(stream)
    before = first.copy()
    next(stream)
    assert np.array_equal(first, before)


@pytest.mark.parametrize("arguments", [{"stride": 0}, {"stride": 1, "start": -1}])
def test_a_stride_or_start_that_makes_no_sense_is_refused(clip, arguments):
    with pytest.raises(ValueError, match="stride"):
        next(frames(clip, **arguments))


def test_a_clip_cut_short_has_no_index(clip, tmp_path):
    path = _changed(clip, tmp_path, lambda data: data[: len(data) // 2])
    assert _reason(path) == "truncated: the index (moov) is missing"
    with pytest.raises(BadClip, match="moov"):
        next(frames(path, stride=1))


def test_a_clip_cut_short_after_its_index_says_where(clip, tmp_path):
    """As a download that broke off: phones and web sites put the index first."""
    import av

    first = tmp_path / "first.mp4"
    with av.open(str(clip)) as source, av.open(str(first), "w", options={"movflags": "faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    assert probe(first).frames == 70
    path = _changed(first, tmp_path, lambda data: data[: int(len(data) * 0.7)])
    with pytest.raises(BadClip, match=r"^truncated within frame \d+ of 70$") as error:
        probe(path)
    assert 20 < error.value.frame < 70


@pytest.mark.parametrize("size", [(64, 48)])
def test_a_clip_without_frames(tmp_path, size):
    write_without_frames(tmp_path / "none.mp4", size, 15)
    assert _reason(tmp_path / "none.mp4") == "0 frames"
    with pytest.raises(BadClip, match="0 frames"):
        next(frames(tmp_path / "none.mp4", stride=1))


# what lies under a video's name, and what is said of it
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"moved to the archive, see the log\n", "not a video"),
        (b"\0\0\0\x08ftyp", "truncated: the index (moov) is missing"),
        (b"\0\0\0\x10ftypisom\0\0\0\0" + b"\0\0\0\x20moov" + bytes(24), "no video stream"),
    ],
)
def test_what_is_no_video(tmp_path, content, reason):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    assert _reason(path) == reason
    with pytest.raises(BadClip):
        next(frames(path, stride=1))


def test_a_missing_file_and_a_folder(tmp_path):
    assert _reason(tmp_path / "gone.mp4") == "no such file"
    assert _reason(tmp_path) == "it is a folder"


def test_a_picture_under_a_videos_name(tmp_path):
    cv2.imwrite(str(tmp_path / "picture.png"), np.zeros((48, 64, 3), np.uint8))
    assert _reason((tmp_path / "picture.png").rename(tmp_path / "picture.mp4")) == "not a video but a picture"


def _middle_zeroed(data):
    start = len(data) // 2
    data[start : start + len(data) // 8] = bytes(len(data) // 8)
    return data


def test_damage_in_the_middle_ends_the_clip_with_the_frames_number(clip, tmp_path):
    path = _changed(clip, tmp_path, _middle_zeroed)
    seen = []
    with pytest.raises(BadClip, match=r"^frame \d+ ") as error:
        for number, _, _ in frames(path, stride=1):
            seen.append(number)
    assert 5 < len(seen) < 65
    assert seen == list(range(error.value.frame)) and str(error.value.frame) in error.value.reason
    assert _reason(path).startswith("damaged at frame")


def _turned(data, matrix):
    at = data.index(b"tkhd") + 4 + 40  # version and flags, times, id, duration, reserved, layer, volume
    data[at : at + 36] = struct.pack(">9i", *matrix)
    return data


_ONE = 1 << 16
_TURNS = {
    90: (0, _ONE, 0, -_ONE, 0, 0, 0, 0, 1 << 30),
    180: (-_ONE, 0, 0, 0, -_ONE, 0, 0, 0, 1 << 30),
    270: (0, -_ONE, 0, _ONE, 0, 0, 0, 0, 1 << 30),
}


@pytest.mark.parametrize("degrees", list(_TURNS))
def test_a_clip_held_upright_is_turned_as_opencv_turns_it(clip, tmp_path, degrees):
    path = _changed(clip, tmp_path, lambda data: _turned(data, _TURNS[degrees]))
    _, expected = cv2.VideoCapture(str(path)).read()
    _, _, image = next(frames(path, stride=1))
    assert np.array_equal(image, expected[..., ::-1])
    found = probe(path)
    assert (found.height, found.width) == image.shape[:2] == ((64, 48) if degrees != 180 else (48, 64))


def test_the_same_pictures_are_the_same_bytes_at_another_time(clip, tmp_path):
    time.sleep(1.1)  # an MP4 may carry the second of its making
    write_h264(tmp_path / "again.mp4", _pictures(70), 15)
    assert (tmp_path / "again.mp4").read_bytes() == clip.read_bytes()
