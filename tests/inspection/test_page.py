"""The page of inspection: its widgets through Streamlit's own harness, and once in a real browser."""

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import assay.inspection
from assay.inspection.stages import Inspector
from assay.pages import command
from tests.documents.test_page import SWITCHES, free_port, metric, wait_for
from tests.inspection.conftest import CLASSES, Boxes, Bright, export, photo, save

SCRIPT = next(iter(assay.inspection.__path__)) + "/page.py"
BOXES = (("rock_toe", 0.9, 10, 10, 40, 40), ("slope_drain", 0.5, 60, 20, 90, 50))
# Streamlit's process with stand-ins for the models
STAND_INS = f"""
import runpy
import sys

sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from assay.inspection.stages import Inspector
from tests.inspection.conftest import Boxes, Bright

Inspector.load = classmethod(lambda *_, **__: Inspector(Boxes(*{BOXES!r}), Bright(), {{}}))
runpy.run_path({SCRIPT!r})
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with what two exports say of themselves, and photos to pick from."""
    export(tmp_path / "build/infrastructure/export", "detection", classes=list(CLASSES))
    export(tmp_path / "build/conditions/export", "condition", object_types=list(CLASSES))
    save(tmp_path / "photos/berm/a.png", photo())
    save(tmp_path / "photos/dot.png", photo(1, 1))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def app(place, monkeypatch):
    """Start the page as its command does."""
    import streamlit
    from streamlit.testing.v1 import AppTest

    streamlit.cache_data.clear()
    streamlit.cache_resource.clear()
    here = Inspector(Boxes(*BOXES), Bright(), {"detector": {"experiment": "exp"}, "conditions": {}})
    monkeypatch.setattr(Inspector, "load", classmethod(lambda *_, **__: here))

    def app(detector="", photos="photos"):
        monkeypatch.setattr(sys, "argv", ["page.py", detector, "", photos])
        tab = AppTest.from_file(SCRIPT, default_timeout=60).run()
        assert not tab.exception, tab.exception
        return tab

    return app


def numbers(tab):
    return {one.label: one.value for one in tab.metric}


def test_nothing_is_chosen_at_first(app):
    tab = app()
    assert "Drop photos, or pick some" in tab.info[0].value and not tab.metric
    assert [one.value for one in tab.sidebar.selectbox] == [
        "build/infrastructure/export",
        "build/conditions/export",
    ]
    assert {one.label: one.value for one in tab.sidebar.slider} == {
        **{"rock toe": 0.15, "slope drain": 0.25},
        **{"toe drain": 0.25, "vegetation": 0.25},
    }
    assert any("no evaluation lies beside it" in one.value for one in tab.markdown)


def test_a_picked_photo_a_bad_one_and_a_slider(app):
    tab = app()
    tab.multiselect[0].set_value(["berm/a.png", "dot.png"]).run()
    assert numbers(tab) == {"photos": "2", "failed": "1", "objects": "2"}
    assert tab.error[0].value == "dot.png: too small: 1x1 pixels, at least 8 a side"
    shown = next(one.value for one in tab.dataframe if "condition" in one.value)
    assert shown["condition"].tolist() == ["normal", "conditional"] and shown["x1"].tolist() == [10.0, 60.0]
    slider = next(one for one in tab.sidebar.slider if one.label == "slope drain")
    slider.set_value(0.6).run()
    assert not tab.exception and numbers(tab)["objects"] == "1"


def test_a_mistake_is_one_line(app):
    (error,) = app(detector="build/conditions/export").error
    assert error.value.startswith("build/conditions/export: no export of task detection")


def test_the_command_says_what_is_missing(place, assay):
    status, _, complained = assay("page", "inspection", "--detector", "build/conditions/export")
    assert status == 2 and "no export of task detection" in complained
    status, _, complained = assay("page", "inspection", "--photos", "nowhere")
    assert status == 2 and complained.strip() == "assay: --photos nowhere: no such folder"
    shutil.rmtree("build/conditions")
    status, _, complained = assay("page", "inspection")
    assert status == 2 and "`dvc repro export@" in complained and len(complained.strip().splitlines()) == 1


@pytest.mark.slow
def test_photos_dropped_on_the_page(place):
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    from playwright.sync_api import expect, sync_playwright

    script = place / "stand_ins.py"
    script.write_text(STAND_INS, "utf-8")
    with sync_playwright() as play:
        port = free_port()
        started = command(script, "", "", "photos", port=port)
        with subprocess.Popen(started, stdout=subprocess.DEVNULL) as server:
            try:
                wait_for(f"http://127.0.0.1:{port}/_stcore/health")
                browser = play.chromium.launch(executable_path=chromium, args=SWITCHES)
                shown = browser.new_page(viewport={"width": 1400, "height": 1800}, accept_downloads=True)
                shown.set_default_timeout(60_000)
                shown.goto(f"http://127.0.0.1:{port}")
                files = [place / "photos/berm/a.png", place / "photos/dot.png"]
                shown.locator("input[type=file]").set_input_files(files)
                expect(metric(shown, "objects")).to_have_text("2", timeout=60_000)
                expect(metric(shown, "failed")).to_have_text("1")
                expect(shown.get_by_text("dot.png: too small: 1x1 pixels")).to_be_visible()
                expect(shown.locator("[data-testid=stImage] img")).to_have_count(1, timeout=60_000)
                told = json.loads(downloaded(shown, "Download JSON"))
                assert [one["status"] for one in told["images"]] == ["done", "failed"]
                assert told["counts"]["by_label"]["slope_drain"] == {"conditional": 1}
                rows = list(csv.DictReader(io.StringIO(downloaded(shown, "Download CSV").decode())))
                assert [row["condition"] for row in rows] == ["normal", "conditional"]
                with Image.open(io.BytesIO(downloaded(shown, "Download picture"))) as picture:
                    assert picture.size == (100, 60)
                knob = shown.get_by_role("slider", name="slope drain")
                knob.press("End")  # 1.00: above the box's confidence
                expect(metric(shown, "objects")).to_have_text("1", timeout=60_000)
                shown.get_by_text("How good the models are").click()
                expect(shown.get_by_text("no evaluation lies beside it").first).to_be_visible()
                browser.close()
            finally:
                server.terminate()


def downloaded(shown, text):
    with shown.expect_download() as download:
        shown.get_by_text(text).click()
    return download.value.path().read_bytes()
