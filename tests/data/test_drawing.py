import numpy as np

from assay.data.drawing import draw_captioned

RED, BLUE = (220, 30, 30), (0, 90, 255)


def test_each_box_has_its_colour_and_the_picture_stays():
    picture = np.full((80, 120, 3), 255, np.uint8)
    boxes = [(10, 30, 40, 60), (70, 30, 100, 60), (20, 40, 50, 70)]
    drawn = draw_captioned(
        picture, boxes, ["a", "b", "c"], [RED, BLUE, RED], width=1, text_scale=0.3, padding=1
    )
    assert (picture == 255).all()
    assert tuple(drawn[60, 30]) == RED and tuple(drawn[60, 85]) == BLUE and tuple(drawn[70, 40]) == RED


def test_a_page_without_boxes_is_a_copy():
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    drawn = draw_captioned(picture, [], [], [], width=1, text_scale=0.3, padding=1)
    assert (drawn == picture).all() and drawn is not picture
