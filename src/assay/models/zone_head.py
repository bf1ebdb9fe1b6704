"""Small networks from what a clip's frames tell to the zone state of each frame. None looks ahead."""

from typing import Literal, cast

import torch
from torch import Tensor, nn

Kind = Literal["mlp", "lstm", "transformer"]
_HEADS = 4


class ZoneHead(nn.Module):
    """(N, T, D) of N clips -> (N, T, classes) logits; frame t sees frames up to t.

    mlp: `window` frames stacked, then hidden layers. lstm: all frames so far. transformer: attention over the last
    `window` frames. Inputs are standardised by `mean` and `scale`, which are part of the weights.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        inputs: int,
        classes: int,
        *,
        kind: Kind,
        hidden: int,
        layers: int,
        window: int,
        dropout: float,
    ) -> None:
        super().__init__()
        if kind == "transformer" and hidden % _HEADS:
            raise ValueError(f"hidden {hidden} must be a multiple of {_HEADS} attention heads")
        self.kind, self.window = kind, window
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(inputs))
        if kind == "mlp":
            first: list[nn.Module] = [nn.Conv1d(inputs, hidden, window), nn.GELU(), nn.Dropout(dropout)]
            for _ in range(layers - 1):
                first += [nn.Conv1d(hidden, hidden, 1), nn.GELU(), nn.Dropout(dropout)]
            self.body: nn.Module = nn.Sequential(*first)
        elif kind == "lstm":
            self.body = nn.LSTM(
                inputs, hidden, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0
            )
        else:
            self.enter = nn.Linear(inputs, hidden)
            layer = nn.TransformerEncoderLayer(
                hidden, _HEADS, 2 * hidden, dropout, batch_first=True, norm_first=True, activation="gelu"
            )
            self.body = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.out = nn.Sequential(nn.Dropout(dropout), nn.Linear(hidden, classes))

    def forward(self, signals: Tensor) -> Tensor:
        """(N, T, D) float32 -> (N, T, classes)."""
        x = (signals - self.mean) / self.scale
        if self.kind == "mlp":
            padded = nn.functional.pad(x.transpose(1, 2), (self.window - 1, 0))
            y = self.body(padded).transpose(1, 2)
        elif self.kind == "lstm":
            y, _ = self.body(x)
        else:
            y = self.body(self.enter(x), mask=self._mask(x.shape[1]))
        return cast(Tensor, self.out(y))

    def _mask(self, frames: int) -> Tensor:
        """(T, T) True where frame t (row) must not look: ahead, or further back than the window."""
        ago = torch.arange(frames)[:, None] - torch.arange(frames)[None, :]
        return (ago < 0) | (ago >= self.window)
