"""The page: its widgets through Streamlit's own harness, and once in a real browser, by keyboard only."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import assay
from assay.review import page as page_module

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]


@pytest.fixture
def app(offered, monkeypatch):
    """Start the page as its command does; a second call is another tab."""
    import streamlit
    from streamlit.testing.v1 import AppTest

    streamlit.cache_data.clear()

    def app(reviewer="ann", kind="human"):
        monkeypatch.setattr(sys, "argv", ["page.py", offered.to_json(), reviewer, kind])
        tab = AppTest.from_file(page_module.__file__, default_timeout=60).run()
        assert not tab.exception, tab.exception
        return tab

    return app


def press(tab, text):
    next(button for button in tab.button if button.label.startswith(text)).click().run()
    assert not tab.exception, tab.exception


def words(tab):
    return " ".join(one.value for one in (*tab.caption, *tab.markdown, *tab.sidebar.caption))


def test_nobody_decides_without_a_name(app, offered):
    tab = app(reviewer="")
    assert "Who decides?" in tab.info[0].value and not tab.button
    tab.sidebar.text_input[0].set_value("eve").run()
    press(tab, "keep")
    assert [d.reviewer for d in offered.decisions()] == ["eve"]


def test_a_category_waits_for_keep_and_undo_goes_back(app, offered):
    tab = app()
    press(tab, "roadside signs")
    assert offered.decisions() == [] and "roadside signs: K if no object" in words(tab)
    press(tab, "keep")
    (made,) = offered.decisions()
    assert (made.label, made.objects, made.boxes, made.order) == ("roadside_signs", False, 1, "surprise")
    press(tab, "work zone")
    press(tab, "undo")
    assert [d.label for d in offered.decisions()] == ["roadside_signs"]
    assert "taken back: work zone" in words(tab) and "1 hard negatives · 0 to be labelled" in words(tab)


def test_blind_shows_no_score(app, offered):
    tab = app()
    assert "score 0." in words(tab)
    tab.sidebar.toggle[0].set_value(True).run()
    assert "score 0." not in words(tab) and "label:" not in words(tab)
    press(tab, "keep")
    assert offered.decisions()[0].blind


def test_near_duplicates_are_answered_together_unless_switched_off(app, offered):
    tab = app()
    tab.sidebar.selectbox[1].set_value("cluster").run()
    press(tab, "keep")
    line = json.loads((offered.folder / "ann.jsonl").read_text())
    assert len(line["covers"]) == 4 and len(offered.decisions()) == 5
    next(one for one in tab.toggle if one.label == "answer these 5 together").set_value(False).run()
    press(tab, "keep")
    assert len(offered.decisions()) == 6


def test_a_second_look_in_another_tab_and_its_agreement(app, offered):
    ann = app()
    for _ in range(3):
        press(ann, "keep")
    bob = app("bob")
    bob.sidebar.selectbox[0].set_value("second look").run()
    press(bob, "keep")
    press(bob, "reject")
    assert "ann (human) and bob (human): 50% the same on 2" in words(bob)
    assert "1 disputed" in words(bob)
    assert [(d.second, d.blind) for d in offered.decisions()][-2:] == [(True, True)] * 2


def test_a_damaged_picture_is_said_and_can_be_skipped(app, offered):
    first = offered.table().sort_values("surprise", ascending=False)["image"].iloc[0]
    offered.picture(first).write_bytes(b"no picture")
    tab = app()
    assert first in tab.error[0].value
    press(tab, "next")
    assert not tab.error


# -- in a browser


@pytest.fixture
def address(offered, tmp_path):
    """The page, served for one test."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    source = str(Path(assay.__file__).parents[1])
    command = [
        sys.executable,
        "-c",
        "from assay.cli import main; main()",
        "review",
        "page",
        "project=workzone",
    ]
    with (tmp_path / "page.log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--reviewer", "ann", "--port", str(port)],
            env=os.environ | {"PYTHONPATH": source},
            stdout=log,
            stderr=log,
        )
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait(30)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(
    CHROMIUM is None, reason="needs chromium (Debian: `apt install chromium`), none is on the PATH"
)
def test_fifty_candidates_by_keyboard_then_reload_undo_and_export(offered, address):
    from playwright.sync_api import Error, expect, sync_playwright

    def lines():
        path = offered.folder / "ann.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []

    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        tab = browser.new_page(viewport={"width": 1440, "height": 900})
        tab.set_default_timeout(90_000)
        expect.set_options(timeout=90_000)
        for _ in range(90):  # until the server listens
            try:
                tab.goto(address)
                break
            except Error:
                tab.wait_for_timeout(1000)
        picture = tab.locator("[data-testid=stImage] img").first
        shown, keys = [], ["k", "x", "u", "2k", "6"]
        for number in range(50):
            picture.wait_for()
            now = picture.get_attribute("alt")
            tab.locator(f".st-key-skip-{now}").wait_for()  # its buttons come after it
            for key in keys[number % 5]:
                tab.keyboard.press(key)
                if key == "2":
                    tab.get_by_text("roadside signs: K if no object").wait_for()
            tab.wait_for_function(
                "old => { const i = document.querySelector('[data-testid=stImage] img'); return i && i.alt != old }",
                arg=now,
            )
            shown.append(now)
        assert [line["candidate"] for line in lines()] == shown and len(set(shown)) == 50
        labels = ["no_object", "object", "unsure", "roadside_signs", "work_zone"] * 10
        assert [line["label"] for line in lines()] == labels

        after = picture.get_attribute("alt")
        tab.reload()
        expect(picture).to_have_attribute("alt", after)
        tab.get_by_text("40 of 60 settled by people").wait_for()

        tab.keyboard.press("z")
        expect(picture).to_have_attribute("alt", shown[-1])
        assert lines()[-1]["label"] == "withdrawn" and len(lines()) == 51

        tab.keyboard.press("e")
        tab.get_by_text("10 no object, 10 object, 10 roadside signs, 9 work zone").wait_for()
        browser.close()
    folder = offered.exports / "export"
    assert len(list(folder.glob("*/*.jpg"))) == 39
    assert len(pd.read_csv(folder / "to_annotate.csv")) == 19
