"""Measure mining clips against the obvious loop, YOLO.predict(source, stream=True, vid_stride=2), with scores and JPEGs.

    python -m benchmarks.mining --clips data/workzone/videos --pairs 5
    python -m benchmarks.mining --clips … --pairs 5 --model build/workzone/baseline --whole 12 --skip .004 --parked 20

Pairs are interleaved: ours, the peer as it comes (one torch thread), the peer with every core, and again, on the same
seconds of the same clip, each pair another clip. Speed needs no trained weights, agreement does: without --model the
network is random, and only frames per second are reported. The peer decodes with OpenCV, as Ultralytics does, sees the
same tight input, and walks the same rules. Agreement, over --whole clips from end to end, is the share of its candidate
frames that are ours too.

--skip repeats ours with near-duplicate frames skipped, --parked does so on a clip of one real frame with sensor noise:
frames inferred and candidates lost, apart from the speeds above.

Writes results/benchmarks/mining-<cpu>-<n>core.csv, one row per thing measured.
"""

import argparse
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from assay.environment import describe
from benchmarks.hardware import MADE_ON, made_on, table_path, write_table

COLUMNS = (
    "name",
    "network",
    "image_size",
    "pairs",
    "frames",
    "median",
    "low",
    "high",
    "limit",
    "all",
    *MADE_ON,
)
ASK = {"confidence": 0.25, "nms_iou": 0.7, "max_boxes": 300}
LIMITS = {"ratio as it comes": 3.5, "ratio with every core": 1.8, "agreement": 0.98}
PARTS = ("decode", "letterbox", "inference", "nms", "scores", "jpeg")


@dataclass(frozen=True)
class Walked:
    """One walk along some seconds of a clip."""

    seconds: float
    frames: int
    candidates: frozenset[int]
    inferred: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and store; returns 1 if a ratio is below its limit."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.mining",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--clips", type=Path, required=True, help="folder of clips")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--frames", type=int, default=24, help="looked at in each walk")
    parser.add_argument("--architecture", default="yolo12s")
    parser.add_argument("--size", type=int, default=960, help="px of the network's input")
    parser.add_argument("--model", type=Path, help="folder of a trained detector, for the agreement")
    parser.add_argument(
        "--whole", type=int, default=0, help="so many clips from end to end, for the agreement"
    )
    parser.add_argument("--precision", choices=("auto", "f32", "bf16", "int8"), default="auto")
    parser.add_argument("--skip", type=float, default=0.0, help="difference below which a frame is skipped")
    parser.add_argument("--parked", type=int, default=0, help="seconds of a parked car's clip")
    parser.add_argument("--out", type=Path, help="the table, instead of results/benchmarks/…")
    chosen = parser.parse_args(arguments)
    clips = sorted(chosen.clips.glob("*.mp4"))
    if not clips or chosen.pairs < 1:
        parser.error(f"--clips {chosen.clips}: expected MP4 files, and --pairs of 1 or more")
    with tempfile.TemporaryDirectory(prefix="assay-mining-") as scratch:
        bench = Bench(chosen, Path(scratch))
        rows = bench.speed(clips)
        rows += bench.parts(clips[0])
        if chosen.whole and chosen.model:
            rows += bench.agreement(clips[: chosen.whole])
        if chosen.skip:
            rows += bench.skipping(clips, "clips")
        if chosen.parked:
            rows += bench.skipping([bench.parked(clips[0], chosen.parked)], "parked car")
    machine = describe()
    made = made_on(machine, ("torch", "ultralytics", "openvino"))
    about = {"network": bench.network, "image_size": bench.detector.image_size}
    target = chosen.out or table_path("mining", machine)
    known = (
        pd.read_csv(target, dtype=str, keep_default_na=False).to_dict("records") if target.is_file() else []
    )
    rows = [{**row, **about, **made} for row in rows]
    names = {(row["name"], row["network"]) for row in rows}
    write_table(
        target, [*(row for row in known if (row["name"], row["network"]) not in names), *rows], COLUMNS
    )
    for row in rows:
        limit = f"  (at least {row['limit']})" if row.get("limit") else ""
        print(f"{row['name']:<40} {row['median']:>8}  {row['low']} to {row['high']}{limit}")
    print(target)
    return int(any(row.get("limit") and float(row["median"]) < float(row["limit"]) for row in rows))


class Bench:
    """The network both sides run, and the walks."""

    def __init__(self, chosen: argparse.Namespace, scratch: Path) -> None:
        import torch

        from assay.config import compose
        from assay.mining.clip import ClipSettings
        from assay.mining.fast import OpenVinoDetector, best_precision, cpu_flags
        from assay.mining.timeline import rules_from
        from assay.models.detector import Detector, load_detector
        from assay.models.yolo_adapter import build

        self.chosen, self.scratch, self.cores = chosen, scratch, len(os.sched_getaffinity(0))
        torch.set_num_threads(1)
        cfg: Any = compose(["project=workzone"])
        precision = best_precision(cpu_flags()) if chosen.precision == "auto" else chosen.precision
        if chosen.model:
            self.detector, info = load_detector(chosen.model)
            self.architecture, model_id = str(info["architecture"]), str(info["id"])
        else:
            self.architecture, model_id = chosen.architecture, "random"
            module = build(chosen.architecture, cfg.project.classes)
            self.detector = Detector(module, classes=cfg.project.classes, image_size=chosen.size)
        trained = "trained" if chosen.model else "random"
        self.network = f"{self.architecture} {trained} {precision}"
        # gate off: any scored frame may be a candidate, so that agreement is asked of many frames
        self.settings = ClipSettings(
            classes=tuple(self.detector.classes),
            rules=rules_from(cfg.mine.scoring.model_dump()),
            stride=2,
            cap=10_000,
            score_range=(0.45, 0.91),
            gate=False,
            nms_iou=ASK["nms_iou"],
            max_boxes=int(ASK["max_boxes"]),
        )
        self.fast = OpenVinoDetector(
            self.detector,
            precision=precision,
            model_id=model_id,
            cache=scratch / "networks",
            frames=self._calibration,
        )
        self.peer = self._yolo()

    def speed(self, clips: Sequence[Path]) -> list[dict[str, Any]]:
        """Frames per second of all three, their ratios pair by pair, and the agreement where weights are trained."""
        names = ("ours", "peer as it comes", "peer with every core")
        walks: dict[str, list[Walked]] = {name: [] for name in names}
        turns = [clips[0], *itertools.islice(itertools.cycle(clips), self.chosen.pairs)]
        for turn, clip in enumerate(turns):
            warm_up = turn == 0
            frames = 4 if warm_up else self.chosen.frames
            done = {
                "ours": self.ours(clip, self.settings, frames),
                "peer as it comes": self.theirs(clip, 1, frames),
                "peer with every core": self.theirs(clip, self.cores, frames),
            }
            said = ", ".join(f"{name} {walk.frames / walk.seconds:.2f}/s" for name, walk in done.items())
            print(f"{clip.stem}: {said}", file=sys.stderr)
            for name in names if not warm_up else ():
                walks[name].append(done[name])
        rows = [
            self._row(f"{name}, frames/s", [walk.frames / walk.seconds for walk in walks[name]])
            for name in names
        ]
        for name, short in (("peer as it comes", "as it comes"), ("peer with every core", "with every core")):
            ratios = [b.seconds / a.seconds for a, b in zip(walks["ours"], walks[name], strict=True)]
            rows.append(self._row(f"ratio {short}", ratios))
        return rows

    def agreement(self, clips: Sequence[Path]) -> list[dict[str, Any]]:
        """Whole clips: the share of the peer's candidate frames that are ours too, and of ours that are the peer's."""
        both = ours = theirs = frames = 0
        for clip in clips:
            mine = self.ours(clip, self.settings, None)
            peer = self.theirs(clip, self.cores, None)
            both += len(mine.candidates & peer.candidates)
            ours, theirs = ours + len(mine.candidates), theirs + len(peer.candidates)
            frames += mine.frames
            print(
                f"{clip.stem}: {len(mine.candidates)} candidates, peer {len(peer.candidates)}",
                file=sys.stderr,
            )
        if not theirs or not ours:
            return []
        return [
            self._row("agreement", [both / theirs], frames=frames),
            self._row("agreement, share of ours", [both / ours], frames=frames),
        ]

    def ours(self, clip: Path, settings: Any, frames: int | None) -> Walked:
        """The project's own walk: the same function that the stage calls."""
        from assay.data import clips as reader
        from assay.mining.clip import ROWS, mine_clip

        out = self.scratch / "ours"

        def some(path: Path, *, stride: int) -> Iterator[Any]:  # from the frame that Ultralytics begins with
            return itertools.islice(reader.frames(path, stride=stride, start=stride - 1), frames)

        start = time.perf_counter()
        looked = mine_clip(
            clip,
            self.fast,
            out,
            settings,
            clip=clip.stem,
            video=clip.name,
            sha256="",
            model_id="",
            frames=some,
        )
        seconds = time.perf_counter() - start
        found = json.loads((out / ROWS).read_text("utf-8"))
        return Walked(seconds, looked, frozenset(row["frame"] for row in found["rows"]), found["inferred"])

    def theirs(self, clip: Path, threads: int, frames: int | None) -> Walked:
        """The obvious loop."""
        import cv2
        import torch

        from assay.data.detections import detections
        from assay.mining.clip import JPEG_QUALITY
        from assay.mining.timeline import Timeline

        out = self.scratch / "theirs"
        out.mkdir(exist_ok=True)
        timeline, candidates = Timeline(self.settings.rules, self.settings.classes), []
        low, high = self.settings.score_range
        start = time.perf_counter()
        results = self.peer.predict(
            source=str(clip),
            stream=True,
            vid_stride=2,
            imgsz=self.detector.image_size,
            conf=ASK["confidence"],
            iou=ASK["nms_iou"],
            max_det=int(ASK["max_boxes"]),
            device="cpu",
            verbose=False,
        )
        looked = 0
        for number, result in enumerate(itertools.islice(results, frames)):
            if number == 0:
                torch.set_num_threads(threads)  # Ultralytics sets its own when the first picture comes
            boxes = result.boxes
            found = detections(boxes.xyxy.numpy(), boxes.cls.numpy().astype(int), boxes.conf.numpy())
            if low <= timeline.step(found).fused_score_ema <= high:
                candidates.append(2 * number + 1)
                cv2.imwrite(
                    str(out / f"{number}.jpg"), result.orig_img, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
                )
            looked += 1
        results.close()
        return Walked(time.perf_counter() - start, looked, frozenset(candidates), looked)

    def parts(self, clip: Path) -> list[dict[str, Any]]:
        """Milliseconds of a frame by part, each on its own on one core, the median over some frames: ours and theirs."""
        import torch

        from assay.data.clips import frames
        from assay.mining.clip import _jpeg
        from assay.mining.timeline import Timeline
        from assay.models.letterbox import boxes_of, letterbox, to_input

        torch.set_num_threads(1)
        size, ask, rounds = self.detector.image_size, ASK, min(self.chosen.frames, 12)
        stream = frames(clip, stride=2)
        taken: dict[str, list[float]] = {name: [] for name in (*PARTS, "inference by torch")}

        def timed(name: str, work: Callable[[], Any]) -> Any:
            start = time.perf_counter()
            made = work()
            taken[name].append(1000 * (time.perf_counter() - start))
            return made

        timeline = Timeline(self.settings.rules, self.settings.classes)
        network = None
        for _ in range(rounds):
            picture = timed("decode", lambda: next(stream)[2])
            canvas, fit = timed("letterbox", lambda picture=picture: letterbox(picture, size, tight=True))
            network = network or self.fast.on_one_core(canvas.shape[:2])
            raw = timed("inference", lambda canvas=canvas, network=network: network(canvas[None])[0][0])
            pixels = torch.from_numpy(to_input(canvas[None]))
            with torch.inference_mode():
                timed("inference by torch", lambda pixels=pixels: self.detector.module(pixels))
            found = timed("nms", lambda raw=raw, fit=fit: boxes_of(raw, fit, **ask))
            timed("scores", lambda found=found: timeline.step(found))
            timed("jpeg", lambda picture=picture: _jpeg(picture))
        return [self._row(f"{name}, ms on one core", values) for name, values in taken.items()]

    def skipping(self, clips: Sequence[Path], what: str) -> list[dict[str, Any]]:
        """Frames inferred and candidates lost when frames like the last are skipped; a skipped frame is none itself."""
        from assay.mining.similar import SkipRule

        rule = SkipRule(difference=self.chosen.skip or 0.004, most=15)
        inferred, lost, frames = [], [], 0
        for clip in clips[: self.chosen.pairs]:
            whole = self.ours(clip, self.settings, self.chosen.frames)
            some = self.ours(clip, replace(self.settings, skip=rule), self.chosen.frames)
            inferred.append(some.inferred / whole.frames)
            lost.append(len(whole.candidates - some.candidates) / max(len(whole.candidates), 1))
            frames += whole.frames
        rows = [self._row(f"{what}: share of frames inferred", inferred, frames=frames)]
        if self.chosen.model:
            rows.append(self._row(f"{what}: share of candidates lost", lost, frames=frames))
        return rows

    def parked(self, clip: Path, seconds: int) -> Path:
        """A clip of one frame of a real one, again and again, with the noise of a sensor."""
        from assay.data.clips import frames
        from assay.sample.video import write_h264

        still = next(frames(clip, stride=1, start=30))[2].astype(np.int16)
        still = still[: still.shape[0] // 2 * 2, : still.shape[1] // 2 * 2]
        draw = np.random.default_rng(0)
        noisy = (
            np.clip(still + draw.normal(0, 2, still.shape), 0, 255).astype(np.uint8)
            for _ in range(30 * seconds)
        )
        write_h264(self.scratch / "parked.mp4", noisy, fps=30)
        return self.scratch / "parked.mp4"

    def _row(self, name: str, values: Sequence[float], *, frames: int | None = None) -> dict[str, Any]:
        shown = [f"{value:.3g}" for value in values]
        return {
            "name": name,
            "pairs": len(values),
            "frames": frames or self.chosen.frames,
            "median": f"{statistics.median(values):.3g}",
            "low": f"{min(values):.3g}",
            "high": f"{max(values):.3g}",
            "limit": LIMITS.get(name, ""),
            "all": " ".join(shown),
        }

    def _calibration(self) -> Iterator[np.ndarray]:
        from assay.data.clips import probe
        from assay.mining.clips import few_frames

        paths = sorted(self.chosen.clips.glob("*.mp4"))
        clips = pd.DataFrame({"path": [p.name for p in paths], "frames": [probe(p).frames for p in paths]})
        return few_frames(clips, self.chosen.clips)

    def _yolo(self) -> Any:
        """Ultralytics' own object around the same weights."""
        import torch

        from assay.models.yolo_adapter import quiet

        quiet()
        from ultralytics import YOLO

        yolo = YOLO(f"{self.architecture}.yaml", task="detect", verbose=False)
        from assay.models.yolo_adapter import build

        yolo.model = build(self.architecture, self.detector.classes)
        yolo.model.load_state_dict(self.detector.module.state_dict())
        yolo.model.eval()
        torch.set_num_threads(1)
        return yolo


if __name__ == "__main__":
    sys.exit(main())
