"""The priors of Karlo and Kandinsky 2.1: diffusers' PriorTransformer on whitened CLIP ViT-L/14 embeddings."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMScheduler, PriorTransformer
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from clipsonic.bridges.base import Bridge
from clipsonic.diffusion.prediction import Prediction
from clipsonic.diffusion.sampling import sample
from clipsonic.encoding import TextEncoding
from clipsonic.errors import UserError, first_line

KARLO_SCHEDULER = (
    "prior_scheduler"  # where Karlo's folder, in diffusers' form, keeps the prior's noise process
)
KARLO_CLAMP = 10.0  # in its authors' sampler (kakaobrain/karlo, prior_model.py); that folder says 5
CLIP_DIM = 768  # of ViT-L/14, the CLIP of all priors that work with this project


class UnCLIPPrior(Bridge):
    """A published PriorTransformer with the noise process and guidance it was published with.

    The network predicts the clean embedding, whitened by the checkpoint's mean and deviation. Text embeddings go
    in as the encoder's projection gives them, without norm 1; what comes out is brought to norm 1.

    Args:
        network: settings of PriorTransformer, as in the published config.json.
        clip_sample_range: the estimate of the clean embedding is clamped to this at every step.
        steps, guidance_scale: of the sampler; w of (1 - w) unconditional + w conditional.
    """

    @register_to_config
    def __init__(
        self,
        network: dict[str, Any],
        clip_sample_range: float = 5.0,
        timesteps: int = 1000,
        steps: int = 25,
        guidance_scale: float = 4.0,
    ) -> None:
        super().__init__()
        self.net = PriorTransformer(**network)
        for whitening in (self.net.clip_mean, self.net.clip_std):
            whitening.requires_grad_(False)

    @property
    def embedding_dim(self) -> int:
        """Length D of an embedding: 768."""
        return int(self.net.config.embedding_dim)

    @torch.no_grad()
    def sample(
        self, text: TextEncoding, empty: TextEncoding, generators: Sequence[torch.Generator]
    ) -> Float[Tensor, "b d"]:
        """Texts => unit image embeddings, by ancestral steps (Ho et al. 2020, algorithm 2) under guidance."""
        self.check_text(text, self.net.config.num_embeddings)
        if text.tokens.shape[1] != self.net.config.num_embeddings:
            raise UserError(
                f"the prior reads {self.net.config.num_embeddings} tokens a text, as CLIP ViT-L/14 gives them"
            )
        rows, w = len(text.mask), self.config.guidance_scale
        without = empty.repeat(rows)
        condition = {
            "proj_embedding": torch.cat([without.projection, text.projection]).to(self.dtype),
            "encoder_hidden_states": torch.cat([without.tokens, text.tokens]).to(self.dtype),
            "attention_mask": torch.cat([without.mask, text.mask]),  # without one it is not causal
        }

        def denoise(x: Tensor, t: Tensor) -> Prediction:
            both = self.net(torch.cat([x, x]), torch.cat([t, t]), **condition).predicted_image_embedding
            unconditional, conditional = both.chunk(2)
            return Prediction((1 - w) * unconditional + w * conditional)

        scheduler = (
            DDPMScheduler(  # steps as the published UnCLIPScheduler, which diffusers retires for this one
                self.config.timesteps,
                beta_schedule="squaredcos_cap_v2",
                prediction_type="sample",
                variance_type="fixed_small",
                timestep_spacing="linspace",
                clip_sample=True,
                clip_sample_range=self.config.clip_sample_range,
            )
        )
        whitened = sample(
            denoise, scheduler, (self.embedding_dim,), self.config.steps, generators, self.device
        )
        return normalize(self.net.post_process_latents(whitened).float(), dim=-1)


def load_unclip(network: Path, scheduler: Path) -> UnCLIPPrior:
    """The published folders of the network and of its scheduler => the prior.

    Raises:
        UserError: a file is missing, damaged or of another kind, or the prior belongs to another CLIP.
    """
    try:
        page = json.loads((network / "config.json").read_bytes())
        noise = json.loads((scheduler / "scheduler_config.json").read_bytes())
        if page["_class_name"] != "PriorTransformer":
            raise UserError(f"{network} holds a {page['_class_name']}, no PriorTransformer")
        dim = page["embedding_dim"]
        if noise.get("prediction_type") != "sample" or noise.get("variance_type") != "fixed_small_log":
            raise UserError(f"{scheduler} describes another noise process than Karlo's and Kandinsky 2.1's")
        if dim != CLIP_DIM:
            raise UserError(
                f"the prior in {network} makes embeddings of {dim} numbers, so it belongs to another CLIP than "
                "ViT-L/14 (Kandinsky 2.2's to ViT-bigG/14) and means nothing to a model trained on ViT-L/14; "
                "use Kandinsky 2.1's, Karlo's or LAION's"
            )
        published = PriorTransformer.from_pretrained(network)  # safetensors, or a .bin as plain weights only
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise UserError(f"no prior can be loaded from {network}: {first_line(error)}") from error
    settings = {name: value for name, value in page.items() if not name.startswith("_")}
    clamp = KARLO_CLAMP if scheduler.name == KARLO_SCHEDULER else noise.get("clip_sample_range", 1.0)
    prior = UnCLIPPrior(settings, clamp, noise.get("num_train_timesteps", 1000))
    prior.net.load_state_dict(published.state_dict(), strict=True)
    return prior.eval()
