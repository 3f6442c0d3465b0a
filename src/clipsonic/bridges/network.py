"""The transformer of the diffusion prior: a text, the time and a noised image embedding => the clean one.

The architecture, and the names of its weights, are those of lucidrains/DALLE2-pytorch's DiffusionPriorNetwork, so
that LAION's published weights load as they are. What is not in those weights (several tokens for one embedding,
continuous times, self-conditioning) is not here.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

SIMILARITY_SCALE = 16  # of cosine-similarity attention (Henry et al. 2020)
ROTARY_DIM = 32  # numbers of each query and key that turn with the position, at most
BUCKETS, FARTHEST = 32, 128  # of the relative position bias (Raffel et al. 2020): classes, and tokens apart


class PriorNetwork(nn.Module):
    """Reads text tokens, text embedding, time, noised image and a learned query (Ramesh et al. 2022, section 2.2).

    Attention is causal; the output at the query is the prediction. Where a text has no token, and where a text is
    dropped for training, stand learned placeholders.

    Args:
        dim: length D of an embedding and width of the transformer.
        depth: layers.
        heads, head_dim: of the queries; keys and values have one head.
        text_tokens: length of the token sequence; shorter ones are filled up.
        timesteps: of the noise process, each with a learned embedding.
        ff_mult: widening of the feed-forward layers.
        dropout: of attention and feed-forward layers while training.
    """

    def __init__(
        self,
        dim: int = 768,
        depth: int = 12,
        heads: int = 12,
        head_dim: int = 64,
        text_tokens: int = 77,
        timesteps: int = 1000,
        ff_mult: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.text_tokens = text_tokens
        self.to_time_embeds = nn.ModuleList([nn.Embedding(timesteps, dim)])
        self.learned_query = nn.Parameter(torch.randn(dim))
        self.null_text_encodings = nn.Parameter(torch.randn(1, text_tokens, dim))
        self.null_text_embeds = nn.Parameter(torch.randn(1, 1, dim))
        self.null_image_embed = nn.Parameter(
            torch.randn(1, dim)
        )  # published, of use for guidance alone: unused
        self.causal_transformer = CausalTransformer(dim, depth, heads, head_dim, ff_mult, dropout)

    def forward(
        self,
        image: Float[Tensor, "b d"],
        t: Int[Tensor, "b"],
        text: Float[Tensor, "b d"],
        tokens: Float[Tensor, "b n d"],
        mask: Bool[Tensor, "b n"],
        keep: Bool[Tensor, "b"] | None = None,
    ) -> Float[Tensor, "b d"]:
        """A noised image embedding => the clean one.

        Args:
            text: unit text embeddings.
            tokens, mask: the text's tokens and which of them are real.
            keep: false where the text is dropped, tokens and embedding alike.
        """
        if keep is None:
            keep = torch.ones(len(image), dtype=torch.bool, device=image.device)
        missing = self.text_tokens - tokens.shape[1]
        tokens = F.pad(tokens, (0, 0, 0, missing))
        mask = F.pad(mask, (0, missing)) & keep[:, None]
        sequence = [
            torch.where(mask[..., None], tokens, self.null_text_encodings.to(tokens.dtype)),
            torch.where(keep[:, None, None], text[:, None], self.null_text_embeds.to(text.dtype)),
            self.to_time_embeds[0](t)[:, None],
            image[:, None],
            self.learned_query.expand(len(image), 1, -1),
        ]
        predicted: Tensor = self.causal_transformer(torch.cat(sequence, dim=1))[:, -1]
        return predicted


class CausalTransformer(nn.Module):
    """Pre-norm layers of attention and SwiGLU with residuals, a norm and a projection at the end."""

    def __init__(self, dim: int, depth: int, heads: int, head_dim: int, ff_mult: int, dropout: float) -> None:
        super().__init__()
        self.rel_pos_bias = RelativeBias(heads)
        self.layers = nn.ModuleList(
            nn.ModuleList([Attention(dim, heads, head_dim, dropout), feed_forward(dim, ff_mult, dropout)])
            for _ in range(depth)
        )
        self.norm = GainNorm(dim, scaled=True)
        self.project_out = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Tokens => tokens; each sees itself and those before it."""
        n = x.shape[1]
        bias = self.rel_pos_bias(n, n + 1)  # one key more: the null key, before all others
        future = torch.ones(n, n + 1, dtype=torch.bool, device=x.device).triu(2)
        bias = bias.masked_fill(future, -torch.finfo(x.dtype).max)
        for layer in self.layers:
            attention, ff = layer.children()
            x = attention(x, bias) + x
            x = ff(x) + x
        projected: Tensor = self.project_out(self.norm(x))
        return projected


class Attention(nn.Module):
    """Cosine-similarity attention of many query heads to one key and value head (Shazeer 2019), and a null key."""

    def __init__(self, dim: int, heads: int, head_dim: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.norm = GainNorm(dim)
        self.null_kv = nn.Parameter(torch.randn(2, head_dim))
        self.to_q = nn.Linear(dim, heads * head_dim, bias=False)
        self.to_kv = nn.Linear(dim, 2 * head_dim, bias=False)
        self.rotary_emb = Rotary(min(ROTARY_DIM, head_dim))
        self.to_out = nn.Sequential(nn.Linear(heads * head_dim, dim, bias=False), GainNorm(dim))

    def forward(self, x: Float[Tensor, "b n d"], bias: Float[Tensor, "h n m"]) -> Float[Tensor, "b n d"]:
        """Tokens => tokens; `bias` is added to the similarities and hides the future."""
        x = self.norm(x)
        q = self.rotary_emb(self.to_q(x).unflatten(-1, (self.heads, -1)).transpose(1, 2))
        k, v = self.to_kv(x).chunk(2, dim=-1)
        null_k, null_v = self.null_kv.to(x.dtype).expand(len(x), 2, -1).chunk(2, dim=1)
        k = torch.cat([null_k, self.rotary_emb(k)], dim=1)[:, None]  # the null key has no position
        v = torch.cat([null_v, v], dim=1)[:, None]
        out = F.scaled_dot_product_attention(
            F.normalize(q, dim=-1),
            F.normalize(k, dim=-1).expand(-1, self.heads, -1, -1),
            v.expand(-1, self.heads, -1, -1),
            attn_mask=bias.to(x.dtype),
            dropout_p=self.dropout if self.training else 0.0,
            scale=SIMILARITY_SCALE,
        )
        projected: Tensor = self.to_out(out.transpose(1, 2).flatten(2))
        return projected


class GainNorm(nn.Module):
    """Layer norm with a gain and no bias; `scaled` divides by the largest value first, as the last norm does."""

    def __init__(self, dim: int, scaled: bool = False) -> None:
        super().__init__()
        self.scaled = scaled
        self.g = nn.Parameter(torch.ones(dim))

    def forward(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        """Rows => rows of mean 0 and variance 1, times the gain."""
        if self.scaled:
            x = x / x.amax(dim=-1, keepdim=True).detach()
        eps = 1e-5 if x.dtype == torch.float32 else 1e-3
        return F.layer_norm(x, x.shape[-1:], self.g.to(x.dtype), eps=eps)


class SwiGLU(nn.Module):
    """x * SiLU(gate) (Shazeer 2020, section 2), the gate in the second half of the numbers."""

    def forward(self, x: Float[Tensor, "*b two_d"]) -> Float[Tensor, "*b d"]:
        """Twice the width => the width."""
        x, gate = x.chunk(2, dim=-1)
        return x * F.silu(gate)


def feed_forward(dim: int, mult: int, dropout: float) -> nn.Sequential:
    """SwiGLU with a norm after the activation (NormFormer, Shleifer et al. 2021)."""
    return nn.Sequential(
        GainNorm(dim),
        nn.Linear(dim, 2 * mult * dim, bias=False),
        SwiGLU(),
        GainNorm(mult * dim),
        nn.Dropout(dropout),
        nn.Linear(mult * dim, dim, bias=False),
    )


class Rotary(nn.Module):
    """Rotary position embedding (Su et al. 2021): pairs of the first numbers turn with the position."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        frequencies = 10_000.0 ** (-torch.arange(0, dim, 2) / dim)
        self.freqs = nn.Parameter(frequencies, requires_grad=False)  # radians a token

    def forward(self, x: Float[Tensor, "*b n d"]) -> Float[Tensor, "*b n d"]:
        """Queries or keys => the same, turned; what lies past the turning numbers stays."""
        angle = torch.arange(x.shape[-2], device=x.device)[:, None] * self.freqs.float()
        turn = torch.polar(torch.ones_like(angle), angle)
        width = 2 * len(self.freqs)
        pairs = torch.view_as_complex(x[..., :width].float().reshape(*x.shape[:-1], -1, 2))
        turned = torch.view_as_real(pairs * turn).flatten(-2).to(x.dtype)
        return torch.cat([turned, x[..., width:]], dim=-1)


class RelativeBias(nn.Module):
    """T5's relative position bias (Raffel et al. 2020, section 2.1): one number a head and distance class."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.relative_attention_bias = nn.Embedding(BUCKETS, heads)

    def forward(self, queries: int, keys: int) -> Float[Tensor, "h i j"]:
        """Numbers of queries and keys => the bias of each pair; what is ahead counts as distance 0."""
        device = self.relative_attention_bias.weight.device
        distance = torch.arange(queries, device=device)[:, None] - torch.arange(keys, device=device)
        bias: Tensor = self.relative_attention_bias(distance_class(distance.clamp(min=0)))
        return bias.permute(2, 0, 1)


def distance_class(distance: Int[Tensor, "i j"]) -> Int[Tensor, "i j"]:
    """Tokens apart => class: one each below 16, then logarithmic, the last from 128 on."""
    exact = BUCKETS // 2
    share = torch.log(distance.float() / exact) / math.log(FARTHEST / exact)
    far = (exact + (share * (BUCKETS - exact)).long()).clamp(max=BUCKETS - 1)
    return torch.where(distance < exact, distance, far)
