"""The authors' CLAP, `laion_clap` 1.1.7 as unpacked from its package, made to run beside ours.

It needs torchvision and torchaudio for two things only, and gets stand-ins: its mel comes from librosa, called as
the comment in its `get_mel` says, and its `Resize` is torch's bilinear interpolation without smoothing, as
torchvision's was when CLAP was trained. Its random choice of views is made to be ours, the middle of each third.
"""

import json
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, patch

import numpy as np
import soxr
import torch
from torch import Tensor, nn

UNUSED = ["torchvision", "torchvision.datasets", "torchvision.transforms", "torchvision.ops"]
UNUSED += [
    "torchvision.ops.misc",
    "torchaudio",
    "h5py",
    "wget",
    "pandas",
    "ftfy",
    "braceexpand",
    "webdataset",
]
UNUSED += ["torchlibrosa", "torchlibrosa.stft", "torchlibrosa.augmentation"]


def mel_of_librosa(
    f_min: float, f_max: float, sample_rate: int, onesided: bool, **settings: Any
) -> Callable[[Tensor], Tensor]:
    """In the place of torchaudio's MelSpectrogram."""
    import librosa

    def mel(wave: Tensor) -> Tensor:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the lowest bands are empty, in torchaudio too
            power = librosa.feature.melspectrogram(
                y=wave.numpy(), sr=sample_rate, fmin=f_min, fmax=f_max, htk=True, **settings
            )
        return torch.from_numpy(power)

    return mel


class Transform(nn.Module):
    """A function that looks like a transform of torchaudio or torchvision."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.forward = function


def decibels(top_db: None) -> Transform:
    """In the place of torchaudio's AmplitudeToDB."""
    return Transform(lambda power: 10 * power.clamp(min=1e-10).log10())


def resize(size: list[int]) -> Transform:
    """In the place of torchvision's Resize."""
    return Transform(
        lambda mel: nn.functional.interpolate(mel[None], size, mode="bilinear", align_corners=False)[0]
    )


@contextmanager
def stand_ins(folder: Path) -> Iterator[Any]:
    """The authors' package in `folder` importable => its module `data`; afterwards all is as before."""
    import librosa
    import transformers

    # Before the stand-ins are there, so that neither looks at them.
    early = [librosa.feature, transformers.BartModel, transformers.BertModel, transformers.RobertaModel]
    early += [transformers.BertTokenizer, transformers.RobertaTokenizer, transformers.BartTokenizer]

    modules: dict[str, Any] = {name: MagicMock() for name in UNUSED if name not in sys.modules}
    for name in ("stft.Spectrogram", "stft.LogmelFilterBank", "augmentation.SpecAugmentation"):
        module, _, kind = name.partition(".")  # built, but with fusion never called
        setattr(modules[f"torchlibrosa.{module}"], kind, lambda **_: nn.Identity())
    modules["torchvision.ops.misc"].FrozenBatchNorm2d = nn.Identity
    sys.modules.update(modules)
    paths = list(sys.path)
    sys.path[:0] = [str(folder), str(folder / "laion_clap")]
    try:
        with ExitStack() as stack:
            for kind in early[-3:]:
                stack.enter_context(patch.object(kind, "from_pretrained"))
            import laion_clap.training.data as data
        data.torchaudio.transforms.MelSpectrogram = lambda **given: Transform(mel_of_librosa(**given))
        data.torchaudio.transforms.AmplitudeToDB = decibels
        data.torchvision.transforms.Resize = resize
        yield data
    finally:
        sys.path[:] = paths
        for name in list(sys.modules):
            if name in modules or name.partition(".")[0] in ("laion_clap", "clap_module"):
                del sys.modules[name]


def build(folder: Path, config: Any) -> Any:
    """`laion_clap`'s network with fusion, of the sizes in transformers' `config`; within `stand_ins` only."""
    from clap_module import htsat, model
    from transformers import RobertaConfig, RobertaModel

    sound, text = config.audio_config, config.text_config
    page = json.loads((folder / "laion_clap/clap_module/model_configs/HTSAT-tiny.json").read_bytes())

    def small(audio_cfg: Any, enable_fusion: bool, fusion_type: str) -> nn.Module:
        return htsat.HTSAT_Swin_Transformer(
            spec_size=256, patch_size=4, patch_stride=(4, 4), window_size=8, num_classes=5, config=audio_cfg,
            embed_dim=sound.patch_embeds_hidden_size, depths=sound.depths, num_heads=sound.num_attention_heads,
            enable_fusion=enable_fusion, fusion_type=fusion_type,
        )  # fmt: skip

    published = sound.hidden_size == page["embed_dim"]
    roberta = RobertaConfig(**(text.to_dict() | {"model_type": "roberta", "layer_norm_eps": 1e-5}))
    with (
        patch.object(model.RobertaModel, "from_pretrained", lambda _: RobertaModel(roberta)),
        patch.object(model, "create_htsat_model", model.create_htsat_model if published else small),
    ):
        clap = model.CLAP(
            embed_dim=sound.hidden_size,
            audio_cfg=page["audio_cfg"],
            text_cfg=page["text_cfg"] | {"model_type": "roberta"},
            enable_fusion=True,
            fusion_type="aff_2d",
            joint_embed_shape=config.projection_dim,
        )
    if not published:  # the authors write 768 there
        clap.text_projection[0] = nn.Linear(text.hidden_size, config.projection_dim)
    return clap.eval()


def authors_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """transformers' weights under `laion_clap`'s names: the way back from transformers' conversion script."""
    renamed: dict[str, Tensor] = {}
    for name, weight in state.items():
        top, _, rest = name.partition(".")
        if name.endswith(("position_ids", "token_type_ids")):
            continue  # counters, which `laion_clap` drops too
        if top == "text_model":
            renamed[f"text_branch.{rest}"] = weight
        elif top in ("text_projection", "audio_projection"):
            renamed[f"{top}.{rest.replace('linear1', '0').replace('linear2', '2')}"] = weight
        elif top == "audio_model":
            inner = rest.replace("audio_encoder.", "audio_branch.").replace("batch_norm.", "bn0.")
            inner = inner.replace("layernorm_before", "norm1").replace("layernorm_after", "norm2")
            inner = inner.replace("attention.output.dense", "attn.proj").replace("attention.self", "attn")
            inner = inner.replace("intermediate.dense", "mlp.fc1").replace("output.dense", "mlp.fc2")
            if ".attn.query." in inner:
                three = [state[name.replace("query", part)] for part in ("query", "key", "value")]
                renamed[inner.replace("query", "qkv")] = torch.cat(three)
            elif ".attn.key." not in inner and ".attn.value." not in inner:
                renamed[inner] = weight
        else:
            renamed[name] = weight  # the two temperatures
    return renamed


def load(clap: Any, state: Mapping[str, Tensor]) -> None:
    """Gives the authors' network our weights; every weight that has a part in an embedding must be among them."""
    outcome = clap.load_state_dict(authors_names(state), strict=False)
    idle = ("audio_transform", "text_transform", "audio_branch.tscam_conv", "audio_branch.head")
    lacking = [name for name in outcome.missing_keys if not name.startswith(idle) and "attn_mask" not in name]
    if lacking or outcome.unexpected_keys:
        raise ValueError(f"weights do not fit: {lacking} {outcome.unexpected_keys}")


@torch.no_grad()
def sounds(clap: Any, data: Any, waves: list[np.ndarray], rate: int) -> Tensor:
    """`get_audio_embedding_from_data` of `CLAP_Module`, one wave at a time, at 48 kHz from the same resampler."""
    rows = []
    for wave in waves:
        samples = data.int16_to_float32(data.float32_to_int16(soxr.resample(wave, rate, 48_000)))
        settings = vars(clap.audio_cfg)
        with patch.object(data.np.random, "choice", lambda third: third[len(third) // 2]):
            features = data.get_audio_features(
                {}, torch.from_numpy(samples), 480_000, "fusion", "repeatpad", settings
            )
        rows.append(clap.get_audio_embedding([features]))
    return torch.cat(rows)


@torch.no_grad()
def texts(clap: Any, tokenizer: Any, words: list[str]) -> Tensor:
    """`get_text_embedding` of `CLAP_Module`, with our tokenizer."""
    tokens = tokenizer(words, padding="max_length", truncation=True, max_length=77, return_tensors="pt")
    return clap.get_text_embedding(tokens)
