import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from clipsonic.audio import log_mel, to_model_range
from clipsonic.data.prepare import prepare
from clipsonic.data.sources import find_videos
from clipsonic.diffusion.objective import Objective, noise_process
from clipsonic.diffusion.sampling import denoiser, guided, sample, solver
from clipsonic.diffusion.unet import build_unet, predict
from clipsonic.errors import UserError
from clipsonic.pipeline import CLIPSonicPipeline
from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS
from clipsonic.training.loop import seconds_a_step, train
from clipsonic.training.spectrogram import SpectrogramRecipe, perturbed, strayed


@pytest.fixture(scope="module")
def prepared(written_videos, tmp_path_factory, mini_encoder) -> Path:
    folder = tmp_path_factory.mktemp("prepared") / "data"
    list(prepare(find_videos([written_videos]), folder, mini_encoder, workers=1))
    return folder


@pytest.fixture
def data(prepared, tmp_path) -> Path:
    return shutil.copytree(prepared, tmp_path / "data")


def changed(settings, **training):
    return settings.model_copy(update={"training": settings.training.model_copy(update=training)})


def test_trains_and_leaves_a_model(data, tmp_path, tiny_settings) -> None:
    out = tmp_path / "run"
    states = list(train(SpectrogramRecipe(tiny_settings, data), out))
    assert [state.step for state in states] == [1, 2, 3, 4, 5, 6]
    assert all(state.losses["mse"] > 0 for state in states)
    assert list((out / "logs").iterdir())
    pipeline = CLIPSonicPipeline.from_pretrained(out / "model")
    audio = pipeline("a dog", generator=torch.Generator().manual_seed(0), num_inference_steps=2).audios
    assert audio.shape == (1, 65_536)


def test_resuming_gives_the_same_weights(data, tmp_path, tiny_settings) -> None:
    list(train(SpectrogramRecipe(tiny_settings, data), tmp_path / "whole"))
    stopped = train(SpectrogramRecipe(tiny_settings, data), tmp_path / "stopped")
    for _ in range(4):
        next(stopped)
    stopped.close()  # what Ctrl-C does: a checkpoint at step 4
    states = list(train(SpectrogramRecipe(tiny_settings, data), tmp_path / "stopped"))
    assert [state.step for state in states] == [5, 6]
    one, other = (load_file(tmp_path / name / "state.safetensors") for name in ("whole", "stopped"))
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def test_a_run_that_is_asked_to_stop_says_where(data, tmp_path, tiny_settings) -> None:
    seldom = changed(tiny_settings, log_every=100, validate_every=100)
    asked = iter((False, False, False, True))
    states = list(train(SpectrogramRecipe(seldom, data), tmp_path / "run", lambda: next(asked)))
    assert [state.step for state in states] == [3]
    assert load_file(tmp_path / "run" / "state.safetensors")["step"] == 3


def test_a_step_is_timed_without_keeping_anything(data, tmp_path, tiny_settings) -> None:
    recipe = SpectrogramRecipe(changed(tiny_settings, precision="auto"), data)
    assert 0 < seconds_a_step(recipe, tmp_path / "run") < 60
    assert recipe.training.precision in ("no", "bf16")
    assert recipe.training.batch_size == tiny_settings.training.batch_size
    assert not (tmp_path / "run").exists()


def test_precision_is_settled_once(data, tmp_path, tiny_settings, monkeypatch) -> None:
    auto, out = changed(tiny_settings, precision="auto"), tmp_path / "run"
    monkeypatch.setattr("clipsonic.training.precision.has_bf16", lambda: False)
    stopped = train(SpectrogramRecipe(auto, data), out)
    next(stopped)
    stopped.close()
    monkeypatch.setattr("clipsonic.training.precision.has_bf16", lambda: True)
    recipe = SpectrogramRecipe(auto, data)
    next(train(recipe, out))
    assert recipe.training.precision == json.loads((out / "settings.json").read_bytes())["precision"] == "no"


def test_begins_with_another_model_and_says_so(data, tmp_path, tiny_settings) -> None:
    list(train(SpectrogramRecipe(tiny_settings, data), tmp_path / "first"))
    first = tmp_path / "first" / "model"
    recipe = SpectrogramRecipe(tiny_settings, data, start=first)
    given = load_file(first / "unet" / "diffusion_pytorch_model.safetensors")
    for name, weight in recipe.unet.state_dict().items():
        assert torch.equal(weight, given[name].to(weight.dtype)), name
    next(train(recipe, tmp_path / "second"))
    with pytest.raises(UserError, match="another data"):  # from random weights it would be another run
        next(train(SpectrogramRecipe(tiny_settings, data), tmp_path / "second"))


def test_a_model_of_another_shape_is_no_beginning(data, tmp_path, tiny_settings) -> None:
    list(train(SpectrogramRecipe(changed(tiny_settings, steps=1), data), tmp_path / "first"))
    wider = tiny_settings.unet.model_copy(update={"channels": (64, 64)})
    with pytest.raises(UserError, match=r"differs in .* more tensors"):
        settings = tiny_settings.model_copy(update={"unet": wider})
        SpectrogramRecipe(settings, data, start=tmp_path / "first" / "model")
    with pytest.raises(UserError, match="no model folder"):
        SpectrogramRecipe(tiny_settings, data, start=tmp_path)


def test_other_settings_or_data_are_refused(data, tmp_path, tiny_settings) -> None:
    out = tmp_path / "run"
    list(train(SpectrogramRecipe(changed(tiny_settings, steps=1), data), out))
    with pytest.raises(UserError, match=r"training\.weight_decay \(0\.01, not 0\.1\)"):
        next(train(SpectrogramRecipe(changed(tiny_settings, weight_decay=0.1), data), out))
    page = json.loads((out / "settings.json").read_bytes())
    page["data"] = "other"
    (out / "settings.json").write_text(json.dumps(page))
    with pytest.raises(UserError, match="data"):
        next(train(SpectrogramRecipe(tiny_settings, data), out))


def test_a_run_goes_on_under_a_version_with_more_settings(data, tmp_path, tiny_settings) -> None:
    out = tmp_path / "run"
    list(train(SpectrogramRecipe(changed(tiny_settings, steps=1), data), out))
    page = json.loads((out / "settings.json").read_bytes())
    del page["settings"]["condition_dropout"]  # as if it were newer than the run
    (out / "settings.json").write_text(json.dumps(page))
    states = list(train(SpectrogramRecipe(changed(tiny_settings, steps=2), data), out))
    assert [state.step for state in states] == [2]


def test_a_loss_that_is_not_finite_stops_the_run(data, tmp_path, tiny_settings) -> None:
    recipe = SpectrogramRecipe(changed(tiny_settings, log_every=1), data)
    with torch.no_grad():
        next(recipe.model.parameters()).fill_(float("nan"))
    with pytest.raises(UserError, match="loss is nan at step 0"):
        list(train(recipe, tmp_path / "run"))


def test_paper_objective_trains(data, tmp_path, tiny_settings) -> None:
    paper = SPECTROGRAM_PRESETS["paper"]
    settings = changed(
        tiny_settings.model_copy(update={"diffusion": paper.diffusion, "quiet_crop_db": -float("inf")}),
        steps=2,
    )
    states = list(train(SpectrogramRecipe(settings, data), tmp_path / "run"))
    assert set(states[-1].losses) == {"mse", "bound"}
    pipeline = CLIPSonicPipeline.from_pretrained(tmp_path / "run" / "model")
    assert pipeline.scheduler.config.variance_type == "learned_range"
    assert pipeline.config.sampling_steps == 1000
    assert pipeline("a dog", num_inference_steps=3).audios.shape == (1, 65_536)


@pytest.mark.slow
def test_overfits_four_clips() -> None:
    """Four sounds, four conditions: after training each condition gives back its own mel."""
    torch.manual_seed(0)
    settings = SPECTROGRAM_PRESETS["mini"]
    shape = settings.unet.model_copy(update={"channels": (32, 64), "blocks": 1, "attention_levels": (1,)})
    unet = build_unet(shape, settings.diffusion, 8).to(memory_format=torch.channels_last)
    process = noise_process(settings.diffusion)
    objective = Objective(process)
    time = torch.arange(32_768) / 16_000
    sounds = [
        torch.sin(2 * torch.pi * hertz * time) * torch.sin(2 * torch.pi * beat * time).abs()
        for hertz, beat in ((300, 1), (1000, 0.5), (2500, 2), (5000, 1))
    ]
    x0 = to_model_range(log_mel(torch.stack(sounds) * 0.5))[:, None, :, 24:40]
    embedding = torch.eye(4, 8)
    optimizer = torch.optim.AdamW(unet.parameters())
    random = torch.Generator().manual_seed(0)
    steps = 600
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 4e-3 * min(1, (step + 1) / 20) * (1 - step / steps)
        t = torch.randint(0, 1000, (8,), generator=random)
        clean, condition = x0.repeat(2, 1, 1, 1), embedding.repeat(2, 1)
        noise = torch.randn(clean.shape, generator=random)
        xt = objective.add_noise(clean, noise, t)
        loss = objective.loss(predict(unet, xt, t, condition, 1000), clean, xt, noise, t)["mse"].mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    unet.eval()
    seeds = [torch.Generator().manual_seed(seed) for seed in range(4)]
    made = sample(
        guided(denoiser(unet, 1000), embedding, 1.0), solver("dpm++", process), (1, 64, 16), 20, seeds
    )
    distance = (made - x0.transpose(0, 1)).square().mean((2, 3)).sqrt()  # (made, real)
    assert distance.argmin(1).tolist() == [0, 1, 2, 3]
    assert distance.diagonal().max() < 0.8 * x0.std()


def test_noise_on_the_condition_turns_it_and_keeps_its_norm() -> None:
    embedding = torch.nn.functional.normalize(
        torch.randn(200, 384, generator=torch.Generator().manual_seed(1))
    )
    assert perturbed(embedding, 0.0, torch.Generator()) is embedding
    turned = perturbed(embedding, 1.5, torch.Generator().manual_seed(0))
    torch.testing.assert_close(turned.norm(dim=1), torch.ones(200))
    cosine = (turned * embedding).sum(1)
    # Across 384 dimensions the noise is nearly at right angles: cosine = 1 / sqrt(1 + length^2).
    assert cosine.min() == pytest.approx(1 / (1 + 1.5**2) ** 0.5, abs=0.08)
    assert cosine.max() > 0.99


def test_a_condition_strays_towards_others_and_stays_nearest_to_its_own() -> None:
    embedding = torch.eye(100)
    assert strayed(embedding, 0.0, torch.Generator()) is embedding
    turned = strayed(embedding, 0.8, torch.Generator().manual_seed(0))
    torch.testing.assert_close(turned.norm(dim=1), torch.ones(100))
    assert turned.argmax(1).tolist() == list(range(100))
    away = turned - turned.diagonal().diag()
    assert ((away > 0).sum(1) <= 1).all()  # towards one other clip each
    assert 0.55 < away.max() <= 0.8 / (1 + 0.8**2) ** 0.5 + 1e-6


@pytest.mark.processes
def test_two_processes_train_one_model(data, tmp_path, tiny_settings) -> None:
    """The same code under torchrun: gradients are averaged, one process writes."""
    changes = ["unet.channels=[32]", "unet.blocks=1", "unet.attention_levels=[]", "training.steps=2"]
    changes += ["training.batch_size=1", "training.precision=no"]
    words = ["train", "spectrogram", "--data", str(data), "--out", str(tmp_path / "run")]
    launcher = [sys.executable, *["-m", "torch.distributed.run", "--nproc-per-node", "2", "-m"]]
    command = [*launcher, "clipsonic"]
    sets = [word for change in changes for word in ("--set", change)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, *words, *sets], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert load_file(tmp_path / "run" / "state.safetensors")["step"] == 2
    assert (tmp_path / "run" / "model" / "model_index.json").exists()
    assert len(list((tmp_path / "run" / "logs").iterdir())) == 1
