from __future__ import annotations

import numpy as np
import pytest

from crnn_ctc import DIGITS, InputError

torch = pytest.importorskip("torch")

from crnn_ctc.net.architectures import network_class  # noqa: E402
from crnn_ctc.net.build import build  # noqa: E402
from crnn_ctc.net.crnn import CRNN, CRNN_Tiny  # noqa: E402
from crnn_ctc.net.nano import CNN_Nano  # noqa: E402
from crnn_ctc.net.network import Network, scale_pixels  # noqa: E402
from crnn_ctc.net.summary import summarize  # noqa: E402
from crnn_ctc.recipe import NETWORKS, NetworkSettings, load_recipe  # noqa: E402
from crnn_ctc.training.loss import ctc_loss, flat_start_loss, spread_evenly  # noqa: E402

DIGIT_ROWS = (1, 32, 160, 11)
PLATES = (3, 48, 168, 78)


@pytest.mark.parametrize(
    ("network", "size", "modules", "parameters", "gflops"),
    [
        (CRNN_Tiny, DIGIT_ROWS, 22, 427_467, "0.1"),
        (CRNN, DIGIT_ROWS, 29, 7_924_363, "2.2"),
        (CRNN_Tiny, PLATES, 22, 1_042_318, "0.3"),
        (CRNN, PLATES, 29, 15_083_854, "4.0"),
    ],
)
def test_counts_of_the_model_project(
    network: type[CRNN], size: tuple[int, int, int, int], modules: int, parameters: int, gflops: str
) -> None:
    channels, height, width, classes = size
    summary = summarize(network(channels, height, classes), channels, height, width)
    assert (summary.modules, summary.parameters, summary.gradients) == (
        modules,
        parameters,
        parameters,
    )
    assert f"{summary.gflops:.1f}" == gflops


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("plates-tiny", 1_042_318),
        ("plates", 15_083_854),
        ("plates-nano", 277_473),
        ("plates-small", 772_041),
        ("digits-nano", 261_179),
        ("plates-tiny-ccpd", 1_042_318),
        ("plates-tiny-ccpd-trainval", 1_042_318),
    ],
)
def test_recipes_make_those_networks(name: str, parameters: int) -> None:
    assert sum(p.numel() for p in build(load_recipe(name)).parameters()) == parameters


def test_gradients_are_those_that_train() -> None:
    network = CRNN_Tiny(1, 32, 11)
    for parameter in network.cnn.parameters():
        parameter.requires_grad = False
    summary = summarize(network, 1, 32, 160)
    assert summary.gradients == summary.parameters - sum(
        p.numel() for p in network.cnn.parameters()
    )


@pytest.mark.parametrize(
    ("name", "rnn"),
    [(name, rnn) for name, entry in NETWORKS.items() for rnn in entry.recurrent],
)
@pytest.mark.parametrize(("height", "width"), [(32, 64), (48, 101), (64, 37)])
def test_shapes(name: str, rnn: str, height: int, width: int) -> None:
    kind = network_class(name)
    network = kind(3, height, 7, rnn).eval()  # type: ignore[arg-type]
    with torch.inference_mode():
        log_probs = network(torch.rand(2, 3, height, width))
    assert log_probs.shape == (2, kind.steps(width), 7)
    assert log_probs.dtype == torch.float32
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(2, kind.steps(width)))


def test_log_softmax_is_float32_under_autocast() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        log_probs = CRNN_Tiny(1, 32, 11)(torch.rand(2, 1, 32, 64))
    assert log_probs.dtype == torch.float32


@pytest.mark.parametrize(
    ("kind", "height"),
    [(CRNN_Tiny, 36), (CRNN_Tiny, 8), (CRNN, 40), (CRNN, 16), (CNN_Nano, 40), (CNN_Nano, 0)],
)
def test_impossible_heights(kind: type[Network], height: int) -> None:
    with pytest.raises(InputError, match=f"height {height}.*multiple of {kind.reduction}"):
        kind(1, height, 11)


def test_a_network_takes_its_own_recurrent_layers() -> None:
    assert load_recipe("plates-tiny", ["network.architecture=CRNN"]).network.rnn == "gru"
    nano = NetworkSettings.model_validate({"architecture": "CNN_Nano"})
    assert (nano.rnn, nano.title) == ("none", "CNN_Nano")
    with pytest.raises(InputError, match="CNN_Nano takes rnn = none, not gru"):
        load_recipe("plates-tiny", ["network.architecture=CNN_Nano"])
    with pytest.raises(InputError, match="CRNN takes rnn = gru or lstm, not none"):
        load_recipe("plates-tiny", ["network.architecture=CRNN", "network.rnn=none"])
    with pytest.raises(InputError, match="CNN_Nano takes none"):
        CNN_Nano(1, 32, 11, "gru")


def test_recipes_know_the_layers_that_networks_take() -> None:
    for name, entry in NETWORKS.items():
        assert network_class(name).recurrent == entry.recurrent


def test_pixels_are_scaled_and_stay_channels_last() -> None:
    pixels = torch.randint(0, 256, (2, 32, 40, 3), dtype=torch.uint8)
    images = scale_pixels(pixels)
    assert images.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(images, pixels.permute(0, 3, 1, 2).float() / 255)
    assert (images.min() >= 0, images.max() <= 1) == (True, True)


def test_too_few_time_steps_are_an_error_before_training() -> None:
    # 160 pixels make 39 steps of the large network, 20 digits need 39 with their repeats
    assert (
        build(load_recipe("digits", ["data.per_sequence=20", "input.width=640"])).steps(640) >= 39
    )
    from crnn_ctc.net import build as module

    recipe = load_recipe("digits", ["data.per_sequence=1", "input.width=32"])
    short = recipe.model_copy(update={"input": recipe.input.model_copy(update={"width": 8})})
    assert CRNN.steps(8) == 1
    module.build(short)  # one step spells one digit
    long = recipe.model_copy(
        update={"data": recipe.data.model_copy(update={"per_sequence": 5}), "input": short.input}
    )
    with pytest.raises(InputError, match=r"T = 1 time steps .* needs 9"):
        module.build(long)


def test_loss_is_torchs_and_never_infinite() -> None:
    log_probs = torch.randn(3, 6, 11).log_softmax(-1).requires_grad_()
    loss = ctc_loss(log_probs, ["12", "3", "4444444"], DIGITS)  # the last one does not fit
    expected = [
        torch.nn.functional.ctc_loss(
            log_probs[i : i + 1].transpose(0, 1),
            torch.tensor([[int(c) for c in text]]),
            torch.tensor([6]),
            torch.tensor([len(text)]),
            blank=10,
        )
        for i, text in enumerate(["12", "3"])
    ]
    torch.testing.assert_close(loss, sum(expected) / 3)
    loss.backward()
    assert torch.isfinite(log_probs.grad).all()


def test_a_flat_start_spreads_characters_evenly() -> None:
    assert spread_evenly([1, 2], 8, 0).tolist() == [0, 1, 1, 0, 0, 2, 2, 0]
    assert spread_evenly([1, 1, 1], 12, 10).tolist() == [10, 1, 1, 10] * 3
    assert spread_evenly([], 4, 7).tolist() == [7] * 4
    assert len(spread_evenly(list(range(1, 20)), 5, 0)) == 5  # too long: some are left out


@pytest.mark.parametrize("steps", [15, 42, 83])
def test_what_a_flat_start_asks_for_spells_the_text(steps: int) -> None:
    from crnn_ctc.decode import greedy_texts

    texts = ["0123456", "11", "98765432", ""]
    targets = [spread_evenly(DIGITS.encode(text), steps, DIGITS.blank) for text in texts]
    log_probs = torch.log_softmax(20 * torch.eye(11)[torch.tensor(np.stack(targets))], -1)
    assert greedy_texts(log_probs.numpy(), DIGITS) == texts
    assert flat_start_loss(log_probs, texts, DIGITS) < 1e-6
    assert flat_start_loss(log_probs, texts[::-1], DIGITS) > 1


def test_the_guess_gives_way_to_ctc() -> None:
    plan = load_recipe("digits-tiny", ["training.images=12800", "training.flat_start=0.5"]).training
    assert (plan.steps, plan.guessed(0), plan.guessed(25), plan.guessed(50)) == (100, 1, 0.5, 0)
    assert load_recipe("digits-tiny", ["training.flat_start=0"]).training.guessed(0) == 0
