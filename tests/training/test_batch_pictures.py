import numpy as np
import pytest
from PIL import Image

from assay.data.drawing import MARKS
from assay.training.batch_pictures import draw_batch, numbers


@pytest.mark.parametrize(
    "epochs, close, batches, expected",
    [
        (60, 10, 5, (0, 1, 2, 250, 251, 252)),  # document 003, lines 432-436
        (3, 2, 2, (0, 1, 2, 3, 4)),  # they overlap
        (3, 0, 2, (0, 1, 2)),  # mosaics to the end
        (2, 5, 1, (0, 1)),  # no mosaics at all, and no more batches than there are
    ],
)
def test_the_first_batches_and_the_first_without_mosaics_are_drawn(epochs, close, batches, expected):
    assert numbers(epochs, close, batches) == expected


def test_a_batch_is_drawn_with_its_boxes_in_their_colours(tmp_path):
    images = np.full((3, 3, 96, 64), 0.5, np.float32)
    boxes = np.array([[0.5, 0.5, 0.5, 0.5]])
    path = tmp_path / "new/batch.jpg"
    draw_batch(
        path, images, image_of=np.array([2]), class_of=np.array([1]), boxes=boxes, classes=("qr", "stamp")
    )
    sheet = np.asarray(Image.open(path)).astype(int)
    assert sheet.shape == (192, 128, 3)
    red = np.abs(sheet - MARKS["stamp"]).max(axis=2) < 60
    assert red[96:, :64].any() and not red[:96].any() and not red[:, 64:].any()  # in the third picture only
    assert (np.abs(sheet[:96] - 128).max(axis=2) < 8).all()
