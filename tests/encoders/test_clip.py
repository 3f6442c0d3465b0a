"""CLIP and its like, small and with random weights, from a local folder; equal to OpenAI's code."""

import gzip
import json
from pathlib import Path

import pytest
import torch
from benchmarks.parity import clip as parity
from benchmarks.parity.clip import save_small_clip
from benchmarks.parity.weights import seeded
from PIL import Image
from safetensors.torch import load_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    BertConfig,
    BertModel,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTokenizer,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
)

from clipsonic.encoders.clip import CLIPEncoder, centre_crop, tidied
from clipsonic.encoders.load import load_encoder
from clipsonic.errors import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    save_small_clip(folder)
    return folder


def test_unit_embeddings_of_both(folder) -> None:
    encoder = CLIPEncoder(str(folder))
    images = encoder.encode_image([Image.new("RGB", (50, 40), "red"), Image.new("L", (32, 64), 7)])
    texts = encoder.encode_text(["a dog", "a very long text " * 50, ""])
    assert encoder.embedding_dim == 24
    assert (images.shape, texts.shape) == ((2, 24), (3, 24))
    torch.testing.assert_close(torch.cat([images, texts]).norm(dim=1), torch.ones(5))
    assert encoder.encode_text([]).shape == (0, 24)


def test_what_transformers_computes(folder) -> None:
    model = CLIPModel.from_pretrained(folder).eval()
    tokens = CLIPTokenizer.from_pretrained(folder)(["a dog"], return_tensors="pt")
    with torch.no_grad():
        theirs = model.get_text_features(**tokens).pooler_output
    ours = CLIPEncoder(str(folder)).encode_text(["a dog"])
    torch.testing.assert_close(ours, theirs / theirs.norm(), atol=1e-5, rtol=0)


def test_a_text_does_not_depend_on_its_batch(folder) -> None:
    encoder = CLIPEncoder(str(folder))
    together = encoder.encode_text(["cat", "a much longer text than that"])
    torch.testing.assert_close(encoder.encode_text(["cat"]), together[:1], atol=1e-5, rtol=0)


def test_saved_by_name(folder, tmp_path) -> None:
    encoder = CLIPEncoder(str(folder))
    encoder.save_pretrained(tmp_path / "encoder")
    assert sum(file.stat().st_size for file in (tmp_path / "encoder").iterdir()) < 2000
    assert load_encoder(tmp_path / "encoder").id == encoder.id


def test_absent_is_said_in_one_line(tmp_path) -> None:
    with pytest.raises(UserError, match="download it once with network, or name a local folder") as told:
        CLIPEncoder("someone/no-such-clip").encode_text(["a dog"])
    assert "\n" not in str(told.value)


@pytest.fixture(scope="module")
def openai() -> dict[str, torch.Tensor]:
    return load_file(parity.FIXTURE)


@pytest.fixture(scope="module")
def seeded_clip(tmp_path_factory: pytest.TempPathFactory) -> CLIPEncoder:
    """The small CLIP of the fixture, with the part of OpenAI's vocabulary that its texts need."""
    folder = tmp_path_factory.mktemp("seeded")
    page = json.loads(gzip.decompress(parity.VOCABULARY.read_bytes()))
    merges = [tuple(pair) for pair in page["merges"]]
    CLIPTokenizer(vocab=page["vocab"], merges=merges, model_max_length=77).save_pretrained(folder)
    CLIPImageProcessorPil().save_pretrained(folder)
    model = CLIPModel(parity.config(full=False))
    model.load_state_dict(seeded(model.state_dict()))
    model.save_pretrained(folder)
    return CLIPEncoder(str(folder))


def test_openais_tokens(seeded_clip, openai) -> None:
    _, tokenizer, _ = seeded_clip._parts
    for text, wanted in zip(parity.TEXTS, openai["tokens"], strict=True):
        found = tokenizer(tidied(text), truncation=True, max_length=77)["input_ids"]
        assert found == wanted[wanted != 0].tolist(), text


def test_openais_pixels(openai) -> None:
    cut = [centre_crop(parity.picture(size), 224) for size in parity.SIZES]
    pixels = CLIPImageProcessorPil()(cut, return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(pixels.flatten(1)[:, :: parity.STRIDE], openai["pixels"], atol=1e-6, rtol=0)


def test_transformers_alone_would_be_a_column_off(openai) -> None:
    pictures = [parity.picture(size) for size in parity.SIZES]
    pixels = CLIPImageProcessorPil()(pictures, return_tensors="pt")["pixel_values"].flatten(1)
    off = (pixels[:, :: parity.STRIDE] - openai["pixels"]).abs().amax(1) > 0.01
    assert 0 < off.sum() < len(off)


def test_openais_embeddings_and_tokens_states(seeded_clip, openai) -> None:
    images = seeded_clip.encode_image([parity.picture(size) for size in parity.SIZES])
    torch.testing.assert_close(images, openai["images"], atol=1e-5, rtol=0)
    texts = seeded_clip.encode_tokens(parity.TEXTS)
    torch.testing.assert_close(texts.embedding, openai["texts"], atol=1e-5, rtol=0)
    torch.testing.assert_close(seeded_clip.encode_text(parity.TEXTS), openai["texts"], atol=1e-5, rtol=0)
    assert texts.tokens.shape == (len(parity.TEXTS), 77, 64)
    assert texts.mask.sum(1).tolist() == [(row != 0).sum() for row in openai["tokens"]]


def save_siglip(folder: Path) -> Path:
    """A small SigLIP; its words are those of a word list, since its own vocabulary is in no package."""
    words = ["<pad>", "</s>", "<unk>", "a", "dog", "cat"]
    kit = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    kit.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=kit, pad_token="<pad>", unk_token="<unk>", model_input_names=["input_ids"]
    ).save_pretrained(folder)
    SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = shape | {"vocab_size": len(words), "max_position_embeddings": 16}
    vision = shape | {"image_size": 32, "patch_size": 8}
    SiglipModel(SiglipConfig(text_config=text, vision_config=vision)).save_pretrained(folder)
    return folder


def test_siglip_by_naming_it(tmp_path) -> None:
    encoder = CLIPEncoder(str(save_siglip(tmp_path)))
    picture = Image.new("RGB", (50, 40), "red")
    model, tokenizer, processor = encoder._parts
    with torch.no_grad():
        image = model.get_image_features(**processor([picture], return_tensors="pt")).pooler_output
        tokens = tokenizer(["a dog"], padding="max_length", max_length=16, return_tensors="pt")
        text = model.get_text_features(tokens["input_ids"]).pooler_output
    normalize = torch.nn.functional.normalize
    torch.testing.assert_close(encoder.encode_image([picture]), normalize(image))
    torch.testing.assert_close(encoder.encode_text(["a dog"]), normalize(text))
    assert encoder.embedding_dim == 32
    assert encoder.encode_tokens(["a dog", "a"]).tokens.shape == (2, 16, 32)


def test_a_model_of_words_alone_is_refused(tmp_path) -> None:
    save_siglip(tmp_path)
    BertModel(
        BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    ).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="BertModel: no model of pictures and words"):
        CLIPEncoder(str(tmp_path)).encode_text(["a dog"])
