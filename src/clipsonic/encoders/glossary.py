"""What rare words mean, for a text network that knows them in pieces only.

Entries are WordNet 3.0's (Miller 1995, Princeton University; its licence heads the file), one a line, made by
`recipes/mini/glossary.py`: of a word's first three senses the words that mean the same, and the definition.
"""

import gzip
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

FILE = Path(__file__).with_name("glossary.tsv.gz")
# Endings of nouns and verbs, and what stands for them in a dictionary: WordNet's rules of detachment, morphy(7WN).
ENDINGS = (
    ("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"), ("men", "man"),
    ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", ""),
)  # fmt: skip
MOST = 8  # words of a text that are explained, so that a page of text does not become a book


def explained(text: str, known: Callable[[str], bool]) -> str:
    """A text, and behind it what its rare words mean: "a rapier" => "a rapier, tuck: a straight sword with ...".

    Args:
        known: says of a word in small letters that it needs no explanation.
    """
    words = dict.fromkeys(re.findall("[a-z]+", text.lower()))
    meanings = [meaning for word in words if not known(word) and (meaning := _meaning(word))]
    return ", ".join([text, "; ".join(meanings[:MOST])]) if meanings else text


@lru_cache(maxsize=1)
def glossary_id() -> str:
    """Six hex digits of the glossary as it is."""
    return hashlib.sha256(gzip.decompress(FILE.read_bytes())).hexdigest()[:6]


def _meaning(word: str) -> str | None:
    entries = _entries()
    return next((entries[base] for base in _bases(word) if base in entries), None)


def _bases(word: str) -> Iterator[str]:
    yield word
    for ending, instead in ENDINGS:
        if word.endswith(ending):
            yield word.removesuffix(ending) + instead


@lru_cache(maxsize=1)
def _entries() -> Mapping[str, str]:
    lines = gzip.decompress(FILE.read_bytes()).decode().rstrip("\n").split("\n")
    return dict(line.split("\t") for line in lines if not line.startswith("#"))
