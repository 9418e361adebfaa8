"""Several processes give the training of one: its weights, its statistics, its curve."""

import pytest
import torch
from together import run, train
from torch import nn

from dbgan.training import distributed
from dbgan.training.distributed import ALONE, Place, layout

PAPER = {"batch": 4, "lr": 1e-4, "lr_floor": 1e-6}  # the paper's batch and learning rate, for 20 updates
IN_FLOAT32 = {
    "pretrain": PAPER | {"training": "pretrain", "accumulate": 2},
    "finetune": PAPER | {"training": "finetune", "accumulate": 1},
    "cycle": PAPER | {"training": "cycle", "accumulate": 1, "critic_lr": 1e-4, "pixel_steps": 10},
    "paired": PAPER | {"training": "paired", "accumulate": 1, "critic_lr": 1e-4, "pixel_steps": 10},
}
GROUPS = {"batch": 2, "accumulate": 2}  # four processes: two groups of two
IN_FLOAT64 = {
    "cycle": GROUPS | {"training": "cycle", "pixel_steps": 1},
    "paired": GROUPS | {"training": "paired", "pixel_steps": 1, "recomputed": True},
    "clipped": GROUPS | {"training": "finetune", "clip": 1e-3},
    "penalised": GROUPS | {"training": "finetune", "objective": "wgan-gp"},
    "penalised-instance-norm": GROUPS | {"training": "penalised"},
}


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """20 updates in float32: of one process, and of each of two."""
    results = run(train, 2, tmp_path_factory.mktemp("two"), IN_FLOAT32, 20, torch.float32)
    return train(IN_FLOAT32, 20, torch.float32), results


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    """2 updates in float64: of one process, and of each of four."""
    results = run(train, 4, tmp_path_factory.mktemp("four"), IN_FLOAT64, 2, torch.float64)
    return train(IN_FLOAT64, 2, torch.float64), results


def differences(found, expected):
    assert found.keys() == expected.keys()
    return {name: (found[name].double() - value.double()).abs().max().item() for name, value in expected.items()}


def noisy(name):
    """Of a critic, biases that shift the logits of real and fake photographs alike. A relativistic loss does not see
    that: their gradient is rounding, of which Adam makes steps as large as any other's."""
    return "critic" in name and name.endswith(("hidden.bias", "logit.bias"))


@pytest.mark.parametrize("training", IN_FLOAT32)
def test_two_processes_give_the_weights_of_one_with_the_whole_batch(two, training):
    one, results = two
    apart = differences(results[0][training], one[training])
    assert len(apart) > 20
    wrong = {k: v for k, v in apart.items() if v > 1e-5 and not noisy(k) and not k.startswith("value.")}
    assert wrong == {}


@pytest.mark.parametrize("training", IN_FLOAT64)
def test_groups_of_processes_give_all_that_one_gives(four, training):
    """Weights, running statistics, running mean, and the curve's values, of which some are float32."""
    one, results = four
    apart = differences(results[0][training], one[training])
    assert {k: v for k, v in apart.items() if v > (1e-5 if k.startswith("value.") else 1e-8)} == {}


@pytest.mark.parametrize(("at_once", "trainings"), [("two", IN_FLOAT32), ("four", IN_FLOAT64)])
def test_all_processes_have_the_same(at_once, trainings, request):
    _, results = request.getfixturevalue(at_once)
    for training in trainings:
        for other in results[1:]:
            assert all(other[training][name].equal(value) for name, value in results[0][training].items())


@pytest.mark.parametrize(
    ("processes", "batch", "accumulate", "expected"),
    [(1, 4, 4, (1, 1)), (4, 4, 1, (4, 1)), (4, 4, 4, (1, 4)), (8, 4, 4, (2, 4)), (16, 4, 4, (4, 4)), (6, 4, 3, (2, 3))],
)
def test_processes_share_batches_before_they_share_a_batch(processes, batch, accumulate, expected):
    assert layout(processes, batch, accumulate) == expected


@pytest.mark.parametrize(("processes", "batch", "accumulate"), [(3, 4, 1), (32, 4, 4), (5, 4, 4)])
def test_processes_that_cannot_have_equal_parts_are_told_what_can(processes, batch, accumulate):
    with pytest.raises(ValueError, match=f"{processes} processes .* batch {batch} x accumulate {accumulate}") as error:
        layout(processes, batch, accumulate)
    assert "start 1, 2, 4" in str(error.value)


def test_the_parts_of_all_processes_are_every_update():
    places = [Place(each=2, groups=2, number=k) for k in range(4)]
    parts = [(k, image) for place in places for k in place.batches(4) for image in range(6)[place.rows(6)]]
    assert sorted(parts) == [(k, image) for k in range(4) for image in range(6)]
    assert places[3].order(steps=2, accumulate=4) == [2, 3, 6, 7]


def test_draws_are_those_of_the_whole_batch():
    def draw(like):
        return torch.rand(len(like), generator=torch.Generator().manual_seed(5))

    images = torch.zeros(2, 3, 4, 4)
    own = [Place(each=2, number=k).own(draw, images) for k in range(2)]
    assert torch.cat(own).equal(ALONE.own(draw, torch.zeros(4, 3, 4, 4)))


def test_each_batch_has_a_generator_that_depends_on_its_number_alone():
    def drawn(place, update, batches):
        return [torch.rand(1, generator=g).item() for g, _ in place.draws(7, update, batches)]

    whole = drawn(ALONE, 3, ["a", "b", "c", "d"])
    assert len(set(whole)) == 4
    assert drawn(Place(groups=2, number=1), 3, ["c", "d"]) == whole[2:]
    assert set(whole).isdisjoint(drawn(ALONE, 4, ["a", "b", "c", "d"]))


def test_alone_nothing_is_changed():
    network = nn.Sequential(nn.BatchNorm2d(2))
    distributed.share_norms(network, ALONE)
    assert type(network[0]) is nn.BatchNorm2d
    assert not network[0]._forward_pre_hooks
    assert distributed.place(4, 4) is ALONE
