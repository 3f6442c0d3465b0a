"""What the pipeline takes beside plain strings, in which precision, from which thread, and what it refuses."""

import contextlib
import importlib.util
import io
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from clipsonic.bridges.training_free import LinearMap
from clipsonic.diffusion.sampling import one_each, solver
from clipsonic.errors import UserError
from clipsonic.inputs import as_pictures
from clipsonic.pipeline import CLIPSonicOutput, CLIPSonicPipeline
from clipsonic.tracks import Track

SHORT = {"audio_length_in_s": 0.5, "num_inference_steps": 2}
RED = np.full((20, 30, 3), (255, 0, 0), np.uint8)


def seed(number: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(number)


@pytest.fixture(scope="module")
def plain(tiny_pipeline) -> CLIPSonicPipeline:
    """The pipeline as users have it: without the tests' checks of types at run time, which would come first."""
    spec = importlib.util.find_spec("clipsonic.pipeline")
    assert spec is not None
    spec = importlib.util.spec_from_file_location("plain_pipeline", spec.origin)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["plain_pipeline"] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module.CLIPSonicPipeline(**tiny_pipeline.components)


@pytest.fixture
def bridged(tiny_pipeline) -> CLIPSonicPipeline:
    """With a bridge that draws, as priors do."""
    dim = tiny_pipeline.encoder.embedding_dim
    return CLIPSonicPipeline(**tiny_pipeline.components | {"sd": Drawing(dim), "bridge": "sd"})


class Drawing(LinearMap):
    def sample(self, text, empty, generators):
        noise = [torch.randn(text.projection.shape[1], generator=each) for each in generators]
        return torch.nn.functional.normalize(text.embedding + 0.1 * torch.stack(noise), dim=-1)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"prompt": 5}, "prompt must be a string or a list of strings, got int"),
        ({"prompt": b"rain"}, "got bytes"),
        ({"prompt": ["rain", None]}, r"prompt\[1\] must be a string, got NoneType"),
        ({"prompt": "rain", "generator": 3}, "generator must be a torch.Generator .* got int"),
        ({"prompt": "rain", "generator": [3]}, "generator must be"),
        ({"prompt": "rain", "num_inference_steps": 2.5}, "number of steps must be a whole number .* got 2.5"),
        ({"prompt": "rain", "num_inference_steps": "2"}, "number of steps"),
        ({"prompt": "rain", "num_waveforms_per_prompt": 1.5}, "number of clips"),
        ({"prompt": "rain", "guidance_scale": "high"}, "guidance scale must be a number .* got 'high'"),
        ({"prompt": "rain", "guidance_interval": 0.5}, "guidance interval .* got 0.5"),
        ({"prompt": "rain", "negative_prompt": ""}, "negative prompt is empty"),
        ({"prompt": "rain", "negative_prompt": ["a dog", "a cat"]}, "one for each of 1, got 2"),
        ({"prompt": "rain", "audio": np.zeros(9000), "keep": [0.1]}, r"\(start, end\) in seconds, got 0.1"),
        ({"prompt": "rain", "audio": np.full(9000, np.nan)}, "audio .*NaN"),
        ({"prompt": "rain", "output_type": "pil"}, "output_type must be 'np' or 'pt', got 'pil'"),
        ({"prompt": "rain", "callback_on_step_end_tensor_inputs": ["x"]}, r"\['latents'\], got \['x'\]"),
        ({"image": 5}, "image must be a picture"),
        ({"image": [None]}, "image must be a PIL image"),
        ({"image": np.zeros((2, 2, 7))}, r"image must have the shape .* got \(2, 2, 7\)"),
        ({"image": RED.astype("f4")}, "image must hold numbers from 0 to 1"),
        ({"image": RED.astype("i4")}, "image must be uint8"),
        ({"image": "nowhere.png"}, "nowhere.png"),
        ({"embedding": "rain"}, "embedding must be an array of numbers, got str"),
        ({"embedding": torch.ones(2, 3)}, r"embedding must have the shape .* got \(2, 3\)"),
        ({"embedding": torch.zeros(384)}, "no row of zeros"),
        ({"embedding": torch.full((384,), torch.inf)}, "finite"),
    ],
)
def test_what_it_refuses(plain, settings, said) -> None:
    with pytest.raises(UserError, match=said):
        plain(**settings, **{name: value for name, value in SHORT.items() if name not in settings})


def test_texts_as_lists_tuples_and_arrays(tiny_pipeline) -> None:
    made = [
        tiny_pipeline(texts, generator=seed(), **SHORT).audios
        for texts in ("a dog", ["a dog"], ("a dog",), np.array(["a dog"]), np.array("a dog"))
    ]
    for other in made[1:]:
        np.testing.assert_array_equal(other, made[0])


def test_pictures_as_paths_arrays_and_tensors(tiny_pipeline, tmp_path) -> None:
    Image.fromarray(RED).save(tmp_path / "red.png")
    floats = torch.from_numpy(RED).permute(2, 0, 1) / 255
    several = [
        Image.fromarray(RED),
        str(tmp_path / "red.png"),
        tmp_path / "red.png",
        RED,
        RED / 255.0,
        floats,
    ]
    for pictures in (several, np.stack([RED, RED]), floats[None], floats):
        for picture in as_pictures(pictures):
            np.testing.assert_array_equal(np.asarray(picture), RED)
    assert len(as_pictures(np.stack([RED, RED]))) == 2
    assert as_pictures(RED[..., 0])[0].mode == "L"
    one = tiny_pipeline(image=Image.fromarray(RED), generator=seed(), **SHORT).audios
    np.testing.assert_array_equal(tiny_pipeline(image=RED, generator=seed(), **SHORT).audios, one)


def test_an_embedding_of_any_norm_and_type_is_brought_to_norm_1(tiny_pipeline) -> None:
    row = tiny_pipeline.embed(["a dog"])
    dog = tiny_pipeline(embedding=row, generator=seed(), **SHORT).mels
    for same in (10 * row, row[0] * 0.1, 10 * row.double(), 10 * row.numpy(), list(row)):
        mels = tiny_pipeline(embedding=same, generator=seed(), **SHORT).mels
        np.testing.assert_allclose(mels, dog, atol=1e-2)
    track = Track(0.5, [0.0], row, [0.0])
    held = tiny_pipeline(embedding=track, generator=seed(), **SHORT).mels
    np.testing.assert_allclose(
        tiny_pipeline(embedding=Track(0.5, [0.0], 10 * row, [0.0]), generator=seed(), **SHORT).mels,
        held,
        atol=1e-2,
    )
    with pytest.raises(UserError, match=r"\(384,\)"):
        tiny_pipeline(embedding=Track(0.5, [0.0], row[:, :100], [0.0]))


def test_audio_as_integers_and_with_channels(tiny_pipeline) -> None:
    tone = 0.3 * np.sin(np.arange(16_000) / 5)
    kept = {"keep": [(0.0, 1.0)], "num_inference_steps": 1, "generator": seed()}
    for audio in (
        tone,
        tone[None],
        np.stack([tone, tone], 1),
        (tone * 32768).round().astype("i2"),
        list(tone),
    ):
        np.testing.assert_allclose(tiny_pipeline("rain", audio=audio, **kept).audios[0], tone, atol=2e-5)


def test_negative_prompts_as_one_or_one_each(tiny_pipeline) -> None:
    def made(negative, prompt=("a dog", "rain")):
        seeds = [seed(number) for number in range(len(prompt))]
        return tiny_pipeline(list(prompt), negative_prompt=negative, generator=seeds, **SHORT).mels

    np.testing.assert_array_equal(made(["wind"]), made("wind"))
    each = made(np.array(["wind", "music"]))
    np.testing.assert_allclose(each[0], made("wind")[0], atol=2e-3)
    np.testing.assert_allclose(each[1], made("music")[1], atol=2e-3)
    assert np.abs(each[1] - made("wind")[1]).mean() > 1e-3
    pairs = tiny_pipeline(
        ["a dog", "rain"],
        negative_prompt=["wind", "music"],
        num_waveforms_per_prompt=2,
        generator=[seed(0), seed(5), seed(6), seed(1)],
        **SHORT,
    ).mels
    np.testing.assert_allclose(pairs[[0, 3]], each, atol=2e-3)


def test_threads_share_a_pipeline(tiny_pipeline) -> None:
    prompts = ["a dog", "rain", "sea waves", "a cat"]
    alone = [tiny_pipeline(prompt, generator=seed(), **SHORT).audios for prompt in prompts]
    made: dict[str, np.ndarray] = {}

    def work(prompt: str, steps: int) -> None:
        settings = SHORT | {"num_inference_steps": steps}
        made[prompt] = tiny_pipeline(prompt, generator=seed(), **settings).audios

    threads = [threading.Thread(target=work, args=(prompt, 2)) for prompt in prompts]
    threads.append(threading.Thread(target=work, args=("other steps", 5)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for prompt, audio in zip(prompts, alone, strict=True):
        np.testing.assert_allclose(made[prompt], audio, atol=1e-4)


def test_a_call_leaves_the_scheduler_as_it_was(tiny_pipeline) -> None:
    before = tiny_pipeline.scheduler.timesteps.clone()
    tiny_pipeline("rain", **SHORT)
    assert torch.equal(tiny_pipeline.scheduler.timesteps, before)


@pytest.mark.parametrize("scheduler", ["ddpm", "dpm++", "unipc"])
def test_torchs_default_of_double_precision_changes_nothing(tiny_pipeline, tiny_model, scheduler) -> None:
    chosen = {"scheduler": solver(scheduler, tiny_pipeline.scheduler)}
    settings = SHORT | {"num_inference_steps": 4, "generator": [seed(), seed(1)]}
    tone = 0.3 * np.sin(np.arange(8000) / 5)
    prompts, more = ["a dog", "rain"], {"audio": tone, "keep": [(0.0, 0.2)]}
    usual = CLIPSonicPipeline.from_pretrained(tiny_model, **chosen)(prompts, **settings, **more).audios
    torch.set_default_dtype(torch.float64)
    try:
        settings["generator"] = [seed(), seed(1)]
        pipeline = CLIPSonicPipeline.from_pretrained(tiny_model, **chosen)
        audios = pipeline(prompts, **settings, **more).audios
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert {weight.dtype for weight in pipeline.encoder.parameters()} == {torch.float32}
    np.testing.assert_allclose(audios, usual, atol=1e-3)


def test_precision_is_the_u_nets(tiny_model, tmp_path) -> None:
    single = CLIPSonicPipeline.from_pretrained(tiny_model)
    usual = single("a dog", generator=seed(), **SHORT).mels
    half = CLIPSonicPipeline.from_pretrained(tiny_model, torch_dtype=torch.bfloat16)
    assert single.to(torch.bfloat16) is single
    for pipeline in (half, single):
        assert (pipeline.dtype, pipeline.encoder.dtype) == (torch.bfloat16, torch.float32)
        assert np.abs(pipeline("a dog", generator=seed(), **SHORT).mels - usual).mean() < 0.3
    assert single.to("cpu", torch.float32).dtype == torch.float32
    assert single.to(device="cpu", dtype=torch.float32).device == torch.device("cpu")
    with pytest.raises(UserError, match=r"dtype must be .* got torch\.int8"):
        single.to(torch.int8)
    with pytest.raises(UserError, match="same argument"):
        CLIPSonicPipeline.from_pretrained(tiny_model, dtype=torch.float32, torch_dtype=torch.bfloat16)
    with pytest.raises(UserError, match="no argument revision"):
        CLIPSonicPipeline.from_pretrained(tiny_model, revision="main")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there(tiny_pipeline) -> None:
    for device in ("cuda", "nonsense"):
        with pytest.raises(UserError, match=f"got {device}$"):
            tiny_pipeline.to(device)


@pytest.mark.parametrize("method", ["save", "save_pretrained"])
def test_what_was_saved_in_half_precision_loads(tiny_model, tmp_path, method) -> None:
    half = CLIPSonicPipeline.from_pretrained(tiny_model).to(torch.float16)
    getattr(half, method)(tmp_path / "half")
    again = CLIPSonicPipeline.from_pretrained(tmp_path / "half", torch_dtype=torch.float16)
    for name, weight in half.unet.state_dict().items():
        assert torch.equal(again.unet.state_dict()[name], weight)


def test_a_changed_encoder_is_not_saved(tiny_model, tmp_path) -> None:
    changed = CLIPSonicPipeline.from_pretrained(tiny_model)
    changed.encoder.half()
    for save in (changed.save, changed.save_pretrained):
        with pytest.raises(UserError, match=r"trained with|encoder's weights"):
            save(tmp_path / "model")
        assert not (tmp_path / "model").exists()


def test_components_make_the_same_model(bridged) -> None:
    bridged.register_to_config(sampling_steps=3, condition="text")
    again = CLIPSonicPipeline(**bridged.components)
    for name in ("bridge", "picture_bridge", "sampling_steps", "condition", "encoder_id"):
        assert again.config[name] == bridged.config[name], name
    assert again.config.sampling_steps == 3


def test_output_types(tiny_pipeline) -> None:
    usual = tiny_pipeline("rain", generator=seed(), **SHORT)
    tensors = tiny_pipeline("rain", generator=seed(), output_type="pt", **SHORT)
    assert isinstance(usual, CLIPSonicOutput)
    assert isinstance(tensors.audios, torch.Tensor)
    np.testing.assert_array_equal(tensors.audios.numpy(), usual.audios)
    np.testing.assert_array_equal(tensors["mels"].numpy(), usual.mels)
    audios, mels = tiny_pipeline("rain", generator=seed(), return_dict=False, **SHORT)
    np.testing.assert_array_equal(audios, usual.audios)
    np.testing.assert_array_equal(mels, usual.mels)
    np.testing.assert_array_equal(usual[0], usual.audios)


def test_a_callback_sees_each_step_and_may_change_it(tiny_pipeline) -> None:
    seen = []

    def look(pipeline, step, timestep, tensors):
        seen.append((pipeline is tiny_pipeline, step, int(timestep), tuple(tensors["latents"].shape)))
        return {}

    usual = tiny_pipeline("rain", generator=seed(), **SHORT).mels
    watched = tiny_pipeline("rain", generator=seed(), callback_on_step_end=look, **SHORT).mels
    np.testing.assert_array_equal(watched, usual)
    assert [(same, step) for same, step, _, _ in seen] == [(True, 0), (True, 1)]
    assert seen[0][2] > seen[1][2]
    assert seen[0][3] == (1, 1, 64, 16)

    def silence(pipeline, step, timestep, tensors):
        return {"latents": torch.full_like(tensors["latents"], -1.0)} if step == 1 else tensors

    quiet = tiny_pipeline("rain", generator=seed(), callback_on_step_end=silence, **SHORT).mels
    assert quiet.max() == quiet.min()
    with pytest.raises(UserError, match=r"\(1, 1, 64, 16\)"):
        tiny_pipeline("rain", callback_on_step_end=lambda *_: {"latents": torch.zeros(1)}, **SHORT)


def test_one_generator_draws_the_first_clip_and_seeds_the_others() -> None:
    single = seed(4)
    several = one_each(single, 3)
    assert several[0] is single
    assert torch.equal(single.get_state(), seed(4).get_state())
    assert len({each.initial_seed() for each in several}) == 3
    assert [each.initial_seed() for each in one_each(seed(4), 3)] == [each.initial_seed() for each in several]
    assert one_each(single, 1) == [single]


@pytest.mark.parametrize("bridge", ["zs", "sd"])
def test_a_seed_is_the_command_lines(bridged, clipsonic_command, monkeypatch, tmp_path, bridge) -> None:
    """Bit for bit, up to the file; the bridge draws before the noise is drawn."""
    written = []
    monkeypatch.setattr("clipsonic.interfaces.engine.Engine.load", lambda self, name: (bridged, name))
    monkeypatch.setattr(
        "clipsonic.interfaces.generate.write_clip",
        lambda path, audio, mel, about, *_: (written.append(audio), about | {"seconds": 0.5})[1],
    )
    monkeypatch.setattr("clipsonic.interfaces.engine.Engine.check", lambda *_: None)
    words = ["--bridge", bridge, "--seconds", "0.5", "--steps", "2", "-o", tmp_path / "a.wav", "--quiet"]
    code, said = clipsonic_command("generate", "a dog", "--seed", "7", *words)
    assert code == 0, said
    ours = bridged("a dog", bridge=bridge, generator=seed(7), **SHORT).audios
    np.testing.assert_array_equal(ours[0], written[0])
    first = bridged("a dog", bridge=bridge, generator=seed(7), num_waveforms_per_prompt=3, **SHORT).audios[0]
    np.testing.assert_allclose(first, written[0], atol=2e-3)


def test_the_examples_of_the_page_run(tiny_pipeline, monkeypatch) -> None:
    page = (Path(__file__).parents[1] / "docs" / "python.md").read_text()
    monkeypatch.setattr(CLIPSonicPipeline, "from_pretrained", lambda name: tiny_pipeline)
    names: dict = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec("\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL)), names)
    assert names["output"].audios.shape == (4, 65_536)
    assert names["audios"].shape == (1, 65_536) and isinstance(names["mels"], torch.Tensor)
    assert names["same"].audios.shape == (1, 65_536)
    assert len(printed.getvalue().splitlines()) == 4


SNIPPET = """
from typing import assert_type
import torch
from clipsonic import CLIPSonicOutput, CLIPSonicPipeline
from clipsonic.diffusion.unet import MelUNet
from clipsonic.encoders.base import TextEncoder
from clipsonic.vocoder.base import Vocoder

pipeline = CLIPSonicPipeline.from_pretrained("mini", torch_dtype=torch.bfloat16).to("cpu").to(torch.float32)
assert_type(pipeline, CLIPSonicPipeline)
assert_type(pipeline.unet, MelUNet)
assert_type(pipeline.encoder, TextEncoder)
assert_type(pipeline.vocoder, Vocoder)
assert_type(pipeline.device, torch.device)
assert_type(pipeline.bridges, list[str])
assert_type(pipeline.save_pretrained("folder"), None)
assert_type(pipeline(["rain"], negative_prompt="wind", generator=None), CLIPSonicOutput)
pipeline.scheduler.set_timesteps(3)
dict(**pipeline.components)
pipeline("rain", guidance_scale="high")
"""


@pytest.mark.slow
def test_types_are_declared(tmp_path) -> None:
    """As a user's mypy sees them; libraries are skipped, so that it takes seconds and nothing is theirs."""
    (tmp_path / "user.py").write_text(SNIPPET)
    libraries = ["torch", "diffusers", "transformers", "numpy", "PIL", "jaxtyping", "soxr", "av", "soundfile"]
    libraries += ["pydantic", "safetensors", "huggingface_hub", "filelock"]
    (tmp_path / "mypy.ini").write_text(
        "[mypy]\nstrict = True\nfollow_imports = silent\ncache_dir = cache\n"
        + "".join(
            f"[mypy-{name}.*]\nfollow_imports = skip\nignore_missing_imports = True\n" for name in libraries
        )
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "user.py"],
        cwd=tmp_path,
        env={"MYPYPATH": str(Path(__file__).parents[1] / "src"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert len(said) == 1, done.stdout + done.stderr
    assert '"CLIPSonicPipeline" has incompatible type "str"' in said[0]
