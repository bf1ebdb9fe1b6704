"""Uploads that are wrong in ways that people, networks and attackers make them; the same seed gives the same ones."""

import io
import re
import zlib

import numpy as np
from PIL import Image

from tests.documents import conftest as drawn


def uploads(count, seed=0):
    """Yield (what is wrong, content, headers, path) `count` times: the hand-made ones first, then changed bytes."""
    made = list(handmade())
    yield from made[:count]
    rng = np.random.default_rng(seed)
    bases = {
        "pdf": drawn.pdf(drawn.text, drawn.scan),
        "strips": drawn.pdf(drawn.strips),
        "layer": drawn.pdf(drawn.read_scan, drawn.logo),
        "locked": drawn.locked(),
        **{
            kind: picture(kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "ICO", "PPM", "TGA")
        },
    }
    names = list(bases)
    for _ in range(count - len(made)):
        name = names[rng.integers(len(names))]
        change = CHANGES[rng.integers(len(CHANGES))]
        content = change(rng, bases[name])
        if rng.random() < 0.2:
            content = CHANGES[rng.integers(len(CHANGES))](rng, content)
        if rng.random() < 0.05:
            yield (*grown(rng), {"Content-Type": "application/pdf"}, "/v1/documents")
            continue
        if rng.random() < 0.15:
            called = NAMES[rng.integers(len(NAMES))]
            yield (
                f"{name}, {change.__name__}, as {called[:20]!r}",
                form(called, content),
                FORM,
                "/v1/documents",
            )
            continue
        said = ["application/pdf", "image/png", "text/html", "", "application/x-www-form-urlencoded"][
            rng.integers(5)
        ]
        path = "/v1/documents" if rng.random() < 0.9 else "/v1/jobs"
        yield f"{name}, {change.__name__}", content, {"Content-Type": said}, path


def picture(kind):
    stream = io.BytesIO()
    Image.fromarray(drawn.with_code("x", size=(200, 160), at=(20, 20))).save(stream, kind)
    return stream.getvalue()


def truncated(rng, content):
    return content[: rng.integers(len(content) + 1)]


def flipped(rng, content):
    changed = bytearray(content)
    for place in rng.integers(0, max(len(changed), 1), rng.integers(1, 20)):
        if changed:
            changed[place] = rng.integers(256)
    return bytes(changed)


def cut(rng, content):
    start, end = sorted(rng.integers(0, len(content) + 1, 2))
    return content[:start] + content[end:]


def doubled(rng, content):
    start, end = sorted(rng.integers(0, len(content) + 1, 2))
    return content[:end] + content[start:]


def enlarged(rng, content):
    """Some of its numbers become very large, negative or empty."""
    odd = (b"99999999999", b"-1", b"0", b"", b"2147483648", b"1e308")

    def other(found):
        return odd[rng.integers(len(odd))] if rng.random() < 0.1 else found.group()

    return re.sub(rb"\d+", other, content)


def noise(rng, content):
    return rng.bytes(rng.integers(0, 3000))


def headed(rng, content):
    return b"%PDF-1.7\n" + rng.bytes(rng.integers(0, 500)) + content


CHANGES = (truncated, flipped, cut, doubled, enlarged, noise, headed)


def grown(rng):
    """What takes little room on the line and much elsewhere: (what, content)."""
    pages, megabytes = int(rng.integers(31, 20_000)), int(rng.integers(1, 40))
    width, height = (int(side) for side in rng.integers(6_001, 2**31 - 1, 2))
    return (
        (f"{pages} pages", many_pages(pages)),
        (f"a stream of {megabytes} MB", swelling(megabytes)),
        (f"a stream of {megabytes} MB, packed twice", swelling(megabytes, layers=2)),
        (f"a picture of {width} x {height} px", wide_png(width, height)),
        (f"a picture of {width} x {height} px on a page", wide_picture(width, height)),
        (f"a bitmap of {width} x {height} px", wide_bmp(width, height)),
    )[rng.integers(6)]


def handmade():
    """Yield what a random change rarely hits."""
    pdf = {"Content-Type": "application/pdf"}
    for what, content in {
        "nothing": b"",
        "encrypted": drawn.locked(),
        "a head alone": b"%PDF-1.7\n%%EOF",
        "10,000 pages": many_pages(10_000),
        "pages in a circle": circle(),
        "huge page": drawn.pdf(lambda canvas: canvas.setPageSize((200_000, 200_000))),
        "a stream that swells": swelling(20),
        "a stream that swells twice": swelling(200, layers=2),
        "a picture of 30000 x 30000 px": wide_png(30_000, 30_000),
        "a bitmap of 30000 x 30000 px": wide_bmp(30_000, 30_000),
        "a page with a picture of 60000 x 60000 px": wide_picture(60_000, 60_000),
        "a long picture": wide_png(100_000, 1),
        "an animation": picture("GIF"),
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "a program": b"\x7fELF" + b"\x00" * 100,
        "a script in a PDF's clothes": b"%PDF-1.4\n<script>alert(1)</script>\n%%EOF",
    }.items():
        yield what, content, pdf, "/v1/documents"
    good = drawn.pdf(drawn.text)
    for name in NAMES:
        yield f"a name {name[:20]!r}", form(name, good), FORM, "/v1/documents"
    for what, content in {
        "a form without an end": form(b"a", good)[:-40],
        "a form without parts": b"--edge--\r\n",
        "a form of noise": b"--edge\r\n" + bytes(range(256)),
        "a part without a head": b"--edge\r\n\r\nx\r\n--edge--\r\n",
        "a head that never ends": b"--edge\r\n" + b"X-A: " + b"a" * 100_000,
        "many parts": b"".join(form(b"a", b"x")[:-8] for _ in range(200)) + b"--edge--\r\n",
    }.items():
        yield what, content, FORM, "/v1/batch"
    for kind in (
        "multipart/form-data",
        'multipart/form-data; boundary="',
        "multipart/form-data; boundary=é",
        "multipart/x",
    ):
        yield f"a type {kind}", form(b"a", good), {"Content-Type": kind.encode("latin-1")}, "/v1/documents"


SECRET = "salary-list"  # in names of files: no answer may repeat one
NAMES = (
    b"a\x00b.pdf",
    b"salary-list.pdf",
    b"salary-list\x00.png",
    b"../../../etc/salary-list",
    b"C:\\salary-list.docx",
    b"con",
    b"a" * 5000,
    "ж.pdf".encode(),
    b'"; rm -rf salary-list',
    b"\xff\xfe",
)
FORM = {"Content-Type": "multipart/form-data; boundary=edge"}


def form(name, content):
    head = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="' + name + b'"\r\n\r\n'
    return head + content + b"\r\n--edge--\r\n"


def many_pages(count):
    """One page object, named again and again."""
    kids = b"3 0 R " * count
    return build(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count %d/Kids[%s]>>" % (count, kids),
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]>>",
    )


def circle():
    return build(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count 2/Kids[2 0 R 2 0 R]>>")


def swelling(megabytes, layers=1):
    """A page whose content is so many MB of blanks in a thousandth of it, packed `layers` times."""
    packed = b" " * (megabytes * 1_000_000)
    for _ in range(layers):
        packed = zlib.compress(packed, 9)
    return one_page(b"/Filter[%s]" % (b"/FlateDecode" * layers), packed)


def wide_picture(width, height):
    """A page with a picture that says it is large and has next to nothing in it."""
    packed = zlib.compress(b"\x00" * 1000)
    said = b"/Type/XObject/Subtype/Image/Width %d/Height %d/BitsPerComponent 8/ColorSpace/DeviceRGB"
    return one_page(b"", b"100 0 0 100 0 0 cm /A Do", said % (width, height) + b"/Filter/FlateDecode", packed)


def one_page(told, content, picture=b"", pixels=b""):
    """A PDF of one page with this stream, and this picture as /A."""
    return build(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 4 0 R/Resources<</XObject<</A 5 0 R>>>>>>",
        b"<</Length %d%s>>stream\n%s\nendstream" % (len(content), told, content),
        b"<</Length %d%s>>stream\n%s\nendstream" % (len(pixels), picture, pixels),
    )


def build(*objects):
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(objects) + 1
    return (
        body
        + b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<</Root 1 0 R/Size %d>>\nstartxref\n%d\n%%%%EOF\n"
        % (
            count,
            table,
            count,
            len(body),
        )
    )


def wide_png(width, height):
    """A PNG that says it is large and has next to nothing in it."""

    def chunk(kind, data):
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    head = width.to_bytes(4) + height.to_bytes(4) + bytes([8, 2, 0, 0, 0])
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\x00" * 1000))
        + chunk(b"IEND", b"")
    )


def wide_bmp(width, height):
    """A bitmap that says it is large."""
    head = (
        b"BM"
        + (54).to_bytes(4, "little")
        + bytes(4)
        + (54).to_bytes(4, "little")
        + (40).to_bytes(4, "little")
    )
    sides = width.to_bytes(4, "little") + height.to_bytes(4, "little")
    return head + sides + b"\x01\x00\x18\x00" + bytes(24)
