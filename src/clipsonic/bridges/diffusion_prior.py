"""The diffusion prior that is trained here, on the noise process and sampler of the spectrogram model."""

from collections.abc import Sequence

import torch
from diffusers import DDPMScheduler
from diffusers.configuration_utils import register_to_config
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from clipsonic.bridges.base import Bridge, nearest
from clipsonic.bridges.network import PriorNetwork
from clipsonic.diffusion.prediction import Prediction
from clipsonic.diffusion.sampling import sample
from clipsonic.encoding import TextEncoding


class DiffusionPrior(Bridge):
    """PriorNetwork, its noise process and its way of sampling: what `clipsonic train prior` makes.

    Args: as of PriorNetwork, and
        steps: of the ancestral sampler.
        candidates: drawn for each text; the one nearest to it is kept.
        encoder_id: the encoder of its training pairs; no other may ask it.
    """

    @register_to_config
    def __init__(
        self,
        dim: int = 768,
        depth: int = 12,
        heads: int = 12,
        head_dim: int = 64,
        text_tokens: int = 77,
        timesteps: int = 1000,
        ff_mult: int = 4,
        dropout: float = 0.05,
        steps: int = 64,
        candidates: int = 2,
        encoder_id: str | None = None,
    ) -> None:
        super().__init__()
        self.net = PriorNetwork(dim, depth, heads, head_dim, text_tokens, timesteps, ff_mult, dropout)

    def noise_process(self) -> DDPMScheduler:
        """Cosine schedule, clean data predicted, not clamped: embeddings go in times sqrt(D), of unit variance."""
        return DDPMScheduler(
            self.config.timesteps,
            beta_schedule="squaredcos_cap_v2",
            prediction_type="sample",
            variance_type="fixed_small",
            timestep_spacing="linspace",
            clip_sample=False,
        )

    def forward(
        self,
        x: Float[Tensor, "b d"],
        t: Int[Tensor, "b"],
        text: TextEncoding,
        keep: Bool[Tensor, "b"] | None = None,
    ) -> Prediction:
        """Noised, scaled image embeddings => clean ones; `keep` is false where the text is dropped."""
        tokens = text.tokens.to(x.dtype)
        return Prediction(self.net(x, t, text.embedding.to(x.dtype), tokens, text.mask, keep))

    @torch.no_grad()
    def sample(
        self, text: TextEncoding, empty: TextEncoding, generators: Sequence[torch.Generator]
    ) -> Float[Tensor, "b d"]:
        """Texts => unit image embeddings, without guidance, the candidate nearest to its text."""
        self.check_text(text, self.net.text_tokens)
        count = self.config.candidates
        words = text.repeat(count)

        def denoise(x: Tensor, t: Tensor) -> Prediction:  # x: (texts, candidates, D)
            flat = x.reshape(-1, self.embedding_dim)
            return Prediction(self(flat, t.repeat_interleave(count), words).output.view_as(x))

        shape = (count, self.embedding_dim)
        made = sample(denoise, self.noise_process(), shape, self.config.steps, generators, self.device)
        return nearest(normalize(made.float(), dim=-1), text.embedding)
