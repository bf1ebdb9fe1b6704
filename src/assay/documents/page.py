"""The page of `assay page documents`, run by Streamlit: drop a PDF, see what the service finds in it.

The service does the work, and it alone opens the document; this shows its answer, raw or grouped, and lets it be kept.
"""

import base64
import json
import os
import sys
from collections import Counter
from typing import Any

import pandas as pd
import streamlit as st

from assay.documents.client import about_model, ask
from assay.errors import UserError

SERVICE, TOKEN = sys.argv[1], os.environ.get("ASSAY_SERVICE_TOKEN")
_KEEP: dict[str, Any] = {"width": "stretch", "on_click": "ignore"}  # a second run would cancel the download
KINDS = ["pdf", "png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff"]


@st.cache_data(show_spinner="reading the document", max_entries=8)
def _answer(content: bytes, model: str, **how: float | str | bool) -> dict[str, Any]:
    return ask(
        SERVICE, content, token=TOKEN, pictures=True, pdf=True, **how
    )  # another model is another answer


def _settings() -> tuple[str, dict[str, float | str | bool]]:
    side = st.sidebar
    shown = side.radio(
        "Boxes",
        ["grouped", "raw"],
        horizontal=True,
        help="Grouped: the boxes of one mark are one. Raw: all that the detector found.",
    )
    conf = side.slider("Confidence from", 0.01, 0.95, 0.15, 0.01)
    distance = side.slider("Join centres nearer than, px of a page 1024 px long", 0, 300, 50, 5)
    overlap = side.slider("Join boxes that overlap more than", 0.0, 1.0, 0.2, 0.05)
    flatten = side.toggle("Cut the page out of a photo of it")
    return shown, {
        "conf": conf,
        "group_dist": distance,
        "group_iou": overlap,
        "drawn": shown,
        "flatten": flatten,
    }


def _marks(pages: list[dict[str, Any]], shown: str) -> pd.DataFrame:
    rows = [
        {
            "page": page["page"],
            "label": mark["label"],
            "confidence": mark["confidence"],
            **({"boxes": mark["merged_count"]} if shown == "grouped" else {}),
            "text": mark.get("text") or "",
            **dict(zip(("x1", "y1", "x2", "y2"), mark["box"], strict=True)),
        }
        for page in pages
        for mark in page.get(shown, [])
    ]
    return pd.DataFrame(rows)


def _summary(answer: dict[str, Any], marks: pd.DataFrame) -> None:
    pages = answer["pages"]
    counts = Counter(marks["label"] if len(marks) else ())
    columns = st.columns(3 + len(counts))
    columns[0].metric("pages", len(pages))
    for column, (label, count) in zip(columns[1:], counts.items(), strict=False):
        column.metric(label, int(count))
    columns[-1].metric("seconds", f"{answer['milliseconds'] / 1000:.1f}")
    if texts := answer["summary"]["qr_texts"]:
        st.markdown("**QR codes say**")
        for text in texts:
            st.code(text, language=None)
    for page in pages:
        if "error" in page:
            st.warning(f"page {page['page']}: {page['error']}")


def _keep(name: str, answer: dict[str, Any]) -> None:
    bare = {
        **{key: value for key, value in answer.items() if key != "pdf"},
        "pages": [{k: v for k, v in page.items() if k != "picture"} for page in answer["pages"]],
    }
    left, right = st.columns(2)
    text = json.dumps(bare, indent=1, ensure_ascii=False)
    left.download_button("Download JSON", text, f"{name}.json", "application/json", **_KEEP)
    if answer["pdf"]:
        marked = base64.b64decode(answer["pdf"])
        right.download_button("Download PDF", marked, f"{name}_annotated.pdf", "application/pdf", **_KEEP)
    else:
        right.caption("its pages can be shown, but not written to, or it is too long for that")


def _show(name: str, shown: str, answer: dict[str, Any]) -> None:
    marks = _marks(answer["pages"], shown)
    _summary(answer, marks)
    _keep(name, answer)
    st.dataframe(marks, width="stretch", hide_index=True)
    for page in answer["pages"]:
        if page.get("picture"):
            st.image(
                base64.b64decode(page["picture"]),
                caption=f"page {page['page']}, {page['origin']}",
                width="stretch",
            )
        elif "error" not in page:
            st.caption(f"page {page['page']}, {page['origin']}: not drawn, the document is too long for that")


def main() -> None:
    """The whole page."""
    st.set_page_config(page_title="assay documents", layout="wide")
    st.title("Signatures, stamps, QR codes")
    shown, how = _settings()
    try:
        model = about_model(SERVICE, token=TOKEN)
    except UserError as error:
        st.error(str(error))
        return
    st.sidebar.caption(f"model {model['version']}, {model['chosen']}; service {SERVICE}")
    given = st.file_uploader("A PDF, scan or photo", type=KINDS)
    if given is None:
        st.info(
            "Drop a document. It goes to the service on this machine, and nowhere else; no file is written."
        )
        return
    content = given.getvalue()
    try:
        answer = _answer(content, str(model["version"]), **how)
    except UserError as error:
        st.error(str(error))
        return
    _show(given.name.rsplit(".", 1)[0], shown, answer)


main()
