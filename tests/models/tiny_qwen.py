"""A Qwen2-VL network of 0.1 million random numbers with a tokenizer of letters and few words, as the hub has them."""

import json
from pathlib import Path
from typing import Any

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
WORDS = ("normal", "conditional", "blocked", "damaged")
_BYTES = 256  # of the byte-level alphabet, which come first in the vocabulary


def tiny_config(**changes: Any) -> Any:
    """Its configuration; `changes` are of the text tower."""
    from transformers import Qwen2VLConfig

    number = {name: _BYTES + place for place, name in enumerate(SPECIAL)}
    text = {
        "hidden_size": 32,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": _BYTES + len(SPECIAL) + len(WORDS),
        "initializer_range": 0.2,  # trained ones are as far apart; 0.02 could tell no token from another
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [1, 1, 2]},
        "bos_token_id": number["<|endoftext|>"],
        "eos_token_id": number["<|im_end|>"],
    }
    return Qwen2VLConfig(
        text_config=text | changes,
        vision_config={
            "depth": 1,
            "embed_dim": 32,
            "hidden_size": 32,
            "num_heads": 2,
            "initializer_range": 0.2,
        },
        image_token_id=number["<|image_pad|>"],
        video_token_id=number["<|video_pad|>"],
        vision_start_token_id=number["<|vision_start|>"],
        vision_end_token_id=number["<|vision_end|>"],
        tie_word_embeddings=True,
    )


def write_tiny(folder: Path, seed: int = 0) -> Path:
    """Write network and tokenizer into `folder`."""
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import Qwen2VLForConditionalGeneration

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Qwen2VLForConditionalGeneration(tiny_config())
    network.save_pretrained(folder)
    letters = {letter: place for place, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(letters, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in SPECIAL])
    tokenizer.add_tokens([AddedToken(word, normalized=False) for word in WORDS])
    tokenizer.save(str(folder / "tokenizer.json"))
    about = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": SPECIAL[0], "eos_token": "<|im_end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(about))
    return folder
