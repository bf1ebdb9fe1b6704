import json

import pandas as pd
import pytest

from assay.errors import UserError
from pipelines.timeline.signals import annotated_clips

CLIPS = pd.DataFrame({"clip": ["a", "b", "c"], "frames": [5, 4, 3], "recording": ["a", "b", "c"]})


def write(folder, name, states):
    everything = {
        clip: {"outside": [], "approaching": [], "exiting": [], "inside": [], **found}
        for clip, found in states.items()
    }
    (folder / name).write_text(json.dumps(everything))


def test_intervals_are_laid_on_the_frames_of_the_clips_that_are_there(tmp_path):
    states = {"a.mp4": {"outside": [[0, 1]], "inside": [[3, 9]]}, "b.mp4": {"inside": [[0, 3]]}, "c.mp4": {}}
    write(tmp_path, "workzone_annotations.json", states | {"lost.mp4": {"inside": [[0, 3]]}})
    write(
        tmp_path, "workzone_annotations_full.json", {"a.mp4": {"inside": [[0, 0]]}}
    )  # the first file counts
    found = annotated_clips(tmp_path, CLIPS)
    assert {clip: list(one) for clip, one in found.items()} == {
        "a": ["outside", "outside", "", "inside", "inside"],
        "b": ["inside"] * 4,
    }


def test_clips_that_nobody_annotated_are_named(tmp_path):
    write(tmp_path, "workzone_annotations.json", {"a.mp4": {"inside": [[0, 3]]}})
    with pytest.raises(UserError, match="1 of 3 clips have zone states"):
        annotated_clips(tmp_path, CLIPS)
