"""What a page and a document are worth knowing, from the marks found on them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from assay.data.marks import kind_of


def summarise_page(marks: Sequence[Mapping[str, Any]], codes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """marks: grouped, each with its `label`; codes: decoded, each with its `text`.

    Returns has_signature, has_stamp, qr_texts (in the order given, each once) and marks (how many by label). A label
    such as "stamp_notary" is a stamp.
    """
    counts = Counter(str(mark["label"]) for mark in marks)
    return {
        **{f"has_{kind}": kind in map(kind_of, counts) for kind in ("signature", "stamp")},
        "qr_texts": list(dict.fromkeys(code["text"] for code in codes if code["text"])),
        "marks": dict(sorted(counts.items())),
    }


def summarise_document(pages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """pages: each with `page` and either `error` or `summary` and `origin`.

    Returns the same as `summarise_page` for all pages, pages (how many), failed_pages, signature_pages and stamp_pages
    (their numbers), and origin: scanned, digital, mixed, or unknown where no page could be read.
    """
    read = [page for page in pages if "error" not in page]
    origins = {page["origin"] for page in read}
    counts: Counter[str] = sum((Counter(page["summary"]["marks"]) for page in read), Counter())
    return {
        "pages": len(pages),
        "failed_pages": [page["page"] for page in pages if "error" in page],
        "origin": origins.pop() if len(origins) == 1 else "mixed" if origins else "unknown",
        **{
            f"has_{kind}": any(page["summary"][f"has_{kind}"] for page in read)
            for kind in ("signature", "stamp")
        },
        **{
            f"{kind}_pages": [page["page"] for page in read if page["summary"][f"has_{kind}"]]
            for kind in ("signature", "stamp")
        },
        "qr_texts": list(dict.fromkeys(text for page in read for text in page["summary"]["qr_texts"])),
        "marks": dict(sorted(counts.items())),
    }
