"""The page of `assay page inspection`, run by Streamlit: choose models and photos, see what is in what condition.

All is done in this process: photos go nowhere else, and nothing is kept but in its memory.
"""

import html
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from assay.data.images import decode
from assay.documents.sources import free_name
from assay.errors import UserError
from assay.inspection.batch import (
    SUFFIXES,
    drawn_name,
    inspect_one,
    object_rows,
    objects_csv,
    report_of,
)
from assay.inspection.drawing import caption, colour_of
from assay.inspection.models import Choice, choices, export_of, measured
from assay.inspection.stages import Inspector
from assay.registry.catalog import Catalog

DETECTOR, CONDITIONS, PHOTOS = sys.argv[1], sys.argv[2], Path(sys.argv[3])
_MOST = 2000  # photos in the list to pick from
Entry = dict[str, Any]


@st.cache_resource(show_spinner="opening the models", max_entries=4)
def _inspector(detector: str, conditions: str, written: tuple[int, ...]) -> Inspector:
    return Inspector.load(Path(detector), Path(conditions))  # another export in the folder is another model


@st.cache_data(show_spinner="inspecting", max_entries=60)
def _inspected(
    name: str, content: bytes, models: tuple[Any, ...], confidence: Mapping[str, float]
) -> tuple[Entry, bytes | None]:
    return inspect_one(name, lambda: decode(content), _inspector(*models), confidence)


@st.cache_data(ttl=60, show_spinner=False)
def _names(folder: Path) -> list[str]:
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    return [path.relative_to(folder).as_posix() for path in found[:_MOST]]


def _models(catalog: Catalog) -> tuple[str, str, tuple[Any, ...]]:
    """What was chosen at the left: both names, and the key of the opened pair."""
    finders, judges = choices(catalog, detector=DETECTOR, conditions=CONDITIONS)
    side = st.sidebar

    def chosen(text: str, listed: list[Choice]) -> str:
        said = {one.name: one.said for one in listed}
        return str(side.selectbox(text, list(said), format_func=said.__getitem__))

    names = chosen("Finds objects", finders), chosen("Judges their condition", judges)
    folders = [export_of(name, catalog) for name in names]
    written = tuple(file.stat().st_mtime_ns for folder in folders for file in sorted(folder.glob("model.*")))
    return *names, (*(str(folder) for folder in folders), written)


def _confidences(detector: str, own: Mapping[str, float]) -> dict[str, float]:
    side = st.sidebar
    side.caption("Boxes count from this confidence; at first from what the detector was evaluated with.")
    return {
        name: side.slider(name.replace("_", " "), 0.01, 1.0, max(value, 0.01), 0.01, key=f"{detector} {name}")
        for name, value in own.items()
    }


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # it is shown as what it has become: no photo


def _photos() -> dict[str, bytes]:
    """Name -> content of what was uploaded and picked; where two names are alike the second gets "-2"."""
    given = st.file_uploader("Photos", [suffix[1:] for suffix in SUFFIXES], accept_multiple_files=True)
    listed = _names(PHOTOS)
    picked = st.multiselect(f"or from {PHOTOS}", listed, placeholder="pick some") if listed else []
    found: dict[str, bytes] = {}
    for name, content in [
        *((one.name, one.getvalue()) for one in given),
        *((name.replace("/", "__"), _content(PHOTOS / name)) for name in picked),
    ]:
        found[free_name(name, found)] = content
    return found


def _legend(conditions: list[str]) -> None:
    spots = (
        f'<span style="color:rgb{colour_of(name)}">&#9632;</span> {html.escape(name)}' for name in conditions
    )
    st.html("&emsp;".join(spots))


def _show(entry: Entry, drawn: bytes | None) -> None:
    """One photo: its picture, a row per object, and all that is known of the one that is chosen."""
    name = entry["image"]
    if entry["status"] == "failed":
        st.error(f"{name}: {entry['problem']}")
        return
    picture, about = st.columns([1.5, 1], gap="medium")
    if drawn is not None:
        picture.image(drawn, caption=name, width="stretch")
        picture.download_button(
            "Download picture", drawn, drawn_name(name), "image/jpeg", key=f"picture {name}", width="stretch"
        )
    objects = entry["objects"]
    if entry["dropped"]:
        about.caption(f"{entry['dropped']} boxes of less than a pixel are left out")
    if not objects:
        about.info("no object from this confidence")
        return
    rows = pd.DataFrame(object_rows(entry)).drop(columns="image")
    about.dataframe(rows, width="stretch", hide_index=True)
    number = about.selectbox(
        "Object",
        range(len(objects)),
        format_func=lambda k: f"{k + 1}. {caption(objects[k])}",
        key=f"object {name}",
    )
    _details(about, objects[min(number, len(objects) - 1)])


def _details(where: Any, thing: Mapping[str, Any]) -> None:
    where.caption("Probability of each condition")
    for label, value in thing["probabilities"].items():
        where.progress(value, f"{label} {value:.2f}")
    if thing["place"]:
        where.caption("What stage 2 read of its place")
        where.dataframe(pd.Series(thing["place"], name="value").rename_axis("feature"), width="stretch")


def _keep(report: Mapping[str, Any], conditions: list[str]) -> None:
    left, right = st.columns(2)
    text = json.dumps(report, indent=1, ensure_ascii=False)
    left.download_button("Download JSON", text, "inspection.json", "application/json", width="stretch")
    table = objects_csv(report["images"], conditions)
    right.download_button("Download CSV", table, "objects.csv", "text/csv", width="stretch")


def _summary(counts: Mapping[str, Any]) -> None:
    numbers = {"photos": counts["images"], "failed": counts["failed"], "objects": counts["objects"]}
    by_label = {label.replace("_", " "): kinds for label, kinds in counts["by_label"].items()}
    for column, (name, value) in zip(st.columns(len(numbers)), numbers.items(), strict=True):
        column.metric(name, value)
    if by_label:
        st.dataframe(pd.DataFrame(by_label).T.fillna(0).astype(int).rename_axis("object"), width="content")


def _quality(name: str, catalog: Catalog) -> None:
    found = measured(name, catalog)
    st.markdown(f"**{name}**: {found.about}")
    if found.rows:
        st.dataframe(pd.DataFrame(found.rows), width="stretch", hide_index=True)
        st.caption("low, high: the ends of the 95 % interval; n: how many were judged")


def main() -> None:
    """The whole page."""
    st.set_page_config("assay inspection", layout="wide")
    st.title("What is on the slope, and in what condition")
    catalog = Catalog()
    detector, judge, models = _models(catalog)
    inspector = _inspector(*models)
    confidence = _confidences(detector, inspector.thresholds())
    conditions = list(inspector.conditions.classes)
    here, quality = st.tabs(["Photos", "How good the models are"])
    with quality:
        for name in (detector, judge):
            _quality(name, catalog)
    with here:
        photos = _photos()
        if not photos:
            st.info("Drop photos, or pick some. They stay on this machine; nothing is kept.")
            return
        found = [_inspected(name, content, models, confidence) for name, content in photos.items()]
        report = report_of([entry for entry, _ in found], inspector, confidence)
        _summary(report["counts"])
        _keep(report, conditions)
        _legend(conditions)
        for entry, drawn in found:
            _show(entry, drawn)


try:
    main()
except UserError as mistake:
    st.error(str(mistake))
