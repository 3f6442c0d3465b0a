"""The U-Net compiled for the processor by OpenVINO: the same function, called in the same way."""

import contextlib
import hashlib
import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from clipsonic.diffusion.unet import MelUNet
from clipsonic.errors import UserError
from clipsonic.files import cache_folder

FORMAT = 1  # of what is kept; counted up when the export changes
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.1}  # largest difference to torch, by the largest output
CHECK_FRAMES = 32


@dataclass(frozen=True)
class Output:
    """As diffusers' U-Net gives it."""

    sample: Tensor


class CompiledUNet(nn.Module):
    """Stands in for the `MelUNet` it was made of wherever that is only called."""

    def __init__(self, compiled: Any, config: Any) -> None:
        super().__init__()
        self._compiled = compiled
        self.config = config
        self.dtype = torch.float32  # of what goes in and comes out; inside it may be bfloat16

    def forward(
        self, sample: Tensor, timestep: Tensor, encoder_hidden_states: None, class_labels: Tensor
    ) -> Output:
        """Folded noisy mel, time and condition => what the network says."""
        inputs = [each.float().contiguous().numpy() for each in (sample, timestep, class_labels)]
        request = self._compiled.create_infer_request()  # its own: threads may call at the same time
        return Output(torch.from_numpy(request.infer(inputs)[0].copy()))


def compile_unet(unet: MelUNet, precision: torch.dtype = torch.float32) -> CompiledUNet:
    """A U-Net => the same, compiled; exported once and kept in the user's cache under its weights' checksum.

    Every call compares it with torch on random input before it is handed out.

    Args:
        precision: inside the network, float32 or bfloat16.

    Raises:
        UserError: OpenVINO is not installed, or its outputs are not torch's.
    """
    try:
        import openvino
    except ImportError as error:
        raise UserError("OpenVINO is not installed: pip install 'clipsonic[openvino]'") from error
    unet = unet.cpu().float().eval()
    path = cache_folder() / "openvino" / f"{_key(unet, openvino.__version__)}.xml"
    core = openvino.Core()
    exported = _read(core, path)
    if exported is None:
        exported = _export(unet)
        _keep(exported, path)
    hints = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == torch.bfloat16 else "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    compiled = CompiledUNet(core.compile_model(exported, "CPU", hints), unet.config)
    _compare(unet, compiled, TOLERANCE[precision])
    return compiled


class _Bare(nn.Module):
    """The call of a `MelUNet` as a function of tensors."""

    def __init__(self, unet: MelUNet) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        return self.unet(x, t, encoder_hidden_states=None, class_labels=condition).sample


def _inputs(unet: MelUNet, clips: int) -> tuple[Tensor, Tensor, Tensor]:
    config, random = unet.config, torch.Generator().manual_seed(0)
    x = torch.randn(clips, config.in_channels, config.sample_size, CHECK_FRAMES, generator=random)
    width = config.projection_class_embeddings_input_dim
    return x, torch.linspace(1, 999, clips), torch.randn(clips, width, generator=random)


@torch.no_grad()
def _export(unet: MelUNet) -> Any:
    """Traced by torch, read by OpenVINO's own reader of such traces; lengths and numbers of clips stay free."""
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")  # the trace warns of every check of a shape in diffusers
        traced: Any = torch.jit.trace(  # type: ignore[no-untyped-call]
            _Bare(unet), _inputs(unet, 2), check_trace=False
        )
        decoder = TorchScriptPythonDecoder(traced)
        frontend = FrontEndManager().load_by_framework("pytorch")
        return frontend.convert(frontend.load(decoder))


@torch.no_grad()
def _compare(unet: MelUNet, compiled: CompiledUNet, tolerance: float) -> None:
    """Another number of clips than it was traced with, so that a number frozen into the trace shows."""
    x, t, condition = _inputs(unet, 3)
    true = unet(x, t, encoder_hidden_states=None, class_labels=condition).sample
    error = float((compiled(x, t, None, condition).sample - true).abs().max() / true.abs().max())
    if not error <= tolerance:
        raise UserError(
            f"OpenVINO's outputs differ from torch's by {error:.1e} of the largest; use --backend torch"
        )


def _key(unet: MelUNet, version: str) -> str:
    weights = hashlib.sha256(save({name: each.contiguous() for name, each in unet.state_dict().items()}))
    page = f"{FORMAT} {version} {torch.__version__} {unet.config} {weights.hexdigest()}"
    return hashlib.sha256(page.encode()).hexdigest()[:32]


def _read(core: Any, path: Path) -> Any | None:
    """What was kept; None if there is nothing, or nothing whole."""
    if not path.exists():
        return None
    try:
        return core.read_model(path)
    except RuntimeError:
        return None


def _keep(exported: Any, path: Path) -> None:
    """Keeps it, if the disk lets us; the weights first, so that what is read is whole."""
    import openvino

    aside = path.with_name(f"{path.stem}.{os.getpid()}.xml")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        openvino.save_model(exported, aside, compress_to_fp16=False)
        aside.with_suffix(".bin").replace(path.with_suffix(".bin"))
        aside.replace(path)
    except (OSError, RuntimeError):
        for part in (aside, aside.with_suffix(".bin")):
            with contextlib.suppress(OSError):  # the cache is no folder
                part.unlink()
