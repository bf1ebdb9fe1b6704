"""Training loops: batched augmentation, numeric precision, resumable epochs, the two-stage method."""
