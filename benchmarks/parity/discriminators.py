"""The discriminators and losses beside those of PyPI's `bigvgan` 2.4.1: same weights, same pair of waves."""

import io
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from unittest.mock import MagicMock

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import l1_loss

from benchmarks.parity.bigvgan import TRAINING
from benchmarks.parity.table import Row
from benchmarks.parity.weights import noise, seeded
from clipsonic.config import HOP_LENGTH, N_FFT, N_MELS, SAMPLE_RATE
from clipsonic.settings.vocoder import VocoderSettings
from clipsonic.vocoder.discriminators import PERIODS, RESOLUTIONS, Discriminators, Verdict
from clipsonic.vocoder.losses import discriminator_loss, feature_loss, generator_loss, mel_loss

FIXTURE = Path(__file__).parents[2] / "tests" / "fixtures" / "discriminators.safetensors"
SMALL = 1 / 16
KEPT = 16  # values of each score and feature map in the fixture


def published_name(name: str) -> str:
    """Our name of a weight => theirs, with the name of the published file's part before it."""
    _, part, _, layer, weight = name.split(".", 4)
    kind, number = ("mpd", int(part)) if int(part) < len(PERIODS) else ("mrd", int(part) - len(PERIODS))
    place = "conv_post" if layer == "5" else f"convs.{layer}"
    weight = weight.replace("parametrizations.weight.original0", "weight_g")
    weight = weight.replace("parametrizations.weight.original1", "weight_v")
    return f"{kind}.discriminators.{number}.{place}.{weight}"


def published_weights(multiplier: float) -> dict[str, Tensor]:
    """Seeded weights under the published names."""
    with torch.device("meta"):
        ours = Discriminators(multiplier=multiplier).state_dict()
    weights = seeded({published_name(name): weight for name, weight in ours.items()})
    for name in weights:
        if name.endswith("_g"):  # a length; 1.3 keeps the variance that the rectifiers take
            weights[name] = 1.3 + 0.1 * weights[name]
    return weights


def load(multiplier: float, weights: Mapping[str, Tensor]) -> Discriminators:
    """Ours with published weights: none missing, none left over."""
    ours = Discriminators(multiplier=multiplier)
    names = {published_name(name): name for name in ours.state_dict()}
    ours.load_state_dict({names[name]: weight for name, weight in weights.items()})
    return ours


def waves() -> tuple[Tensor, Tensor]:
    """A real and a generated batch, (2, 4096): no multiple of most periods."""
    real = (0.2 * noise("discriminators real", 2, 4096)).clamp(-1, 1)
    generated = (0.5 * real + 0.1 * noise("discriminators generated", 2, 4096)).clamp(-1, 1)
    return real, generated.requires_grad_()


def results(
    real: list[Verdict], generated: list[Verdict], losses: Mapping[str, Tensor], wave: Tensor
) -> dict[str, Tensor]:
    """All numbers of one side by name, and the gradient of the generator's whole loss by its wave."""
    numbers = dict(losses)
    for side, verdicts in (("real", real), ("generated", generated)):
        for number, (score, features) in enumerate(verdicts):
            numbers[f"{side}.{number}.score"] = score
            numbers |= {f"{side}.{number}.{layer}": feature for layer, feature in enumerate(features)}
    whole = losses["generator"] + losses["feature"] + VocoderSettings().mel_weight * losses["mel"]
    numbers["gradient"] = torch.autograd.grad(whole, wave)[0]
    return {name: number.detach() for name, number in numbers.items()}


def ours(discriminators: Discriminators) -> dict[str, Tensor]:
    """What this project computes."""
    x, y = waves()
    real, generated = discriminators(x), discriminators(y)
    losses = {
        "discriminator": discriminator_loss(real, generated),
        "generator": generator_loss(generated),
        "feature": feature_loss(real, generated),
        "mel": mel_loss(x, y),
    }
    return results(real, generated, losses, y)


def theirs(reference: Path, multiplier: float, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What the authors' code computes; losses are added up and the mel is compared as their training loop does."""
    stand_ins = {"torchaudio", "torchaudio.transforms"} - sys.modules.keys()
    sys.modules.update({name: MagicMock() for name in stand_ins})  # for discriminators not compared
    sys.path.insert(0, str(reference))
    try:
        from bigvgan import discriminators, loss
        from bigvgan.env import AttrDict
        from bigvgan.meldataset import mel_spectrogram
    finally:
        sys.path.remove(str(reference))
        for name in stand_ins:
            del sys.modules[name]
    config = AttrDict(TRAINING | {"resolutions": RESOLUTIONS, "discriminator_channel_mult": multiplier})
    (x, y), real, generated = waves(), [], []
    losses: dict[str, list[Tensor]] = {"discriminator": [], "generator": [], "feature": []}
    with redirect_stdout(io.StringIO()):
        periods = discriminators.MultiPeriodDiscriminator(config)
    for kind, network in ("mpd.", periods), ("mrd.", discriminators.MultiResolutionDiscriminator(config)):
        network.load_state_dict({name[4:]: value for name, value in weights.items() if name.startswith(kind)})
        real_scores, scores, real_features, features = network(x[:, None], y[:, None])
        losses["discriminator"].append(loss.discriminator_loss(real_scores, scores)[0])
        losses["generator"].append(loss.generator_loss(scores)[0])
        losses["feature"].append(loss.feature_loss(real_features, features))
        real += map(Verdict, real_scores, real_features)
        generated += map(Verdict, scores, features)
    mels = [mel_spectrogram(w, N_FFT, N_MELS, SAMPLE_RATE, HOP_LENGTH, N_FFT, 0, None) for w in (x, y)]
    added = {name: sum(both) for name, both in losses.items()} | {"mel": l1_loss(*mels)}
    return results(real, generated, added, y)


def sampled(numbers: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A few evenly spaced values of each tensor, those of one batch of waves as one."""
    few = defaultdict(list)
    for name, values in numbers.items():
        places = torch.linspace(0, values.numel() - 1, min(KEPT, values.numel())).long()
        few[name.split(".")[0]].append(values.flatten()[places])
    return {group: torch.cat(parts) for group, parts in few.items()}


def compare(reference: Path, full: bool, keep: bool) -> list[Row]:
    """One row: seconds are for both directions through all discriminators and losses."""
    multiplier = 1 if full else SMALL
    weights = published_weights(multiplier)
    discriminators = load(multiplier, weights)
    expected = theirs(reference, multiplier, weights)
    if keep:
        save_file(sampled(expected), FIXTURE)
    start = time.perf_counter()
    numbers = ours(discriminators)
    seconds = (time.perf_counter() - start) / 2
    assert numbers.keys() == expected.keys()
    differences = {name: float((numbers[name] - value).abs().max()) for name, value in expected.items()}
    # Slopes of |x| and leaky ReLU jump where rounding changes a sign: of the gradient, the share.
    share = differences.pop("gradient") / float(expected["gradient"].abs().max())
    losses = ", ".join(f"{name} {float(value):.4g}" for name, value in expected.items() if not value.dim())
    note = f"channels x {multiplier:g}; 2 pairs of 4,096 samples; {losses}; gradient within {share:.0e} of its peak"
    parameters = sum(map(torch.numel, discriminators.parameters()))
    return [Row("BigVGAN's discriminators and losses", parameters, max(differences.values()), seconds, note)]
