from assay.evaluation.sections import to_markdown
from assay.evaluation.sweep_timeline import events_section

ROW = {
    "status": "ok", "job": "rules seed 0", "experiment": "rules", "changed": "", "seed": 0,
    **{f"event_{kind}{end}": 0.5 for kind in ("precision", "recall") for end in ("", "_low", "_high")},
    **{f"transition_{kind}_5{end}": 0.25 for kind in ("precision", "recall") for end in ("", "_low", "_high")},
    "transition_precision_5": float("nan"),
}  # fmt: skip


def test_events_and_changes_have_a_column_per_tolerance():
    section = events_section([ROW, {**ROW, "status": "failed"}])
    assert section.header[-1] == "changes found within 5 frames" and len(section.rows) == 1
    assert section.rows[0][1:] == [
        "50.0 % (50.0 to 50.0)",
        "50.0 % (50.0 to 50.0)",
        "undefined",
        "25.0 % (25.0 to 25.0)",
    ]
    assert "Events and changes of state" in to_markdown(section)
