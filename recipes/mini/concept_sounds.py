"""The table of sounds: where the recordings of each concept are, and which are kept for testing.

Pure data. Patterns are globs below the audio roots, RAW/audio and WORK/audio. A recording lies in one split as a
whole, and so do takes that sound like parts of one recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LICENCES = {  # by the first part of a path
    "esc10": "CC-BY-3.0 / CC0 per clip",
    "moodist": "Pixabay Content License / CC0",
    "0ad": "CC-BY-SA-3.0",
    "tuxpaint": "GPL-2",
    "gcompris": "GPL-3+",
    "sonic-pi": "CC0",
    "rendered": "made here; soundfonts FluidR3 (MIT) and TimGM6mb (GPL-2)",
}


@dataclass(frozen=True)
class ConceptSounds:
    """The sounds of one concept: patterns of whole recordings, and of short takes to string together."""

    label: str
    train: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    train_takes: tuple[str, ...] = ()
    test_takes: tuple[str, ...] = ()
    beat: tuple[float, float] = (0.5, 1.0)  # seconds from one take to the next

    def patterns(self) -> tuple[str, ...]:
        """Return all patterns."""
        return self.train + self.test + self.train_takes + self.test_takes

    def files(self, kind: str, roots: Sequence[Path]) -> list[tuple[Path, str]]:
        """List (file, name below its root) of one of the four kinds, in the order of the names."""
        found = {
            file.relative_to(root).as_posix(): file
            for root in roots
            for pattern in getattr(self, kind)
            for file in root.glob(pattern)
        }
        return [(found[name], name) for name in sorted(found)]


def _esc10(label: str, folder: str, train: tuple[str, ...] = (), test: tuple[str, ...] = ()) -> ConceptSounds:
    """Fold 4 is the test fold."""
    return ConceptSounds(label, (f"esc10/{folder}/[!4]-*.ogg", *train), (f"esc10/{folder}/4-*.ogg", *test))


def _rendered(label: str, train: tuple[str, ...] = (), test: tuple[str, ...] = ()) -> ConceptSounds:
    """Phrases of the synthesizer, and real recordings, most of them for testing."""
    folder = f"rendered/{label.replace(' ', '_')}"
    return ConceptSounds(label, (f"{folder}/train-*.ogg", *train), (f"{folder}/test-*.ogg", *test))


_FARM, _PLAYED, _PAIRS = "gcompris/explore_farm_animals", "gcompris/instruments", "gcompris/memory-sound"
_BEASTS, _BIRDS = "tuxpaint/animals/mammals", "tuxpaint/animals/birds"
_FAUNA, _SHIP, _STEPS = "0ad/actor/fauna/animal", "0ad/actor/ship", "0ad/actor/singlesteps"
_WALKS = "0ad/actor/human/movement/Footsteps"
_CHOP, _SWORD = "0ad/resource/lumbering/lumber_tree", "0ad/attack/weapon/swordhit"
_WATER, _WEATHER = "0ad/ambient/water", "0ad/ambient/weather"

CONCEPT_SOUNDS: tuple[ConceptSounds, ...] = (
    _esc10(
        "dog",
        "dog_bark",
        ("moodist/animals/dog-barking.ogg", f"{_PAIRS}/LRBark_*.ogg"),
        (f"{_FARM}/dog.ogg", f"{_BEASTS}/dogs/dog.ogg"),
    ),
    ConceptSounds(  # purring outweighs meowing
        "cat",
        ("moodist/animals/cat-purring.ogg", f"{_FARM}/cat.ogg"),
        ("tuxpaint/seasonal/halloween/blackcat.ogg",),
    ),
    ConceptSounds(
        "cow",
        ("moodist/animals/cows.ogg", f"{_FAUNA}/cattle_0[1-5].ogg", f"{_BEASTS}/bovines/cow.ogg"),
        (f"{_FAUNA}/cattle_0[67].ogg", f"{_FARM}/cow.ogg", f"{_BEASTS}/bovines/cow_white.ogg"),
    ),
    ConceptSounds(
        "sheep",
        ("moodist/animals/sheep.ogg", f"{_FAUNA}/sheep_*.ogg", f"{_BEASTS}/bovines/sheep_lamb.ogg"),
        (f"{_FARM}/sheep.ogg", f"{_BEASTS}/bovines/sheep.ogg"),
    ),
    ConceptSounds(  # gallop and neigh; the steps are alike in pairs and stay together
        "horse",
        (
            "moodist/animals/horse-gallop.ogg",
            "0ad/actor/mounted/movement/mstep11*.ogg",
            f"{_FAUNA}/horse_[adi]*.ogg",
        ),
        (f"{_FARM}/horse.ogg", f"{_BEASTS}/equines/horse.ogg", f"{_FAUNA}/horse_select1.ogg"),
    ),
    _esc10("rooster", "rooster", (f"{_BIRDS}/rooster.ogg",)),
    ConceptSounds(
        "hen",
        (f"{_FARM}/chickens.ogg", f"{_FAUNA}/chicken_1[0-2].ogg"),
        (f"{_FAUNA}/chicken_13.ogg", f"{_BIRDS}/hen.ogg"),
    ),
    ConceptSounds(
        "bird",
        ("moodist/animals/birds.ogg", "0ad/ambient/dayscape/day_temperate_1*.ogg", f"{_BIRDS}/cuckoo.ogg"),
        (f"{_BIRDS}/blackbird.ogg", f"{_BIRDS}/lark.ogg"),
    ),
    ConceptSounds("crow", ("moodist/animals/crows.ogg",), (f"{_BIRDS}/crow.ogg", "sonic-pi/misc_crow.ogg")),
    ConceptSounds(
        "seagull",
        ("moodist/animals/seagulls.ogg",),
        (f"{_BIRDS}/seagull.ogg", "gcompris/watercycle/harbor2.ogg"),
    ),
    ConceptSounds(
        "frog",
        ("moodist/animals/frog.ogg",),
        ("tuxpaint/animals/amphibians/frog.ogg", f"{_PAIRS}/LRFrogsInPondDuringStormLACut.ogg"),
    ),
    ConceptSounds(
        "elephant",
        (f"{_FAUNA}/elephant_[adt]*.ogg", f"{_FAUNA}/elephant_order1.ogg", f"{_FAUNA}/elephant_select2.ogg"),
        (f"{_FAUNA}/elephant_order2.ogg", f"{_FAUNA}/elephant_select1.ogg", f"{_BEASTS}/elephant.ogg"),
    ),
    ConceptSounds(
        "bee",
        ("moodist/animals/beehive.ogg", "tuxpaint/animals/insects/hornet.ogg"),
        ("tuxpaint/animals/insects/bee.ogg",),
    ),
    _esc10(
        "rain",
        "rain",
        ("moodist/rain/[hl]*-rain.ogg", "moodist/rain/rain-on-leaves.ogg", f"{_WEATHER}/rain_*.ogg"),
        ("moodist/rain/rain-on-window.ogg",),
    ),
    ConceptSounds(
        "thunder",
        ("moodist/rain/thunder.ogg", f"{_WEATHER}/thunder_10.ogg"),
        (f"{_WEATHER}/thunder_11.ogg", "tuxpaint/naturalforces/lightningbolt.ogg"),
    ),
    ConceptSounds(
        "wind",
        ("moodist/nature/wind*.ogg", f"{_WEATHER}/wind[_g]*.ogg", f"{_WEATHER}/snowstorm_11.ogg"),
        ("moodist/nature/howling-wind.ogg", f"{_WEATHER}/windstorm_11.ogg"),
    ),
    _esc10(
        "sea waves",
        "sea_waves",
        ("moodist/nature/waves.ogg", f"{_WATER}/wave_*.ogg", f"{_WATER}/waverocky_*.ogg"),
        (f"{_WATER}/wavecrash_*.ogg",),
    ),
    ConceptSounds(
        "river",
        ("moodist/nature/river.ogg", "moodist/nature/waterfall.ogg", f"{_WATER}/river_[fr]*.ogg"),
        (f"{_WATER}/river_med_*.ogg", f"{_WATER}/river_slow_*.ogg"),
    ),
    _esc10("fire", "fire_crackling", ("moodist/nature/campfire.ogg",)),
    _esc10("helicopter", "helicopter"),
    ConceptSounds(
        "train",
        ("moodist/transport/train.ogg", "moodist/transport/inside-a-train.ogg"),
        (f"{_PAIRS}/LRTrain_*.ogg", "gcompris/railroad/train.ogg"),
    ),
    ConceptSounds(
        "car",
        ("moodist/urban/highway.ogg", "moodist/urban/road.ogg", "moodist/urban/busy-street.ogg"),
        ("moodist/urban/traffic.ogg", f"{_PAIRS}/LRStartAndStopCarEngine1LACut.ogg"),
    ),
    ConceptSounds(
        "boat",
        (
            "moodist/transport/sailboat.ogg",
            *(f"{_SHIP}/{n}_*.ogg" for n in ("warship_move", "ship_select", "smove")),
        ),
        (f"{_SHIP}/ship_move.ogg", "moodist/transport/rowing-boat.ogg"),
    ),
    _esc10("chainsaw", "chainsaw"),
    ConceptSounds(  # test takes are like none of the others: some takes are cut from the same stroke
        "axe",
        train_takes=tuple(f"{_CHOP}_{n}.ogg" for n in ("0[!7]", "1[!67]", "2[01]")),
        test_takes=tuple(f"{_CHOP}_{n}.ogg" for n in ("07", "16", "17", "22")),
        beat=(0.7, 1.1),
    ),
    ConceptSounds(  # likewise
        "sword",
        train_takes=tuple(f"{_SWORD}_{n}.ogg" for n in ("1[0-58]*", "1[67]a", "19")),
        test_takes=tuple(f"{_SWORD}_{n}.ogg" for n in ("1[67]", "1[67]b", "19a")),
        beat=(0.4, 0.9),
    ),
    ConceptSounds(
        "pickaxe",
        train_takes=tuple(f"0ad/resource/mining/mine_{n}.ogg" for n in ("*_0*", "*_1[0-8]")),
        test_takes=tuple(f"0ad/resource/mining/mine_{n}.ogg" for n in ("*_19", "*_2*")),
        beat=(0.6, 1.0),
    ),
    _esc10("clock", "clock_tick", ("moodist/things/clock.ogg",)),
    ConceptSounds(
        "washing machine",
        ("moodist/things/washing-machine.ogg",),
        ("moodist/places/laundry-room.ogg", "tuxpaint/household/Washing-machine.ogg"),
    ),
    _rendered("bell", test=("sonic-pi/perc_bell.ogg", "sonic-pi/perc_bell2.ogg")),
    _esc10("baby crying", "baby_cry"),
    _esc10("sneezing", "person_sneeze"),
    ConceptSounds(  # by the ground: single steps may be cut from the walks
        "footsteps",
        (
            "moodist/nature/walk-in-snow.ogg",
            "moodist/nature/walk-on-gravel.ogg",
            *(f"{_WALKS}/Footstep_{n}_*.ogg" for n in ("Grass", "Gravel", "Wood")),
        ),
        ("moodist/nature/walk-on-leaves.ogg", f"{_WALKS}/Foorstep_Sand_*.ogg"),
        tuple(f"{_STEPS}/fs_{n}*.ogg" for n in ("grass", "gravel", "wood", "snow")),
        (f"{_STEPS}/fs_sand*.ogg",),
        (0.35, 0.65),
    ),
    ConceptSounds(
        "crowd",
        ("moodist/*/crowd*.ogg", "0ad/ambient/building/amb_trade_*.ogg"),
        ("moodist/places/restaurant.ogg", f"{_PAIRS}/LRLaPause_short.ogg"),
    ),
    _rendered("piano", test=(f"{_PLAYED}/piano.ogg",)),
    _rendered(
        "guitar",
        ("sonic-pi/guit_em9.ogg", "sonic-pi/guit_e_fifths.ogg"),
        (f"{_PLAYED}/guitar.ogg", f"{_PLAYED}/electric_guitar.ogg"),
    ),
    _rendered("violin", ("tuxpaint/hobbies/music/string/violin.ogg",), (f"{_PLAYED}/violin.ogg",)),
    _rendered("cello", ("tuxpaint/hobbies/music/string/cello.ogg",), (f"{_PLAYED}/cello.ogg",)),
    _rendered("flute", test=(f"{_PLAYED}/flute_traversiere.ogg",)),
    _rendered("trumpet", test=(f"{_PLAYED}/trumpet.ogg",)),
    _rendered("saxophone", test=(f"{_PLAYED}/saxophone.ogg",)),
    _rendered("clarinet", test=(f"{_PLAYED}/clarinet.ogg",)),
    _rendered("accordion", test=(f"{_PLAYED}/accordion.ogg",)),
    _rendered("harp", test=(f"{_PLAYED}/harp.ogg",)),
    _rendered(
        "drum kit",
        ("sonic-pi/loop_amen_full.ogg", "sonic-pi/loop_breakbeat.ogg"),
        (f"{_PLAYED}/drum_kit.ogg", "tuxpaint/hobbies/music/percussion/drumkit.ogg"),
    ),
    _rendered("banjo", test=(f"{_PLAYED}/banjo.ogg",)),
)
