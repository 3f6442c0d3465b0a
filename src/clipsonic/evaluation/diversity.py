"""Do different seeds give different clips? Distances between the answers to one question."""

from collections import defaultdict
from collections.abc import Hashable, Sequence

from jaxtyping import Float
from torch import Tensor

from clipsonic.evaluation.memory import nearest_training_pieces


def distances_within(
    clips: Sequence[Float[Tensor, "samples"]], groups: Sequence[Hashable]
) -> tuple[list[float], list[int]]:
    """The distance of every clip to every other of its group => distances, and the number of each one's group.

    The distance is that of `memory`: 0 for a copy at whatever level and through whatever filter, 1 for nothing in
    common in time. Of real recordings of one label it is the yardstick.

    Args:
        clips: 16 kHz mono.
        groups: what each is an answer to; a group of one has no distances.
    """
    members = defaultdict(list)
    for clip, group in zip(clips, groups, strict=True):
        members[group].append(clip)
    distances, of = [], []
    for number, same in enumerate(members.values()):
        for place, clip in enumerate(same):
            others = [other for index, other in enumerate(same) if index != place]
            if others:
                found = nearest_training_pieces(others, [clip]).distance.tolist()
                distances += found
                of += [number] * len(found)
    return distances, of
