"""Write short random phrases for musical instruments, as MIDI files."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

TICKS = 480  # a beat
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9), (0, 3, 5, 7, 10))
RHYTHMS = ((1.0,), (0.5, 0.5), (0.5,), (1.5, 0.5), (0.75, 0.25), (2.0,), (0.25, 0.25, 0.5), (0.25,) * 4)
KICK, SNARE, CLOSED, OPEN, RIDE, CRASH, TOMS = 36, 38, 42, 46, 51, 49, (50, 48, 45, 41)


@dataclass(frozen=True)
class Note:
    """One note; times are in beats."""

    start: float
    length: float
    pitch: int
    loudness: int


@dataclass(frozen=True)
class Instrument:
    """What an instrument can play; programs are those of General MIDI, counted from 0."""

    label: str
    programs: tuple[int, ...]
    low: int
    high: int
    tempo: tuple[int, int] = (70, 140)
    chords: bool = False  # several notes at once
    rings: bool = False  # plucked or struck: notes die away by themselves
    style: str = "tune"  # or drums, pipes, bells


INSTRUMENTS: tuple[Instrument, ...] = (
    Instrument("piano", (0, 1), 36, 90, chords=True),
    Instrument("guitar", (24, 25, 26, 27), 40, 76, chords=True, rings=True),
    Instrument("violin", (40,), 55, 93),
    Instrument("cello", (42,), 36, 67, (60, 110)),
    Instrument("flute", (73,), 60, 92),
    Instrument("trumpet", (56, 59), 55, 82),
    Instrument("saxophone", (64, 65, 66, 67), 48, 79),
    Instrument("clarinet", (71,), 50, 86),
    Instrument("accordion", (21, 23), 53, 84, (90, 160), chords=True),
    Instrument("harp", (46,), 36, 90, (70, 120), chords=True, rings=True),
    Instrument("xylophone", (13,), 65, 100, (90, 160), rings=True),
    Instrument("drum kit", (0, 8, 16, 32), 35, 59, (80, 150), style="drums"),
    Instrument("organ", (16, 17, 18, 19), 36, 84, (60, 120), chords=True),
    Instrument("banjo", (105,), 50, 79, (100, 160), chords=True, rings=True),
    Instrument("harmonica", (22,), 60, 88, (70, 130)),
    Instrument("bagpipes", (109,), 67, 81, (80, 130), style="pipes"),
    Instrument("bell", (14,), 53, 77, (50, 90), rings=True, style="bells"),
)


def tune(instrument: Instrument, beats: float, rng: np.random.Generator) -> list[Note]:
    """Play a melody, a scale, broken chords or (where the instrument can) chords."""
    root, scale = int(rng.integers(12)), SCALES[rng.integers(len(SCALES))]
    pitches = [p for p in range(instrument.low, instrument.high + 1) if (p - root) % 12 in scale]
    manner = rng.choice(["melody", "melody", "scale", "broken"] + ["chords", "both"] * instrument.chords)
    loudness = int(rng.integers(60, 115))
    span = min(len(pitches) - 1, 14)
    bottom = int(rng.integers(len(pitches) - span))
    place, step, now = int(rng.integers(span + 1)), int(rng.choice([-1, 1])), 0.0
    notes: list[Note] = []
    while now < beats:
        for length in RHYTHMS[rng.integers(len(RHYTHMS))] if manner in ("melody", "both") else (0.5,):
            if manner == "scale":
                step = step if 0 <= place + step <= span else -step
                place += step
            elif manner == "broken":
                place = (place + 2) % (span + 1)
            else:
                place = int(np.clip(place + rng.choice([-4, -2, -1, -1, 0, 1, 1, 2, 4]), 0, span))
            chord = [pitches[bottom + place]]
            if manner == "chords":
                length *= float(rng.choice([1, 2, 4]))
                chord = pitches[bottom + place :: 2][: int(rng.integers(3, 5))]
            held = length * (3.0 if instrument.rings else float(rng.uniform(0.7, 1.0)))
            level = int(np.clip(loudness + rng.integers(-12, 13), 30, 127))
            notes += [Note(now + 0.01 * n, held, pitch, level) for n, pitch in enumerate(chord)]
            now += length
        if rng.random() < 0.12 and manner == "melody":
            now += 0.5  # breath
    if manner == "both":
        for start in np.arange(0.0, beats, 2.0):
            base = pitches[int(rng.integers(max(1, len(pitches) // 3)))]
            notes += [Note(float(start), 1.9, base + add, loudness - 20) for add in (0, 7)]
    return notes


def drums(instrument: Instrument, beats: float, rng: np.random.Generator) -> list[Note]:
    """Play a beat: one random bar again and again, with a fill at the end of every fourth."""
    cymbal = int(rng.choice([CLOSED, CLOSED, RIDE, OPEN]))
    grid = float(rng.choice([0.5, 0.5, 0.25, 1 / 3]))
    kicks = [
        0.0,
        *(b for b in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5) if rng.random() < (0.6 if b == 2 else 0.2)),
    ]
    snares = [1.0, 3.0, *(b for b in (0.75, 1.75, 2.25, 3.5, 3.75) if rng.random() < 0.15)]
    notes: list[Note] = [Note(0.0, 1.0, CRASH, 100)] if rng.random() < 0.5 else []
    for bar in range(int(np.ceil(beats / 4))):
        fill = bar % 4 == 3 or (rng.random() < 0.15)
        bar_notes = [(b, KICK, 105) for b in kicks] + [(b, SNARE, 95) for b in snares]
        bar_notes += [(float(b), cymbal, 75) for b in np.arange(0.0, 4.0, grid)]
        if fill:
            bar_notes = [note for note in bar_notes if note[0] < 2.0]
            bar_notes += [(2 + 0.25 * n, int(rng.choice((SNARE, *TOMS))), 100) for n in range(8)]
        notes += [
            Note(4.0 * bar + b, 0.2, pitch, int(level + rng.integers(-15, 16)))
            for b, pitch, level in bar_notes
        ]
    return notes


def pipes(instrument: Instrument, beats: float, rng: np.random.Generator) -> list[Note]:
    """Play a bagpipe melody over a drone, with grace notes."""
    pitches = [67, 69, 71, 73, 74, 76, 78, 79, 81]
    notes = [Note(0.0, beats, 57, 70), Note(0.0, beats, 45, 60)] if rng.random() < 0.7 else []
    now, place = 0.0, int(rng.integers(9))
    while now < beats:
        for length in RHYTHMS[rng.integers(len(RHYTHMS))]:
            place = int(np.clip(place + rng.integers(-3, 4), 0, 8))
            if rng.random() < 0.4:
                notes.append(Note(now, 0.08, 79, 90))
            notes.append(Note(now + 0.08, length - 0.08, pitches[place], 100))
            now += length
    return notes


def bells(instrument: Instrument, beats: float, rng: np.random.Generator) -> list[Note]:
    """Ring one to five bells, one after the other."""
    ring = sorted(rng.choice(np.arange(instrument.low, instrument.high), int(rng.integers(1, 6)), False))[
        ::-1
    ]
    gap = float(rng.choice([0.5, 1.0, 1.0, 2.0]))
    order = list(range(len(ring)))
    notes: list[Note] = []
    for start in np.arange(0.0, beats, gap):
        if not order:
            order = list(rng.permutation(len(ring)))
        notes.append(Note(float(start), 8.0, int(ring[order.pop(0)]), int(rng.integers(80, 120))))
    return notes


STYLES: dict[str, Callable[[Instrument, float, np.random.Generator], list[Note]]] = {
    "tune": tune,
    "drums": drums,
    "pipes": pipes,
    "bells": bells,
}


def phrase(instrument: Instrument, seconds: float, rng: np.random.Generator) -> bytes:
    """Make up one phrase of about ``seconds`` and return it as a MIDI file."""
    tempo = float(rng.uniform(*instrument.tempo))
    notes = STYLES[instrument.style](instrument, seconds * tempo / 60, rng)
    channel = 9 if instrument.style == "drums" else 0
    return write_midi(notes, int(rng.choice(instrument.programs)), channel, tempo)


def write_midi(notes: list[Note], program: int, channel: int, tempo: float) -> bytes:
    """Return a MIDI file of one track: ``tempo`` is in beats a minute."""
    events = [(0, bytes((0xFF, 0x51, 3)) + round(60e6 / tempo).to_bytes(3, "big"))]
    events.append((0, bytes((0xC0 | channel, program))))
    for note in notes:
        start, stop = round(note.start * TICKS), round((note.start + note.length) * TICKS)
        events.append((start, bytes((0x90 | channel, note.pitch, min(127, max(1, note.loudness))))))
        events.append((max(stop, start + 1), bytes((0x80 | channel, note.pitch, 0))))
    events.sort(key=lambda event: (event[0], event[1][0] & 0xF0 == 0x90))  # at one time, end notes first
    track, last = b"", 0
    for time, message in events:
        track += _variable(time - last) + message
        last = time
    track += b"\0\xff\x2f\0"
    return struct.pack(">4sIHHH", b"MThd", 6, 0, 1, TICKS) + struct.pack(">4sI", b"MTrk", len(track)) + track


def _variable(number: int) -> bytes:
    parts = [number & 0x7F]
    while number := number >> 7:
        parts.append(number & 0x7F | 0x80)
    return bytes(parts[::-1])
