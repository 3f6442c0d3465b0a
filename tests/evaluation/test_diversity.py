import torch

from clipsonic.evaluation.diversity import distances_within


def clicks(seed: int) -> torch.Tensor:
    """Two seconds of bursts at random times."""
    random = torch.Generator().manual_seed(seed)
    wave = torch.zeros(32_768)
    for start in torch.randint(2000, 28_000, (5,), generator=random).tolist():
        wave[start : start + 1500] = torch.randn(1500, generator=random) * 0.3
    return wave


def test_copies_are_near_and_others_far() -> None:
    one, two, three = clicks(0), clicks(1), clicks(2)
    distances, of = distances_within([one, one * 0.3, two, three, two], ["a", "a", "b", "b", "c"])
    assert of == [0, 0, 1, 1]  # both ways; a group of one has none
    assert max(distances[:2]) < 0.01
    assert min(distances[2:]) > 0.3
    assert distances_within([one], ["a"]) == ([], [])
