"""Small documents drawn in memory, and a stand-in for a detector that says what it is told to."""

import io

import numpy as np
import pytest
from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen import canvas

from assay.data.detections import detections
from assay.documents.reading import Model
from assay.sample.marks import qr

CLASSES = ("qr", "signature", "stamp")


class Told:
    """Finds the same boxes on every page: (x1, y1, x2, y2) as shares of it, class, confidence."""

    def __init__(self, *rows):
        self.classes, self.metadata = CLASSES, {}
        self.rows = np.array(rows, float).reshape(-1, 6)
        self.looked_at = 0

    def predict(self, images, *, confidence, nms_iou, max_boxes, batch=8):
        for image in images:
            self.looked_at += 1
            shown = self.rows[self.rows[:, 5] >= confidence]
            height, width = image.shape[:2]
            yield detections(shown[:, :4] * (width, height, width, height), shown[:, 4], shown[:, 5])


MARKS = (
    (0.10, 0.10, 0.50, 0.20, 1, 0.9),  # two finds of one signature
    (0.20, 0.13, 0.60, 0.23, 1, 0.6),
    (0.60, 0.60, 0.90, 0.80, 2, 0.5),
    (0.00, 0.90, 0.10, 1.00, 2, 0.1),  # below document 003's confidence
)


def model(*rows):
    return Model(Told(*rows), {"experiment": "told", "sha256": "0" * 64})


def pdf(*pages, encrypt=None, rotate=0):
    """A PDF of A6 pages in points; each page is what `draw(canvas)` draws."""
    stream = io.BytesIO()
    drawn = canvas.Canvas(stream, pagesize=(298, 420), invariant=1, encrypt=encrypt)
    for draw in pages:
        drawn.setPageSize((298, 420))
        draw(drawn)
        drawn.setPageRotation(rotate)
        drawn.showPage()
    drawn.save()
    return stream.getvalue()


def text(drawn):
    drawn.drawString(30, 300, "signed by both parties")


def nothing(drawn):
    pass


def scan(drawn):
    drawn.drawImage(ImageReader(Image.new("RGB", (60, 84), (250, 248, 240))), 0, 0, 298, 420)


def read_scan(drawn):
    """A scan with the invisible text that recognition lays over it."""
    scan(drawn)
    line = drawn.beginText(30, 300)
    line.setTextRenderMode(3)
    line.textOut("signed by both parties")
    drawn.drawText(line)


def strips(drawn):
    for top in range(0, 420, 42):
        drawn.drawImage(ImageReader(Image.new("L", (60, 8), 250)), 0, top, 298, 42)


def logo(drawn):
    text(drawn)
    drawn.drawImage(ImageReader(Image.new("L", (60, 60), 90)), 10, 350, 60, 60)


def locked():
    return pdf(text, encrypt=StandardEncryption("secret", "owner", strength=40))


def png(picture):
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()


def with_code(words, size=(420, 298), at=(40, 60), module=3):
    """A white uint8 page with a QR code; at: x, y of its corner."""
    page = np.full((*size, 3), 255, np.uint8)
    code = qr(words, module=module)[..., :3]
    page[at[1] : at[1] + len(code), at[0] : at[0] + len(code)] = code
    return page


@pytest.fixture(scope="session")
def scanned_page():
    """A page of the sample generator."""
    from assay.sample.page_scene import scene

    return scene(np.random.default_rng(5), (1240, 1754))[0]
