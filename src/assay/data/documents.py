"""Document pages with signatures, stamps and QR codes: what lies where, and how pages are split by document.

A data folder holds any of these:

    pdfs/*.pdf + annotations.json     document 003's own layout; drawn here, split by document
    signatures_contracts/             scanned pages as a YOLO set: images/, labels/, classes.txt; or as a COCO set:
                                      images/, annotations.json
    qr_photos/                        photos of QR codes as a YOLO set: images/, labels/, text/ (what each code says)
    pages_without_marks/              PDFs and scans for the pool: a reviewer decides whether they really hold none
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from assay.data.coco_labels import read_coco
from assay.data.document_annotations import BadAnnotation, PageAnnotations, page_boxes, read_annotations
from assay.data.document_pictures import pictures_of
from assay.data.document_split import hold_out, hold_out_by_size, read_page_documents
from assay.data.items import POOL, Bad, Box, Item
from assay.data.pages import BadPage, Page, page_name, render
from assay.data.source import data_files
from assay.data.yolo_labels import BadLabel, boxes_of, read_labels, require_known
from assay.errors import UserError

PDFS, CONTRACTS, PHOTOS, UNMARKED = "pdfs", "signatures_contracts", "qr_photos", "pages_without_marks"
ANNOTATIONS = "annotations.json"
PAGE_DOCUMENTS = Path("conf/origins/documents_pages.csv")
_PARTS = (PDFS, CONTRACTS, PHOTOS, UNMARKED)
_IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
_PHOTO_SHARE = 0.25  # of the photos are held out


def read(
    data: Path,
    *,
    class_map: Mapping[str, str],
    ignore: Collection[str],
    max_side: int,
    dpi: int,
    validation_share: float,
    split_seed: int,
    page_documents: Path | None = PAGE_DOCUMENTS,
) -> Iterator[Item | Bad]:
    """Read whatever parts of the layout above are there.

    Pages of a document stay together: about `validation_share` of the documents of each part are held out, at least
    one, and every class is among them where two documents hold it (`document_split.hold_out`). A page of an annotated
    PDF that is not in annotations.json, and a PDF that is not in it at all, was never looked at: it goes to the pool.

    Args:
        data: the data folder.
        class_map: annotated name -> class.
        ignore: annotated names that are neither object nor background.
        max_side: larger pages and photos are set aside, px.
        dpi: PDF pages are drawn at this resolution.
        validation_share: 0 to 1.
        split_seed: of that choice.
        page_documents: table (page, document, note) of the scanned pages' documents; a page it does not name is a
            document of its own. None: all are.

    Raises:
        UserError: nothing is there, or laid out otherwise.
    """
    present = _present(data)
    names = _Names()
    rules = _Rules(class_map, ignore, dpi, max_side)
    splitting = (validation_share, split_seed)
    if PDFS in present:
        yield from _pdfs(data, names, rules, splitting)
    if CONTRACTS in present:
        documents = read_page_documents(page_documents)
        pages = _labelled(data, CONTRACTS, names, rules)
        yield from _split_by_document(pages, documents, *splitting)
    if PHOTOS in present:
        yield from _split_by_code(data, _labelled(data, PHOTOS, names, rules), split_seed)
    if UNMARKED in present:
        yield from _pool(data, names, rules)


@dataclass(frozen=True)
class _Rules:
    """What all parts are read by; see `read`."""

    class_map: Mapping[str, str]
    ignore: Collection[str]
    dpi: int
    max_side: int


class _Names:
    """Gives out file names whose stems are unique: labels/<stem>.txt belongs to one image."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def claim(self, name: str, subset: str) -> str:
        candidates = [name, f"{subset}_{name}", *(f"{subset}_{k}_{name}" for k in range(2, 1000))]
        free = next(one for one in candidates if Path(one).stem.lower() not in self._taken)
        self._taken.add(Path(free).stem.lower())
        return free


def _present(data: Path) -> list[str]:
    """The parts that are there.

    Raises:
        UserError: none, or folders of another layout.
    """
    expected = f"{PDFS}/*.pdf with {ANNOTATIONS}, {CONTRACTS}/, {PHOTOS}/ or {UNMARKED}/"
    if not data.is_dir() or not any(True for _ in data_files(data)):
        raise UserError(f"{data}: no data; run `make data` for the sample or lay out your own as {expected}")
    folders = sorted({path.relative_to(data).parts[0] for path in data_files(data) if path.parent != data})
    for name in folders:
        if name not in _PARTS:
            close = get_close_matches(name.lower(), _PARTS, 1)
            hint = f"; did you mean {close[0]}?" if close else f"; expected {expected}"
            raise UserError(f"{data / name}: another layout{hint}")
    if not folders:
        raise UserError(f"{data}: no folder of pages; expected {expected}")
    if (data / ANNOTATIONS).is_file() and PDFS not in folders:
        raise UserError(
            f"{data / PDFS}: missing, but {ANNOTATIONS} is there; put the PDFs it names into {PDFS}/"
        )
    return folders


# --- PDFs ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Drawable:
    """A page of one PDF with its boxes, or None for a page nobody looked at."""

    page: Page
    boxes: tuple[Box, ...] | None
    notes: tuple[str, ...] = ()


def _pdfs(data: Path, names: _Names, rules: _Rules, splitting: tuple[float, int]) -> Iterator[Item | Bad]:
    listed = read_annotations(data / ANNOTATIONS)
    files = {path.name: path for path in sorted((data / PDFS).iterdir()) if path.suffix.lower() == ".pdf"}
    annotated: dict[str, list[PageAnnotations]] = defaultdict(list)
    for page in listed:
        annotated[page.pdf].append(page)
    documents: dict[str, list[_Drawable]] = {}
    for name, path in files.items():
        documents[name] = []
        for found in _pages(path, annotated.get(name, []), rules):
            if isinstance(found, Bad):
                yield found
            else:
                documents[name].append(found)
    for name in annotated:
        if name not in files:
            yield Bad(f"{PDFS}/{name}", f"in {ANNOTATIONS}, but there is no such file")
    held_out = hold_out(
        {
            name: {box.label for page in pages for box in page.boxes or () if box.label}
            for name, pages in documents.items()
            if any(page.boxes is not None for page in pages)
        },
        *splitting,
    )
    for name, pages in documents.items():
        for one in pages:
            looked_at = one.boxes is not None
            split = ("val" if name in held_out else "train") if looked_at else POOL
            yield _page_item(PDFS, name, one, split, names, group=f"{PDFS}/{name}")


def _pages(path: Path, annotated: Collection[PageAnnotations], rules: _Rules) -> Iterator[_Drawable | Bad]:
    """The pages of one PDF; annotations of pages that are not there are set aside."""
    source = f"{PDFS}/{path.name}"
    by_number: dict[int, PageAnnotations] = {}
    for entry in annotated:
        if not entry.page:
            yield Bad(source, f"{entry.key}: no page_<number> from 1")
        elif entry.page in by_number:
            yield Bad(f"{source}#page={entry.page}", f"{entry.key}: annotated twice; the first counts")
        else:
            by_number[entry.page] = entry
    try:
        pages = list(render(path, dpi=rules.dpi, max_side=rules.max_side))
    except BadPage as error:
        yield Bad(source, error.reason)
        return
    for number in sorted(set(by_number) - set(range(1, len(pages) + 1))):
        yield Bad(f"{source}#page={number}", f"annotated, but the document has {len(pages)} pages")
    for page in pages:
        if isinstance(page, BadPage):
            yield Bad(f"{source}#page={page.number}", page.reason)
            continue
        if page.number not in by_number:
            yield _Drawable(page, None, (f"not in {ANNOTATIONS}: nobody looked at it",))
            continue
        notes: list[str] = []
        try:
            boxes = page_boxes(
                by_number[page.number],
                page.width,
                page.height,
                class_map=rules.class_map,
                ignore=rules.ignore,
                notes=notes,
            )
        except BadAnnotation as error:
            yield Bad(f"{source}#page={page.number}", error.reason)
        else:
            yield _Drawable(page, boxes, tuple(notes))


def _page_item(subset: str, file: str, drawable: _Drawable, split: str, names: _Names, *, group: str) -> Item:
    page = drawable.page
    return Item(
        source=f"{subset}/{file}#page={page.number}",
        name=names.claim(page_name(Path(file).stem, page.number), subset),
        split=split,
        subset=subset,
        group=group,
        width=page.width,
        height=page.height,
        boxes=drawable.boxes or (),
        read=page.read,
        notes=drawable.notes,
    )


# --- pictures -----------------------------------------------------------------------------------------------


def _labelled(data: Path, subset: str, names: _Names, rules: _Rules) -> Iterator[Item | Bad]:
    """Pictures with their YOLO or COCO labels, split "" yet; both without the other are set aside."""
    folder = data / subset
    listed = folder / ANNOTATIONS
    coco = read_coco(listed) if listed.is_file() else None
    for part in ("images",) if coco else ("images", "labels"):
        if not (folder / part).is_dir():
            raise UserError(
                f"{folder / part}: missing; a YOLO set has images/ and labels/, a COCO set images/ and {ANNOTATIONS}"
            )
    classes = tuple(coco.names.values()) if coco else _class_names(folder / "classes.txt", subset)
    require_known(folder, classes, rules.class_map, rules.ignore)
    pictures = [path for path in sorted((folder / "images").iterdir()) if path.suffix.lower() in _IMAGES]
    stems = {path.stem for path in pictures}
    for path in sorted((folder / "labels").glob("*.txt")):
        if path.stem not in stems:
            yield Bad(f"{subset}/labels/{path.name}", "a label file without its picture")
    for stem in sorted(set(coco.pictures) - stems) if coco else ():
        yield Bad(f"{subset}/images/{stem}", f"in {ANNOTATIONS}, but there is no such picture")
    for path in pictures:
        pages = list(pictures_of(data, path, subset, names.claim, rules.max_side))
        told = Bad(f"{subset}/images/{path.name}", f"{len(pages)} pages, labels of one; save each page alone")
        picture = pages[0] if len(pages) == 1 else told
        if isinstance(picture, Bad):
            yield picture
            continue
        notes: list[str] = []
        try:
            size = picture.width, picture.height
            if coco:
                found = coco.of(path.stem, *size, notes)
            else:
                found = read_labels(folder / "labels" / f"{path.stem}.txt", classes, *size, notes)
        except BadLabel as error:
            yield Bad(picture.source, error.reason)
            continue
        boxes = boxes_of(found, rules.class_map, notes)
        yield replace(picture, boxes=boxes, notes=tuple(notes))


def _class_names(path: Path, subset: str) -> tuple[str, ...]:
    if not path.is_file():
        if subset == PHOTOS:
            return ("qr",)  # published without a list of names: there is one class
        raise UserError(f"{path}: missing; it names the classes of the labels, one a line")
    return tuple(line.strip() for line in path.read_text("utf-8").splitlines() if line.strip())


def _split_by_document(
    found: Iterator[Item | Bad], documents: Mapping[str, str], share: float, seed: int
) -> Iterator[Item | Bad]:
    items: list[tuple[str, Item]] = []
    classes: dict[str, set[str]] = defaultdict(set)
    for item in found:
        if isinstance(item, Bad):
            yield item
            continue
        page = Path(item.source).stem
        document = documents.get(page, page)
        items.append((document, item))
        classes[document] |= {box.label for box in item.boxes if box.label}
    held_out = hold_out(classes, share, seed)
    for document, item in items:
        yield replace(item, split=_split(document in held_out), group=f"{item.subset}/{document}")


def _split_by_code(data: Path, found: Iterator[Item | Bad], seed: int) -> Iterator[Item | Bad]:
    """Photos of one code stay together: 40 photos of the original show 17 codes, 12 of them the same one."""
    items: dict[str, list[Item]] = defaultdict(list)
    for item in found:
        if isinstance(item, Bad):
            yield item
            continue
        stem = Path(item.source).stem
        text = data / PHOTOS / "text" / f"{stem}.txt"
        said = hashlib.sha256(text.read_bytes()).hexdigest()[:12] if text.is_file() else stem
        items[f"{PHOTOS}/{said}"].append(item)
    held_out = hold_out_by_size({group: len(photos) for group, photos in items.items()}, _PHOTO_SHARE, seed)
    for group, photos in items.items():
        for item in photos:
            yield replace(item, split=_split(group in held_out), group=group)


def _split(held_out: bool) -> str:
    return "val" if held_out else "train"


def _pool(data: Path, names: _Names, rules: _Rules) -> Iterator[Item | Bad]:
    """PDFs and pictures of which their publisher says that they bear no mark; nobody here looked yet."""
    for path in sorted((data / UNMARKED).iterdir()):
        group = f"{UNMARKED}/{path.stem}"
        if path.suffix.lower() in _IMAGES:
            yield from pictures_of(data, path, UNMARKED, names.claim, rules.max_side)
        elif path.suffix.lower() == ".pdf":
            try:
                pages = list(render(path, dpi=rules.dpi, max_side=rules.max_side))
            except BadPage as error:
                yield Bad(f"{UNMARKED}/{path.name}", error.reason)
                continue
            for page in pages:
                if isinstance(page, BadPage):
                    yield Bad(f"{UNMARKED}/{path.name}#page={page.number}", page.reason)
                else:
                    yield _page_item(UNMARKED, path.name, _Drawable(page, None), POOL, names, group=group)
