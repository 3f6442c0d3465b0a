"""The table of concepts that ``mini`` knows: which sounds and which pictures belong to which word.

Pure data. Every entry was chosen by reading the names in the raw material and by looking at the pictures.
Patterns are shell patterns (``fnmatch``) on the names each source uses itself.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Concept:
    """One sound-making thing, and the names that select its sounds and pictures."""

    label: str  # the word put into prompts: "a photo of [label]"
    esc10: str  # folder below audio/esc10
    sounds: tuple[str, ...] = ()  # further recordings for training, paths below audio/
    test_sounds: tuple[str, ...] = ()  # further recordings kept for testing
    emoji: tuple[str, ...] = ()  # emojibase labels
    icons: tuple[str, ...] = ()  # iconify names, "set:name"
    stamps: tuple[str, ...] = ()  # paths below tuxpaint's stamps
    drawings: tuple[str, ...] = ()  # paths below openclipart's svg
    photos: tuple[str, ...] = ()  # ImageNet class names (or "dog-breed"); only the encoder may see these
    without: tuple[str, ...] = ()  # names selected above which turned out to show something else


CONCEPTS: tuple[Concept, ...] = (
    Concept(
        label="dog",
        esc10="dog_bark",
        sounds=("moodist/animals/dog-barking.ogg",),
        emoji=("dog", "dog face", "guide dog", "service dog", "poodle"),
        icons=(
            "*:dog",
            "*:dog-face",
            "*:poodle",
            "*:guide-dog",
            "*:service-dog",
            "mdi:dog-side",
            "mdi:dog-service",
            "game-icons:jumping-dog",
            "game-icons:sitting-dog",
            "game-icons:sniffing-dog",
            "healthicons:guide-dog",
        ),
        stamps=("animals/mammals/dogs/dog.png",),
        drawings=("animals/mammals/dog_*.svg", "animals/mammals/dogs/*.svg"),
        photos=("dog-breed",),
    ),
    Concept(
        label="rooster",
        esc10="rooster",
        emoji=("rooster",),
        icons=("*:rooster",),
        stamps=("animals/birds/rooster.png",),
        drawings=("animals/birds/rooster*.svg",),
        photos=("cock",),
    ),
    Concept(
        label="rain",
        esc10="rain",
        sounds=(
            "moodist/rain/heavy-rain.ogg",
            "moodist/rain/light-rain.ogg",
            "moodist/rain/rain-on-leaves.ogg",
            "0ad/ambient/weather/rain_*.ogg",
        ),
        test_sounds=("moodist/rain/rain-on-window.ogg",),
        emoji=(
            "cloud with rain",
            "sun behind rain cloud",
            "umbrella with rain drops",
            "cloud with lightning and rain",
        ),
        icons=(
            "*:cloud-with-rain*",
            "*:sun-behind-rain-cloud",
            "*:umbrella-with-rain-drops",
            "*:cloud-with-lightning-and-rain",
            "fa6-solid:cloud-rain",
            "fa6-solid:cloud-showers-heavy",
            "fa6-solid:cloud-sun-rain",
            "game-icons:raining",
            "mdi:weather-rainy",
            "mdi:weather-pouring",
            "mdi:weather-partly-rainy",
        ),
        drawings=("signs_and_symbols/weather/rain.svg",),
    ),
    Concept(
        label="sea waves",
        esc10="sea_waves",
        sounds=(
            "moodist/nature/waves.ogg",
            "0ad/ambient/water/wave_*.ogg",
            "0ad/ambient/water/waverocky_*.ogg",
        ),
        test_sounds=("0ad/ambient/water/wavecrash_*.ogg",),
        emoji=("water wave", "person surfing"),
        icons=(
            "*:water-wave",
            "fxemoji:wave",
            "openmoji:tsunami",
            "game-icons:big-wave",
            "game-icons:wave-crest",
            "game-icons:waves",
            "game-icons:at-sea",
            "game-icons:wave-surfer",
            "*:person-surfing",
            "mdi:waves",
        ),
        photos=("seashore",),
    ),
    Concept(
        label="baby crying",
        esc10="baby_cry",
        emoji=("baby", "baby: *skin tone", "crying face", "loudly crying face"),
        icons=(
            "*:baby",
            "*:baby-[123]",
            "*:baby-*-skin-tone",
            "fluent-emoji-flat:baby-light",
            "fluent-emoji-flat:baby-medium",
            "fluent-emoji-flat:baby-dark",
            "*:crying-face",
            "*:loudly-crying-face",
            "fxemoji:crying",
            "icon-park:crying-baby",
            "game-icons:baby-face",
            "mdi:baby-face",
            "mdi:baby-face-outline",
            "healthicons:baby-0306m",
            "healthicons:loudly-crying",
        ),
        drawings=("people/baby_anthony_liekens_*.svg",),
        without=("*:baby-angel*",),
    ),
    Concept(
        label="clock",
        esc10="clock_tick",
        sounds=("moodist/things/clock.ogg",),
        emoji=(
            "alarm clock",
            "mantelpiece clock",
            "timer clock",
            "stopwatch",
            "three o’clock",
            "ten o’clock",
        ),
        icons=(
            "*:alarm-clock",
            "*:mantelpiece-clock",
            "*:timer-clock",
            "*:clock",
            "game-icons:cuckoo-clock",
            "*:three-oclock",
            "*:ten-oclock",
            "fxemoji:clock2oclock",
            "mdi:clock-outline",
            "mdi:clock-time-four",
            "mdi:alarm",
        ),
        stamps=("sports/stopwatch.svg",),
        drawings=(
            "signs_and_symbols/clocks/*.svg",
            "computer/icons/flat-theme/applications/clock.svg",
            "computer/icons/lemon-theme/apps/clock.svg",
        ),
        photos=("analog clock", "wall clock", "digital clock"),
        without=("*/minute_hand_*", "*/sand_glass_*", "*/sandglass_*", "emojione:timer-clock"),
    ),
    Concept(
        label="sneezing",
        esc10="person_sneeze",
        emoji=("sneezing face",),
        icons=(
            "*:sneezing-face",
            "openmoji:*-sneezing-into-elbow",
            "fa6-solid:head-side-cough",
            "healthicons:coughing",
            "covid:transmission-virus-cough",
        ),
    ),
    Concept(
        label="helicopter",
        esc10="helicopter",
        emoji=("helicopter",),
        icons=("*:helicopter", "tabler:helicopter-filled"),
    ),
    Concept(
        label="chainsaw",
        esc10="chainsaw",
        emoji=("carpentry saw",),
        icons=(
            "game-icons:chainsaw",
            "*:carpentry-saw",
            "openmoji:saw",
            "game-icons:bolt-saw",
            "game-icons:circular-saw",
            "game-icons:hand-saw",
            "game-icons:crosscut-saw",
            "mdi:circular-saw",
            "mdi:hand-saw",
            "mdi:saw-blade",
        ),
        stamps=("household/tools/saw.png",),
        drawings=("tools/saw_*.svg", "plants/trees/bowsaw_*.svg"),
        photos=("chain saw",),
    ),
    Concept(
        label="fire",
        esc10="fire_crackling",
        sounds=("moodist/nature/campfire.ogg",),
        emoji=("fire",),
        icons=(
            "*:fire",
            "*:campfire",
            "*:fireplace",
            "openmoji:wild-fire",
            "game-icons:small-fire",
            "game-icons:flame",
            "game-icons:fire-bowl",
            "fa6-solid:fire-flame-curved",
            "mdi:pine-tree-fire",
        ),
        stamps=("naturalforces/fire.png",),
        drawings=("recreation/party/fire_*.svg", "signs_and_symbols/flame_*.svg", "shapes/fire-ball_*.svg"),
    ),
)
