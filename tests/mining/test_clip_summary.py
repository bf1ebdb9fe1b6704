import io

import numpy as np
import pandas as pd
from PIL import Image

from assay.mining.boxes_page import write_boxes_page
from assay.mining.clip_summary import draw_distributions, summary_lines, summary_text
from assay.mining.clip_table import statistics

PUBLISHED = {  # document 002, as the ledger has it
    "clips": 406,
    "clips_with_candidates": 406,
    "quarantined": 0,
    "frames": 1,
    "inferred": 1,
    "candidates": 17957,
    "gate_passed": 17957,
    "verified": 17957,
    "yolo_score": {"mean": 0.874, "std": 0.042, "min": 0.2, "max": 0.9},
    "fused_score_ema": {"mean": 0.743, "std": 0.017, "min": 0.49, "max": 0.77},
    "yolo_score_at_least_.80": 0.983,
    "p1_confidence_at_least": {".50": 1.0, ".70": 0.66},
    "states": {"INSIDE": 17818, "APPROACHING": 137, "OUT": 2},
    "sustained_cues": {"2": 13363, "3": 3318, "4": 1247, "5": 29},
    "channelization": {"mean": 8.4, "0": 228, "1-5": 3802, "6-10": 5666, "11-20": 5848, "21+": 2413},
}


def test_the_documents_numbers_read_as_in_the_document():
    lines = dict(summary_lines(PUBLISHED))
    assert lines["frame score"] == "0.874 ± 0.042 (0.20 to 0.90)"
    assert lines["fused score, smoothed"] == "0.743 ± 0.017 (0.49 to 0.77)"
    assert (
        lines["frame score at least .80"] == "98.3 %" and lines["gate's confidence at least .70"] == "66.0 %"
    )
    assert (
        lines["zone INSIDE"].split()[:3] == ["17818", "99.2", "%"] and lines["zone EXITING"].split()[0] == "0"
    )
    assert lines["channelization 6-10"].split()[:3] == ["5666", "31.6", "%"]
    assert lines["channelization, mean"] == "8.4 per frame"
    assert lines["2 sustained cues"].count("█") == round(24 * 13363 / 17957)
    text = summary_text(PUBLISHED).splitlines()
    assert [line.strip().startswith(name) for line, name in zip(text, lines, strict=True)] == [True] * len(
        lines
    )


def test_no_candidate_is_no_error(project):
    project.clip("a", [(0, 0)] * 5)
    _, table = project.mine()
    counts = {"clips": 1, "quarantined": 0, "frames": 3, "inferred": 3}
    assert dict(summary_lines(counts | statistics(table)))["frame score"] == "-"
    assert draw_distributions(table)


def test_the_page_shows_lines_and_pictures(project, tmp_path):
    project.clip("a")
    _, table = project.mine()
    png = draw_distributions(table)
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).reshape(-1, 3)
    assert {(0, 114, 178), (230, 159, 0)} <= set(map(tuple, pixels))  # bars of both colours
    assert png == draw_distributions(table.copy())
    write_boxes_page(
        tmp_path / "index.html",
        table,
        lambda image: np.zeros((24, 32, 3), np.uint8),
        project="workzone",
        classes=project.settings.classes,
        labels=("a",),
        summary="",
        timelines={"a": project.out / "a/timeline.csv"},
        overview=([("clips", "1 < 2")], png),
    )
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "1 &lt; 2" in page and page.index("Distributions") < page.index("<h2>Clips") < page.index(
        "<h2>Candidates"
    )
    assert pd.read_csv(project.out / "candidates.csv").columns.tolist() == list(table.columns)
