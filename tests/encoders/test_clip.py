"""transformers' CLIP, small and with random weights, from a local folder."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

from clipsonic.encoders.clip import CLIPEncoder
from clipsonic.encoders.load import load_encoder
from clipsonic.errors import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("clip")
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    CLIPTokenizer(vocab=vocabulary, merges=[]).save_pretrained(folder)
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(
        folder
    )
    text = {
        "vocab_size": len(words),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "bos_token_id": vocabulary["<|startoftext|>"],
        "eos_token_id": vocabulary["<|endoftext|>"],
    }
    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 32,
        "patch_size": 8,
    }
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)).save_pretrained(folder)
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
