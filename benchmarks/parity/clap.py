"""CLAPEncoder beside its authors' `laion_clap`: same weights, same 16 kHz waves, same tokens.

How the reference is made to run: `clap_reference.py`.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import soxr
import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.parity import clap_reference
from benchmarks.parity.table import Row
from benchmarks.parity.weights import noise, seeded
from clipsonic.encoders.clap import CLAPEncoder

FIXTURE = Path(__file__).parents[2] / "tests" / "fixtures" / "clap.safetensors"
RATE = 16_000
SECONDS = {"short": (0.7, 4.1, 10.0), "long": (10.5, 23.0)}
TEXTS = ["a dog", "the sound of a violin, far away", "", "rain on a tin roof " * 20]


def waves(kind: str) -> list[np.ndarray]:
    """16 kHz sounds, `short` (up to 10 s) or `long`: a tone and noise that swells; the last is almost silence."""
    drawn = []
    for number, seconds in enumerate(SECONDS[kind]):
        moments = np.arange(round(seconds * RATE)) / RATE
        swell = 0.5 - 0.5 * np.cos(2 * np.pi * moments * (number + 1) / seconds)
        tone = 0.3 * np.sin(2 * np.pi * 440 * (number + 1) * moments) * (moments < seconds / 2)
        drawn.append((0.1 * swell**2 * noise(f"clap {kind}", len(moments)).numpy() + tone).astype(np.float32))
    return [*drawn, drawn[-1] * np.float32(1e-3)]


def save_clap(folder: Path, full: bool) -> None:
    """transformers' CLAP with seeded weights, and a tokenizer of bytes, in the form they are published in."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import ClapConfig, ClapModel, RobertaTokenizer

    sound = {"enable_fusion": True, "fusion_type": "aff_2d"}
    text = {}
    if not full:
        sound |= {"patch_embeds_hidden_size": 8, "hidden_size": 64}
        sound |= {"depths": [2, 2, 2, 2], "num_attention_heads": [1, 2, 4, 8]}
        text |= {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
        text |= {"vocab_size": 261, "max_position_embeddings": 80}
    model = ClapModel(ClapConfig(text_config=text, audio_config=sound, projection_dim=512 if full else 24))
    weights = seeded(model.state_dict())
    front = "audio_model.audio_encoder.batch_norm.running_"
    weights[front + "mean"] -= 40  # decibels, so that what follows sees numbers near 1
    weights[front + "var"] *= 20**2
    model.load_state_dict(weights)
    model.save_pretrained(folder)
    words = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *sorted(ByteLevel.alphabet())]
    RobertaTokenizer(vocab={word: number for number, word in enumerate(words)}, merges=[]).save_pretrained(
        folder
    )


@torch.no_grad()
def as_it_comes(folder: str) -> tuple[Tensor, Tensor]:
    """transformers' CLAP behind its own front end with `is_longer` put right => short sounds, texts."""
    from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel

    model = ClapModel.from_pretrained(folder).eval()
    extractor = ClapFeatureExtractor(frequency_min=50, frequency_max=14_000)
    samples = [soxr.resample(wave, RATE, 48_000) for wave in waves("short")]
    mels = torch.from_numpy(np.stack(extractor(samples, sampling_rate=48_000)["input_features"])).float()
    sounds = model.get_audio_features(mels, is_longer=torch.zeros(len(mels), 1, dtype=torch.bool))
    tokens = AutoTokenizer.from_pretrained(folder)(
        TEXTS, padding="max_length", truncation=True, max_length=77, return_tensors="pt"
    )
    return sounds.pooler_output, model.get_text_features(**tokens).pooler_output


def compare(reference: Path, full: bool, keep: bool) -> list[Row]:
    """Both networks on the same weights => rows for short and long sounds and for texts."""
    size = "full size" if full else "small"
    with tempfile.TemporaryDirectory() as folder, clap_reference.stand_ins(reference) as data:
        save_clap(Path(folder), full)
        encoder = CLAPEncoder(folder)
        network, tokenizer = encoder._parts
        theirs = clap_reference.build(reference, network.config)
        clap_reference.load(theirs, network.state_dict())
        wanted = {kind: clap_reference.sounds(theirs, data, waves(kind), RATE) for kind in SECONDS}
        wanted["texts"] = clap_reference.texts(theirs, tokenizer, TEXTS)

        rows = []
        for part, expected in wanted.items():
            start = time.perf_counter()
            ours = encoder.encode_text(TEXTS) if part == "texts" else encoder.encode_audio(waves(part), RATE)
            seconds = (time.perf_counter() - start) / len(ours)
            tower = "text_" if part == "texts" else "audio_"
            parameters = sum(w.numel() for n, w in network.named_parameters() if n.startswith(tower))
            worst = float((ours - expected).abs().max())
            items = (
                f"{len(TEXTS)} texts" if part == "texts" else f"sounds of {SECONDS[part]} s, one near silence"
            )
            rows.append(Row(f"CLAP, {part}", parameters, worst, seconds, f"{size}; unit vectors; {items}"))
        for part, plain in zip(("short", "texts"), as_it_comes(folder), strict=True):
            worst = float((plain - wanted[part]).abs().max())
            name = "front end, short" if part == "short" else "epsilon, texts"
            rows.append(
                Row(f"transformers' own {name}", 0, worst, 0, f"{size}; not used: shown for comparison")
            )
    if keep:
        save_file({part: expected.contiguous() for part, expected in wanted.items()}, FIXTURE)
    return rows
