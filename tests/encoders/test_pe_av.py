"""PE-AV, small and with random weights, from a local folder; equal to transformers' pass over all towers."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from torch.nn.functional import normalize
from transformers import (
    PeAudioFeatureExtractor,
    PeAudioVideoConfig,
    PeAudioVideoModel,
    PreTrainedTokenizerFast,
    ViTConfig,
    ViTForImageClassification,
)

from clipsonic.data.dataset import encoder_of
from clipsonic.data.shards import read_info
from clipsonic.encoders.clip import CLIPEncoder
from clipsonic.encoders.load import load_audio_encoder, load_encoder, published_encoder
from clipsonic.encoders.pe_av import PEAVAudioEncoder, PEAVEncoder, pixels_of
from clipsonic.errors import UserError
from clipsonic.evaluation.audio_files import find_audio
from clipsonic.evaluation.scores import clap_scores, picture_scores

RATE = 48_000
WORDS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "a", "dog", "cat", "barks"]
SETTINGS = {
    "size": {"height": 32, "width": 32},
    "num_frames": None,
    "image_mean": [0.5] * 3,
    "image_std": [0.5] * 3,
}
PICTURES = [Image.linear_gradient("L").resize((50, 40)), Image.new("RGB", (32, 64), "red")]


class Towers:
    """Stands for transformers' way to timm: a small ViT with as many outputs as the config says."""

    @staticmethod
    def from_config(config):
        small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
        return ViTForImageClassification(
            ViTConfig(image_size=32, patch_size=8, num_labels=config.num_labels, **small)
        )


@pytest.fixture(scope="module", params=["vit", "timm"])
def tower(request):
    """Build the picture tower without timm, and, where it is installed, with it."""
    patch = pytest.MonkeyPatch()
    if request.param == "vit":
        patch.setattr(
            "transformers.models.pe_video.modeling_pe_video.AutoModelForImageClassification", Towers
        )
        patch.setattr("transformers.utils.is_timm_available", lambda: True)
    elif find_spec("timm") is None:
        pytest.skip("timm is not installed")
    yield
    patch.undo()


def small_config() -> PeAudioVideoConfig:
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    head = small | {"head_dim": 16}
    text = small | {"hidden_size": 24, "vocab_size": len(WORDS), "pad_token_id": 0, "cls_token_id": 1}
    text |= {"sep_token_id": 2, "bos_token_id": 1, "eos_token_id": 2}
    codec = {
        "encoder_hidden_size": 4,
        "hidden_size": 64,
        "codebook_dim": 8,
        "downsampling_ratios": [2, 8, 10, 12],
    }
    pictures = {"architecture": "vit_pe_core_tiny_patch16_384", "num_classes": 12, "num_labels": 12}
    pictures["model_args"] = {"depth": 1, "img_size": 32}
    towers = {
        "audio_config": head | {"dac_config": codec},
        "video_config": head | {"vision_config": pictures},
    }
    return PeAudioVideoConfig(text_config=text, audio_video_config=head | towers)


@pytest.fixture(scope="module")
def folder(tower, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PE-AV in the files that Meta publishes."""
    folder = tmp_path_factory.mktemp("pe-av")
    torch.manual_seed(0)
    model = PeAudioVideoModel(small_config())
    with torch.no_grad():  # as drawn, class tokens are all but the same for any input
        for name, weight in model.named_parameters():
            if weight.ndim > 1:
                weight.normal_(std=weight.shape[1] ** -0.5 if "conv" not in name else 0.2)
    model.save_pretrained(folder)
    kit = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    kit.pre_tokenizer = Whitespace()
    kit.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    names = ["input_ids", "attention_mask"]
    PreTrainedTokenizerFast(tokenizer_object=kit, model_input_names=names, **marks).save_pretrained(folder)
    PeAudioFeatureExtractor().save_pretrained(folder)
    (folder / "video_preprocessor_config.json").write_text(json.dumps(SETTINGS))
    torch.save(model.state_dict(), folder / "whole.pt")
    return folder


@pytest.fixture(scope="module")
def eye(folder: Path) -> PEAVEncoder:
    return PEAVEncoder(str(folder))


@pytest.fixture(scope="module")
def ear(folder: Path) -> PEAVAudioEncoder:
    return PEAVAudioEncoder(str(folder))


def hiss(samples: int, seed: int = 0) -> np.ndarray:
    return (0.3 * np.random.default_rng(seed).standard_normal(samples)).astype("f4")


def copied(folder: Path, to: Path) -> Path:
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


def test_what_transformers_computes_of_all_three(folder, eye, ear) -> None:
    model = PeAudioVideoModel(small_config()).eval()
    model.load_state_dict(torch.load(folder / "whole.pt", weights_only=True))
    waves = [hiss(8 * 1920), hiss(8 * 1920, seed=1)]
    texts = ["a dog barks", "a cat"]
    tokens = PreTrainedTokenizerFast.from_pretrained(folder)(texts, padding=True, return_tensors="pt")
    videos = torch.stack([pixels_of(picture, SETTINGS) for picture in PICTURES])[:, None]
    sounds = torch.from_numpy(np.stack(waves))[:, None]
    with torch.no_grad():
        theirs = model(
            input_ids=tokens["input_ids"],
            attention_mask=tokens["attention_mask"],
            pixel_values_videos=videos,
            input_values=sounds,
        )
    for ours, wanted in (
        (eye.encode_image(PICTURES), theirs.video_embeds),
        (ear.encode_audio(waves, RATE), theirs.audio_embeds),
        (eye.encode_text(texts), theirs.text_video_embeds),
        (ear.encode_text(texts), theirs.text_audio_embeds),
    ):
        torch.testing.assert_close(ours, normalize(wanted, dim=-1), atol=1e-5, rtol=0)
        assert ours[0] @ ours[1] < 0.999  # two inputs, two embeddings
    cosines = picture_scores(eye, ear, PICTURES, waves, RATE)
    wanted = (normalize(theirs.video_embeds, dim=-1) * normalize(theirs.audio_embeds, dim=-1)).sum(1)
    np.testing.assert_allclose(cosines, wanted, atol=1e-5)
    wanted = (normalize(theirs.text_audio_embeds, dim=-1) * normalize(theirs.audio_embeds, dim=-1)).sum(1)
    np.testing.assert_allclose(clap_scores(ear, waves, RATE, texts), wanted, atol=1e-5)


def test_what_a_prior_reads(eye) -> None:
    texts = eye.encode_tokens(["a dog", "a dog barks a cat"])
    assert (texts.tokens.shape, texts.mask.sum(1).tolist()) == ((2, 77, 24), [4, 7])
    torch.testing.assert_close(texts.embedding, eye.encode_text(["a dog", "a dog barks a cat"]))
    assert eye.embedding_dim == 24
    assert eye.encode_text([]).shape == eye.encode_image([]).shape == (0, 24)
    assert eye.unread("a " * 75 + "dog").cut == "dog"


def test_a_row_depends_on_its_input_alone(eye, ear) -> None:
    waves = [hiss(5000), hiss(9000, seed=1), hiss(9000, seed=2), hiss(1, seed=3), hiss(30_000, seed=4)]
    together = ear.encode_audio(waves, RATE)
    for wave, row in zip(waves, together, strict=True):
        torch.testing.assert_close(ear.encode_audio([wave], RATE)[0], row, atol=1e-5, rtol=0)
    texts = eye.encode_text(["a", "a dog barks a cat"])
    torch.testing.assert_close(eye.encode_text(["a"]), texts[:1], atol=1e-5, rtol=0)
    assert ear.encode_audio([hiss(4000)], 16_000).shape == (1, 24)


def test_a_model_of_sixteen_frames_sees_a_picture_sixteen_times(folder, eye, tmp_path) -> None:
    folder = copied(folder, tmp_path / "sixteen")
    (folder / "video_preprocessor_config.json").write_text(json.dumps(SETTINGS | {"num_frames": 16}))
    sixteen = PEAVEncoder(str(folder))
    videos = torch.stack([pixels_of(picture, SETTINGS) for picture in PICTURES])[:, None].expand(
        -1, 16, -1, -1, -1
    )
    model, _, _ = eye._parts
    with torch.no_grad():
        wanted = model.video_head(model.video_encoder(pixel_values_videos=videos.contiguous()).pooler_output)
    torch.testing.assert_close(sixteen.encode_image(PICTURES), normalize(wanted, dim=-1))


@pytest.mark.parametrize("wave", [[], [0.1, np.nan]])
def test_no_sound_is_said(ear, wave) -> None:
    with pytest.raises(UserError, match="a sound to embed"):
        ear.encode_audio([np.array(wave, "f4")], RATE)


def test_found_by_its_folder_and_saved_by_name(folder, eye, ear, tmp_path) -> None:
    assert published_encoder(str(folder)).id == eye.id
    eye.save_pretrained(tmp_path / "eye")
    ear.save_pretrained(tmp_path / "ear")
    assert sum(file.stat().st_size for file in tmp_path.rglob("*")) < 20_000
    assert load_encoder(tmp_path / "eye").id == eye.id
    assert load_audio_encoder(str(tmp_path / "ear")).id == ear.id
    assert load_audio_encoder(str(folder)).id == ear.id != eye.id == ear.pictures().id


def test_partial_weights_are_refused(folder, tmp_path) -> None:
    partial = copied(folder, tmp_path / "partial")
    weights = load_file(partial / "model.safetensors")
    del weights["audio_model.audio_head.proj.weight"], weights["video_model.video_head.proj.weight"]
    save_file(weights, partial / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"lack audio_head\.proj"):
        PEAVAudioEncoder(str(partial)).encode_text(["a dog"])
    with pytest.raises(UserError, match=r"lack video_head\.proj"):
        PEAVEncoder(str(partial)).encode_text(["a dog"])


def test_another_kind_of_model_is_refused(tmp_path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip"}))
    assert isinstance(published_encoder(str(tmp_path)), CLIPEncoder)
    for kind in (PEAVEncoder, PEAVAudioEncoder):
        with pytest.raises(UserError, match=r"pe_audio_video.*got clip") as told:
            kind(str(tmp_path)).encode_text(["a dog"])
        assert "\n" not in str(told.value)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(UserError, match=r"config\.json is damaged"):
        published_encoder(str(tmp_path))


def test_pictures_need_timm_and_sounds_do_not(folder, ear, monkeypatch) -> None:
    monkeypatch.setattr("transformers.utils.is_timm_available", lambda: False)
    with pytest.raises(UserError, match="pip install timm"):
        PEAVEncoder(str(folder)).encode_text(["a dog"])
    assert PEAVAudioEncoder(str(folder)).id == ear.id


@pytest.mark.slow
def test_condition_of_a_data_set(folder, eye, videos, clipsonic_command, tmp_path) -> None:
    code, said = clipsonic_command("prepare", videos, "--out", tmp_path / "data", "--encoder", folder)
    assert code == 0, said
    assert read_info(tmp_path / "data").encoder_id == eye.id
    assert encoder_of(tmp_path / "data").id == eye.id


def test_scores_of_sounds_with_words_and_pictures(folder, eye, ear, clipsonic_command, tmp_path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    waves = [hiss(8000, seed) for seed in range(3)]
    for number, wave in enumerate(waves):
        soundfile.write(made / f"{number}.wav", wave, 16_000, subtype="FLOAT")
    for number, picture in enumerate(PICTURES):
        picture.save(made / f"{number}.png")
    (made / "index.csv").write_text(
        "file,prompt,picture\n0.wav,a dog barks,0.png\n1.wav,a cat,1.png\n2.wav,a dog,\n"
    )
    asked = ("evaluate", "audio", made, "--reference", made, "--images-with", "none", "--embedding", folder)
    code, said = clipsonic_command(*asked, "--json")
    assert code == 0, said
    page = json.loads(said[said.index("{\n") : said.rindex("\n}") + 2])
    wanted = clap_scores(ear, waves, 16_000, ["a dog barks", "a cat", "a dog"]).mean()
    assert page["clap_score"]["value"] == pytest.approx(wanted, abs=1e-4)
    wanted = picture_scores(eye, ear, PICTURES, waves[:2], 16_000).mean()
    assert page["picture_score"]["value"] == pytest.approx(wanted, abs=1e-4)
    assert (page["picture_score"]["items"], page["picture_score"]["encoder"]) == (2, ear.id)
    code, said = clipsonic_command(*asked)
    assert "picture-sound score" in said

    (made / "index.csv").write_text("file,picture\n0.wav,away.png\n")
    code, said = clipsonic_command(*asked)
    assert code == 2 and "away.png" in said


def test_the_picture_that_a_clip_was_made_for(tmp_path) -> None:
    for number, images in enumerate((["0.png"], ["0.png", "0.png"], ["absent.png"])):
        soundfile.write(tmp_path / f"{number}.wav", hiss(4000), 16_000)
        page = {"texts": [], "images": [str(tmp_path / image) for image in images]}
        (tmp_path / f"{number}.json").write_text(json.dumps(page))
    PICTURES[0].save(tmp_path / "0.png")
    assert [file.picture for file in find_audio(tmp_path)] == [tmp_path / "0.png", None, None]
