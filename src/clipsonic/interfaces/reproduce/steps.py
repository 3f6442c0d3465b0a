"""The steps themselves: each fills the folder of its name, and goes on where it was stopped."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipsonic.audio import from_16_bit
from clipsonic.bridges.load import load_bridge
from clipsonic.data.dataset import ClipDataset
from clipsonic.encoders.base import AudioEncoder
from clipsonic.encoders.load import load_audio_encoder
from clipsonic.evaluation.embeddings import load_sound_embedding
from clipsonic.evaluation.mel_fid import MelImageEmbedding
from clipsonic.evaluation.questions import Asking, Question, answer, questions, write_sound
from clipsonic.evaluation.systems import OURS, SYSTEMS, System
from clipsonic.files import whole_file, whole_folder
from clipsonic.interfaces.choices import FITTED
from clipsonic.interfaces.evaluate import run_gap
from clipsonic.interfaces.prepare import choose_encoder
from clipsonic.interfaces.prepare import run as run_prepare
from clipsonic.interfaces.progress import bar
from clipsonic.interfaces.reproduce import controls, imagehear
from clipsonic.interfaces.reproduce.brought import Brought
from clipsonic.interfaces.reproduce.measures import changed, measure_answers
from clipsonic.interfaces.reproduce.presets import Reproduction
from clipsonic.interfaces.reproduce.work import Work
from clipsonic.interfaces.train import run_training
from clipsonic.interfaces.train_bridges import run_bridge, run_prior_recipe
from clipsonic.model_folder import check_folder, resolve
from clipsonic.parts import PARTS
from clipsonic.pipeline import CLIPSonicPipeline
from clipsonic.vocoder.base import Vocoder
from clipsonic.vocoder.griffin_lim import GriffinLim
from clipsonic.vocoder.load import load_vocoder

IQ = SYSTEMS[0]


@dataclass(frozen=True)
class Steps:
    """All of them, for one reproduction."""

    preset: Reproduction
    brought: Brought
    work: Work
    device: str = "cpu"  # of everything but training, which goes where accelerate finds a GPU

    @property
    def model(self) -> str | None:
        """The model whose U-Net is not trained here; None if it is."""
        return self.brought.model or self.preset.model

    @property
    def data(self) -> Path:
        """The prepared data set."""
        return self.brought.data or self.work.folder / "data"

    def folder(self, name: str) -> Path:
        """A step's."""
        return self.work.folder / name

    def held_out(self) -> ClipDataset:
        """The clips that are asked about and compared with."""
        clips = ClipDataset(self.data)
        return ClipDataset(self.data, set(clips.info.splits) - {"train"})

    # Training

    def prepare(self, name: str) -> None:
        """Videos => data set."""
        run_prepare(
            self.brought.videos,
            self.folder(name),
            self.preset.encoder,
            self.preset.clip_seconds,
            None,
            device=self.device,
        )

    def train_vocoder(self, name: str) -> None:
        """On the data set's own sound."""
        from clipsonic.training.vocoder import VocoderRecipe

        recipe = VocoderRecipe(self.preset.vocoder, [self.data])
        go_on(run_training(recipe, self.folder(name), str(self.data), len(recipe.waves), dry_run=False))

    def train_on_pictures(self, name: str) -> None:
        """The paper's own model."""
        self._train(name, "image", None)

    def train_on_clip_words(self, name: str) -> None:
        """Text-to-audio as others do it, with CLIP's words."""
        self._train(name, "text", None)

    def train_on_clap_words(self, name: str) -> None:
        """The same with CLAP's."""
        self._train(name, "text", load_audio_encoder(self.preset.audio_encoder))

    def _train(self, name: str, condition: str, encoder: Any) -> None:
        from clipsonic.training.spectrogram import SpectrogramRecipe

        settings = self.preset.spectrogram.model_copy(update={"condition": condition})
        recipe = SpectrogramRecipe(settings, self.data, encoder)
        go_on(run_training(recipe, self.folder(name), str(self.data), len(recipe.clips), dry_run=False))

    def train_sd(self, name: str) -> None:
        """On the data set's labels and pictures."""
        self._train_prior(name, self.data, None)

    def train_pd(self, name: str) -> None:
        """On captioned pictures that have nothing to do with the data set."""
        self._train_prior(name, None, self.brought.captions)

    def _train_prior(self, name: str, data: Path | None, captions: Path | None) -> None:
        settings, encoder = self.preset.prior, self.preset.encoder
        go_on(run_prior_recipe(settings, self.folder(name), data, captions, encoder, device=self.device))

    def fit_linear(self, name: str) -> None:
        """Least squares."""
        run_bridge("linear", self.folder(name), self.data, None, self.preset.encoder, device=self.device)

    def fit_centres(self, name: str) -> None:
        """What the training pictures gather around."""
        encoder, count = self.preset.encoder, self.preset.centres
        run_bridge(
            "retrieval", self.folder(name), self.data, None, encoder, "image", count, device=self.device
        )

    # Answers

    def pipeline(self, system: System) -> CLIPSonicPipeline:
        """The model that a system asks, with the vocoder that all share and the system's bridge."""
        folders = {"clip words": "clip-words", "clap words": "clap-words", "pictures": "pictures"}
        parts: dict[str, Any] = {"vocoder": self.vocoder()}
        if system.bridge != "zs":
            parts[system.bridge] = load_bridge(self.bridge_source(system.bridge))
        model = self.model if system.trained_on == "pictures" else None
        source = model or self.part(folders[system.trained_on])
        return CLIPSonicPipeline.from_pretrained(source, **parts).to(self.device)

    def part(self, name: str) -> Path:
        """Return the folder of a model or prior that was brought or is trained here."""
        return self.brought.trained.get(name, self.folder(name) / "model")

    @property
    def vocoder_source(self) -> str | None:
        """The vocoder that was brought, or else that of the model; None if one has to be trained.

        Griffin-Lim, which a model has until a vocoder joins it, would decide all scores: it has to be asked for.
        """
        if self.brought.vocoder is not None:
            return self.brought.vocoder
        if self.model is None:
            return None
        folder = resolve(self.model)
        kind = check_folder(folder, PARTS, {"vocoder"})["vocoder"][1]
        return None if kind == GriffinLim.__name__ else str(folder / "vocoder")

    def vocoder(self) -> Vocoder:
        """Load the vocoder that all systems and the reconstruction share."""
        return load_vocoder(self.vocoder_source or str(self.folder("vocoder") / "model")).to(self.device)

    def bridges(self) -> list[str]:
        """Names of those that the wanted systems use."""
        has_pd = (
            self.preset.prior_published is not None
            or self.brought.captions is not None
            or "pd" in self.brought.trained
        )
        wanted = {system.bridge for system in (*SYSTEMS, *OURS) if system.name in self.preset.systems}
        return [name for name in (*(["pd"] if has_pd else []), "sd", "linear", "retrieval") if name in wanted]

    def bridge_source(self, name: str) -> str:
        """A prior trained here, the published one, or what was computed: its folder or hub id."""
        if name == "pd" and self.preset.prior_published is not None and "pd" not in self.brought.trained:
            return self.preset.prior_published
        return str(self.folder(name) if name in FITTED else self.part(name))

    def questions(self, count: int) -> list[Question]:
        """The same for every system; fewer are the first of more."""
        return questions(self.held_out(), count, self.preset.seed)

    def answer(self, name: str, system: System) -> None:
        """A system's answers for Table 1."""
        pipeline, asked = self.pipeline(system), self.questions(self.preset.clips)
        self._answer(pipeline, system, self.preset.guidance_scale, asked, name)

    def sweep(self, name: str, system: System) -> None:
        """Its answers at each guidance scale of Fig. 3; those at Table 1's are taken from there."""
        pipeline, asked = self.pipeline(system), self.questions(self.preset.swept_clips)
        for w in self.preset.swept:
            here = f"{name}/w={w:g}"
            if w == self.preset.guidance_scale:
                self._copy(f"answers/{system.name}", here)
            self._answer(pipeline, system, w, asked, here)

    def _copy(self, name: str, here: str) -> None:
        self.folder(here).mkdir(parents=True, exist_ok=True)
        for path in sorted(self.folder(name).glob("*.flac"))[: self.preset.swept_clips]:
            if not (target := self.folder(here) / path.name).exists():
                with whole_file(target) as file:
                    file.write(path.read_bytes())

    def _answer(
        self, pipeline: CLIPSonicPipeline, system: System, w: float, asked: list[Question], name: str
    ) -> None:
        how = Asking(
            system.template, system.bridge, w, seed=self.preset.seed, score_text=self.preset.score_text
        )
        with bar("clips") as progress:
            task = progress.add_task(name, total=len(asked), note="")
            answer(
                pipeline, asked, how, self.folder(name), lambda done: progress.update(task, completed=done)
            )

    def answer_pictures(self, name: str) -> None:
        """Answers of IQ to ImageHear's pictures, as they are."""
        folder, pipeline = self.brought.imagehear, self.pipeline(IQ)
        assert folder is not None
        asked = imagehear.questions(folder, pipeline)
        self._answer(pipeline, IQ, self.preset.guidance_scale, asked, name)

    # What they are compared with, and controls

    def reference(self, name: str) -> None:
        """The held-out recordings, whole."""
        clips = self.held_out()
        with whole_folder(self.folder(name)) as folder:
            for number, (_, clip) in enumerate(clips.clips):
                write_sound(folder / f"{clip.key}.flac", from_16_bit(clips.wave(number)))

    def reconstruct(self, name: str) -> None:
        """The ceiling."""
        controls.reconstruction(self.folder(name), self._asked, self.held_out(), self.vocoder())

    def held_out_recordings(self, name: str) -> None:
        """The yardstick."""
        controls.real(self.folder(name), self._asked, self.held_out())

    def training_recordings(self, name: str) -> None:
        """What the models learnt from."""
        controls.real(self.folder(name), self._asked, ClipDataset(self.data, {"train"}))

    def noise(self, name: str) -> None:
        """White noise."""
        controls.noise(self.folder(name), self._asked, self.held_out(), self.preset.seed)

    def shuffle(self, name: str) -> None:
        """The sounds of ZS beside other questions."""
        controls.shuffled(self.folder(name), self._asked, self.folder("answers/ZS"), self.preset.seed)

    @property
    def _asked(self) -> list[Question]:
        return self.questions(self.preset.clips)

    # Measures

    def score(self, name: str) -> None:
        """Everything for Tables 1 and 5."""
        answers = name.removeprefix("scores/")
        brought = self.brought.answers.get(answers.removeprefix("answers/"))
        measure_answers(
            brought or self.folder(answers),
            self.folder("reference"),
            self.folder(f"{name}.json"),
            load_sound_embedding(self.preset.embedding, self.device),
            self._scorer(),
            sorted(self.held_out().info.labels),
            MelImageEmbedding(choose_encoder(self.preset.encoder, self.device)),
            (self.preset.window_seconds, self.preset.window_hop_seconds),
            ClipDataset(self.data, {"train"}),
        )

    def stale(self, name: str) -> bool:
        """Whether these are scores of a brought system whose files are others by now."""
        start, _, system = name.rpartition("/")
        brought = self.brought.answers.get(system) if start == "scores/answers" else None
        return brought is not None and changed(self.folder(f"{name}.json"), brought)

    def score_sweep(self, name: str) -> None:
        """Fréchet distance, CLAP score and class agreement for Fig. 3."""
        ear, scorer = load_sound_embedding(self.preset.embedding, self.device), self._scorer()
        for w in self.preset.swept:
            folder = self.folder(name.removeprefix("scores/")) / f"w={w:g}"
            out, labels = self.folder(name) / f"w={w:g}.json", sorted(self.held_out().info.labels)
            if out.exists():
                continue
            measure_answers(folder, self.folder("reference"), out, ear, scorer, labels)

    def gap(self, name: str) -> None:
        """Table 2, for every bridge there is."""
        added = [f"{bridge}={self.bridge_source(bridge)}" for bridge in self.bridges()]
        source = self.model or str(self.folder("pictures") / "model")
        seed, clips = self.preset.seed, self.preset.gap_clips
        run_gap(source, self.data, self.folder(name), ["zs"], added, [], None, seed, clips, self.device)

    def score_pictures(self, name: str) -> None:
        """Measure the answers to ImageHear's pictures."""
        out = self.folder(f"{name}.json")
        imagehear.score(self.folder("imagehear"), out, self._scorer(), self.preset.seed)

    def _scorer(self) -> AudioEncoder:
        return load_audio_encoder(self.preset.audio_encoder).to(self.device)


def go_on(stopping: bool) -> None:
    """Stop a reproduction where a training was asked to stop in its last step, which alone ends well."""
    if stopping:
        raise KeyboardInterrupt
