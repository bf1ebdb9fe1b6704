"""Tiny data in the three detection projects' layouts, drawn in a second: coloured rectangles on patchy ground."""

import csv
import json
from pathlib import Path

import numpy as np
import yaml
from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen import canvas

from assay.data.source import write_source
from assay.sample.video import write_h264

SIDE = 96  # px; a multiple of 32 and of 2
PAGE = 200  # points, drawn at 72 DPI: as many px
KINDS = ("qr", "signature", "stamp")
COLOURS = ((220, 60, 30), (30, 60, 220), (40, 170, 60), (230, 200, 40))
NAMES = {
    "infrastructure": ("rock_toe", "slope_drain", "toe_drain", "vegetation"),
    "workzone": ("cone", "barrier", "worker", "work_vehicle"),
}


def picture(seed, labels=()):
    """(SIDE, SIDE, 3) uint8 ground of 8 x 8 random greys with one rectangle per label, and its YOLO lines."""
    draw = np.random.default_rng(seed)
    image = np.repeat(np.kron(draw.integers(90, 170, (8, 8)), np.ones((12, 12), int))[:, :, None], 3, axis=2)
    lines = []
    for place, label in enumerate(labels):
        left, top = 6 + 46 * (place % 2), 6 + 46 * (place // 2)
        left, top = left + int(draw.integers(0, 8)), top + int(draw.integers(0, 8))
        width, height = (int(side) for side in draw.integers(24, 34, 2))
        image[top : top + height, left : left + width] = COLOURS[label]
        shares = (left + width / 2, top + height / 2, width, height)
        lines.append(" ".join([str(label), *(f"{share / SIDE:.6f}" for share in shares)]))
    return image.astype(np.uint8), "".join(f"{line}\n" for line in lines)


def put(folder, name, seed, labels):
    """Write images/<name>.png and labels/<name>.txt below `folder`; labels=None writes no label file."""
    image, lines = picture(seed, labels or ())
    (folder / "images").mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(folder / f"images/{name}.png")
    if labels is not None:
        (folder / "labels").mkdir(exist_ok=True)
        (folder / f"labels/{name}.txt").write_text(lines)


def yolo(folder, names, seed, splits):
    """A YOLO set: `splits` says how many images each folder gets; every image shows two or three classes."""
    folder.mkdir(parents=True)
    (folder / "data.yaml").write_text(yaml.safe_dump({"names": list(names)}))
    for split, count in splits.items():
        for number in range(count):
            labels = [(number + k) % len(names) for k in range(2 + number % 2)]
            put(folder / split, f"{split}{seed:x}g{number}x", seed * 1000 + hash_of(split) + number, labels)


def hash_of(word):
    """A small number that a word always gives."""
    return sum(map(ord, word)) * 7


def infrastructure(data):
    """One subset of 8 + 4 + 2 photos and a pool of three, of which two show nothing."""
    yolo(data / "merged_375", NAMES["infrastructure"], 1, {"train": 8, "valid": 4, "test": 2})
    for name, labels in (("bare one", ()), ("bare two", ()), ("drains", (1, 2))):
        put(data / "pool", name, hash_of(name), labels)
        (data / f"pool/labels/{name}.txt").unlink()
    (data / "pool/labels").rmdir()
    truth(data, {f"pool/images/{name}.png": "no_object" for name in ("bare one", "bare two")})
    write_source(data, project="infrastructure", kind="sample", note="drawn by a test")


def workzone(data):
    """A subset of 8 + 4 images, one of them a frame of the clip `held`, two photos of no zone, and three clips."""
    yolo(data / "drives", NAMES["workzone"], 2, {"train": 8, "valid": 3})
    put(data / "drives/valid", "held_f000004", 77, (0, 1))
    for name in ("curve", "hill"):
        put(data / "negatives", name, hash_of(name), None)
    (data / "videos").mkdir()
    for seed, name in enumerate(("bare", "held", "zone")):
        labels = () if name == "bare" else (0, 1, 2)
        write_h264(data / f"videos/{name}.mp4", clip(500 + 40 * seed, labels), 10)
    rows = [("clip", "first_frame", "last_frame", "truth", "objects")]
    rows += [("bare", 0, 19, "other_lookalike", 0), ("zone", 0, 19, "work_zone", 1)]
    with (data / "truth_clips.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    states = {"zone.mp4": {"outside": [[0, 4]], "inside": [[5, 19]]}, "gone.mp4": {"inside": [[0, 9]]}}
    (data / "workzone_annotations.json").write_text(json.dumps(states))
    write_source(data, project="workzone", kind="sample", note="drawn by a test")


def clip(seed, labels, frames=20):
    """Frames of one ground on which the rectangles tremble."""
    ground = picture(seed)[0]
    for number in range(frames):
        image = picture(seed + number, labels)[0]
        coloured = image.max(axis=2) != image.min(axis=2)
        yield np.where(coloured[:, :, None], image, ground)


def documents(data):
    """Three annotated PDFs of two pages and one PDF without marks for the pool."""
    annotations = {}
    for seed, name in enumerate("abc"):
        marks = [[(k + seed) % 3, (k + seed + 1) % 3] for k in (0, 1)]
        annotations[f"{name}.pdf"] = write_pdf(data / f"pdfs/{name}.pdf", seed * 10, marks)
    write_pdf(data / "pages_without_marks/letter.pdf", 90, [[], []])
    (data / "annotations.json").write_text(json.dumps(annotations))
    truth(data, {f"pages_without_marks/letter.pdf#page={k}": "no_object" for k in (1, 2)})
    write_source(data, project="documents", kind="sample", note="drawn by a test")


def write_pdf(path, seed, pages, size=PAGE, password=None):
    """Write a PDF, `pages` giving the classes on each; returns its part of annotations.json."""
    path.parent.mkdir(parents=True, exist_ok=True)
    encrypt = StandardEncryption(password) if password else None
    paper = canvas.Canvas(str(path), pagesize=(size, PAGE), invariant=1, encrypt=encrypt)
    annotated = {}
    for number, labels in enumerate(pages, start=1):
        draw, marks = np.random.default_rng(seed + number), []
        for line in draw.integers(0, 170, (14, 2)):  # so that no page looks like another
            paper.rect(int(line[0]), int(line[1]), 26, 5, stroke=0, fill=1)
        for place, label in enumerate(labels):
            x, y = (int(value) for value in draw.integers(8, 30, 2))
            x, y = x + 90 * place, y + 80 * place
            paper.setFillColorRGB(*(part / 255 for part in COLOURS[label]))
            paper.rect(x, PAGE - y - 40, 60, 40, stroke=0, fill=1)
            paper.setFillColorRGB(0, 0, 0)
            box = {"x": x, "y": y, "width": 60, "height": 40}
            marks.append({f"annotation_{place}": {"category": KINDS[label], "bbox": box}})
        annotated[f"page_{number}"] = {"page_size": {"width": PAGE, "height": PAGE}, "annotations": marks}
        paper.showPage()
    paper.save()
    return annotated


def truth(data, rows):
    """truth.csv, the sample's own answers."""
    with (data / "truth.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [("image", "truth", "note"), *((name, said, "") for name, said in rows.items())]
        )


MAKERS = {"infrastructure": infrastructure, "workzone": workzone, "documents": documents}
CHOSEN = {
    "infrastructure": "yolo11s_reviewed",
    "workzone": "yolo12s_hardneg_1280",
    "documents": "yolo11s_reviewed",
}
# The detectors of these tests know next to nothing: what they are unsure of is wide, and no gate keeps a frame out.
CHANGES = {
    "infrastructure": ["mine.uncertain=[0.001,0.99]"],
    "workzone": ["mine.runtime=torch", "mine.gate=false", "mine.score_range=[0.0,1.0]", "mine.cap=4"],
    "documents": ["mine.uncertain=[0.001,0.99]", "prepare.dpi=72"],
}


def overrides(project, *more):
    """What selects a project's chosen experiment in seconds; `more` goes on top."""
    chosen = [f"project={project}", f"experiment={CHOSEN[project]}", "profile=smoke", "seed=0"]
    return [*chosen, "model.image_size=64", "evaluate.bootstrap_draws=100", *CHANGES[project], *more]


def make(project, folder):
    """Draw the project's data at `folder`/data/<project>; returns that path."""
    data = Path(folder) / "data" / project
    data.mkdir(parents=True)
    MAKERS[project](data)
    return data
