import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from assay.data import images
from assay.data.images import BadImage, decode, fit, load_images, places, read_image
from assay.errors import UserError

RGB = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)


def encode(image, format="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def test_rgb_png_comes_back_as_it_was():
    assert np.array_equal(decode(encode(Image.fromarray(RGB))), RGB)


def test_grey_fills_three_channels():
    assert np.array_equal(decode(encode(Image.fromarray(RGB[..., 0]))), np.repeat(RGB[..., :1], 3, axis=2))


def test_sixteen_bits_are_scaled_to_eight():
    deep = np.array([[0, 257, 32896, 65535]], np.uint16)
    assert decode(encode(Image.fromarray(deep)))[0, :, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize("alpha, expected", [(0, 0), (255, 200), (51, 40)])
def test_transparency_is_composited_on_black(alpha, expected):
    image = Image.new("RGBA", (2, 2), (200, 200, 200, alpha))
    assert decode(encode(image))[0, 0].tolist() == [expected] * 3


def test_transparency_shows_the_background_that_is_asked_for():
    assert decode(encode(Image.new("RGBA", (2, 2))), background="white").min() == 255


def test_pages_of_a_tiff_are_found_and_no_copies_and_masks_of_them():
    pages = [Image.new("L", (9, 9), shade) for shade in (10, 20, 30)]
    pages[1].encoderinfo = {"tiffinfo": {254: 1}}  # a smaller copy of the first
    content = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert places(content) == [0, 2]
    assert [decode(content, place=place)[0, 0, 0] for place in places(content)] == [10, 30]
    assert places(encode(pages[0], "PNG", save_all=True, append_images=pages[2:])) == [0]  # an animation


@pytest.mark.parametrize("format", ["GIF", "ICO", "PPM", "TGA", "EPS"])
def test_other_formats_are_no_images(format):
    """Each is one more decoder for a foreign file to break, and EPS runs Ghostscript."""
    with pytest.raises(BadImage, match="not an image"):
        decode(encode(Image.fromarray(RGB), format))


def test_transparent_palette_is_composited_on_black():
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([255, 0, 0, 0, 255, 0])
    assert decode(encode(image, transparency=0))[0].tolist() == [[0, 0, 0], [0, 255, 0]]


def test_cmyk_becomes_rgb():
    pixel = decode(encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95))[8, 8]
    assert pixel[0] > 230 and pixel[1] < 25 and pixel[2] < 25


def test_exif_rotation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90 degrees clockwise
    assert np.array_equal(decode(encode(Image.fromarray(RGB), exif=exif)), np.rot90(RGB, k=-1))


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "empty file"),
        (b"these are words\n", "not an image"),
        (encode(Image.fromarray(RGB))[:200], "truncated"),
        (encode(Image.fromarray(RGB), "JPEG")[:300], "truncated|not an image|damaged"),
        (encode(Image.fromarray(RGB)).replace(b"IDAT", b"IDAX"), "damaged|truncated|not an image"),
        (encode(Image.fromarray(RGB[..., 0].astype(np.float32)), "TIFF"), "floating-point"),
    ],
    ids=["empty", "text", "cut png", "cut jpeg", "no data chunk", "float tiff"],
)
def test_what_is_no_picture_has_a_short_reason(data, reason):
    with pytest.raises(BadImage, match=reason) as caught:
        decode(data)
    assert len(caught.value.reason) < 120 and "\n" not in caught.value.reason


def test_a_decompression_bomb_is_refused_unopened(monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 100)
    with pytest.raises(BadImage, match="too large: 20x12"):
        decode(encode(Image.fromarray(RGB)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)  # Pillow's own check, from twice its limit on
    with pytest.raises(BadImage, match="bomb"):
        decode(encode(Image.fromarray(RGB)))


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 700), place=st.integers(0, 700), value=st.integers(0, 255))
def test_damage_ends_in_bad_image_or_a_picture(cut, place, value):
    data = bytearray(encode(Image.fromarray(RGB)))
    data[place % len(data)] = value
    try:
        image = decode(bytes(data[: len(data) - cut % len(data)]))
    except BadImage:
        return
    assert image.dtype == np.uint8 and image.shape[2] == 3


def test_names_with_spaces_and_other_letters(tmp_path):
    path = tmp_path / "Kirsche mit Stein, вишня 桜.png"
    Image.fromarray(RGB).save(path)
    assert np.array_equal(read_image(path), RGB)


def test_a_missing_file_is_a_bad_image(tmp_path):
    with pytest.raises(BadImage, match="cannot be read"):
        read_image(tmp_path / "gone.png")


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 50), width=st.integers(1, 50), size=st.integers(1, 40))
def test_fit_gives_a_square_and_keeps_a_flat_middle(height, width, size):
    fitted = fit(np.full((height, width, 3), 90, np.uint8), size)
    assert fitted.shape == (size, size, 3) and fitted.dtype == np.uint8
    assert fitted.max() <= 90


def test_fit_leaves_an_exact_square_alone_and_pads_with_black():
    square = np.ascontiguousarray(RGB[:, :12])
    assert fit(square, 12) is square
    padded = fit(RGB, 20)
    assert np.array_equal(padded[4:16], RGB) and padded[:4].max() == 0 and padded[16:].max() == 0


def test_fit_averages_when_it_shrinks():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 200  # without antialiasing every eighth column is 0 or 200
    assert abs(fit(stripes, 8)[4, 4, 0].astype(int) - 100) < 10


def test_load_images_keeps_the_order(tmp_path):
    for value in range(5):
        Image.new("RGB", (9, 9), (value, 0, 0)).save(tmp_path / f"{value}.png")
    loaded = load_images(tmp_path, ["3.png", "0.png", "4.png"], 8, progress="loading")
    assert loaded.shape == (3, 8, 8, 3) and loaded[:, 4, 4, 0].tolist() == [3, 0, 4]


def test_load_images_names_the_file_that_broke_after_prepare(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"a\.png: empty file.*run it again"):
        load_images(tmp_path, ["a.png"], 8)
