"""The workzone sample: drawn drives past work zones and lookalikes, labelled frames of other drives, known damage."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from assay.data.source import write_source
from assay.files import fresh_folder
from assay.sample.road_plan import Plan, plan
from assay.sample.road_scene import Shown, render
from assay.sample.road_signs import signs
from assay.sample.video import write_h264, write_without_frames

Picture = NDArray[np.uint8]
_T = TypeVar("_T")

CLASSES = (
    "cone", "drum", "barricade", "barrier", "fence", "tubular_marker", "vertical_panel",
    "temporary_traffic_control_sign", "message_board", "arrow_board", "worker", "police_officer", "work_vehicle",
    "work_equipment", "police_vehicle", "bike_lane",
)  # fmt: skip
APPROACH, EXIT = 45.0, 15.0  # metres before and after a zone in which a drive approaches and exits
FRAMES_EACH = 5  # labelled frames of one recording
RECORDINGS = {"train": 40, "val": 12, "test": 6}
COPIED = {"val": 3, "test": 1}  # pictures of train that lie here again: leaks
SHARED = 2  # frames of a train recording that lie in val: its neighbours
CONES = {"train": 24, "valid": 8, "test": 6}
CONE_COPIES = (
    4  # photos of cones/train that come again as Roboflow's flipped copy; half of them in cones/valid
)
NEGATIVES = 8
DAMAGED = {
    "videos/broken_off.mp4": "truncated",
    "videos/no_frames.mp4": "0 frames",
    "videos/notes.mp4": "text",
    "frames/train/images/survey_01_f000900.jpg": "truncated",
    "frames/train/images/survey_02_f000900.jpg": "unknown class",
    "frames/train/images/survey_03_f000900.jpg": "outside",
    "frames/train/images/survey_04_f000900.jpg": "no label",
    "frames/val/labels/survey_99_f000900.txt": "no image",
}


@dataclass(frozen=True)
class Drive:
    """One clip: which world, and how the camera moves through it."""

    name: str
    theme: str
    seed: int
    place: str
    weather: str
    start: float = 0.0  # metres along the road at time 0
    speed: float = 11.0  # metres per second; 0 = parked
    seconds: float = 6.0
    fps: int = 15
    size: tuple[int, int] = (480, 270)
    zone: tuple[float, float] | None = None  # metres along the road
    folder: str = "videos"


# A drive's truth is its theme wherever an object or the lookalike may be meant; see `_truth`.
DRIVES = (
    Drive("harbour_road", "work_zone", 3, "city", "clear", zone=(34, 62), speed=14),
    Drive("mill_lane", "work_zone", 12, "suburb", "autumn", zone=(40, 140), speed=11),
    Drive(
        "ring_north",
        "work_zone",
        5,
        "highway",
        "rain",
        start=30,
        zone=(8, 74),
        seconds=5,
        fps=30,
        size=(640, 360),
    ),
    Drive("market_square", "work_zone", 14, "city", "overcast", zone=(16, 70), speed=0),
    Drive("garden_street", "random_cones", 125, "suburb", "clear"),
    Drive("depot_avenue", "orange_trucks", 101, "city", "overcast"),
    Drive("ring_south", "roadside_signs", 4, "highway", "autumn"),
    Drive("west_end", "weather_artifacts", 9, "city", "glare"),
    Drive("bazaar_street", "other_lookalike", 129, "city", "clear", speed=9),
    Drive("old_orchard", "plain", 10, "suburb", "mist"),
    Drive("bypass", "plain", 11, "highway", "clear", seconds=4, folder="negatives/videos"),
)


def make(
    folder: Path,
    *,
    seed: int = 4,
    drives: Sequence[Drive] = DRIVES,
    recordings: Mapping[str, int] = RECORDINGS,
) -> None:
    """Write the sample to `folder`, replacing what is there; the same arguments give the same bytes.

    The layout is the original's: videos/*.mp4, cones/ and negatives/; plus labelled frames of other recordings under
    frames/, workzone_annotations.json, truth_clips.csv (clip, first_frame, last_frame, truth: a review label,
    objects: 0 or 1, whether any object of a class shows, however small), close-ups of signs with their texts under
    signs/ (signs.csv: image, split, label, text, look) and SOURCE.yaml. `DAMAGED` names the files
    that are broken, and how.

    Args:
        folder: data/workzone.
        seed: decides every picture.
        drives: the clips.
        recordings: labelled recordings per split; five of train at least.
    """
    with fresh_folder(folder) as target:
        for relative in ("videos", "negatives/videos", "negatives/images"):
            (target / relative).mkdir(parents=True)
        annotations: dict[str, dict[str, list[list[int]]]] = {}
        truths: list[tuple[str, int, int, str, int]] = []
        for drive in drives:
            states, truth = _write_drive(target, drive, seed)
            annotations[f"{drive.name}.mp4"] = states
            truths += truth
        annotations["lost_archive.mp4"] = {
            state: [] for state in _STATES
        }  # not annotated, as 297 of the original's
        _write_frames(target / "frames", np.random.default_rng((seed, 1)), recordings)
        _write_cones(target / "cones", np.random.default_rng((seed, 2)))
        _write_negatives(target / "negatives/images", np.random.default_rng((seed, 3)))
        _write_signs(target / "signs", np.random.default_rng((seed, 4)))
        _damage(target, drives[0])
        text = json.dumps(annotations, indent=2, sort_keys=True)
        (target / "workzone_annotations.json").write_text(text + "\n", "utf-8")
        with (target / "truth_clips.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(("clip", "first_frame", "last_frame", "truth", "objects"))
            writer.writerows(sorted(truths))
        note = f"generated by assay.sample.workzone, seed {seed}"
        write_source(target, project="workzone", kind="sample", note=note)


_STATES = ("approaching", "exiting", "inside", "outside")


def _write_drive(
    target: Path, drive: Drive, seed: int
) -> tuple[dict[str, list[list[int]]], list[tuple[str, int, int, str, int]]]:
    """Write one clip; its zone states as intervals, and its rows of truth_clips.csv."""
    planned = plan(
        np.random.default_rng((seed, drive.seed)),
        theme=drive.theme, place=drive.place, weather=drive.weather, zone=drive.zone,
    )  # fmt: skip
    states, truths = [], []

    def pictures() -> Iterator[Picture]:
        for frame in range(round(drive.seconds * drive.fps)):
            time = frame / drive.fps
            z = drive.start + drive.speed * time
            picture, shown = render(
                planned, drive.size, z=z, time=time, moment=drive.seed * 1000 + frame, noise=False
            )
            states.append(_state(planned, z))
            truths.append(_truth(drive, shown))
            yield picture

    write_h264(target / drive.folder / f"{drive.name}.mp4", pictures(), drive.fps)
    intervals: dict[str, list[list[int]]] = {state: [] for state in _STATES}
    for state, first, last in _runs(states):
        intervals[state].append([first, last])
    return intervals, [(drive.name, first, last, *truth) for truth, first, last in _runs(truths)]


def _runs(values: list[_T]) -> Iterator[tuple[_T, int, int]]:
    """Each run of equal values with its first and last index."""
    at = 0
    for value, run in groupby(values):
        length = len(list(run))
        yield value, at, at + length - 1
        at += length


def _state(planned: Plan, z: float) -> str:
    if planned.zone is None:
        return "outside"
    start, end = planned.zone
    if start <= z < end:
        return "inside"
    return (
        "approaching" if start - APPROACH <= z < start else "exiting" if end <= z < end + EXIT else "outside"
    )


def _truth(drive: Drive, shown: list[Shown]) -> tuple[str, int]:
    """What a reviewer would say of a frame, and whether an object shows; where none does, nothing is a work zone."""
    if shown:
        return drive.theme, 1
    return "other_lookalike" if drive.theme in ("work_zone", "random_cones", "plain") else drive.theme, 0


def _write_frames(folder: Path, rng: np.random.Generator, recordings: Mapping[str, int]) -> None:
    """The labelled frames, their leaks included."""
    for split in recordings:
        for kind in ("images", "labels"):
            (folder / split / kind).mkdir(parents=True)
    number = copied = 0
    train: list[tuple[bytes, str]] = []
    for split, count in recordings.items():
        for k in range(count):
            number += 1
            extra = SHARED if number == 1 else 0
            frames = list(_recording(rng, FRAMES_EACH + extra))
            for frame, (jpeg, label) in enumerate(frames[:FRAMES_EACH]):
                _write_pair(folder / split, f"survey_{number:02}_f{6 * frame:06}", jpeg, label)
                if split == "train":
                    train.append((jpeg, label))
            for frame, (jpeg, label) in enumerate(frames[FRAMES_EACH:], start=FRAMES_EACH):
                _write_pair(folder / "val", f"survey_{number:02}_f{6 * frame:06}", jpeg, label)
            if k < COPIED.get(split, 0):
                leak = train[(17 * copied + 9) % len(train)]
                _write_pair(folder / split, f"survey_{number:02}_f{6 * FRAMES_EACH:06}", *leak)
                copied += 1
    names = "".join(f"  - {name}\n" for name in CLASSES)
    (folder / "data.yaml").write_text(f"names:\n{names}", "utf-8")


def _recording(rng: np.random.Generator, count: int) -> Iterator[tuple[bytes, str]]:
    """Frames .4 s apart, of a drive through a random world."""
    planned = plan(rng)
    size = (640, 360) if rng.random() < 0.15 else (480, 270)
    start = float(rng.uniform(0, 14))
    for frame in range(count):
        seconds = 0.4 * frame
        moment = int(rng.integers(2**31))
        picture, shown = render(planned, size, z=start + 9.0 * seconds, time=seconds, moment=moment)
        yield _jpeg(picture), _label([thing for thing in shown if thing.clear], size)


def _write_cones(folder: Path, rng: np.random.Generator) -> None:
    """Square photos of cones that close nothing; some come again, flipped, under Roboflow's names."""
    for split in CONES:
        for kind in ("images", "labels"):
            (folder / split / kind).mkdir(parents=True)
    for split, count in CONES.items():
        for k in range(count):
            planned = plan(rng, theme="random_cones")
            z = _before_a_cone(planned, rng)
            picture, shown = render(planned, (320, 320), z=z, moment=int(rng.integers(2**31)))
            boxes = [thing for thing in shown if thing.clear]
            name = f"cone_{split}_{k:03}_jpg.rf.{int(rng.integers(2**48)):012x}"
            _write_pair(folder / split, name, _jpeg(picture), _label(boxes, (320, 320)))
            if split == "train" and k < CONE_COPIES:
                flipped = [
                    Shown(
                        box.label,
                        (320 - box.xyxy[2], box.xyxy[1], 320 - box.xyxy[0], box.xyxy[3]),
                        1,
                        0,
                        True,
                    )
                    for box in boxes
                ]
                name = f"cone_{split}_{k:03}_jpg.rf.{int(rng.integers(2**48)):012x}"
                to = folder / ("valid" if k % 2 else "train")
                _write_pair(to, name, _jpeg(picture[:, ::-1]), _label(flipped, (320, 320)))
    (folder / "classes.txt").write_text("cone\n", "utf-8")


def _before_a_cone(planned: Plan, rng: np.random.Generator) -> float:
    """A place some metres before one of the cones."""
    places = [thing.z for thing in planned.things if thing.label]
    return float(rng.choice(places)) - float(rng.uniform(6, 12))


def _write_negatives(folder: Path, rng: np.random.Generator) -> None:
    themes = ("plain", "roadside_signs", "orange_trucks", "weather_artifacts")
    for k in range(NEGATIVES):
        planned = plan(rng, theme=themes[k % len(themes)])
        picture, _ = render(planned, (640, 360), z=0, moment=int(rng.integers(2**31)))
        (folder / f"road_{chr(ord('a') + k)}.jpg").write_bytes(_jpeg(picture))


def _write_signs(folder: Path, rng: np.random.Generator) -> None:
    """Close-ups of signs, and what is written on them."""
    folder.mkdir()
    with (folder / "signs.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("image", "split", "label", "text", "look"))
        for split in ("train", "test"):
            for number, sign in enumerate(signs(rng, split)):
                name = f"{split}_{number:03}.jpg"
                (folder / name).write_bytes(_jpeg(sign.picture))
                writer.writerow((name, split, sign.label, sign.text, sign.look))


def _label(shown: list[Shown], size: tuple[int, int]) -> str:
    """YOLO lines of boxes in px."""
    width, height = size
    lines = []
    for thing in shown:
        left, top, right, low = thing.xyxy
        lines.append(
            f"{CLASSES.index(thing.label)} {(left + right) / 2 / width:.6f} {(top + low) / 2 / height:.6f} "
            f"{(right - left) / width:.6f} {(low - top) / height:.6f}\n"
        )
    return "".join(lines)


def _jpeg(picture: Picture) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(stream, "JPEG", quality=86)
    return stream.getvalue()


def _write_pair(folder: Path, name: str, jpeg: bytes, label: str) -> None:
    (folder / "images" / f"{name}.jpg").write_bytes(jpeg)
    (folder / "labels" / f"{name}.txt").write_text(label, "utf-8")


def _damage(target: Path, drive: Drive) -> None:
    """Write the files of `DAMAGED`."""
    whole = (target / drive.folder / f"{drive.name}.mp4").read_bytes()
    (target / "videos/broken_off.mp4").write_bytes(whole[: len(whole) // 3])
    write_without_frames(target / "videos/no_frames.mp4", (480, 270), 15)
    (target / "videos/notes.mp4").write_text("moved to the archive, see the log of the car\n", "utf-8")
    train = target / "frames/train"
    jpeg = (train / "images/survey_05_f000000.jpg").read_bytes()
    _write_pair(train, "survey_01_f000900", jpeg[: len(jpeg) // 2], "")
    _write_pair(train, "survey_02_f000900", jpeg, f"{len(CLASSES) + 83} 0.5 0.5 0.1 0.1\n")
    _write_pair(train, "survey_03_f000900", jpeg, "0 0.5 1.7 0.1 0.1\n")
    (train / "images/survey_04_f000900.jpg").write_bytes(jpeg)
    (target / "frames/val/labels/survey_99_f000900.txt").write_text("0 0.5 0.5 0.1 0.1\n", "utf-8")
