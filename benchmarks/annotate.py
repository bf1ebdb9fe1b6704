"""Pages per second, PDF in and JSON out, beside the obvious way, on the same PDFs in the same run.

    python -m benchmarks.annotate [--pdfs data/documents/pdfs] [--build build/documents] [--pages 40] [--rounds 3]

Ours: `assay.documents.reading` over the export, the next page drawn by another process meanwhile, documents shared
among as many processes as there are cores (`assay.documents.crew`, started before the clock is), the network asked as
`predict` asks it, padded to a rectangle. The obvious way: pypdfium2
to a Pillow picture, Ultralytics' own `YOLO.predict` of the same trained network in torch, as it comes (it sets its own
threads), two double loops (`benchmarks.grouping.obvious`). Both draw at 200 DPI, take document 003's thresholds, write
one JSON file for each PDF, and decode no QR codes: the obvious way has none. Two pages agree where they have the same
groups: as many of each class, each with a partner that it overlaps by 0.9 or more, and as many merged boxes.

Pages are not drawn smaller than that, although the network sees them at its own size: a page that PDFium draws small is
another picture than one that is drawn large and then scaled, and on 46 pages of the sample a network of 256 px then found
other groups on every second page or more.

Also measured, for our way only: in one process, and with QR codes decoded on whole pages.

Writes results/benchmarks/annotate-<cpu>-<n>core.csv; the status is 1 below 2.5 times as fast or 99 % of pages alike.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from assay.documents.crew import Crew
from assay.environment import describe
from benchmarks.grouping import obvious
from benchmarks.hardware import MADE_ON, made_on, table_path, write_table

RATIO, ALIKE, SAME_BOX = 2.5, 0.99, 0.9
CONFIDENCE, NMS_IOU, DPI = 0.15, 0.45, 200
COLUMNS = (
    "way",
    "pages",
    "pages_per_second",
    "ratio",
    "pages_alike",
    "model",
    "image_size",
    "rounds",
    *MADE_ON,
)
Marks = list[tuple[tuple[float, ...], int, int]]  # box, class, merged_count


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and store; returns 1 if a target is missed."""
    parser = argparse.ArgumentParser("python -m benchmarks.annotate", description=__doc__.splitlines()[0])
    parser.add_argument("--pdfs", type=Path, default=Path("data/documents/pdfs"))
    parser.add_argument(
        "--build", type=Path, default=Path("build/documents"), help="holds model/ and export/"
    )
    parser.add_argument("--pages", type=int, default=40, help="about so many; whole PDFs are taken")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args(arguments)
    pdfs = _readable(chosen.pdfs, chosen.pages)
    if not pdfs:
        parser.error(f"--pdfs {chosen.pdfs}: no PDF that can be read")
    obvious_way, export = the_obvious(chosen.build / "model"), chosen.build / "export"
    cores = os.cpu_count() or 1
    with (
        Crew(partial(Reader, export, "off"), cores) as crew,
        Crew(partial(Reader, export, "off"), 1) as alone,
        Crew(partial(Reader, export, "page"), cores) as decoding,
    ):
        ways: dict[str, Callable[[], Iterable[list[Marks]]]] = {
            "obvious": lambda: map(obvious_way, pdfs),
            "assay": lambda: crew.each(read, pdfs),
            "assay, one process": lambda: alone.each(read, pdfs),
            "assay, codes decoded": lambda: decoding.each(read, pdfs),
        }
        found, middle = measured(ways, chosen.rounds)
    about = Reader(export, "off", 1).model.about
    pages = len(found["obvious"])
    alike = sum(map(same, found["obvious"], found["assay"])) / pages
    machine = describe()
    rows = [
        {
            "way": name,
            "pages": str(pages),
            "pages_per_second": f"{pages / middle[name]:.3f}",
            "ratio": f"{middle['obvious'] / middle[name]:.2f}",
            "pages_alike": "" if name == "obvious" else f"{alike:.4f}",
            "model": f"{about['architecture']} {about['sha256'][:12]}",
            "image_size": str(about["image_size"]),
            "rounds": str(chosen.rounds),
            **made_on(machine, ("torch", "onnxruntime", "ultralytics")),
        }
        for name in ways
    ]
    for row in rows:
        print(
            f"{row['way']:22} {row['pages_per_second']:>8} pages/s, {row['ratio']:>5} times, alike {row['pages_alike']}"
        )
    target = table_path("annotate", machine)
    write_table(target, rows, COLUMNS)
    print(target)
    return int(middle["obvious"] / middle["assay"] < RATIO or alike < ALIKE)


def _readable(folder: Path, pages: int) -> list[Path]:
    from assay.data.pages import BadPage
    from assay.documents.sheets import page_count

    some, count = [], 0
    for path in sorted(folder.glob("*.pdf")):
        try:
            here = page_count(path.read_bytes())
        except BadPage:
            continue
        if count >= pages:
            break
        some.append(path)
        count += here
    return some


def measured(
    ways: Mapping[str, Callable[[], Iterable[list[Marks]]]], rounds: int
) -> tuple[dict[str, list[Marks]], dict[str, float]]:
    """What each way says of every page, and its middle time in seconds; the ways take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    found: dict[str, list[Marks]] = {}
    for _ in range(rounds + 1):  # the first only warms up
        for name, way in ways.items():
            start = time.perf_counter()
            found[name] = [marks for document in way() for marks in document]
            seconds[name].append(time.perf_counter() - start)
    return found, {name: statistics.median(times[1:]) for name, times in seconds.items()}


class Reader:
    """Our way, in one process."""

    def __init__(self, export: Path, codes: Any, threads: int | None) -> None:
        from assay.documents.drawer import Drawers
        from assay.documents.reading import Asked, Model

        self.drawers = Drawers(1, seconds=120, memory_mb=4000)
        self.model = Model.load(export, threads=threads)
        self.asked = Asked(confidence=CONFIDENCE, nms_iou=NMS_IOU, codes=codes)
        self.number = {name: k for k, name in enumerate(self.model.predictor.classes)}


def read(reader: Reader, path: Path) -> list[Marks]:
    """The marks of every page of a PDF, and its JSON file."""
    from assay.documents.reading import read_pages
    from assay.documents.sheets import Limits

    drawn = reader.drawers.pages(path.read_bytes(), limits=Limits(dpi=DPI), flat=False)
    pages = [found for found, _ in read_pages(reader.model, drawn, reader.asked)]
    _write(pages)
    return [
        [(tuple(mark["box"]), reader.number[mark["label"]], mark["merged_count"]) for mark in page["grouped"]]
        for page in pages
    ]


def the_obvious(folder: Path) -> Callable[[Path], list[Marks]]:
    """The same for the plain way; `folder` holds the trained model."""
    import numpy as np
    import pypdfium2

    from assay.evaluation.grouping import GroupingRule
    from assay.models.detector import load_detector
    from assay.models.yolo_adapter import quiet

    quiet()
    from ultralytics import YOLO

    detector, info = load_detector(folder)
    yolo = YOLO(f"{info['architecture']}.yaml", task="detect")
    yolo.model = detector.module

    def way(path: Path) -> list[Marks]:
        pages, marks = [], []
        for page in pypdfium2.PdfDocument(path):
            picture = page.render(scale=DPI / 72).to_pil().convert("RGB")
            found = yolo.predict(
                picture, conf=CONFIDENCE, iou=NMS_IOU, imgsz=detector.image_size, max_det=300, verbose=False
            )[0].boxes
            groups = obvious(
                found.xyxy.numpy().astype(np.float32),
                found.cls.numpy().astype(int),
                found.conf.numpy(),
                GroupingRule().on_page(*picture.size),
            )
            pages.append(
                [{"box": box, "label": info["classes"][k], "confidence": c} for box, k, c, _ in groups]
            )
            marks.append([(box, k, merged) for box, k, _, merged in groups])
        _write(pages)
        return marks

    return way


def _write(pages: Any) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as stream:
        json.dump(pages, stream)


def same(one: Marks, other: Marks) -> bool:
    """Whether two pages have the same groups; see above."""
    left = list(other)
    for box, label, merged in one:
        partner = next(
            (
                k
                for k, mark in enumerate(left)
                if mark[1:] == (label, merged) and _iou(box, mark[0]) >= SAME_BOX
            ),
            None,
        )
        if partner is None:
            return False
        left.pop(partner)
    return not left


def _iou(one: Sequence[float], other: Sequence[float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    return shared / sum(((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)), -shared)


if __name__ == "__main__":
    sys.exit(main())
