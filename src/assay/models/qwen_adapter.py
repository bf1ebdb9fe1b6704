"""The one module that imports peft, and transformers for Qwen2-VL: its files, its low-rank adapters, its answers."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.errors import UserError
from assay.files import atomic_write, sha256_file
from assay.models.clip_adapter import folder_of
from assay.models.weights import Origin, Weights

logger = logging.getLogger(__name__)

# The text towers' numbers from the published config.json files (huggingface.co/Qwen); both pictures' towers are the
# library's default: 32 layers of 1280 (Wang et al. 2024, arXiv 2409.12191).
SIZES: dict[str, dict[str, Any]] = {
    "Qwen/Qwen2-VL-2B-Instruct": {
        "hidden_size": 1536,
        "intermediate_size": 8960,
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
        "vocab_size": 151936,
        "tie_word_embeddings": True,
    },
    "Qwen/Qwen2-VL-7B-Instruct": {
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152064,
        "tie_word_embeddings": False,
    },
}
# The chat as the model was taught it (chat_template of its tokenizer), up to where the answer begins.
IMAGE, END = "<|image_pad|>", "<|im_end|>"
PROMPT = (
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "<|im_start|>user\n<|vision_start|>{pictures}<|vision_end|>{question}<|im_end|>\n"
    "<|im_start|>assistant\n"
)
ADAPTER = "adapter_model.safetensors"
_PATTERNS = (
    "config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "tokenizer*",
    "vocab.json",
    "merges.txt",
)
_BATCH = 8  # sequences at once where nothing is learnt: bounds memory


@dataclass(frozen=True)
class Found:
    """A folder with the network's files, and where they are from."""

    folder: Path
    weights: Weights


def configuration(name: str, folder: Path) -> Any:
    """The network's Qwen2VLConfig: of `folder` where it has one, else as published under `name`.

    Raises UserError for a config.json that cannot be read.
    """
    from transformers import Qwen2VLConfig

    if (folder / "config.json").is_file():
        try:
            return Qwen2VLConfig.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # transformers' own and the file's errors share no base class
            raise UserError(f"{folder}/config.json: not of a Qwen2-VL network ({_line(error)})") from error
    numbers = SIZES[name]
    more: dict[str, Any] = {"num_hidden_layers": 28, "vision_config": {"hidden_size": numbers["hidden_size"]}}
    return Qwen2VLConfig(**numbers, **more)


def find(name: str, *, path: str | None, allow_download: bool) -> Found:
    """The network's files: in `path`, in weights/<name>/, or from the hub (only with `allow_download`).

    There is no random start: a network that knows no words has no answer to compare.

    Raises:
        UserError: no origin has them, the folder is not whole, or peft is not installed.
    """
    if find_spec("peft") is None:
        raise UserError(
            f"{name}: peft is not installed, which makes adapters; install the extra `assay[lora]`"
        )
    folder = Path(path) if path else folder_of(name)
    origin: Origin = "file"
    if path is None and not folder.is_dir() and allow_download and (got := _download(name)) is not None:
        folder, origin = got, "download"
    files = sorted(file for pattern in _PATTERNS for file in folder.glob(pattern))
    kinds = {file.suffix for file in files} | {file.name for file in files}
    missing = [kind for kind in ("config.json", ".safetensors") if kind not in kinds]
    if not kinds & {"tokenizer.json", "vocab.json"}:
        missing.append("tokenizer.json")
    if missing:
        raise UserError(
            f"no pretrained weights for {name}: {folder}/ has no {', '.join(missing)}; put the model's files there "
            "(weights/README.md), name a folder as model.weights, or run profile=full where they can be downloaded"
        )
    digest = "".join(sha256_file(file) for file in files if file.suffix == ".safetensors")
    return Found(
        folder, Weights(origin, f"{folder} sha256 {hashlib.sha256(digest.encode()).hexdigest()[:16]}")
    )


def load(found: Found, on: torch.device) -> nn.Module:
    """The network on the CPU, bf16 where it will compute on a GPU and fp32 elsewhere; nothing of it learns.

    Raises:
        UserError: the files are damaged, or of another network: no tensor starts at random in silence.
    """
    from transformers import Qwen2VLForConditionalGeneration

    kind = torch.bfloat16 if on.type == "cuda" else torch.float32
    try:
        network, told = cast(Any, Qwen2VLForConditionalGeneration).from_pretrained(
            found.folder, dtype=kind, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except Exception as error:  # transformers', safetensors' and the files' own errors share no base class
        raise UserError(f"{found.folder}: not a Qwen2-VL network ({_line(error)})") from error
    if wrong := [*told["missing_keys"], *told["mismatched_keys"]]:
        raise UserError(
            f"{found.folder}: {len(wrong)} tensors are missing or of another shape ({wrong[0]}, …); put the whole "
            "model's files there"
        )
    return cast(nn.Module, network.requires_grad_(False).eval())


def adapt(
    network: nn.Module, *, rank: int, alpha: float, dropout: float, targets: Sequence[str], seed: int
) -> nn.Module:
    """Put low-rank adapters (Hu et al. 2021, arXiv 2106.09685) beside the text tower's layers `targets`.

    Only they learn, in fp32; they start as zero, so that the answers are still the network's own. The global random
    state is left alone.
    """
    from peft import LoraConfig, get_peft_model

    asked = LoraConfig(
        r=rank,
        lora_alpha=cast(int, alpha),
        lora_dropout=dropout,
        target_modules=list(targets),
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return get_peft_model(cast(Any, network), asked)


def learnt(network: nn.Module) -> dict[str, Tensor]:
    """The adapters' tensors by peft's names, on the CPU."""
    from peft import get_peft_model_state_dict

    state = get_peft_model_state_dict(cast(Any, network))
    return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state.items()}


def put_back(network: nn.Module, state: dict[str, Tensor]) -> None:
    """Fill the adapters with what `learnt` gave."""
    from peft import set_peft_model_state_dict

    set_peft_model_state_dict(cast(Any, network), state)


def save_adapters(network: nn.Module, folder: Path) -> None:
    """Write adapter_model.safetensors and adapter_config.json, which peft reads: `PeftModel.from_pretrained`."""
    from safetensors.torch import save

    with atomic_write(folder / ADAPTER) as temporary:
        temporary.write_bytes(save(learnt(network), metadata={"format": "pt"}))
    cast(Any, network).peft_config["default"].save_pretrained(folder)


def load_adapters(network: nn.Module, folder: Path) -> nn.Module:
    """The network with the adapters that `save_adapters` wrote; raises UserError where they are of another one."""
    from peft import PeftModel

    try:
        return PeftModel.from_pretrained(cast(Any, network), folder, local_files_only=True).eval()
    except Exception as error:  # as above
        raise UserError(f"{folder}: no adapters of this network ({_line(error)}); train again") from error


class Asker:
    """Asks about pictures, and says how likely given answers are."""

    def __init__(self, network: nn.Module, folder: Path) -> None:
        from transformers import AutoTokenizer
        from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

        self.network = network
        config = cast(Any, network).config
        self.image_token, vision = config.image_token_id, config.vision_config
        self.merged = vision.spatial_merge_size**2  # patches that become one token
        sizes = {"patch_size": vision.patch_size, "temporal_patch_size": vision.temporal_patch_size}
        self.pictures = Qwen2VLImageProcessorPil(
            **sizes, merge_size=vision.spatial_merge_size, do_resize=False
        )
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # as above
            raise UserError(f"{folder}: its tokenizer cannot be read ({_line(error)})") from error
        if self.tokenizer.convert_tokens_to_ids(IMAGE) != self.image_token:
            raise UserError(
                f"{folder}: tokenizer and config.json disagree about {IMAGE}; take both from one model"
            )

    def log_likelihood(
        self, crops: NDArray[np.uint8], questions: Sequence[str], answers: Sequence[str]
    ) -> tuple[Tensor, Tensor]:
        """(N,) natural logarithm of how likely each answer and its end are, and (N,) whether they are the likeliest.

        The likeliest: each of its tokens is, where those before it are given. crops: (N, S, S, 3) uint8 RGB, S a
        multiple of 28.
        """
        inputs, labels = self._inputs(crops, questions, answers)
        kept = labels.shape[1] + 1  # a token is foretold at the place before it
        logits = self.network(**inputs, logits_to_keep=kept, use_cache=False).logits[:, :-1].float()
        loss = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")  # 0 where the label is -100
        return -loss.sum(dim=1), ((logits.argmax(dim=2) == labels) | (labels == -100)).all(dim=1)

    def _inputs(
        self, crops: NDArray[np.uint8], questions: Sequence[str], answers: Sequence[str]
    ) -> tuple[dict[str, Tensor], Tensor]:
        """What the network takes, padded on the left so that all answers end together, and (N, longest) their tokens."""
        pictures = self.pictures(images=list(crops), return_tensors="pt", input_data_format="channels_last")
        counts = (pictures["image_grid_thw"].prod(dim=1) // self.merged).tolist()
        asked = [
            PROMPT.format(pictures=IMAGE * count, question=question)
            for count, question in zip(counts, questions, strict=True)
        ]
        prompts, ends = self._tokens(asked), self._tokens([answer + END for answer in answers])
        rows = [prompt + end for prompt, end in zip(prompts, ends, strict=True)]
        ids = torch.full((len(rows), max(map(len, rows))), self.tokenizer.pad_token_id)
        mask = torch.zeros_like(ids)
        labels = torch.full((len(rows), max(map(len, ends))), -100)
        for number, (row, end) in enumerate(zip(rows, ends, strict=True)):
            ids[number, -len(row) :] = torch.tensor(row)
            mask[number, -len(row) :] = 1
            labels[number, -len(end) :] = torch.tensor(end)
        inputs = {
            "input_ids": ids,
            "attention_mask": mask,
            "mm_token_type_ids": (ids == self.image_token).int(),
            **pictures,
        }
        on = next(self.network.parameters()).device
        return {name: tensor.to(on) for name, tensor in inputs.items()}, labels.to(on)

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        return cast(list[list[int]], self.tokenizer(texts, add_special_tokens=False)["input_ids"])


def probabilities_of(
    asker: Asker, crops: NDArray[np.uint8], questions: Sequence[str], words: Sequence[str]
) -> NDArray[np.float32]:
    """(N, len(words)) how likely each word is as the answer, among those words; every row sums to 1."""
    asker.network.eval()
    parts = [torch.empty(0, len(words))]
    with torch.inference_mode():
        for start in range(0, len(crops), _BATCH):
            some, asked = crops[start : start + _BATCH], questions[start : start + _BATCH]
            each = [asker.log_likelihood(some, asked, [word] * len(some))[0] for word in words]
            parts.append(torch.stack(each, dim=1).softmax(dim=1).cpu())
    return torch.cat(parts).numpy()


def _download(name: str) -> Path | None:
    """The hub's files in its cache; None, after one warning line, where they cannot be had."""
    from huggingface_hub import constants, snapshot_download

    from assay.models.timm_adapter import _reachable

    reached = _reachable(constants.ENDPOINT)
    try:
        return Path(snapshot_download(name, allow_patterns=list(_PATTERNS), local_files_only=not reached))
    except Exception as error:  # the hub client's and the network's errors share no base class
        logger.warning("weights of %s: download failed (%s)", name, _line(error))
        return None


def _line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:160] or type(error).__name__
