import pytest

from assay.errors import UserError
from assay.service.settings import Settings


def test_settings_come_from_the_environment():
    given = {"ASSAY_SERVICE_MAX_PAGES": "7", "ASSAY_SERVICE_TOKEN": "x-y", "HOME": "/"} | {
        "ASSAY_SERVICE_HOSTS": "Marks.example.org, intranet"
    }
    assert Settings.from_environment(given) == Settings(
        max_pages=7, token="x-y", hosts=("marks.example.org", "intranet")
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MAX_PAGE", "7", "no such setting; there are ASSAY_SERVICE_CONCURRENCY"),
        ("MAX_PAGES", "0", "expected a whole number from 1"),
        ("SECONDS", "-1", "expected a whole number from 1"),
        ("SECONDS", "ten", "expected a whole number from 1"),
        ("DPI", "7", "from 36 to 600"),
        ("TOKEN", "", "TOKEN is empty: give it a value, or unset it"),  # not: whoever asks is let in
        (
            "TOKEN",
            "schlüssel",
            "expected ASCII characters without spaces",
        ),  # clients differ in how they send it
        ("TOKEN", "a b", "expected ASCII characters without spaces"),
        ("HOSTS", "http://a", "expected names without port, commas between"),
        ("HOSTS", "", "expected names without port"),
    ],
)
def test_mistakes_are_one_line(name, value, said):
    with pytest.raises(UserError, match=said):
        Settings.from_environment({f"ASSAY_SERVICE_{name}": value})
