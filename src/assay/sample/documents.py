"""The documents sample: PDFs of legal pages in document 003's layout, pages for the pool, and faults in known numbers."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from assay.data.source import write_source
from assay.files import fresh_folder
from assay.sample import handwriting, marks
from assay.sample.handwriting import Picture
from assay.sample.page_scene import Mark, inside, overlap, place, press, scanned
from assay.sample.page_text import Typesetter
from assay.sample.pdf_paper import PdfPaper

DIGITAL = (1654, 2339)  # A4 at 200 DPI
SCAN = (1240, 1754)  # A4 at 150 DPI
CLASSES = ("signature", "stamp", "qr")  # in the order a page's truth is named after
DOCUMENTS = {  # name -> pages, scanned or digital
    "agreement_01": (3, False), "agreement_02": (4, True), "invoice_03": (2, False), "lease_04": (5, False),
    "order_05": (1, True), "statutes_06": (4, False), "minutes_07": (6, True), "attorney_08": (2, False),
    "transfer_09": (4, False), "loan_10": (3, True), "bill_11": (3, False), "works_12": (4, False),
    "receipt_13": (2, True), "annex_14": (2, False),
}  # fmt: skip
COPIED = (("statutes_06", 2, "annex_14", 1), ("lease_04", 5, "works_12", 4))  # the same page in two documents
NAN, NEGATIVE = ("minutes_07", 6), ("transfer_09", 4)  # the page's first annotation is spoilt
NOT_THERE = ("bill_11", 9)  # an annotated page beyond the document's end
OVERLOOKED = (("agreement_02", 4), ("works_12", 2))  # pages that nobody annotated
UNLISTED, TRUNCATED, ENCRYPTED, GONE = "unlisted_15", "truncated_16", "encrypted_17", "gone_18"
UNMARKED = {  # file -> (what shows on each page, "" = nothing; scanned)
    "bulletin.pdf": (("", ""), False), "ledger.pdf": (("",), True), "letter.pdf": (("",), False),
    "brochure.pdf": (("", ""), False), "memo.jpg": (("",), True), "fax.jpg": (("",), True),
    "notice.pdf": (("signature",), True), "voucher.pdf": (("", "stamp"), False), "ticket.pdf": (("qr",), False),
}  # fmt: skip


@dataclass(frozen=True)
class _Sheet:
    """One page to be; two equal ones give the same picture."""

    seed: int
    scan: bool
    show: str | None = None  # None: whatever comes up; "": no mark; a class: this one


@dataclass
class _Drawn:
    """One page as it is."""

    marks: list[tuple[str, tuple[float, float, float, float], str]] = field(
        default_factory=list
    )  # category, px; text of a code
    size: tuple[int, int] = DIGITAL
    jpeg: bytes = b""  # of a scan

    @property
    def truth(self) -> str:
        shown = {category.partition("_")[0] for category, _, _ in self.marks}
        return next((name for name in CLASSES if name in shown), "no_object")

    @property
    def note(self) -> str:
        texts = [f"qr {text}" for _, _, text in self.marks if text]
        return "; ".join([", ".join(sorted(category for category, _, _ in self.marks)), *texts])


def make(folder: Path, *, seed: int = 3) -> None:
    """Write the sample to `folder`, replacing what is there; the same seed gives the same bytes.

    `pdfs/*.pdf` and `annotations.json` as in document 003, whose categories tell kinds apart (signature_digital,
    stamp_notary, …), with the faults that the constants of this module name; `pages_without_marks/`, of which three pages
    do bear a mark; `truth.csv` (image: the path below the folder, `pdfs/a.pdf#page=3`; truth: qr, signature, stamp or
    no_object; note) and SOURCE.yaml.
    """
    rng = np.random.default_rng(seed)
    sheets = {name: [_sheet(rng, scan) for _ in range(pages)] for name, (pages, scan) in DOCUMENTS.items()}
    for first, page, second, copy in COPIED:
        sheets[second][copy - 1] = sheets[first][page - 1]
    for name, page in (NAN, NEGATIVE):
        sheets[name][page - 1] = replace(sheets[name][page - 1], show="signature")
    rows: list[tuple[str, str, str]] = []
    annotations: dict[str, Any] = {}
    with fresh_folder(folder) as target:
        (target / "pdfs").mkdir()
        (target / "pages_without_marks").mkdir()
        for name, pages in sheets.items():
            drawn = _write_pdf(target / f"pdfs/{name}.pdf", pages)
            rows += _truth(f"pdfs/{name}.pdf", drawn)
            annotations[f"{name}.pdf"] = _annotated(name, drawn)
        rows += _truth(
            f"pdfs/{UNLISTED}.pdf", _write_pdf(target / f"pdfs/{UNLISTED}.pdf", [_sheet(rng, scan=False)])
        )
        annotations |= _damaged(rng, target)
        for file, (shows, scan) in UNMARKED.items():
            pages = [replace(_sheet(rng, scan), show=show) for show in shows]
            path = target / "pages_without_marks" / file
            rows += _truth(f"pages_without_marks/{file}", _write_pages(path, pages))
        _spoil(annotations)
        (target / "annotations.json").write_text(json.dumps(annotations, indent=1) + "\n", "utf-8")
        with (target / "truth.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows([("image", "truth", "note"), *sorted(rows)])
        write_source(
            target,
            project="documents",
            kind="sample",
            note=f"generated by assay.sample.documents, seed {seed}",
        )


def _sheet(rng: np.random.Generator, scan: bool) -> _Sheet:
    return _Sheet(int(rng.integers(2**32)), scan)


def _damaged(rng: np.random.Generator, target: Path) -> dict[str, Any]:
    """Two PDFs that can't be opened and their annotations, and the annotations of one that is not there."""
    from reportlab.lib.pdfencrypt import StandardEncryption

    path = target / f"pdfs/{TRUNCATED}.pdf"
    drawn = {TRUNCATED: _write_pdf(path, [_sheet(rng, scan=False)])}
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    lock = StandardEncryption("only for the parties", "owner", strength=40)
    drawn[ENCRYPTED] = _write_pdf(target / f"pdfs/{ENCRYPTED}.pdf", [_sheet(rng, scan=False)], encrypt=lock)
    drawn[GONE] = drawn[TRUNCATED]
    return {f"{name}.pdf": _annotated(name, pages) for name, pages in drawn.items()}


def _annotated(name: str, pages: Sequence[_Drawn]) -> dict[str, Any]:
    """One document's entry of annotations.json; every other document was annotated at a smaller size."""
    listed = {}
    key = 1
    for number, page in enumerate(pages, start=1):
        if (name, number) in OVERLOOKED:
            continue
        width, height = DIGITAL if len(name) % 2 else SCAN
        across, down = width / page.size[0], height / page.size[1]
        found = []
        for category, (x1, y1, x2, y2), _ in page.marks:
            box = {"x": x1 * across, "y": y1 * down, "width": (x2 - x1) * across, "height": (y2 - y1) * down}
            bbox = {side: round(value, 2) for side, value in box.items()}
            found.append({f"annotation_{key}": {"category": category, "bbox": bbox}})
            key += 1
        listed[f"page_{number}"] = {"page_size": {"width": width, "height": height}, "annotations": found}
    return listed


def _spoil(annotations: dict[str, Any]) -> None:
    """Put the faults into the annotations, in place."""
    for (name, page), side, value in ((NAN, "x", float("nan")), (NEGATIVE, "width", -40)):
        first = annotations[f"{name}.pdf"][f"page_{page}"]["annotations"][0]
        next(iter(first.values()))["bbox"][side] = value
    pages = annotations[f"{NOT_THERE[0]}.pdf"]
    pages[f"page_{NOT_THERE[1]}"] = pages["page_1"]


def _truth(source: str, pages: Sequence[_Drawn]) -> Iterator[tuple[str, str, str]]:
    for number, page in enumerate(pages, start=1):
        image = f"{source}#page={number}" if source.endswith(".pdf") else source
        yield image, page.truth, page.note


def _write_pages(path: Path, sheets: Sequence[_Sheet]) -> list[_Drawn]:
    """A PDF, or the one scan as a picture."""
    if path.suffix == ".pdf":
        return _write_pdf(path, sheets)
    drawn = _scan(sheets[0])
    path.write_bytes(drawn.jpeg)
    return [drawn]


def _write_pdf(path: Path, sheets: Sequence[_Sheet], encrypt: Any = None) -> list[_Drawn]:
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(path), pageCompression=0, invariant=1, encrypt=encrypt)
    drawn = []
    for sheet in sheets:
        paper = PdfPaper(canvas, DIGITAL)
        if sheet.scan:
            page = _scan(sheet)
            paper.scan(page.jpeg, page.size)
        else:
            page = _print(sheet, paper)
        drawn.append(page)
        canvas.showPage()
    canvas.save()
    return drawn


def _print(sheet: _Sheet, paper: PdfPaper) -> _Drawn:
    """A digital page: text, lines and codes as vectors, ink as pictures with an alpha channel."""
    _, placed, codes = _set(sheet, DIGITAL)
    Typesetter(np.random.default_rng(sheet.seed), DIGITAL, paper).finish()
    drawn = _Drawn()
    for mark in placed:
        if mark in codes:
            text, module, matrix = codes[mark]
            paper.code(matrix, mark.x, mark.y, module)
        else:
            text = ""
            paper.ink(mark.picture, mark.x, mark.y)
        if mark.label:
            drawn.marks.append((mark.category, inside(mark.box, DIGITAL), text))
    return drawn


def _scan(sheet: _Sheet) -> _Drawn:
    """A scanned page: one picture."""
    from PIL import Image

    page, placed, codes = _set(sheet, SCAN)
    for mark in placed:
        if mark in codes:
            zone = 4 * codes[mark][1]
            x1, y1, x2, y2 = (round(edge) for edge in mark.box)
            page[max(y1 - zone, 0) : y2 + zone, max(x1 - zone, 0) : x2 + zone] = 255
        press(page, mark)
    labelled = [mark for mark in placed if mark.label]
    page, boxes = scanned(np.random.default_rng([sheet.seed, 2]), page, labelled)
    stream = io.BytesIO()
    Image.fromarray(page).save(stream, "JPEG", quality=55)
    shown = [
        (mark.category, inside(box, SCAN), codes[mark][0] if mark in codes else "")
        for mark, box in zip(labelled, boxes, strict=True)
    ]
    return _Drawn(shown, SCAN, stream.getvalue())


_Codes = dict[Mark, tuple[str, int, Picture]]  # what a code says, its module in px, its matrix


def _set(sheet: _Sheet, size: tuple[int, int]) -> tuple[Picture, list[Mark], _Codes]:
    """The printed page as a picture, the marks that go on it, codes last to be found, first to be drawn."""
    setter = Typesetter(np.random.default_rng(sheet.seed), size)
    setter.cyrillic &= sheet.scan  # a PDF's own fonts have none, and the page is drawn twice
    printed = setter.finish()
    page = np.asarray(printed.picture).copy()
    for attempt in range(100):
        rng = np.random.default_rng([sheet.seed, 1, attempt])
        found = place(rng, page.copy(), printed.sign_here, printed.blank_from)
        if sheet.show == "":
            found = [mark for mark in found if not mark.label]
        if not sheet.show or sheet.show in {mark.label for mark in found}:
            break
    if sheet.show:
        found = [mark for mark in found if mark.label in {"", sheet.show}]
    placed = [mark for mark in found if mark.label != "qr"]
    if not sheet.scan:
        _sign_digitally(np.random.default_rng([sheet.seed, 3]), placed, size)
    if sheet.show is None and rng.random() < 0.25:
        drawn = handwriting.initials(rng, size[1] // 30)
        x, y = int(size[0] * rng.uniform(0.86, 0.93)), int(size[1] * rng.uniform(0.91, 0.95))
        placed.append(Mark("paraphe", drawn, x, y))
    codes: _Codes = {}
    for mark in found:
        if mark.label == "qr":
            text = f"https://example.org/v/{rng.integers(16**8):08x}"
            matrix = np.ascontiguousarray(marks.qr(text, module=1)[..., 0])
            module = max(round(mark.picture.shape[1] / len(matrix)), 5)
            side, zone = module * len(matrix), 4 * module
            x = int(np.clip(mark.x, zone, size[0] - side - zone))
            y = int(np.clip(mark.y, zone, size[1] - side - zone))
            code = Mark("qr", marks.qr(text, module=module), x, y)
            around = (x - zone, y - zone, x + side + zone, y + side + zone)
            if not any(overlap(around, other.box) for other in [*placed, *codes] if other.label):
                codes[code] = (text, module, matrix)
    return page, [*codes, *placed], codes


def _sign_digitally(rng: np.random.Generator, placed: list[Mark], size: tuple[int, int]) -> None:
    """Some signatures of a page that never was on paper are a signing program's, in place."""
    for mark in placed:
        if mark.label == "signature" and rng.random() < _DIGITAL:
            mark.picture = marks.digital_signature(rng, size[1] // 6)
            mark.kind = "digital"
            height, width = mark.picture.shape[:2]
            mark.x = int(np.clip(mark.x, 0, size[0] - width))
            mark.y = int(np.clip(mark.y, 0, size[1] - height))


_DIGITAL = 0.4
