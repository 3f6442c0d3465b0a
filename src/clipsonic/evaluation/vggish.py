"""VGGish (Hershey et al. 2017, arXiv 1609.09430) as the Fréchet audio distance uses it.

The front end is that of TensorFlow's `vggish_input.py`; the network is the port `harritaylor/torchvggish`, whose
weights are loaded as they are published. FAD (Kilgour et al. 2019, arXiv 1812.08466) is measured here as CLIPSonic
does: no PCA and no rounding to 8 bits, and without the ReLU after the last layer.
"""

import pickle
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad

from clipsonic.errors import UserError, first_line

# TensorFlow's vggish_params.py.
VGGISH_RATE = 16_000
FRAME, HOP, N_FFT = 400, 160, 512  # samples: 25 ms, 10 ms
BANDS, LOWEST_HZ, HIGHEST_HZ = 64, 125.0, 7500.0
LOG_OFFSET = 0.01
WINDOW_FRAMES = 96  # 0.96 s, one after another
WINDOW_SAMPLES = (
    WINDOW_FRAMES - 1
) * HOP + FRAME  # that the first window needs; each further one takes 96 hops

BATCH = 64  # windows in memory at once


@cache
def vggish_mel_filters() -> Float[Tensor, "bins bands"]:
    """Triangles over the HTK mel scale, of height 1; the bin of 0 Hz belongs to none."""

    def mel(hertz: Tensor) -> Tensor:
        return 1127 * (1 + hertz / 700).log()

    low, high = mel(torch.tensor([LOWEST_HZ, HIGHEST_HZ], dtype=torch.float64)).tolist()
    edges = torch.linspace(low, high, BANDS + 2, dtype=torch.float64)
    bins = mel(torch.linspace(0, VGGISH_RATE / 2, N_FFT // 2 + 1, dtype=torch.float64))[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    filters = torch.minimum(rising, falling).clamp(min=0)
    filters[0] = 0
    return filters.float()


def log_mel_windows(wave: Float[Tensor, "samples"]) -> Float[Tensor, "windows 96 64"]:
    """16 kHz wave => log-mel of every whole 0.96 s window.

    A rest at the end is left out, as in the original. A wave shorter than one window, of which the original makes
    nothing, is filled with zeros to one.
    """
    wave = pad(wave, (0, max(0, WINDOW_SAMPLES - len(wave))))
    frames = wave.unfold(0, FRAME, HOP) * torch.hann_window(FRAME, device=wave.device)
    magnitude = torch.fft.rfft(frames, N_FFT).abs()
    mel = (magnitude @ vggish_mel_filters().to(wave.device) + LOG_OFFSET).log()
    windows = len(mel) // WINDOW_FRAMES
    return mel[: windows * WINDOW_FRAMES].view(windows, WINDOW_FRAMES, BANDS)


class VGGish(nn.Module):
    """Six convolutions and three layers on one log-mel window => 128 numbers of either sign; 72 M parameters.

    Names and shapes of its weights are those of `vggish-10086976.pth`.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for width, convolutions in ((64, 1), (128, 1), (256, 2), (512, 2)):
            for _ in range(convolutions):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.embeddings = nn.Sequential(
            nn.Linear(6 * 4 * 512, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 128)
        )

    def forward(self, windows: Float[Tensor, "windows 96 64"]) -> Float[Tensor, "windows 128"]:
        """Log-mel windows => their embeddings."""
        maps = self.features(windows[:, None])
        return self.embeddings(maps.permute(0, 2, 3, 1).flatten(1))  # channels last, as TensorFlow lays them

    @torch.no_grad()
    def embed(self, wave: Float[Tensor, "samples"]) -> Float[Tensor, "windows 128"]:
        """16 kHz mono wave in [-1, 1] => one row for each whole 0.96 s; at least one.

        Raises:
            UserError: the wave holds values that are not numbers.
        """
        if not wave.isfinite().all():
            raise UserError("a sound to score holds values that are not numbers (nan or infinite)")
        windows = log_mel_windows(wave.to(next(self.parameters()).device, torch.float32))
        parts = [windows[start : start + BATCH] for start in range(0, len(windows), BATCH)]
        return torch.cat([self(part) for part in parts])


def load_vggish(path: Path) -> VGGish:
    """The published weights => a frozen VGGish.

    Args:
        path: `vggish-10086976.pth`, from release v0.1 of `harritaylor/torchvggish`; read as numbers only.

    Raises:
        UserError: there is no such file, or it is damaged or another.
    """
    wanted = "it has to be vggish-10086976.pth of release v0.1 of harritaylor/torchvggish, as published"
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise UserError(f"{path} cannot be read as weights ({first_line(error)}); {wanted}") from error
    with torch.device("meta"):
        model = VGGish()
    shapes = {name: weight.shape for name, weight in model.state_dict().items()}
    if not isinstance(state, dict) or shapes != {n: getattr(w, "shape", None) for n, w in state.items()}:
        raise UserError(f"{path} holds no weights of VGGish; {wanted}")
    model.load_state_dict({name: weight.float() for name, weight in state.items()}, assign=True)
    return model.eval().requires_grad_(False)
