"""Files, folders and PDFs in; for each a folder with JSON, drawn pages and an annotated PDF out."""

import csv
import hashlib
import json
import re
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from assay.data.pages import BadPage
from assay.data.progress import track
from assay.documents.crew import Crew
from assay.documents.drawer import Drawers
from assay.documents.drawing import draw_page
from assay.documents.reading import Asked, Model, read_pages
from assay.documents.sheets import Limits
from assay.documents.sources import keep_sources
from assay.documents.summary import summarise_document
from assay.errors import UserError
from assay.files import atomic_write, check_writable, fresh_folder, read_json, write_json

DOCUMENT = "document.json"
FORMAT = 2  # of what is written and how pages are read: with another one, what is finished is done again
_OURS = re.compile(r"document\.json|annotated\.pdf|pages(/p\d{3,}\.jpg)?")
_SECONDS, _MEMORY_MB = 120, 4000  # for one page; a file that takes more is one that hangs or swells
_TABLE = ("source", "status", "pages", "origin", "has_signature", "has_stamp", "qr_texts", "problem")


@dataclass
class Annotated:
    """What came of a run, sources by name. problems: (source, page or 0 for all of it, reason)."""

    done: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    problems: list[tuple[str, int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class How:
    """With what documents are annotated. drawers: open the files; flat: cut pages out of photos of them."""

    model: Model
    asked: Asked
    limits: Limits
    drawers: Drawers
    flat: bool = False

    def request(self, content: bytes) -> dict[str, Any]:
        """What decides the result: a finished document with the same request needs no second look."""
        settings = {**asdict(self.asked), "dpi": self.limits.dpi, "max_side": self.limits.max_side}
        return {
            "sha256": hashlib.sha256(content).hexdigest(),
            "format": FORMAT,
            "model": self.model.about,
            "settings": settings | {"flatten": self.flat},
        }


@dataclass(frozen=True)
class Opening:
    """What another process needs for a `How`: the export's folder and the rest. Called with a number of threads."""

    export: Path
    asked: Asked
    limits: Limits
    flat: bool = False

    def __call__(self, threads: int | None = None) -> How:
        """Open the model, and start a process that draws meanwhile. Raises UserError as `Model.load`."""
        drawers = Drawers(1, seconds=_SECONDS, memory_mb=_MEMORY_MB)
        threading.Thread(target=drawers.start, daemon=True).start()
        return How(Model.load(self.export, threads=threads), self.asked, self.limits, drawers, self.flat)


def annotate(sources: dict[str, Path], output: Path, crew: Crew[How]) -> Annotated:
    """Annotate every source into `output`/<name>/; what is there already, for the same file, model and settings, stays.

    Each folder holds document.json (pages with raw and grouped boxes and codes, summary, source, model, settings),
    pages/p001.jpg … with the grouped boxes, and annotated.pdf; it appears whole or not at all. Each process of `crew` has
    one page in memory at a time, and the next being drawn. A source that fails leaves what an earlier call wrote of it.
    `output`/documents.csv has a line for every source and for every document that earlier calls left there, and
    problems.csv, where there are any, says what failed in this call and why.

    Raises UserError, before anything is written: `output` can't be written to, a result would take a source's place, or
    a documents.csv there is not of this command.
    """
    check_writable(output, "--output")
    asked = [(name, path, output / name) for name, path in sources.items()]
    keep_sources(sources.values(), [target for _, _, target in asked])
    result, rows = Annotated(), _lines(output)
    for (name, _, _), done in track(
        zip(asked, crew.each(_annotate_one, asked), strict=True), "documents", len(asked)
    ):
        if done["status"] == "failed":
            result.problems.append((name, 0, done["problem"]))
            rows[name] = {"source": name, **done}
            continue
        (result.skipped if done["skipped"] else result.done).append(name)
        result.problems += [(name, page, reason) for page, reason in done["bad"]]
        rows[name] = {"source": name, **{key: done[key] for key in _TABLE[1:]}}
    _write_table(output / "documents.csv", _TABLE, list(rows.values()))
    problems = output / "problems.csv"
    if result.problems:
        columns = ("source", "page", "reason")
        _write_table(problems, columns, [dict(zip(columns, row, strict=True)) for row in result.problems])
    else:
        problems.unlink(missing_ok=True)
    return result


def _lines(output: Path) -> dict[str, dict[str, Any]]:
    """The lines of documents.csv, by source, of documents that lie there."""
    path = output / "documents.csv"
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", errors="replace", newline="") as stream:
        reader = csv.DictReader(stream)
        if tuple(reader.fieldnames or ()) != _TABLE:
            raise UserError(
                f"{path}: is not of `assay annotate` and would be replaced; name another --output"
            )
        return {row["source"]: row for row in reader if (output / row["source"] / DOCUMENT).is_file()}


def _annotate_one(how: How, asked: tuple[str, Path, Path]) -> dict[str, Any]:
    """Annotate one source (name, path, folder); the cells of its line, whether it was there, and its bad pages."""
    name, path, target = asked
    try:
        document, skipped = _document(how, name, path, target)
    except (BadPage, UserError) as error:
        return {"status": "failed", "problem": str(error)}
    except OSError as error:
        return {"status": "failed", "problem": f"can't be written: {error.strerror or error}"}
    except (ValueError, RuntimeError, MemoryError) as error:  # PDFium's own is a RuntimeError
        return {"status": "failed", "problem": f"can't be annotated ({str(error) or 'too little memory'})"}
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
    known = _finished(target)
    if known.get("request") == json.loads(json.dumps(how.request(content))):
        return known, True
    with fresh_folder(target) as folder:
        return _read(folder, name, content, how), False


def _finished(target: Path) -> dict[str, Any]:
    """What an earlier call's document.json says; {} where there is none, or a damaged one.

    Raises UserError if the folder holds anything that is not of this command: it would be replaced.
    """
    known: Any = {}
    foreign = [path for path in target.rglob("*") if not _OURS.fullmatch(path.relative_to(target).as_posix())]
    if (target / DOCUMENT).is_file():
        with suppress(ValueError):
            known = read_json(target / DOCUMENT)
            if not isinstance(known, dict) or "request" not in known:
                foreign.append(target / DOCUMENT)
    if foreign:
        raise UserError(
            f"{foreign[0]}: is not of `assay annotate`, and its folder would be replaced; move it away or name another "
            "--output"
        )
    return dict(known)


def _read(folder: Path, name: str, content: bytes, how: How) -> dict[str, Any]:
    (folder / "pages").mkdir()
    pages = []
    drawn = how.drawers.pages(content, limits=how.limits, flat=how.flat)
    for read, sheet in read_pages(how.model, drawn, how.asked):
        read.pop("milliseconds", None)  # the same source gives the same bytes
        pages.append(read)
        if sheet is not None:
            _save_jpeg(folder / f"pages/p{read['page']:03d}.jpg", draw_page(sheet.picture, read["grouped"]))
    document: dict[str, Any] = {
        "source": name,
        "request": how.request(content),
        "pages": pages,
        "summary": summarise_document(pages),
    }
    if document["summary"]["failed_pages"] == [page["page"] for page in pages]:
        raise BadPage(f"none of its {len(pages)} pages can be read; page 1: {pages[0]['error']}")
    marked = how.drawers.pdf(content, pages, "grouped", limits=how.limits, flat=how.flat)
    (folder / "annotated.pdf").write_bytes(marked)
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
