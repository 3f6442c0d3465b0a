"""ImageHear, the pictures of Table 4: what IQ answers to them, and what can be measured without listeners.

The paper's Table 4 is listeners' opinions. Measured here are the CLAP score against "the sound of [class]", the
share of answers in which their class is heard among all classes, and the CLAP score beside others, a control.
"""

from dataclasses import asdict
from pathlib import Path

from clipsonic.config import SAMPLE_RATE
from clipsonic.data.catalogues import read_imagehear
from clipsonic.data.pictures import open_picture
from clipsonic.encoders.base import SOUND_PROMPT, AudioEncoder
from clipsonic.evaluation.agreement import measure_agreement
from clipsonic.evaluation.audio_files import find_audio, items_of, read_clip
from clipsonic.evaluation.questions import Question
from clipsonic.evaluation.scores import clap_scores
from clipsonic.files import write_json
from clipsonic.interfaces.reproduce.controls import derangement
from clipsonic.interfaces.reproduce.measures import mean_page
from clipsonic.pipeline import CLIPSonicPipeline


def questions(folder: Path, pipeline: CLIPSonicPipeline) -> list[Question]:
    """Return a question for each of ImageHear's pictures in a folder, in their order.

    Raises:
        UserError: there is none.
    """
    return [
        Question(
            str(query.image.relative_to(folder)),
            query.label,
            pipeline.embed(image=[open_picture(query.image)], bridge="zs")[0].cpu(),
        )
        for query in read_imagehear(folder)
    ]


def score(answers: Path, out: Path, scorer: AudioEncoder, seed: int) -> None:
    """Write CLAP score, class agreement and the CLAP score of shuffled answers as JSON.

    Args:
        answers: folder of sounds with the index that `questions.answer` writes.
    """
    files = find_audio(answers)
    waves = [read_clip(file.path).numpy() for file in files]
    labels = [str(file.label) for file in files]
    items = items_of(files)
    words = {label: SOUND_PROMPT.format(label) for label in sorted(set(labels))}
    scores = clap_scores(scorer, waves, SAMPLE_RATE, [words[label] for label in labels])
    moved = derangement(labels, seed)
    others = clap_scores(
        scorer, [waves[other] for other in moved.values()], SAMPLE_RATE, [words[labels[at]] for at in moved]
    )
    agreement = measure_agreement(scorer, waves, labels, words, items=items) if len(words) > 1 else None
    page = {
        "encoder": scorer.id,
        "clips": len(files),
        "labels": list(words),
        "clap_score": mean_page(scores.tolist(), items),
        "shuffled_clap_score": mean_page(others.tolist(), list(moved.values())) if moved else None,
        "class_agreement": None if agreement is None else asdict(agreement.accuracy),
    }
    write_json(out, page)
