"""What the pages of classifiers and of detectors are tested for alike."""

import re

TOP = ("sample", "abcdef", "demo", "42", "2 cores, no GPU")  # of what `top("sample", ...)` says


def top(source, *, weights, experiment):
    """The arguments of `write_report` that say what the numbers rest on."""
    return {
        "data": {"source": source, "content": "abcdef" * 10},
        "weights": {"origin": "package", "detail": weights},
        "profile": "demo",
        "seed": 42,
        "hardware": "2 cores, no GPU",
        "facts": {"experiment": experiment},
    }


def check_numbers_of_other_images(sample, own, published):
    """Pages of sample and of own data say why `published`, a number of the original data, is not on them."""
    assert "not comparable with the published" in " ".join(sample.split())
    assert "Published numbers belong to other images" in own
    for html in (sample, own):
        assert published not in html and "Published and measured" not in html


def check_alone(html):
    """Pictures are in the page; nothing is fetched."""
    assert 'src="data:image/png;base64,' in html
    assert not re.search(r'(src|href)="(?!data:)', html) and "url(" not in html
