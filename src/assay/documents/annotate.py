"""Files, folders and PDFs in; for each a folder with JSON, drawn pages and an annotated PDF out."""

import csv
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from assay.data.pages import BadPage
from assay.data.progress import track
from assay.documents.crew import Crew
from assay.documents.drawing import annotated_pdf, draw_page, picture_as_pdf
from assay.documents.reading import Asked, Model, read_pages
from assay.documents.sheets import Limits, is_pdf, one_ahead, sheets
from assay.documents.summary import summarise_document
from assay.errors import UserError
from assay.files import atomic_write, fresh_folder, read_json, write_json

SUFFIXES = (".pdf", ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
DOCUMENT = "document.json"
_TABLE = ("source", "status", "pages", "origin", "has_signature", "has_stamp", "qr_texts", "problem")


@dataclass
class Annotated:
    """What came of a run, sources by name. problems: (source, page or 0 for all of it, reason)."""

    done: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    problems: list[tuple[str, int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class How:
    """With what documents are annotated. flat: cut pages out of photos of them."""

    model: Model
    asked: Asked
    limits: Limits
    flat: bool = False

    def request(self, content: bytes) -> dict[str, Any]:
        """What decides the result: a finished document with the same request needs no second look."""
        settings = {**asdict(self.asked), "dpi": self.limits.dpi, "max_side": self.limits.max_side}
        return {
            "sha256": hashlib.sha256(content).hexdigest(),
            "model": self.model.about,
            "settings": settings | {"flatten": self.flat},
        }


def sources_of(
    paths: Sequence[Path], output: Path | None = None, *, suffixes: Sequence[str] = SUFFIXES
) -> dict[str, Path]:
    """Name -> file, for files and for everything with one of `suffixes` below folders, in order.

    A file's name is its own, or its path below the folder that was given, with "/" as "__"; where two would be alike the
    second gets "-2". What lies in `output` is a result, not a source.

    Raises UserError for a path that is not there, a folder without such files, another kind of file.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if path.is_dir():
            files = sorted(
                file for file in path.rglob("*") if file.suffix.lower() in suffixes and file.is_file()
            )
            if output is not None:
                files = [file for file in files if not file.resolve().is_relative_to(output.resolve())]
            if not files:
                raise UserError(f"{path}: holds nothing readable ({', '.join(suffixes)})")
            named = [("__".join(file.relative_to(path).parts), file) for file in files]
        elif not path.is_file():
            raise UserError(f"{path}: no such file or folder; name files or folders of them")
        elif path.suffix.lower() not in suffixes:
            raise UserError(f"{path}: expected one of {', '.join(suffixes)}")
        else:
            named = [(path.name, path)]
        for name, file in named:
            unique, number = name, 1
            while unique in found:
                number += 1
                unique = f"{name}-{number}"
            found[unique] = file
    return found


@dataclass(frozen=True)
class Opening:
    """What another process needs for a `How`: the export's folder and the rest. Called with a number of threads."""

    export: Path
    asked: Asked
    limits: Limits
    flat: bool = False

    def __call__(self, threads: int | None = None) -> How:
        """Open the model. Raises UserError as `Model.load`."""
        return How(Model.load(self.export, threads=threads), self.asked, self.limits, self.flat)


def annotate(sources: dict[str, Path], output: Path, crew: Crew[How]) -> Annotated:
    """Annotate every source into `output`/<name>/; what is there already, for the same file, model and settings, stays.

    Each folder holds document.json (pages with raw and grouped boxes and codes, summary, source, model, settings),
    pages/p001.jpg … with the grouped boxes, and annotated.pdf; it appears whole or not at all. Each process of `crew` has
    one page in memory at a time, and the next being drawn. A source that can't be read leaves no folder;
    `output`/documents.csv has a line for every source, and problems.csv, where there are any, says what and why.
    """
    result = Annotated()
    rows = []
    asked = [(name, path, output / name) for name, path in sources.items()]
    for (name, _, _), done in track(
        zip(asked, crew.each(_annotate_one, asked), strict=True), "documents", len(asked)
    ):
        if done["status"] == "failed":
            result.problems.append((name, 0, done["problem"]))
            rows.append({"source": name, **done})
            continue
        (result.skipped if done["skipped"] else result.done).append(name)
        result.problems += [(name, page, reason) for page, reason in done["bad"]]
        rows.append({"source": name, **{key: done[key] for key in _TABLE[1:]}})
    _write_table(output / "documents.csv", _TABLE, rows)
    problems = output / "problems.csv"
    if result.problems:
        columns = ("source", "page", "reason")
        _write_table(problems, columns, [dict(zip(columns, row, strict=True)) for row in result.problems])
    else:
        problems.unlink(missing_ok=True)
    return result


def _annotate_one(how: How, asked: tuple[str, Path, Path]) -> dict[str, Any]:
    """Annotate one source (name, path, folder); the cells of its line, whether it was there, and its bad pages."""
    name, path, target = asked
    try:
        document, skipped = _document(how, name, path, target)
    except BadPage as error:
        return {"status": "failed", "problem": error.reason}
    bad = [(page["page"], page["error"]) for page in document["pages"] if "error" in page]
    summary = document["summary"]
    return {
        "status": "partly" if bad else "done",
        **{key: summary[key] for key in ("pages", "origin", "has_signature", "has_stamp")},
        "qr_texts": json.dumps(summary["qr_texts"], ensure_ascii=False),
        "problem": "; ".join(f"page {page}: {reason}" for page, reason in bad),
        "skipped": skipped,
        "bad": bad,
    }


def _document(how: How, name: str, path: Path, target: Path) -> tuple[dict[str, Any], bool]:
    """What is in document.json, and whether it was there before."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadPage(f"can't be read: {error.strerror}") from error
    request = json.loads(json.dumps(how.request(content)))
    finished = target / DOCUMENT
    if finished.is_file():
        known: dict[str, Any] = read_json(finished)
        if known["request"] == request:
            return known, True
    with fresh_folder(target) as folder:
        return _read(folder, name, content, how), False


def _read(folder: Path, name: str, content: bytes, how: How) -> dict[str, Any]:
    (folder / "pages").mkdir()
    pages = []
    as_pdf = content if is_pdf(content) else b""
    for read, sheet in read_pages(
        how.model, one_ahead(sheets(content, limits=how.limits, flat=how.flat)), how.asked
    ):
        read.pop("milliseconds", None)  # the same source gives the same bytes
        pages.append(read)
        if sheet is not None:
            _save_jpeg(folder / f"pages/p{read['page']:03d}.jpg", draw_page(sheet.picture, read["grouped"]))
            if not as_pdf:
                as_pdf = picture_as_pdf(sheet.picture, how.limits.dpi)
    document: dict[str, Any] = {
        "source": name,
        "request": how.request(content),
        "pages": pages,
        "summary": summarise_document(pages),
    }
    if document["summary"]["failed_pages"] == [page["page"] for page in pages]:
        raise BadPage(f"none of its {len(pages)} pages can be read; page 1: {pages[0]['error']}")
    (folder / "annotated.pdf").write_bytes(annotated_pdf(as_pdf, pages))
    write_json(folder / DOCUMENT, document)
    return document


def _save_jpeg(path: Path, picture: Any) -> None:
    from PIL import Image

    Image.fromarray(picture).save(path, "JPEG", quality=80)


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(rows)
