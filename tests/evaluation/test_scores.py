"""Scores against words, by an encoder whose hearing is known."""

import numpy as np
import pytest
import torch

from clipsonic.config import SAMPLE_RATE
from clipsonic.evaluation.agreement import is_silent, label_shares, measure_agreement
from clipsonic.evaluation.scores import clap_scores, sliding_scores
from tests.evaluation.hearing import ToneEncoder, tone

HERTZ = (220, 440, 880, 1760, 3520)
PROMPTS = {f"{hertz}": f"the sound of {hertz} Hz" for hertz in HERTZ}


def test_the_right_words_score_highest() -> None:
    hertz = HERTZ * 8  # more than are heard at once
    waves = [tone(each, seed=1 + number).numpy() for number, each in enumerate(hertz)]
    texts = [f"the sound of {each} Hz" for each in hertz]
    done: list[int] = []
    right = clap_scores(ToneEncoder(), waves, SAMPLE_RATE, texts, done.append)
    assert right.shape == (40,) and right.min() > 0.98 and done == [16, 32, 40]
    shuffled = clap_scores(ToneEncoder(), waves, SAMPLE_RATE, texts[1:] + texts[:1])
    assert (shuffled < right - 0.05).all()


def test_a_score_is_a_cosine() -> None:
    encoder = ToneEncoder()
    wave, text = tone(300).numpy(), "the sound of 500 Hz"
    cosine = encoder.encode_audio([wave], SAMPLE_RATE)[0] @ encoder.encode_text([text])[0]
    assert clap_scores(encoder, [wave], SAMPLE_RATE, [text])[0] == pytest.approx(float(cosine), abs=1e-6)


def test_a_sound_that_comes_and_goes_fits_best_while_it_is_there() -> None:
    wave = torch.cat([tone(440, 5.0), tone(3520, 7.0)]).numpy()
    encoder, text = ToneEncoder(), "the sound of 440 Hz"
    sliding = sliding_scores(encoder, wave, SAMPLE_RATE, text)
    whole = clap_scores(encoder, [wave], SAMPLE_RATE, [text])[0]
    assert sliding.max > whole > sliding.min
    assert sliding.max > sliding.mean > sliding.min
    early = clap_scores(encoder, [wave[: 4 * SAMPLE_RATE]], SAMPLE_RATE, [text])[0]
    assert sliding.max == pytest.approx(early, abs=1e-3)
    short = sliding_scores(encoder, wave[:SAMPLE_RATE], SAMPLE_RATE, text)
    assert short.max == short.mean == short.min


def test_labels_are_heard_and_silence_is_wrong() -> None:
    waves = [tone(hertz, 4.0, seed=1).numpy() for hertz in HERTZ]
    waves += [np.zeros(64_000, np.float32), 1e-5 * waves[0], tone(880).numpy()]
    truth = [*map(str, HERTZ), "220", "220", "440"]
    done: list[int] = []
    found = measure_agreement(ToneEncoder(), waves, truth, PROMPTS, done.append)
    assert found.accuracy.value == pytest.approx(5 / 8)
    assert found.accuracy.low < 5 / 8 < found.accuracy.high and found.accuracy.items == 8
    assert {label: mean.value for label, mean in found.by_label.items()} == pytest.approx(
        {"220": 1 / 3, "440": 1 / 2, "880": 1, "1760": 1, "3520": 1}
    )
    assert found.confusion.sum() == 8
    assert found.confusion[0].tolist() == [1, 0, 0, 0, 0, 2]  # two silent ones
    assert found.confusion[1].tolist() == [0, 1, 1, 0, 0, 0]
    assert (found.encoder, found.labels, done[-1]) == ("tones@0", list(PROMPTS), 8)


def test_silent_parts_say_nothing() -> None:
    encoder = ToneEncoder()
    said = encoder.encode_text(list(PROMPTS.values()))
    wave = tone(440, 2.048).numpy()
    alone = label_shares(encoder, wave, said)
    before_silence = label_shares(encoder, np.concatenate([wave, np.zeros(4 * 16_384, np.float32)]), said)
    assert alone is not None and before_silence is not None
    assert float(alone.sum()) == pytest.approx(1) and int(alone.argmax()) == int(before_silence.argmax()) == 1
    assert label_shares(encoder, np.zeros(40_000, np.float32), said) is None


def test_what_is_silent() -> None:
    assert is_silent(torch.zeros(10)) and is_silent(torch.zeros(40_000))
    assert not is_silent(tone(440)) and not is_silent(0.01 * tone(440))
    assert is_silent(1e-5 * tone(440))
    brief = torch.zeros(64_000)
    brief[30_000:30_400] = tone(440)[:400]
    assert not is_silent(brief)  # a click is a sound
