"""Meta's PE-AV (Vyas et al. 2025, arXiv 2512.19687): pictures, sounds and words => unit vectors of one space.

The networks are transformers'. A published folder holds a picture tower and a sound tower, and a text tower with
one head for texts that go with pictures and another for texts that go with sounds. `PEAVEncoder` is the pictures'
half and `PEAVAudioEncoder` the sounds' half; cosines between a picture of the first and a sound of the second are
what PE-AV was trained on. Only the pictures' half needs timm, which builds its tower.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from functools import cached_property
from io import StringIO
from itertools import groupby
from typing import Any

import numpy as np
import torch
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from clipsonic.encoders.base import (
    AudioEncoder,
    Encoder,
    TextEncoder,
    Unread,
    fingerprint,
    on_white,
    resampled,
    unread,
)
from clipsonic.encoding import TextEncoding
from clipsonic.errors import UserError, first_line
from clipsonic.model_folder import hub_file

MODEL_TYPE = "pe_audio_video"  # in config.json
SOUND_BATCH, PICTURE_BATCH, TEXT_BATCH = 8, 16, 64  # in memory at once
MAX_TOKENS = 77  # of a text, start and end marks included; as many as the priors of this project read
LARGE = "facebook/pe-av-large"


class _Half(TextEncoder):
    """What both halves share: loading, and the text tower with the head of this half.

    Args:
        name: hub id or folder, such as `facebook/pe-av-large`.
        revision: a commit of the hub repository, for results that cannot drift.
    """

    half: str  # "video" or "audio": the part of the published folder, and of its names

    @register_to_config
    def __init__(self, name: str = LARGE, revision: str | None = None) -> None:
        super().__init__()
        self.name = name
        self.revision = revision
        self.register_buffer("device_marker", torch.zeros(1))

    def _processor(self) -> Any:
        """Return what prepares the inputs of this half's tower, as published."""
        raise NotImplementedError

    @cached_property
    def _parts(self) -> tuple[Any, Any, Any]:
        """Network, tokenizer and processor; held in a tuple, so that they are no weights of ours."""
        from transformers import AutoConfig, AutoTokenizer
        from transformers.utils import is_timm_available

        try:
            config = AutoConfig.from_pretrained(self.name, revision=self.revision)
            if config.model_type != MODEL_TYPE:
                raise UserError(
                    f"{self.name} must be a PE-AV (model type {MODEL_TYPE}), got {config.model_type}; "
                    f"name one such as {LARGE}"
                )
            if self.half == "video" and not is_timm_available():
                raise UserError(f"the picture tower of {self.name} needs the package timm: pip install timm")
            model = self._network(config)
            tokenizer = AutoTokenizer.from_pretrained(self.name, revision=self.revision)
            return model.eval().requires_grad_(False), tokenizer, self._processor()
        except UserError:
            raise
        except (
            Exception
        ) as error:  # transformers, timm, safetensors and tokenizers each have errors of their own
            raise UserError(
                f"encoder {self.name} cannot be loaded ({first_line(error)}); "
                "download it once with network, or name a local folder that holds it"
            ) from error

    def _network(self, config: Any) -> Any:
        """Load one tower and the text tower, in single precision, out of the weights of all."""
        from transformers import PeAudioModel, PeVideoModel

        vision = config.audio_video_config.video_config.vision_config
        if (width := getattr(vision, "num_classes", None)) is not None:
            vision.num_labels = width  # transformers 5.23 reads it at the top of a config only
        published = PeVideoModel if self.half == "video" else PeAudioModel
        # The other half's weights are in the same file, and no cause for a report.
        quiet: Any = type(published.__name__, (published,), {"_keys_to_ignore_on_load_unexpected": [r"."]})
        with redirect_stdout(StringIO()):  # PeVideoModel prints a remark on its own documentation
            model, loaded = quiet.from_pretrained(
                self.name,
                config=getattr(config, f"{self.half}_config"),
                revision=self.revision,
                key_mapping={rf"^{self.half}_model\.": ""},
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
        lacking = sorted(set(loaded["missing_keys"]) & {name for name, _ in model.named_parameters()})
        if lacking:  # transformers would leave random numbers in them
            raise ValueError(f"its weights lack {lacking[0]} and {len(lacking) - 1} more")
        return model

    @property
    def id(self) -> str:
        """The published name, the half, and a fingerprint of the half's weights."""
        name = self.name.rstrip("/").split("/")[-1]
        return f"{name}-{self.half}@{fingerprint(self._parts[0].named_parameters())}"

    @property
    def embedding_dim(self) -> int:
        """Length D of an embedding: 1024 for the published ones."""
        return int(self._parts[0].config.text_config.hidden_size)

    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "b d"]:
        """Texts, cut at 77 tokens => unit embeddings, by the head that was trained with this half."""
        rows = [torch.zeros(0, self.embedding_dim, device=self.device_marker.device)]
        return torch.cat([*rows, *(encoding.embedding for encoding in self._encodings(texts))])

    def unread(self, text: str) -> Unread:
        """Return what of a text is past the 77th token."""
        return unread(self._parts[1], text, MAX_TOKENS)

    @torch.no_grad()
    def _encodings(self, texts: Sequence[str]) -> Iterator[TextEncoding]:
        model, tokenizer, _ = self._parts
        head = getattr(model, f"text_{self.half}_head")
        model.to(self.device_marker.device)
        for start in range(0, len(texts), TEXT_BATCH):
            inputs = tokenizer(
                list(texts[start : start + TEXT_BATCH]),
                padding="max_length",
                max_length=MAX_TOKENS,
                truncation=True,
                return_tensors="pt",
            ).to(self.device_marker.device)
            ids, mask = inputs["input_ids"], inputs["attention_mask"]
            said = model.text_model(input_ids=ids, attention_mask=mask, output_hidden_states=-1)
            states = said.hidden_states[-1]
            yield TextEncoding(head(states[:, 0]), states, mask.bool())


class PEAVEncoder(_Half, Encoder):
    """The pictures' half of a frozen PE-AV, loaded on first use from the hub's cache or a local folder.

    A picture is seen as a video of one frame, or of as many equal ones as the published settings ask for. A model
    folder that uses it keeps this name, not PE-AV's gigabytes.
    """

    half = "video"

    def _processor(self) -> dict[str, Any]:
        file = hub_file(self.name, "video_preprocessor_config.json", self.revision)
        settings: dict[str, Any] = json.loads(file.read_bytes())
        return settings

    @torch.no_grad()
    def encode_image(self, images: Sequence[Image.Image]) -> Float[Tensor, "b d"]:
        """RGB pictures of any size, squeezed to a square as PE-AV squeezes frames => unit embeddings."""
        model, _, settings = self._parts
        model.to(self.device_marker.device)
        frames = settings.get("num_frames") or 1
        rows = [torch.zeros(0, self.embedding_dim, device=self.device_marker.device)]
        for start in range(0, len(images), PICTURE_BATCH):
            pixels = torch.stack(
                [pixels_of(image, settings) for image in images[start : start + PICTURE_BATCH]]
            )
            videos = pixels[:, None].repeat(1, frames, 1, 1, 1).to(self.device_marker.device)
            rows.append(model.video_head(model.video_encoder(pixel_values_videos=videos).pooler_output))
        return normalize(torch.cat(rows), dim=-1)

    def encode_tokens(self, texts: Sequence[str]) -> TextEncoding:
        """Texts, cut at 77 tokens => embeddings before they are brought to norm 1, and the 77 encoded tokens."""
        parts = list(self._encodings(texts))
        return TextEncoding(
            torch.cat([part.projection for part in parts]),
            torch.cat([part.tokens for part in parts]),
            torch.cat([part.mask for part in parts]),
        )


class PEAVAudioEncoder(_Half, AudioEncoder):
    """The sounds' half of a frozen PE-AV, loaded on first use from the hub's cache or a local folder."""

    half = "audio"

    def _processor(self) -> Any:
        from transformers import AutoFeatureExtractor

        return AutoFeatureExtractor.from_pretrained(self.name, revision=self.revision)

    def pictures(self) -> PEAVEncoder:
        """Return the pictures' half of the same model: its pictures and these sounds share a space."""
        return PEAVEncoder(self.name, self.revision).to(self.device_marker.device)

    @torch.no_grad()
    def encode_audio(
        self, waves: Sequence[Float[np.ndarray, "samples"]], sample_rate: int
    ) -> Float[Tensor, "b d"]:
        """Mono waves in [-1, 1], each of its own length => unit embeddings; a row depends on its wave alone.

        Only waves of one length are encoded together: behind the zeros that fill up a shorter one the codec's
        convolutions would hear another end.

        Raises:
            UserError: a wave is empty or holds values that are not numbers.
        """
        model, _, extractor = self._parts
        model.to(self.device_marker.device)
        rows = [torch.zeros(0, self.embedding_dim, device=self.device_marker.device)]
        rate = extractor.sampling_rate
        for start in range(0, len(waves), SOUND_BATCH):
            batch = [
                resampled(wave, sample_rate, rate).numpy() for wave in waves[start : start + SOUND_BATCH]
            ]
            for _, alike in groupby(batch, key=len):
                inputs = extractor(list(alike), sampling_rate=rate, return_tensors="pt").to(
                    self.device_marker.device
                )
                heard = model.audio_encoder(input_values=inputs["input_values"]).pooler_output
                rows.append(model.audio_head(heard))
        return normalize(torch.cat(rows), dim=-1)


def pixels_of(image: Image.Image, settings: dict[str, Any]) -> Float[Tensor, "3 height width"]:
    """Prepare a picture as `video_preprocessor_config.json` says: squeezed bilinearly, scaled, normalised.

    transformers' own video processor cannot be imported without torchvision.
    """
    size = settings["size"]
    image = on_white(image).resize((size["width"], size["height"]), Image.Resampling.BILINEAR)
    values = torch.from_numpy(np.array(image, dtype=np.float32)).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(settings[name])[:, None, None] for name in ("image_mean", "image_std"))
    return (values - mean) / std
