"""Each loss term alone reaches every weight that it is meant for, and no other."""

from itertools import product
from typing import get_args

import pytest
import torch
from tiny_steps import IMAGES, cycle_step, finetune_step, group, paired_step, photographs, pretrain_step

from dbgan.losses import OBJECTIVES, PENALTY, gradient_penalty, wgan_critic
from dbgan.training.adversarial import AdversarialParams, judge

CRITICS = get_args(AdversarialParams.__annotations__["critic"])
STEPS = {"finetune": finetune_step, "cycle": cycle_step, "paired": paired_step}
# Training and term -> the generators that the term is meant for.
MEANT_FOR = {
    ("finetune", "perceptual"): {"generator"},
    ("finetune", "content"): {"generator"},
    ("finetune", "adversarial"): {"generator"},
    ("finetune", "color"): {"generator"},
    ("cycle", "perceptual"): {"blur"},
    ("cycle", "color"): {"blur"},
    ("cycle", "adversarial_blur"): {"blur"},
    ("cycle", "identity_blurred"): {"blur"},
    ("cycle", "adversarial_sharp"): {"deblur"},
    ("cycle", "identity_sharp"): {"deblur"},
    ("cycle", "cycle_sharp"): {"blur", "deblur"},
    ("cycle", "cycle_blurred"): {"blur", "deblur"},
    ("cycle", "sameness"): {"blur"},
    ("paired", "perceptual"): {"blur"},
    ("paired", "color"): {"blur"},
    ("paired", "adversarial"): {"blur"},
}
# What a term cannot move: two blurs of one photograph have the last bias in common, so it is not in their difference.
UNMOVED = {("cycle", "sameness"): {"trunk.tail.bias"}}
WITH_PIXEL_PHASE = ("cycle", "paired")


def networks(step, kind):
    """The critics, or the generators, of a step by name."""
    parts = {name: part for name, part in step.parts().items() if isinstance(part, torch.nn.Module)}
    return {name: part for name, part in parts.items() if name.endswith("critic") == (kind == "critic")}


def without_gradient(network, skip=()):
    return [name for name, p in network.named_parameters() if name not in skip and (p.grad is None or not p.grad.any())]


def has_no_gradient(network):
    return all(p.grad is None or not p.grad.any() for p in network.parameters())


def idle(critic, objective="relativistic"):
    """Weights that no loss can move, a bias before a norm; and where differences count, the one added to all logits."""
    added = {"logit.bias"} if objective in ("relativistic", "wgan-gp") else set()
    return added | {f"convs.{k}.bias" for k in range(1, len(critic.convs))}


def adversarial(training, **changes):
    """A step that trains adversarially from its second update on."""
    return STEPS[training](**changes, **({"pixel_steps": 1} if training in WITH_PIXEL_PHASE else {}))


def run(training, *terms, **changes):
    """A step after one update of which only `terms` had a weight."""
    step = adversarial(training, **changes)
    assert step.weights.keys() >= set(terms)
    step.weights = {name: float(name in terms) for name in step.weights}
    step(2, group(1, IMAGES[training]))
    return step


@pytest.mark.parametrize("training", STEPS)
def test_the_table_of_terms_is_complete(training):
    assert set(STEPS[training]().weights) == {term for name, term in MEANT_FOR if name == training}


@pytest.mark.parametrize(("training", "term"), MEANT_FOR)
def test_each_term_alone_reaches_all_weights_of_its_generators_and_no_others(training, term):
    for name, network in networks(run(training, term), "generator").items():
        if name in MEANT_FOR[training, term]:
            assert without_gradient(network, skip=UNMOVED.get((training, term), ())) == []
        else:
            assert has_no_gradient(network)


@pytest.mark.parametrize(("training", "term"), MEANT_FOR)
def test_no_generator_term_adds_to_a_critics_gradient(training, term):
    alone = networks(run(training), "critic")
    for name, critic in networks(run(training, term), "critic").items():
        pairs = zip(critic.parameters(), alone[name].parameters(), strict=True)
        assert all(a.grad.equal(b.grad) for a, b in pairs)


@pytest.mark.parametrize("training", STEPS)
def test_critic_losses_reach_all_weights_of_the_critics_and_none_of_the_generators(training):
    step = run(training)
    for critic in networks(step, "critic").values():
        assert without_gradient(critic, skip=idle(critic)) == []
    assert all(has_no_gradient(generator) for generator in networks(step, "generator").values())


@pytest.mark.parametrize(("objective", "critic"), list(product(OBJECTIVES, CRITICS)))
@pytest.mark.parametrize("training", STEPS)
def test_every_objective_trains_every_critic_and_the_generators_against_it(training, objective, critic):
    without, adversaries = (
        run(training, *terms, objective=objective, critic=critic)
        for terms in ((), [term for name, term in MEANT_FOR if name == training and term.startswith("adversarial")])
    )
    for name, network in networks(without, "critic").items():
        assert without_gradient(network, skip=idle(network, objective)) == []
        pairs = zip(network.parameters(), adversaries.parts()[name].parameters(), strict=True)
        assert all(a.grad.equal(b.grad) for a, b in pairs), "a generator's term adds to the critic's gradient"
    for name, network in networks(adversaries, "generator").items():
        assert without_gradient(network) == []
        assert has_no_gradient(without.parts()[name])


def penalised_loss(critic, real, fake, draw):
    """What a critic is trained on under wgan-gp."""
    share = torch.rand(len(real), 1, 1, 1, generator=draw)
    fake = fake.detach()
    return wgan_critic(*judge(critic, real, fake)) + PENALTY * gradient_penalty(critic, real, fake, share)


def test_a_critics_penalty_has_its_weight_and_is_drawn_by_seed_and_update():
    step, by_hand = (adversarial("finetune", objective="wgan-gp") for _ in range(2))
    blurred, sharp = photographs(3, 2)
    draw = torch.Generator().manual_seed(by_hand.seed + 4)
    wanted = penalised_loss(by_hand.critic, sharp, by_hand.generator(blurred), draw)
    assert step(4, [(blurred, sharp)])["critic"] == pytest.approx(wanted.item(), rel=1e-5)


def test_penalties_of_the_cycle_are_drawn_after_the_noise_maps():
    step, by_hand = (adversarial("cycle", objective="wgan-gp") for _ in range(2))
    sharp, paired, real = photographs(3, 3)
    draw = torch.Generator().manual_seed(by_hand.seed + 2)
    noise, _ = (by_hand.blur.draw_noise(sharp, draw) for _ in range(2))
    of_blur = penalised_loss(by_hand.blur_critic, real, by_hand.blur(sharp, noise), draw)
    of_sharp = penalised_loss(by_hand.sharp_critic, sharp, by_hand.deblur(real), draw)
    row = step(2, [(sharp, paired, real)])
    assert row["blur_critic"] == pytest.approx(of_blur.item(), rel=1e-5)
    assert row["sharp_critic"] == pytest.approx(of_sharp.item(), rel=1e-5)


def test_the_penalty_of_the_pairs_is_drawn_after_the_noise_map():
    step, by_hand = (adversarial("paired", objective="wgan-gp") for _ in range(2))
    sharp, paired, real = photographs(3, 3)
    draw = torch.Generator().manual_seed(by_hand.seed + 2)
    fake = by_hand.blur(sharp, by_hand.blur.draw_noise(sharp, draw))
    wanted = penalised_loss(by_hand.critic, real, fake, draw)
    assert step(2, [(sharp, paired, real)])["critic"] == pytest.approx(wanted.item(), rel=1e-5)


def test_each_critic_judges_its_own_kind_of_photograph():
    """Real blurred photographs must go to the critic of blur, real sharp ones to that of sharpness."""
    step, seen = adversarial("cycle"), {}
    for name in ("blur_critic", "sharp_critic"):
        step.parts()[name].register_forward_pre_hook(
            lambda module, inputs, name=name: seen.setdefault(name, inputs[0][:2].clone())
        )
    sharp, paired, real = photographs(3, 3)
    step(2, [(sharp, paired, real)])
    assert seen["blur_critic"].equal(real)
    assert seen["sharp_critic"].equal(sharp)


def test_pretraining_reaches_all_weights():
    step = pretrain_step()
    step(1, group(1, 2))
    assert without_gradient(step.generator) == []


@pytest.mark.parametrize("training", WITH_PIXEL_PHASE)
def test_pixel_phase_trains_the_generators_and_leaves_the_critics_alone(training):
    step = STEPS[training](pixel_steps=1)
    critics = networks(step, "critic")
    before = {name: {k: v.clone() for k, v in critic.state_dict().items()} for name, critic in critics.items()}
    row = step(1, group(1, 3))
    for generator in networks(step, "generator").values():
        assert without_gradient(generator) == []
    for name, critic in critics.items():
        assert has_no_gradient(critic)
        assert all(value.equal(before[name][key]) for key, value in critic.state_dict().items())
    assert row.pop("pixel") > 0
    assert all(row.pop(f"gradient_{name}") > 0 for name in networks(step, "generator"))
    assert {value.item() for value in row.values()} == {0}


@pytest.mark.parametrize("training", WITH_PIXEL_PHASE)
def test_pixel_phase_ends_after_its_last_update_and_both_phases_fill_the_same_columns(training):
    step = STEPS[training](pixel_steps=2)
    rows = [step(n, group(n, 3)) for n in (1, 2, 3)]
    assert rows[0].keys() == rows[1].keys() == rows[2].keys()
    assert rows[0].keys() >= {*step.weights, *networks(step, "critic"), "pixel"}
    assert rows[1]["perceptual"] == 0 < rows[2]["perceptual"]


def test_pixel_phase_of_the_cycle_learns_both_ways_of_the_pairs():
    step, by_hand = cycle_step(pixel_steps=1), cycle_step()
    sharp, paired, real = photographs(3, 3)
    noise = by_hand.blur.draw_noise(sharp, torch.Generator().manual_seed(by_hand.seed + 1))
    wanted = (by_hand.blur(sharp, noise) - paired).abs().mean() + (by_hand.deblur(paired) - sharp).abs().mean()
    assert step(1, [(sharp, paired, real)])["pixel"] == pytest.approx(wanted.item(), rel=1e-5)


@pytest.mark.parametrize(("weight", "blurs"), [(0.0, 3), (2.0, 4)])
def test_a_second_blur_is_made_only_for_a_sameness_with_weight(weight, blurs):
    """Three blurs are needed anyhow: of the sharp, the deblurred and the real photograph."""
    step, seen = adversarial("cycle", sameness=weight), []
    step.blur.register_forward_pre_hook(lambda module, inputs: seen.append(inputs))
    row = step(2, [photographs(3, 3)])
    assert len(seen) == blurs
    assert (row["sameness"] > 0) == (weight > 0)


def test_sameness_compares_two_noise_maps_on_the_same_photographs():
    step, seen = adversarial("cycle"), []
    step.blur.register_forward_pre_hook(lambda module, inputs: seen.append(inputs))
    sharp, paired, real = photographs(3, 3)
    step(2, [(sharp, paired, real)])
    noise = [inputs[1] for inputs in seen if inputs[0].equal(sharp)]
    assert len(noise) == 2
    assert not noise[0].equal(noise[1])


def test_adversarial_phase_of_the_pairs_no_longer_trains_on_pixels():
    """Without any weighted term, only the critic moves."""
    step = run("paired")
    assert has_no_gradient(step.blur)
    assert not has_no_gradient(step.critic)


def test_adversarial_phase_of_the_pairs_judges_against_real_blur():
    step, seen = adversarial("paired"), []
    step.critic.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0][:2].clone()))
    sharp, paired, real = photographs(3, 3)
    step(2, [(sharp, paired, real)])
    assert all(first.equal(real) for first in seen)


@pytest.mark.parametrize("training", STEPS)
def test_every_network_moves_in_an_ordinary_update(training):
    step = adversarial(training)
    both = networks(step, "generator") | networks(step, "critic")
    before = {name: [p.detach().clone() for p in network.parameters()] for name, network in both.items()}
    step(2, group(1, IMAGES[training]))
    for name, network in both.items():
        skip = idle(network) if name.endswith("critic") else set()
        moved = zip(network.named_parameters(), before[name], strict=True)
        assert [key for (key, p), old in moved if key not in skip and p.equal(old)] == []


@pytest.mark.parametrize("training", STEPS)
def test_a_generators_weight_in_the_sum_is_that_of_the_parameters(training):
    """alpha, beta and the weights of BGAN arrive where they belong."""
    expected = {
        "finetune": {"perceptual": 1.0, "content": 0.5, "adversarial": 0.1, "color": 3.0},
        "cycle": {
            "perceptual": 1.0,
            "color": 3.0,
            "adversarial_blur": 0.1,
            "adversarial_sharp": 0.1,
            "cycle_sharp": 10.0,
            "cycle_blurred": 10.0,
            "identity_sharp": 5.0,
            "identity_blurred": 5.0,
            "sameness": 2.0,
        },
        "paired": {"perceptual": 1.0, "color": 3.0, "adversarial": 0.1},
    }
    assert STEPS[training]().weights == expected[training]
