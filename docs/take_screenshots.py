"""Photograph pages of the last `make repro`: reports and candidates, docs/*.png.

python docs/take_screenshots.py       (needs Chromium; refuses any data but the sample, which alone may be published)
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from PIL import Image

BUILD = Path("build")
# (page or picture, its picture here, from and to in px: what a reader should see of it, pages at a width of 1000 px)
PAGES = [
    ("cherry/evaluation/report.html", "report.png", 0, 1325),
    ("infrastructure/evaluation/report.html", "report-detector.png", 0, 1325),
    ("workzone/candidates/index.html", "candidates.png", 1182, 1940),
    ("documents/evaluation/val_gallery.png", "gallery.png", 0, 1560),
    ("cherry/evaluation/worst_mistakes.png", "mistakes.png", 0, 630),
    ("infrastructure/evaluation/val_gallery.png", "gallery-photos.png", 0, 846),
    ("workzone/evaluation/val_gallery.png", "gallery-road.png", 0, 765),
]
COLOURS = 160  # of a report's palette: a third of the bytes, no difference to the eye; photos keep all
SWITCHES = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"),
    "--disable-background-networking",
]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def photograph(browser: str, page: Path, picture: Path, start: int, end: int) -> None:
    """Save what lies between `start` and `end` px of a page or picture as a PNG."""
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        if page.suffix == ".png":
            shutil.copyfile(page, shot)
        else:
            command = [browser, *SWITCHES, f"--user-data-dir={folder}/profile"]
            command += [f"--window-size=1000,{end}", f"--screenshot={shot}", page.resolve().as_uri()]
            subprocess.run(command, check=True, capture_output=True, timeout=120)
        seen = Image.open(shot).convert("RGB")
        seen = seen.crop((0, start, seen.width, min(end, seen.height)))
        if page.stem == "report":
            seen = seen.quantize(COLOURS, dither=Image.Dither.NONE)
        seen.save(picture, optimize=True)
    print(f"{picture}: {picture.stat().st_size / 1000:.0f} kB")


def main() -> str | None:
    """Take all pictures; returns what is missing."""
    for project in sorted({page.partition("/")[0] for page, *_ in PAGES}):
        source = BUILD / project / "dataset/SOURCE.yaml"
        if not source.is_file():
            return f"{source}: no such file; run `make repro` first"
        if (kind := yaml.safe_load(source.read_text("utf-8"))["source"]) != "sample":
            return f"{source}: the data is {kind!r}; only pictures of the sample are published"
    if missing := [page for page, *_ in PAGES if not (BUILD / page).is_file()]:
        return f"{BUILD / missing[0]}: no such file; run `make repro` first"
    browser = next((name for name in BROWSERS if shutil.which(name)), None)
    if browser is None:
        return f"none of {', '.join(BROWSERS)} is installed"
    for page, picture, start, end in PAGES:
        photograph(browser, BUILD / page, Path(__file__).with_name(picture), start, end)
    return None


if __name__ == "__main__":
    sys.exit(main())
