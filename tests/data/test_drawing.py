import numpy as np

from assay.data.drawing import MARKS, colours_of, draw_annotated, draw_captioned
from assay.data.items import Box

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


def test_annotations_are_drawn_small_in_the_classes_colours_and_what_is_ignored_in_grey():
    picture = np.full((2048, 1024, 3), 255, np.uint8)
    boxes = [
        Box("stamp", (100, 200, 300, 400), "stamp_notary"),
        Box("", (500, 1000, 700, 1200), "paraphe", ignore=True),
    ]
    drawn = draw_annotated(picture, boxes, ("signature", "stamp")).astype(int)
    assert drawn.shape == (1024, 512, 3)
    assert tuple(drawn[200, 100]) == MARKS["stamp"] and tuple(drawn[600, 300]) == (128, 128, 128)


def test_marks_have_document_003s_colours_other_classes_a_palette():
    blue, green, red = colours_of(("qr_code", "signature_digital", "notary_stamp"))
    assert [int(np.argmax(colour)) for colour in (blue, green, red)] == [2, 1, 0]
    many = colours_of([f"class {number}" for number in range(9)])
    assert len(set(many[:7])) == 7 and many[7] == many[0]
