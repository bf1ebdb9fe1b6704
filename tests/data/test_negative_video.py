import pandas as pd

from assay.data.negative_video import negative_spans

CLIPS = pd.DataFrame(
    [
        ("road", "negatives/videos/road.mp4", 50, 25.0, "road"),
        ("street", "videos/street.mp4", 90, 10.0, "street"),
        ("zone", "videos/zone.mp4", 90, 10.0, "zone"),
    ],
    columns=["clip", "path", "frames", "fps", "recording"],
)


def test_original_data_know_the_clips_below_negatives(tmp_path):
    spans = negative_spans(CLIPS, tmp_path)
    assert spans[["clip", "first", "last", "category", "held_out"]].to_numpy().tolist() == [
        ["road", 0, 49, "", True]
    ]


def test_the_samples_truth_adds_stretches_by_lookalike(tmp_path):
    rows = [
        ("road", 0, 49, "other_lookalike", 0),
        ("street", 0, 30, "random_cones", 1),  # cones are objects
        ("street", 31, 31, "other_lookalike", 0),  # one frame between two others
        ("street", 32, 200, "roadside_signs", 0),  # cut at the clip's end
        ("zone", 0, 89, "work_zone", 1),
    ]
    columns = ["clip", "first_frame", "last_frame", "truth", "objects"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "truth_clips.csv", index=False)
    spans = negative_spans(CLIPS, tmp_path)
    assert spans[["clip", "first", "last", "category", "held_out"]].to_numpy().tolist() == [
        ["road", 0, 49, "other_lookalike", True],
        ["street", 32, 89, "roadside_signs", False],
    ]
