"""Uploads that are wrong in ways that people, networks and attackers make them; the same seed gives the same ones."""

import io
import re
import zlib
from collections.abc import Iterator, Mapping

import numpy as np
from PIL import Image

from benchmarks import small_documents as drawn

Upload = tuple[str, bytes, Mapping[str, str | bytes], str]
"""What is wrong with it, the content, headers, the service's path."""


def uploads(count: int, seed: int = 0) -> Iterator[Upload]:
    """Yield (what is wrong, content, headers, path) `count` times: the hand-made ones first, then changed bytes."""
    made = list(_handmade())
    yield from made[:count]
    rng = np.random.default_rng(seed)
    bases = {
        "pdf": drawn.pdf(drawn.text, drawn.scan),
        "strips": drawn.pdf(drawn.strips),
        "layer": drawn.pdf(drawn.read_scan, drawn.logo),
        "locked": drawn.locked(),
        **{
            kind: _picture(kind)
            for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "ICO", "PPM", "TGA")
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
            yield (*_grown(rng), {"Content-Type": "application/pdf"}, "/v1/documents")
            continue
        if rng.random() < 0.15:
            called = NAMES[rng.integers(len(NAMES))]
            yield (
                f"{name}, {change.__name__[1:]}, as {called[:20]!r}",
                _form(called, content),
                FORM,
                "/v1/documents",
            )
            continue
        said = ["application/pdf", "image/png", "text/html", "", "application/x-www-form-urlencoded"][
            rng.integers(5)
        ]
        path = "/v1/documents" if rng.random() < 0.9 else "/v1/jobs"
        yield f"{name}, {change.__name__[1:]}", content, {"Content-Type": said}, path


def _picture(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(drawn.with_code("x", size=(200, 160), at=(20, 20))).save(stream, kind)
    return stream.getvalue()


def _truncated(rng: np.random.Generator, content: bytes) -> bytes:
    return content[: rng.integers(len(content) + 1)]


def _flipped(rng: np.random.Generator, content: bytes) -> bytes:
    changed = bytearray(content)
    for place in rng.integers(0, max(len(changed), 1), rng.integers(1, 20)):
        if changed:
            changed[place] = rng.integers(256)
    return bytes(changed)


def _cut(rng: np.random.Generator, content: bytes) -> bytes:
    start, end = sorted(rng.integers(0, len(content) + 1, 2))
    return content[:start] + content[end:]


def _doubled(rng: np.random.Generator, content: bytes) -> bytes:
    start, end = sorted(rng.integers(0, len(content) + 1, 2))
    return content[:end] + content[start:]


def _enlarged(rng: np.random.Generator, content: bytes) -> bytes:
    """Some of its numbers become very large, negative or empty."""
    odd = (b"99999999999", b"-1", b"0", b"", b"2147483648", b"1e308")

    def other(found: re.Match[bytes]) -> bytes:
        return odd[rng.integers(len(odd))] if rng.random() < 0.1 else found.group()

    return re.sub(rb"\d+", other, content)


def _noise(rng: np.random.Generator, content: bytes) -> bytes:
    return rng.bytes(rng.integers(0, 3000))


def _headed(rng: np.random.Generator, content: bytes) -> bytes:
    return b"%PDF-1.7\n" + rng.bytes(rng.integers(0, 500)) + content


CHANGES = (_truncated, _flipped, _cut, _doubled, _enlarged, _noise, _headed)


def _grown(rng: np.random.Generator) -> tuple[str, bytes]:
    """What takes little room on the line and much elsewhere: (what, content)."""
    pages, megabytes = int(rng.integers(31, 20_000)), int(rng.integers(1, 40))
    width, height = (int(side) for side in rng.integers(6_001, 2**31 - 1, 2))
    return (
        (f"{pages} pages", many_pages(pages)),
        (f"a stream of {megabytes} MB", _swelling(megabytes)),
        (f"a stream of {megabytes} MB, packed twice", _swelling(megabytes, layers=2)),
        (f"a picture of {width} x {height} px", _wide_png(width, height)),
        (f"a picture of {width} x {height} px on a page", _wide_picture(width, height)),
        (f"a bitmap of {width} x {height} px", _wide_bmp(width, height)),
    )[rng.integers(6)]


def _handmade() -> Iterator[Upload]:
    """Yield what a random change rarely hits."""
    pdf = {"Content-Type": "application/pdf"}
    for what, content in {
        "nothing": b"",
        "encrypted": drawn.locked(),
        "a head alone": b"%PDF-1.7\n%%EOF",
        "10,000 pages": many_pages(10_000),
        "pages in a circle": _circle(),
        "huge page": drawn.pdf(lambda canvas: canvas.setPageSize((200_000, 200_000))),
        "a stream that swells": _swelling(20),
        "a stream that swells twice": _swelling(200, layers=2),
        "a picture of 30000 x 30000 px": _wide_png(30_000, 30_000),
        "a bitmap of 30000 x 30000 px": _wide_bmp(30_000, 30_000),
        "a page with a picture of 60000 x 60000 px": _wide_picture(60_000, 60_000),
        "a long picture": _wide_png(100_000, 1),
        "an animation": _picture("GIF"),
        "a program for Ghostscript": _picture("EPS"),
        "layers": b"8BPS\0\1"
        + bytes(6)
        + b"\0\3"
        + bytes(3)
        + b"\x40"
        + bytes(3)
        + b"\x40\0\x08\0\3"
        + bytes(60),
        "a metafile": b"\xd7\xcd\xc6\x9a" + bytes(200),
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "a program": b"\x7fELF" + b"\x00" * 100,
        "a script in a PDF's clothes": b"%PDF-1.4\n<script>alert(1)</script>\n%%EOF",
    }.items():
        yield what, content, pdf, "/v1/documents"
    good = drawn.pdf(drawn.text)
    for name in NAMES:
        yield f"a name {name[:20]!r}", _form(name, good), FORM, "/v1/documents"
    for what, content in {
        "a form without an end": _form(b"a", good)[:-40],
        "a form without parts": b"--edge--\r\n",
        "a form of noise": b"--edge\r\n" + bytes(range(256)),
        "a part without a head": b"--edge\r\n\r\nx\r\n--edge--\r\n",
        "a head that never ends": b"--edge\r\n" + b"X-A: " + b"a" * 100_000,
        "many parts": b"".join(_form(b"a", b"x")[:-8] for _ in range(200)) + b"--edge--\r\n",
    }.items():
        yield what, content, FORM, "/v1/batch"
    for kind in (
        "multipart/form-data",
        'multipart/form-data; boundary="',
        "multipart/form-data; boundary=é",
        "multipart/x",
    ):
        yield f"a type {kind}", _form(b"a", good), {"Content-Type": kind.encode("latin-1")}, "/v1/documents"


SECRET = "salary-list"  # noqa: S105 - in names of files: no answer may repeat one
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


def _form(name: bytes, content: bytes) -> bytes:
    head = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="' + name + b'"\r\n\r\n'
    return head + content + b"\r\n--edge--\r\n"


def many_pages(count: int) -> bytes:
    """One page object, named again and again."""
    kids = b"3 0 R " * count
    return _build(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count %d/Kids[%s]>>" % (count, kids),
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]>>",
    )


def _circle() -> bytes:
    return _build(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count 2/Kids[2 0 R 2 0 R]>>")


def _swelling(megabytes: int, layers: int = 1) -> bytes:
    """A page whose content is so many MB of blanks in a thousandth of it, packed `layers` times."""
    packed = b" " * (megabytes * 1_000_000)
    for _ in range(layers):
        packed = zlib.compress(packed, 9)
    return _one_page(b"/Filter[%s]" % (b"/FlateDecode" * layers), packed)


def _wide_picture(width: int, height: int) -> bytes:
    """A page with a picture that says it is large and has next to nothing in it."""
    packed = zlib.compress(b"\x00" * 1000)
    said = b"/Type/XObject/Subtype/Image/Width %d/Height %d/BitsPerComponent 8/ColorSpace/DeviceRGB"
    return _one_page(
        b"", b"100 0 0 100 0 0 cm /A Do", said % (width, height) + b"/Filter/FlateDecode", packed
    )


def _one_page(told: bytes, content: bytes, picture: bytes = b"", pixels: bytes = b"") -> bytes:
    """A PDF of one page with this stream, and this picture as /A."""
    return _build(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 4 0 R/Resources<</XObject<</A 5 0 R>>>>>>",
        b"<</Length %d%s>>stream\n%s\nendstream" % (len(content), told, content),
        b"<</Length %d%s>>stream\n%s\nendstream" % (len(pixels), picture, pixels),
    )


def _build(*objects: bytes) -> bytes:
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


def _wide_png(width: int, height: int) -> bytes:
    """A PNG that says it is large and has next to nothing in it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    head = width.to_bytes(4) + height.to_bytes(4) + bytes([8, 2, 0, 0, 0])
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\x00" * 1000))
        + chunk(b"IEND", b"")
    )


def _wide_bmp(width: int, height: int) -> bytes:
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
