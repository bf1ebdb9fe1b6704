"""What every export holds: the network with its preprocessing before it and its softmax behind it."""

from torch import Tensor, nn

from assay.models.classifier import InputMode, to_input


class Deployed(nn.Module):
    """(N, 3, S, S) float32 RGB values 0-255 -> (N, classes) probabilities that sum to 1.

    Normalisation is part of the graph, by the very function training uses, so no caller can get it wrong;
    only decoding, padding and resizing (`assay.data.images.fit`) stay outside.
    """

    def __init__(self, module: nn.Module, input_mode: InputMode) -> None:
        super().__init__()
        self.module = module
        self.input_mode = input_mode

    def forward(self, pixels: Tensor) -> Tensor:
        """Probabilities for a batch of pixels."""
        return self.module(to_input(pixels.permute(0, 2, 3, 1), self.input_mode)).softmax(dim=1)
