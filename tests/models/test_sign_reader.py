import socket

import numpy as np
import pytest
from PIL import Image, ImageDraw

from assay.errors import UserError
from assay.models import sign_reader
from assay.sample.lettering import font


def test_it_reads_a_sign_without_a_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("tried to reach the network")

    for name in ("create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    board = Image.new("RGB", (260, 120), (250, 128, 24))
    for k, word in enumerate(("ROAD", "WORK")):
        ImageDraw.Draw(board).text((60, 8 + 52 * k), word, fill=(20, 20, 20), font=font("sans-bold", 40))
    reader = sign_reader.SignReader(confidence=0.5)
    lines = reader.read(np.asarray(board))
    assert [line.text for line in lines] == ["ROAD", "WORK"]
    left, top, right, low = lines[0].xyxy
    assert 40 < left < 70 and right < 230 and top < low < 70 and lines[0].confidence > 0.8
    assert reader.read(np.full((60, 60, 3), 90, np.uint8)) == []


def test_a_wheel_without_weights_is_named(monkeypatch):
    monkeypatch.setattr(sign_reader, "_MODELS", {"Rec": "none.onnx"})
    with pytest.raises(UserError, match=r"none\.onnx is missing"):
        sign_reader.SignReader(confidence=0.5)
