import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from clipsonic.config import CLIP_SECONDS
from clipsonic.diffusion.sampling import solver
from clipsonic.encoders.mini import MiniEncoder
from clipsonic.errors import UserError
from clipsonic.pipeline import CLIPSonicPipeline


def seeds(*numbers: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(number) for number in numbers]


def test_text_gives_sound(tiny_pipeline) -> None:
    out = tiny_pipeline("a photo of a dog", generator=seeds(0))
    assert out.audios.shape == (1, 65_536)
    assert out.audios.dtype == np.float32
    assert out.mels.shape == (1, 64, 128)
    assert np.isfinite(out.audios).all()
    assert CLIP_SECONDS == 4.096


def test_picture_gives_sound(tiny_pipeline) -> None:
    red, blue = Image.new("RGB", (40, 30), "red"), Image.new("RGB", (30, 40), "blue")
    out = tiny_pipeline(image=[red, blue], generator=seeds(0, 0), audio_length_in_s=1.0)
    assert out.audios.shape == (2, 16_000)
    assert np.abs(out.mels[0] - out.mels[1]).mean() > 1e-3


def test_a_seed_gives_the_same_clip_alone_and_in_a_batch_of_8(tiny_pipeline) -> None:
    together = tiny_pipeline(["a dog"] * 8, generator=seeds(*range(8)), audio_length_in_s=1.024)
    alone = tiny_pipeline("a dog", generator=seeds(5), audio_length_in_s=1.024)
    np.testing.assert_allclose(alone.mels[0], together.mels[5], atol=2e-3)
    assert np.abs(together.mels[4] - together.mels[5]).mean() > 0.1


@pytest.mark.parametrize("seconds", [0.1, 0.5, 2.048, 3.3])
def test_any_length(tiny_pipeline, seconds) -> None:
    out = tiny_pipeline("rain", num_inference_steps=2, audio_length_in_s=seconds)
    assert out.audios.shape == (1, round(seconds * 16_000))


def test_save_and_load(tiny_pipeline, tmp_path) -> None:
    tiny_pipeline.save(tmp_path / "model")
    again = CLIPSonicPipeline.from_pretrained(tmp_path / "model")
    one = tiny_pipeline("a dog", generator=seeds(1), audio_length_in_s=1.024).mels
    other = again("a dog", generator=seeds(1), audio_length_in_s=1.024).mels
    np.testing.assert_allclose(one, other, atol=1e-3)
    files = [path for path in (tmp_path / "model").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".safetensors"}


def test_half_weights(tiny_pipeline, tmp_path) -> None:
    tiny_pipeline.save(tmp_path / "half", half=True)
    size = (tmp_path / "half" / "unet" / "diffusion_pytorch_model.safetensors").stat().st_size
    assert size < 2.2 * sum(weight.numel() for weight in tiny_pipeline.unet.parameters())
    assert tiny_pipeline.unet.dtype == torch.float32
    assert CLIPSonicPipeline.from_pretrained(tmp_path / "half").unet.dtype == torch.float32


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"prompt": ""}, "empty"),
        ({"prompt": " \n"}, "empty"),
        ({"prompt": "dog " * 10_000}, "characters"),
        ({}, "one of the three"),
        ({"prompt": []}, "prompt is an empty list"),
        ({"prompt": "dog", "image": Image.new("RGB", (8, 8))}, "one of the three"),
        ({"prompt": "dog", "guidance_scale": -1.0}, "guidance scale"),
        ({"prompt": "dog", "guidance_scale": float("nan")}, "guidance scale"),
        ({"prompt": "dog", "guidance_interval": (0.8, 0.3)}, "got 0.8 0.3"),
        ({"prompt": "dog", "guidance_interval": (0.0, 2.0)}, "got 0.0 2.0"),
        ({"prompt": "dog", "num_inference_steps": 0}, "number of steps"),
        ({"prompt": "dog", "num_inference_steps": 1001}, "number of steps"),
        ({"prompt": "dog", "audio_length_in_s": 0.0}, "length in seconds"),
        ({"prompt": "dog", "audio_length_in_s": 1e9}, "length in seconds"),
        ({"prompt": "dog", "num_waveforms_per_prompt": 0}, "number of clips"),
        ({"prompt": "dog", "generator": seeds(1, 2)}, "generators"),
    ],
)
def test_bad_arguments_are_refused(tiny_pipeline, settings, said) -> None:
    with pytest.raises(UserError, match=said):
        tiny_pipeline(**settings)


def test_many_clips_go_through_in_batches(tiny_pipeline) -> None:
    steps: list[int] = []
    out = tiny_pipeline(
        "rain",
        num_waveforms_per_prompt=11,
        generator=seeds(*range(11)),
        num_inference_steps=2,
        audio_length_in_s=0.5,
        on_step=steps.append,
    )
    assert out.audios.shape == (11, 8000)
    assert steps == [1, 2, 3, 4]
    tenth = tiny_pipeline("rain", generator=seeds(9), num_inference_steps=2, audio_length_in_s=0.5)
    np.testing.assert_allclose(tenth.mels[0], out.mels[9], atol=2e-3)


def test_save_spares_other_folders(tiny_pipeline, tmp_path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("dear")
    with pytest.raises(UserError, match="something else"):
        tiny_pipeline.save(tmp_path / "letters")
    assert (tmp_path / "letters" / "a.txt").read_text() == "dear"


def copy(model: Path, to: Path) -> Path:
    return shutil.copytree(model, to / "copy")


def test_missing_files_are_named(tiny_model, tmp_path) -> None:
    for file in ("model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors",
                 "encoder/config.json", "scheduler/scheduler_config.json"):  # fmt: skip
        folder = copy(tiny_model, tmp_path / file.replace("/", "-"))
        (folder / file).unlink()
        with pytest.raises(UserError, match=file):
            CLIPSonicPipeline.from_pretrained(folder)


def test_damaged_weights_are_refused(tiny_model, tmp_path) -> None:
    folder = copy(tiny_model, tmp_path)
    (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"\x80\x04 no safetensors")
    with pytest.raises(UserError, match="unet"):
        CLIPSonicPipeline.from_pretrained(folder)


def edit(folder: Path, **changes) -> None:
    path = folder / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | changes))


def test_another_mel_or_encoder_is_refused(tiny_model, tmp_path) -> None:
    folder = copy(tiny_model, tmp_path)
    page = json.loads((folder / "model_index.json").read_bytes())
    edit(folder, mel=page["mel"] | {"hop_length": 256})
    with pytest.raises(UserError, match="another mel"):
        CLIPSonicPipeline.from_pretrained(folder)
    edit(folder, mel=page["mel"], encoder_id="mini@000000000000")
    with pytest.raises(UserError, match="trained with encoder mini@000000000000"):
        CLIPSonicPipeline.from_pretrained(folder)
    torch.manual_seed(1)
    with pytest.raises(UserError, match="trained with encoder"):
        CLIPSonicPipeline.from_pretrained(tiny_model, encoder=MiniEncoder())


def test_a_folder_cannot_name_other_classes(tiny_model, tmp_path) -> None:
    folder = copy(tiny_model, tmp_path)
    edit(folder, vocoder=["subprocess", "Popen"])
    with pytest.raises(UserError, match="names Popen as its vocoder"):
        CLIPSonicPipeline.from_pretrained(folder)


def test_no_such_model(tmp_path) -> None:
    with pytest.raises(UserError, match="no model folder"):
        CLIPSonicPipeline.from_pretrained(tmp_path / "gone")
    with pytest.raises(UserError, match="the hub does not give it"):
        CLIPSonicPipeline.from_pretrained("someone/something")


def test_parts_are_replaced_by_passing_others(tiny_model, tiny_pipeline) -> None:
    ddim = solver("ddim", tiny_pipeline.scheduler)
    assert CLIPSonicPipeline.from_pretrained(tiny_model, scheduler=ddim).scheduler is ddim


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_gives_nearly_the_same_sound(tiny_model) -> None:
    mels = []
    for device in ("cpu", "cuda"):
        pipeline = CLIPSonicPipeline.from_pretrained(tiny_model).to(device)
        mels.append(pipeline("a dog", generator=seeds(0), audio_length_in_s=1.0).mels)
    assert np.abs(mels[0] - mels[1]).mean() < 0.01
