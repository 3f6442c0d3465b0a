"""What answers a query, and how: the model with its parts, where and in which precision it runs, how it samples."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clipsonic.errors import UserError
from clipsonic.interfaces.choices import BACKENDS, BRIDGES, PRECISIONS, SCHEDULERS

if TYPE_CHECKING:
    from clipsonic.pipeline import CLIPSonicPipeline


@dataclass(frozen=True)
class Engine:
    """The model, and what runs it."""

    model: str = "mini"
    vocoder: str | None = None  # a folder, or griffin-lim; the model's own unless told
    scheduler: str | None = None  # the model's own unless told
    device: str = "cpu"
    precision: str = "float32"  # of the U-Net
    backend: str = "torch"  # of the U-Net

    def check(self, bridge: str | None = None) -> None:
        """Refuse what cannot run, and a bridge that the model lacks, before anything is loaded.

        Raises:
            UserError: with what to choose instead.
        """
        for name, value, choices in (
            ("--precision", self.precision, PRECISIONS),
            ("--backend", self.backend, BACKENDS),
        ):
            if value not in choices:
                raise UserError(f"{name} must be one of {', '.join(choices)}, got {value}")
        if self.scheduler is not None and self.scheduler not in SCHEDULERS:
            raise UserError(f"no scheduler '{self.scheduler}'; choose one of {', '.join(SCHEDULERS)}")
        self._check_bridge(bridge)
        if self.backend == "openvino" and self.device != "cpu":
            raise UserError(f"OpenVINO runs on the processor here, not on {self.device}; use --backend torch")
        check_device(self.device)

    def _check_bridge(self, name: str | None) -> None:
        from clipsonic.model_folder import is_hub_id, resolve

        if name is None or name == "zs" or Path(name).is_dir() or is_hub_id(name):
            return
        try:
            page = json.loads((resolve(self.model) / "model_index.json").read_bytes())
            has = [each for each in BRIDGES if each == "zs" or page.get(each, [None])[0] is not None]
        except (OSError, ValueError, TypeError, AttributeError, IndexError, KeyError):
            return  # loading says what is wrong with the folder
        if name not in has:
            raise UserError(f"the model has no bridge '{name}'; it has {', '.join(has)}")

    def load(self, bridge: str | None) -> "tuple[CLIPSonicPipeline, str]":
        """The model, and the name of the bridge to take; one from elsewhere joins the model as its `pd`.

        Raises:
            UserError: the model or a part of it cannot be had.
        """
        import torch

        from clipsonic.bridges.load import load_bridge
        from clipsonic.diffusion.sampling import solver
        from clipsonic.model_folder import is_hub_id
        from clipsonic.pipeline import CLIPSonicPipeline
        from clipsonic.vocoder.load import load_vocoder

        precision = getattr(torch, self.precision)
        parts = {} if self.vocoder is None else {"vocoder": load_vocoder(self.vocoder)}
        named = bridge is None or bridge in BRIDGES
        if not named and (Path(str(bridge)).is_dir() or is_hub_id(str(bridge))):
            parts["pd"], bridge = load_bridge(str(bridge)), "pd"
        kept = torch.float32 if self.backend == "openvino" else precision  # OpenVINO converts it
        pipeline = CLIPSonicPipeline.from_pretrained(self.model, dtype=kept, **parts)
        name = pipeline.config.bridge if bridge is None else bridge
        pipeline.check_bridge(name)
        if self.scheduler is not None:
            learned = pipeline.unet.config.out_channels > pipeline.unet.config.in_channels
            pipeline.scheduler = solver(self.scheduler, pipeline.scheduler, learned)
        if self.backend == "openvino":
            from clipsonic.diffusion.openvino import compile_unet

            pipeline.compiled = compile_unet(pipeline.unet, precision)
        return pipeline.to(self.device), name


@dataclass(frozen=True)
class Sampling:
    """How an answer is drawn."""

    guidance_scale: float = 1.5
    guidance_interval: tuple[float, float] = (0.0, 1.0)  # share of the noise process that is guided
    steps: int | None = None  # the model's own number unless told
    seconds: float | None = None  # 4.096, or as long as what it goes from, unless told


def check_device(name: str) -> None:
    """Refuses a device that this machine lacks.

    Raises:
        UserError: torch cannot use it.
    """
    import torch

    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"no device '{name}' on this machine; choose cpu") from error
