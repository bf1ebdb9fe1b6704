import numpy as np
import pandas as pd
from supervision import Detections

from assay.sample.video import write_h264
from assay.training.teacher import taught_frames


class Teacher:
    """Sure of a cone and a tree in bright frames, of nothing in dark ones."""

    classes = ("tree", "cone")

    def __init__(self):
        self.shown = 0

    def predict(self, images, *, confidence, nms_iou, max_boxes):
        for image in images:
            self.shown += 1
            number = 2 if image.mean() > 100 else 0
            yield Detections(
                xyxy=np.array([[1, 2, 30, 40], [5, 6, 20, 30]], float)[:number],
                confidence=np.array([0.9, 0.8])[:number],
                class_id=np.array([0, 1])[:number],
            )


def taught(tmp_path, most):
    for name, grey in (("bright", 200), ("dark", 20)):
        write_h264(tmp_path / f"{name}.mp4", (np.full((64, 64, 3), grey, np.uint8) for _ in range(20)), 10)
    (tmp_path / "cut.mp4").write_bytes(b"no video")
    names = ("bright", "cut", "dark")
    clips = pd.DataFrame({"clip": names, "path": [f"{name}.mp4" for name in names], "frames": 20})
    teacher = Teacher()
    rows, boxes = taught_frames(
        teacher, clips, tmp_path, tmp_path / "taught",
        classes=["cone", "drum"], confidence=0.5, nms_iou=0.7, max_boxes=10, most=most,
    )  # fmt: skip
    return teacher, rows, boxes


def test_sure_boxes_of_the_students_classes_become_labels(tmp_path):
    teacher, rows, boxes = taught(tmp_path, 4)
    assert len(rows) == 4 and set(rows["split"]) == {"train"}
    assert all("bright_f" in image for image in rows["image"])  # of the dark clip the teacher says nothing
    assert teacher.shown > 4 and len(list((tmp_path / "taught").iterdir())) == 4
    assert boxes["label"].tolist() == ["cone"] * 4  # the student knows no tree
    first = boxes.iloc[0]
    assert [first["x1"], first["y1"], first["x2"], first["y2"], first["width"]] == [5, 6, 20, 30, 64]
    assert set(boxes["image"]) == set(rows["image"])


def test_the_same_clips_teach_the_same(tmp_path):
    first, second = (taught(tmp_path, 6)[1] for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
