"""Mining without video and without a network: a fake clip is a text file, a fake detector reads the frame's colour."""

import dataclasses
import itertools

import numpy as np
import pandas as pd

from assay.data.clips import BadClip
from assay.files import fresh_folder
from assay.mining.clip_table import assemble
from assay.mining.clips import mine_clips, one_by_one
from assay.mining.work import open_work

# Per frame the number of cones and of message boards it shows.
ZONE = [(0, 0)] * 4 + [(6, 1)] * 20 + [(2, 0)] * 4
DAMAGED = (-1, -1)


def frames(path, *, stride):
    for number, line in enumerate(path.read_text().splitlines()):
        if line.strip() == "damaged":
            raise BadClip("damaged")
        if number % stride == 0 and line.strip():
            cones, boards = map(int, line.split())
            yield number, number / 30, np.full((24, 32, 3), 10 * cones + boards, np.uint8)


class FakeDetector:
    """Takes 8 frames at once, as the real one."""

    def __init__(self, boxes):
        self.boxes, self.asked, self.held = boxes, None, 0

    def predict(self, images, *, confidence, nms_iou, max_boxes):
        self.asked = (confidence, nms_iou, max_boxes)
        stream = iter(images)
        while batch := list(itertools.islice(stream, 8)):
            self.held = max(self.held, len(batch))
            for image in batch:
                cones, boards = divmod(int(image[0, 0, 0]), 10)
                yield self.boxes(cone=cones, message_board=boards)


class ClipProject:
    """Clips, a work folder and an output below `folder`."""

    def __init__(self, folder, settings, boxes):
        self.data, self.work, self.out = folder / "data", folder / "runs/mining", folder / "build/candidates"
        self.settings, self.detector = settings, FakeDetector(boxes)

    def clip(self, name, shown=ZONE):
        path = self.data / f"videos/{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{a} {b}" if (a, b) != DAMAGED else "damaged" for a, b in shown]
        path.write_text("\n".join(lines) + " " * len(list(self.data.rglob("*.txt"))))  # no two alike

    def clips(self):
        paths = sorted(self.data.rglob("*.txt"))
        return pd.DataFrame({"clip": [p.stem for p in paths], "path": [f"videos/{p.name}" for p in paths]})

    def mine(self, *, shard=None, engine=None, model_id="m" * 32, frames=frames, verify=None, **changes):
        """Mine, and put the output together unless this is a shard; returns what was mined, and the table."""
        settings = dataclasses.replace(self.settings, **changes)
        with open_work(self.work) as work:
            engine = engine or one_by_one(
                self.detector,
                self.data,
                work.path,
                settings,
                model_id=model_id,
                verify=verify,
                frames=frames,
            )
            mined = mine_clips(
                self.clips(), self.data, engine, work, settings, model_id=model_id, shard=shard
            )
            if shard is not None:
                return mined, None
            with fresh_folder(self.out) as folder:
                table = assemble(mined, folder)
            work.forget(mined.keys)
        return mined, table


def bytes_below(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def folders_in(work):
    """The finished clips' folders."""
    return sorted(p.name for p in work.iterdir() if p.is_dir() and not p.name.startswith("."))
