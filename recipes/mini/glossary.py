"""Makes the glossary of the mini encoder from WordNet 3.0 (Debian's wordnet-base).

    python recipes/mini/glossary.py --wordnet /usr/share/wordnet

The format of WordNet's files is described in wndb(5WN). Names of people, places and species, which WordNet writes
with capitals, and words with blanks or hyphens are left out.
"""

import argparse
import gzip
import re
from pathlib import Path

from clipsonic.encoders.glossary import FILE

PARTS = ("noun", "verb", "adj", "adv")
SENSES = 3  # of a word, the most frequent first, nouns before verbs
SYNONYMS = 3  # of a sense
Synset = tuple[list[str], str]  # its words, its definition


def synsets(folder: Path, part: str) -> dict[str, Synset]:
    """Every synset of a part of speech by its offset; of its gloss the definition, without examples."""
    found = {}
    for line in (folder / f"data.{part}").read_text().splitlines():
        if line.startswith(" "):
            continue
        numbers, gloss = line.split(" | ", 1)
        offset, _, _, count, *rest = numbers.split()
        words = [re.sub(r"\(.*\)$", "", word).replace("_", " ") for word in rest[: 2 * int(count, 16) : 2]]
        found[offset] = words, gloss.split("; ")[0].split(' "')[0].strip(" ;:")
    return found


def senses(folder: Path) -> dict[str, list[Synset]]:
    """The senses of every word that is written in small letters and without blanks."""
    found: dict[str, list[Synset]] = {}
    for part in PARTS:
        all_of_part = synsets(folder, part)
        for line in (folder / f"index.{part}").read_text().splitlines():
            if not re.match("[a-z]+ ", line):
                continue
            word, _, count, *rest = line.split()
            here = [all_of_part[offset] for offset in rest[-int(count) :]]
            found.setdefault(word, []).extend(synset for synset in here if word in synset[0])
    return found


def entry(word: str, synsets: list[Synset]) -> str:
    """What the glossary says of a word."""
    said = []
    for words, definition in synsets[:SENSES]:
        same = [other for other in words if other.lower() != word][:SYNONYMS]
        said.append(f"{', '.join(same)}: {definition}" if same else definition)
    return "; ".join(said)


def main() -> None:
    """Reads WordNet, writes the file beside the code that reads it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    folder = parser.parse_args().wordnet

    licence = [re.sub(r"^ +\d+ ?", "", line) for line in (folder / "data.noun").read_text().splitlines()[:29]]
    entries = {word: entry(word, found) for word, found in senses(folder).items() if found}
    # Irregular forms, such as "calves", mean what their base means.
    for part in ("noun", "verb"):
        for line in (folder / f"{part}.exc").read_text().splitlines():
            form, base = line.split()[:2]
            if base in entries and re.fullmatch("[a-z]+", form):
                entries.setdefault(form, entries[base])
    lines = [f"# {line}".rstrip() for line in licence] + [
        f"{word}\t{entries[word]}" for word in sorted(entries)
    ]
    FILE.write_bytes(gzip.compress("\n".join(lines).encode(), 9, mtime=0))
    print(f"{FILE}: {len(entries)} words, {FILE.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
