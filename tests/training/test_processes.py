"""One model, whatever the number of processes: the same examples, the same random numbers, the same losses.

Whether each process holds all of the network (DDP) or a part of it (`shard`, FSDP2).

Run as a module, this file is what the processes do: `torchrun -m tests.training.test_processes DATA OUT`.
"""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from clipsonic.data.draws import Draws
from clipsonic.data.pairs import Pairs
from clipsonic.encoding import TextEncoding
from clipsonic.errors import UserError
from clipsonic.settings.audio_encoder import AUDIO_ENCODER_PRESETS, AudioEncoderSettings
from clipsonic.settings.prior import PRIOR_PRESETS, PriorSettings
from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS, SpectrogramSettings
from clipsonic.settings.vocoder import VOCODER_PRESETS, VocoderSettings
from clipsonic.training import loop
from clipsonic.training.audio_encoder import AudioEncoderRecipe
from clipsonic.training.checkpoint import Player
from clipsonic.training.loop import train
from clipsonic.training.prior import PriorRecipe
from clipsonic.training.recipe import Recipe
from clipsonic.training.sharding import local
from clipsonic.training.spectrogram import SpectrogramRecipe
from clipsonic.training.vocoder import VocoderRecipe
from tests.training.straight import Straight

STEPS, TOGETHER, BREAK = 4, 4, 2
LOOP = {"steps": STEPS, "precision": "no", "log_every": 1, "warmup_steps": 0, "workers": 0}
LOOP |= {"checkpoint_every": 100, "validate_every": 100}


def spectrogram(data: Path, processes: int, shard: bool = False) -> Recipe:
    """Everything of `mini` that is drawn: crops, speeds, filters, noise, times, what conditions stray to."""
    page = SPECTROGRAM_PRESETS["mini"].model_dump()
    page["unet"] |= {"channels": (32, 32), "blocks": 1, "attention_levels": (1,)}
    page["training"] |= LOOP | {"batch_size": TOGETHER // processes, "shard": shard}
    page["condition_dropout"] = 0.3
    return SpectrogramRecipe(SpectrogramSettings.model_validate(page), data)


class Words:
    """An encoder of words alone."""

    def encode_tokens(self, texts: list[str]) -> TextEncoding:
        random = torch.Generator().manual_seed(len(texts))
        tokens = torch.randn(len(texts), 4, 32, generator=random)
        return TextEncoding(tokens[:, 0], tokens, torch.ones(len(texts), 4, dtype=torch.bool))


def prior(data: Path, processes: int, kind: type[PriorRecipe] = PriorRecipe, **training: object) -> Recipe:
    page = PRIOR_PRESETS["mini"].model_dump() | {"depth": 1, "heads": 2, "head_dim": 16, "dropout": 0.0}
    page["training"] |= LOOP | {"batch_size": TOGETHER // processes} | training
    images = torch.nn.functional.normalize(torch.randn(9, 32, generator=torch.Generator().manual_seed(0)))
    links = torch.tensor([[number % 3, number] for number in range(9)])
    pairs = Pairs("words@0", ["a dog", "rain", "a bell"], images, links, links[:, 1])
    return kind(PriorSettings.model_validate(page), pairs, pairs, Words())


def audio_encoder(data: Path, processes: int) -> Recipe:
    page = AUDIO_ENCODER_PRESETS["mini"].model_dump()
    page |= {"channels": (8, 16), "embedding_dim": 16, "longest_crop": 40}
    page["training"] |= LOOP | {"batch_size": TOGETHER // processes}
    recipe = AudioEncoderRecipe(AudioEncoderSettings.model_validate(page), data)
    for module in recipe.model.modules():
        if isinstance(module, torch.nn.Dropout):  # its masks are each process's own
            module.p = 0.0
    return recipe


def vocoder(data: Path, processes: int) -> Recipe:
    """Its discriminators, trained beside it, join at step 2."""
    page = VOCODER_PRESETS["mini"].model_dump()
    page |= {"adversarial_after": 2, "discriminator_width": 0.125, "weights": "float32", "segment": 4096}
    page |= {"periods": (2,), "resolutions": ((512, 128, 512),)}
    page["generator"] |= {"width": 32, "blocks": 1}
    page["training"] |= LOOP | {"batch_size": TOGETHER // processes}
    return VocoderRecipe(VocoderSettings.model_validate(page), [data])


class Lapse(PriorRecipe):
    """One process alone meets a loss that is not finite, at step 1."""

    def losses(self, model: torch.nn.Module, batch: object, random: torch.Generator) -> dict[str, Tensor]:
        found = super().losses(model, batch, random)
        self.seen = getattr(self, "seen", 0) + 1
        bad = self.seen == 2 and self.share.rank == self.share.processes - 1
        return {name: value * float("nan") if bad else value for name, value in found.items()}


def lapse(data: Path, processes: int, shard: bool) -> Recipe:
    return prior(data, processes, Lapse, on_nan="skip", shard=shard)


SHARDED = {
    "spectrogram-sharded": partial(spectrogram, shard=True),
    "prior-sharded": partial(prior, shard=True),
}
RECIPES = {
    "spectrogram": spectrogram,
    "prior": prior,
    "vocoder": vocoder,
    "audio-encoder": audio_encoder,
    **SHARDED,
}


def losses(recipe: Recipe, out: Path, steps: int = STEPS) -> list[float]:
    """Trains until so many steps are done => the loss of each; after all of them also the held-out one."""
    found = []
    run = train(recipe, out)
    for state in run:
        found.append(sum(state.losses.values()))
        if state.step == steps:
            run.close()  # a checkpoint, unless it is there
            break
    return found if state.validation_loss is None else [*found, state.validation_loss]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, mini_encoder) -> Path:
    """A data set, what one process made of it, and what two did."""
    from clipsonic.data.prepare import prepare
    from clipsonic.data.sources import find_videos
    from tests.helpers import tone, write_video

    folder = tmp_path_factory.mktemp("processes")
    rows = ["path,split,label"]
    for number in range(6):
        colour = (40 * number, 200 - 40 * number, 90)
        write_video(folder / f"{number}.mp4", tone(4.0, 300 + 200 * number), 4.0, colour)
        rows.append(f"{number}.mp4,{'train' if number < 5 else 'test'},{'abcabc'[number]}")
    (folder / "list.csv").write_text("\n".join(rows))
    list(prepare(find_videos([folder / "list.csv"]), folder / "data", mini_encoder, workers=1))
    for kind, recipe in SHARDED.items():
        losses(recipe(folder / "data", 1), folder / "begun" / kind, BREAK)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", "-m"]
    command += [__name__, str(folder / "data"), str(folder)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.parametrize("kind", RECIPES)
@pytest.mark.processes
def test_two_processes_are_one_with_twice_the_batch(folder: Path, kind: str) -> None:
    alone = losses(RECIPES[kind](folder / "data", 1), folder / "alone" / kind)
    pair = json.loads((folder / f"{kind}.json").read_text())
    assert pair["losses"][:STEPS] == pytest.approx(alone[:STEPS], rel=1e-4)
    assert len({round(loss, 5) for loss in alone}) == STEPS + 1  # every step has its own examples
    whole = json.loads((folder / f"{kind.removesuffix('-sharded')}.json").read_text())
    assert pair["losses"] == pytest.approx(whole["losses"], rel=1e-4)  # what is held out goes by the batch
    model = "model/unet" if kind.startswith("spectrogram") else "model"
    for name in ("state", f"{model}/diffusion_pytorch_model"):
        one, two = (load_file(folder / of / kind / f"{name}.safetensors") for of in ("alone", "pair"))
        assert one.keys() == two.keys()
        for key in one:
            if "exp_avg" not in key:  # a weight whose gradient is nothing but rounding may step either way
                torch.testing.assert_close(one[key], two[key], rtol=1e-3, atol=2e-3, msg=key)
                continue
            # Of such steps discriminators make more, all through the network: 2 % were seen.
            share = 0.05 if kind == "vocoder" else 2e-3
            assert (one[key] - two[key]).norm() <= share * one[key].norm() + 1e-8, key
    assert pair["held"] == pytest.approx(0.5 if "sharded" in kind else 1.0, abs=0.05)


@pytest.mark.parametrize("kind", RECIPES)
@pytest.mark.processes
def test_a_run_goes_on_with_another_number_of_processes(folder: Path, kind: str) -> None:
    """Two processes until step 2, then one with twice the batch: the losses of one all along."""
    with pytest.raises(UserError, match="examples_a_step"):  # as large a batch, alone: other examples
        half = RECIPES[kind](folder / "data", 2)
        next(train(half, folder / "stopped" / kind))
    rest = losses(RECIPES[kind](folder / "data", 1), folder / "stopped" / kind)
    pair = json.loads((folder / f"{kind}.json").read_text())
    assert rest[:-1] == pytest.approx(pair["losses"][BREAK:-1], rel=1e-4)


@pytest.mark.parametrize("kind", SHARDED)
@pytest.mark.processes
def test_a_run_of_one_process_goes_on_spread_over_two(folder: Path, kind: str) -> None:
    pair = json.loads((folder / f"{kind}.json").read_text())
    assert pair["gone_on"] == pytest.approx(pair["losses"][BREAK:], rel=1e-4)


@pytest.mark.parametrize("kind", ["lapse", "lapse-sharded"])
@pytest.mark.processes
def test_a_loss_that_is_not_finite_in_one_process_is_left_out_by_all(folder: Path, kind: str) -> None:
    pair = json.loads((folder / f"{kind}.json").read_text())
    alone = losses(lapse(folder / "data", 1, False), folder / "alone" / kind)
    assert pair == pytest.approx(alone, rel=1e-4)
    assert alone[1] == 0 < min(alone[0], *alone[2:])


def test_what_cannot_be_spread_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="of train spectrogram and train prior alone"):
        next(train(Straight(shard=True), tmp_path / "line"))
    recipe = prior(tmp_path, 1, shard=True, precision="fp16")
    with pytest.raises(UserError, match="bf16 or no"):
        next(train(recipe, tmp_path / "prior"))
    assert not any((tmp_path / name / "settings.json").exists() for name in ("line", "prior"))


@pytest.mark.parametrize("clips", [1, 7, 30])
@pytest.mark.parametrize("processes", [1, 2, 3, 8])
@pytest.mark.parametrize("batch", [1, 4])
def test_every_clip_once_an_epoch_over_all_processes(clips: int, processes: int, batch: int) -> None:
    """No clip is seen twice before all were seen once, and no draw is ever repeated."""
    steps = -(-3 * clips // (processes * batch))
    ranks = [iter(Draws(clips, batch, 5, 0, rank, processes)) for rank in range(processes)]
    seen = [draw for _ in range(steps) for rank in ranks for draw in next(rank)]
    for epoch in range(3):
        assert sorted(number for number, _ in seen[epoch * clips : (epoch + 1) * clips]) == list(range(clips))
    assert len({seed for _, seed in seen}) == len(seen)


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 4), (4, 3), (3, 4)])
def test_the_next_examples_after_a_change_of_processes(before: int, after: int) -> None:
    """12 examples a step, whoever takes them: a step's draws do not depend on the number of processes."""
    one = iter(Draws(17, 12, seed=1))
    whole = [next(one) for _ in range(6)]
    seen = []
    for first, processes in ((0, before), (3, after)):
        ranks = [iter(Draws(17, 12 // processes, 1, first, rank, processes)) for rank in range(processes)]
        seen += [[draw for rank in ranks for draw in next(rank)] for _ in range(3)]
    assert seen == whole


def main(data: Path, out: Path) -> None:
    """Of each of the processes."""
    held = 0.0

    def watched(recipe: Recipe, players: dict[str, Player], *rest: object) -> object:
        nonlocal held
        found = take_step(recipe, players, *rest)
        moments = [state["exp_avg"] for state in players[""].optimizer.state.values()]
        held = sum(local(moment).numel() for moment in moments) / sum(moment.numel() for moment in moments)
        return found

    take_step, loop.take_step = loop.take_step, watched
    pages = {}
    for kind, recipe in RECIPES.items():
        pages[kind] = {"losses": losses(recipe(data, 2), out / "pair" / kind), "held": held}
        losses(recipe(data, 2), out / "stopped" / kind, BREAK)
    for kind, recipe in SHARDED.items():
        pages[kind]["gone_on"] = losses(recipe(data, 2), out / "begun" / kind)
    for kind, shard in (("lapse", False), ("lapse-sharded", True)):
        pages[kind] = losses(lapse(data, 2, shard), out / "pair" / kind)
    if os.environ["RANK"] == "0":
        for kind, page in pages.items():
            (out / f"{kind}.json").write_text(json.dumps(page))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
