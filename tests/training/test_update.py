"""The end of an update: gradients' norms and clipping, the running mean, compiled networks."""

import math

import pytest
import torch
from tiny_steps import BUILD, IMAGES, bgan_params, finetune_params, group, optim_params
from torch import nn

from dbgan.training.optim import running_mean, update


def linear(*gradient: float) -> nn.Module:
    """A network of as many weights, all 0, with this gradient."""
    network = nn.Linear(len(gradient), 1, bias=False)
    nn.init.zeros_(network.weight)
    network.weight.grad = torch.tensor([gradient])
    return network


def plain(*networks: nn.Module) -> list[torch.optim.Optimizer]:
    """Optimizers that subtract the gradient."""
    return [torch.optim.SGD(network.parameters(), lr=1.0) for network in networks]


@pytest.mark.parametrize(("clip", "factor"), [(0.0, 1), (13.0, 1), (5.0, 1), (2.0, 2 / 5), (0.5, 1 / 10)])
def test_a_gradient_longer_than_clip_keeps_its_direction_and_gets_that_length(clip, factor):
    network = linear(3.0, -4.0)
    norms = update(optim_params(clip=clip), {"generator": network}, plain(network))
    assert norms == {"gradient_generator": 5}
    assert network.weight.tolist() == [pytest.approx([-3 * factor, 4 * factor], rel=1e-5)]


def test_each_network_is_clipped_by_its_own_norm():
    short, long = linear(0.5), linear(300.0)
    norms = update(optim_params(clip=1.0), {"generator": short, "critic": long}, plain(short, long))
    assert norms == {"gradient_generator": 0.5, "gradient_critic": 300}
    assert (short.weight.item(), long.weight.item()) == pytest.approx((-0.5, -1))


def test_a_network_that_is_not_trained_has_no_gradient_to_clip():
    network = nn.Linear(2, 1)
    assert update(optim_params(clip=1.0), {"critic": network}, plain(network)) == {"gradient_critic": 0}


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("clip", [0.0, 1.0])
def test_a_gradient_that_is_not_finite_shows_in_its_norm(bad, clip):
    network = linear(1.0, bad)
    (norm,) = update(optim_params(clip=clip), {"generator": network}, plain(network)).values()
    assert not norm.isfinite()


@pytest.mark.parametrize("training", BUILD)
def test_every_training_gives_the_norm_of_each_networks_gradient_and_clips_it(training):
    free, clipped = (
        BUILD[training](clip=clip, pixel_steps=1) if training in ("cycle", "paired") else BUILD[training](clip=clip)
        for clip in (0.0, 1e-3)
    )
    norms = [step(2, group(2, IMAGES[training])) for step in (free, clipped)]
    networks = {name: part for name, part in free.parts().items() if isinstance(part, nn.Module)}
    assert {f"gradient_{name}" for name in networks} == {name for name in norms[0] if name.startswith("gradient_")}
    for name, network in networks.items():
        by_hand = torch.cat([weight.grad.flatten() for weight in network.parameters()]).norm()
        assert (
            norms[0][f"gradient_{name}"].item()
            == norms[1][f"gradient_{name}"].item()
            == pytest.approx(by_hand.item(), rel=1e-5)
        )
        assert by_hand > 1e-3
        left = torch.cat([weight.grad.flatten() for weight in clipped.parts()[name].parameters()]).norm()
        assert left.item() == pytest.approx(1e-3, rel=1e-3)


def test_a_running_mean_is_that_of_weights_and_statistics_from_the_first_update_on():
    network = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))
    mean = running_mean(network, 0.75)
    for value in (1.0, 5.0, 9.0):
        with torch.no_grad():
            network[0].weight.fill_(value)
            network[1].running_var.fill_(10 * value)
        mean.update_parameters(network)
    expected = 0.75 * (0.75 * 1 + 0.25 * 5) + 0.25 * 9
    assert mean.module[0].weight.item() == expected
    assert mean.module[1].running_var.item() == 10 * expected
    assert network[0].weight.item() == 9
    assert mean.module.state_dict().keys() == network.state_dict().keys()


@pytest.mark.parametrize(
    "changes",
    [{"ema": 1.0}, {"ema": -0.1}, {"clip": -1.0}, {"clip": math.nan}, {"checkpointing": True, "compile": True}],
)
def test_impossible_settings_are_refused(changes):
    with pytest.raises(ValueError, match="must"):
        optim_params(**changes)


@pytest.mark.parametrize("changes", [{"critic_width": 0}, {"patch": 15}, {"compile": True, "objective": "wgan-gp"}])
@pytest.mark.parametrize("params", [finetune_params, bgan_params])
def test_impossible_settings_of_a_training_against_critics_are_refused(params, changes):
    with pytest.raises(ValueError, match=rf"{next(iter(changes))} must"):
        params(**changes)


def test_pairs_that_would_teach_nothing_are_refused():
    with pytest.raises(ValueError, match=r"pixel_steps must .* pairing paired"):
        bgan_params(pairing="paired", pixel_steps=0)
