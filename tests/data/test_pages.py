import io

import pytest
from PIL import Image
from reportlab.pdfgen import canvas

from assay.data.pages import BadPage, Page, render


def write_pdf(path, sizes=((200, 300),), **options):
    """A PDF with a black bar on each page, half way down; sizes in points."""
    drawn = canvas.Canvas(str(path), invariant=1, **options)
    for size in sizes:
        drawn.setPageSize(size)
        drawn.rect(20, size[1] / 2, size[0] / 2, 10, fill=1)
        drawn.showPage()
    drawn.save()
    return path


def test_pages_have_the_size_of_the_resolution(tmp_path):
    pages = list(render(write_pdf(tmp_path / "a.pdf", [(200, 300), (301, 100)]), dpi=144, max_side=10_000))
    assert [(page.number, page.width, page.height) for page in pages] == [(1, 400, 600), (2, 602, 200)]


def test_a_page_is_drawn_dark_on_white_and_the_same_each_time(tmp_path):
    (page,) = render(write_pdf(tmp_path / "a.pdf"), dpi=72, max_side=1000)
    picture = Image.open(io.BytesIO(page.read()))
    assert (picture.format, picture.mode, picture.size) == ("PNG", "L", (200, 300))
    assert (picture.getpixel((5, 5)), picture.getpixel((60, 145))) == (255, 0)
    assert page.read() == page.read()


def test_a_page_with_colour_keeps_it(tmp_path):
    drawn = canvas.Canvas(str(tmp_path / "a.pdf"), pagesize=(50, 50))
    drawn.setFillColorRGB(0, 0, 1)
    drawn.rect(0, 0, 25, 50, fill=1, stroke=0)
    drawn.save()
    (page,) = render(tmp_path / "a.pdf", dpi=72, max_side=1000)
    picture = Image.open(io.BytesIO(page.read()))
    assert [picture.getpixel((x, 10)) for x in (5, 45)] == [(0, 0, 255), (255, 255, 255)]


def test_sizes_that_are_no_whole_pixels_are_what_is_drawn(tmp_path):
    """612 x 792 at 96 DPI is whole; 595.276 x 841.89 (A4) at 200 DPI is not."""
    sizes = [(612, 792), (595.276, 841.89), (100.1, 33.3)]
    for page in render(write_pdf(tmp_path / "a.pdf", sizes), dpi=200, max_side=10_000):
        assert page.image().size == (page.width, page.height)


def test_a_page_of_20000_px_is_set_aside_and_the_others_are_not(tmp_path):
    path = write_pdf(tmp_path / "a.pdf", [(200, 300), (7200, 100), (200, 300)])
    first, large, last = render(path, dpi=200, max_side=10_000)
    assert isinstance(large, BadPage)
    assert large.number == 2
    assert large.reason == "too large: 20000x278 px at 200 DPI; the limit is 10000 px a side"
    assert isinstance(first, Page)
    assert isinstance(last, Page)


def test_too_many_pixels_are_too_large_within_max_side(tmp_path):
    (page,) = render(write_pdf(tmp_path / "a.pdf", [(9900, 9900)]), dpi=72, max_side=10_000)
    assert page.reason.startswith("too large: 9900x9900 px at 72 DPI; the limit is 89478485 px")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"not at all", "not a PDF"),
        (b"%PDF-1.4\n%%EOF\n", "damaged"),
    ],
)
def test_what_is_no_pdf(tmp_path, content, reason):
    path = tmp_path / "a.pdf"
    path.write_bytes(content)
    with pytest.raises(BadPage, match=reason):
        list(render(path, dpi=72, max_side=1000))


def test_a_missing_file(tmp_path):
    with pytest.raises(BadPage, match="can't be read: No such file"):
        list(render(tmp_path / "a.pdf", dpi=72, max_side=1000))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_pdf_is_bad_as_a_whole(tmp_path, share):
    path = write_pdf(tmp_path / "a.pdf", [(200, 300)] * 3)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(BadPage, match="truncated"):
        list(render(path, dpi=72, max_side=1000))


def test_an_encrypted_pdf_says_so(tmp_path):
    from reportlab.lib.pdfencrypt import StandardEncryption

    path = write_pdf(tmp_path / "a.pdf", encrypt=StandardEncryption("secret", "owner"))
    with pytest.raises(BadPage, match="encrypted: it asks for a password"):
        list(render(path, dpi=72, max_side=1000))


def test_a_pdf_of_no_pages(tmp_path):
    import pypdfium2

    document = pypdfium2.PdfDocument.new()
    document.save(tmp_path / "a.pdf")
    document.close()
    with pytest.raises(BadPage, match="without pages"):
        list(render(tmp_path / "a.pdf", dpi=72, max_side=1000))


def test_a_document_that_changed_meanwhile_is_not_drawn_in_another_size(tmp_path):
    (page,) = render(write_pdf(tmp_path / "a.pdf"), dpi=72, max_side=1000)
    write_pdf(tmp_path / "a.pdf", [(100, 100)])
    with pytest.raises(BadPage, match="drawn as 100x100, not 200x300"):
        page.read()
