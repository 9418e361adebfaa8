"""Each loss term alone reaches every weight that it is meant for, and no other."""

from itertools import product
from typing import get_args

import pytest
import torch
from toy_trainings import SEED, TRAININGS, Photographs, finetune_params

from dbgan.losses import OBJECTIVES, PENALTY, gradient_penalty, mode_seeking, wgan_critic
from dbgan.training.adversarial import AdversarialParams, judge

CRITICS = get_args(AdversarialParams.__annotations__["critic"])
UPDATE = 2  # adversarial in every training
WEIGHTS = {"content": "alpha", "adversarial": "beta", "adversarial_blur": "beta", "adversarial_sharp": "beta"}
WEIGHTS |= {f"{loss}_{side}": loss for loss in ("cycle", "identity") for side in ("sharp", "blurred")}
ALL_WEIGHTS = ("alpha", "beta", "perceptual", "color", "cycle", "identity", "mode_seeking")
# Training and generator term -> the generators that the term is meant for.
MEANT_FOR = {
    **{("finetune", term): {"generator"} for term in ("perceptual", "content", "adversarial", "color")},
    **{(m, term): {"blur"} for m in ("paper", "paired") for term in ("perceptual", "color", "adversarial")},
    **{(m, "mode_seeking"): {"blur"} for m in ("paper", "paired", "cycle")},
    **{("cycle", term): {"blur"} for term in ("perceptual", "color", "adversarial_blur", "identity_blurred")},
    **{("cycle", term): {"deblur"} for term in ("adversarial_sharp", "identity_sharp")},
    **{("cycle", term): {"blur", "deblur"} for term in ("cycle_sharp", "cycle_blurred")},
}
# Two blurs of one photograph have the last bias in common, so it is not in their difference.
UNMOVED = {"mode_seeking": {"trunk.tail.bias"}}
ADVERSARIAL = sorted({training for training, _ in MEANT_FOR})


def of_kind(training, kind):
    """The critics, or the generators, of a training by name."""
    return {name: net for name, net in training.networks.items() if name.endswith("critic") == (kind == "critic")}


def backward(name, only=None, n=UPDATE, **changes):
    """A training after one backward of both halves; `only` weighs one generator term by 1, all others by 0."""
    zero = {} if only is None else {weight: 0.0 for weight in ALL_WEIGHTS if name == "finetune" or weight != "alpha"}
    if name == "finetune":
        zero = {weight: 0.0 for weight in zero if weight in ("alpha", "beta", "perceptual", "color")}
    chosen = {} if not only else {WEIGHTS.get(only, only): 1.0}
    training, _ = TRAININGS[name](**(zero | chosen | changes))
    recorded = {}
    for terms in training.losses(Photographs(name)[3], torch.Generator().manual_seed(SEED), n):
        # A weight that two terms share: only one of them counts.
        halves = [value for term, value in terms.items() if not only or "critic" in term or term == only]
        (sum(halves) if halves else sum(terms.values())).backward()
        recorded |= {term: value.item() for term, value in terms.items()}
    return training, recorded


def without_gradient(network, skip=()):
    return [name for name, p in network.named_parameters() if name not in skip and (p.grad is None or not p.grad.any())]


def has_no_gradient(network):
    return all(p.grad is None or not p.grad.any() for p in network.parameters())


def idle(critic, objective="relativistic"):
    """Weights that no loss can move, a bias before a norm; and where differences count, the one added to all logits."""
    added = {"logit.bias"} if objective in ("relativistic", "wgan-gp") else set()
    return added | {f"convs.{k}.bias" for k in range(1, 1 + len(getattr(critic, "norms", [])))}


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_the_table_of_terms_is_complete(name):
    terms = {term for term in backward(name)[1] if "critic" not in term and term not in ("psnr", "change")}
    assert terms == {term for training, term in MEANT_FOR if training == name}


@pytest.mark.parametrize(("name", "term"), MEANT_FOR)
def test_each_term_alone_reaches_all_weights_of_its_generators_and_no_others(name, term):
    training, _ = backward(name, term)
    for key, network in of_kind(training, "generator").items():
        if key in MEANT_FOR[name, term]:
            assert without_gradient(network, skip=UNMOVED.get(term, ())) == []
        else:
            assert has_no_gradient(network)
    alone, _ = backward(name, "")
    for key, network in of_kind(training, "critic").items():  # the generator's half adds nothing to a critic's gradient
        pairs = zip(network.parameters(), alone.networks[key].parameters(), strict=True)
        assert all(a.grad.equal(b.grad) for a, b in pairs)


@pytest.mark.parametrize(("objective", "critic"), list(product(OBJECTIVES, CRITICS)))
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_every_objective_trains_every_critic_and_the_generators_against_it(name, objective, critic):
    training, _ = backward(name, objective=objective, critic=critic)
    for network in of_kind(training, "critic").values():
        assert without_gradient(network, skip=idle(network, objective)) == []
        assert all(p.requires_grad for p in network.parameters())
    for network in of_kind(training, "generator").values():
        assert without_gradient(network) == []


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_without_weighted_terms_only_the_critics_move(name):
    training, _ = backward(name, "")
    for network in of_kind(training, "critic").values():
        assert without_gradient(network, skip=idle(network)) == []
    assert all(has_no_gradient(network) for network in of_kind(training, "generator").values())


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_terms_are_recorded_times_their_weights(name):
    """alpha, beta and the weights of BGAN arrive where they belong, so that a curve shows which term is inert."""
    _, once = backward(name, beta=0.1, perceptual=1.0, color=3.0)
    _, twice = backward(name, beta=0.2, perceptual=3.0, color=1.5)
    factors = {"perceptual": 3, "color": 0.5} | {f"adversarial{side}": 2 for side in ("", "_blur", "_sharp")}
    for term, value in once.items():
        if value:
            assert twice[term] == pytest.approx(factors.get(term, 1) * value, rel=1e-5), term


def penalised_loss(critic, real, fake, draw):
    """The loss of a critic under wgan-gp, by hand."""
    share = torch.rand(len(real), 1, 1, 1, generator=draw)
    fake = fake.detach()
    return (wgan_critic(*judge(critic, real, fake)) + PENALTY * gradient_penalty(critic, real, fake, share)).item()


def test_penalties_are_drawn_after_a_noise_map_and_the_tables_in_every_training():
    batch, draw = Photographs("cycle")[3], torch.Generator().manual_seed(SEED)
    (hand, _), (_, found) = TRAININGS["cycle"](objective="wgan-gp"), backward("cycle", objective="wgan-gp")
    sharp, _, real = batch
    noise = hand.networks["blur"].draw_noise(sharp, draw)
    fakes = hand.stored(hand.networks["blur"](sharp, noise), draw), hand.networks["deblur"](real)
    assert found["blur_critic"] == pytest.approx(
        penalised_loss(hand.networks["blur_critic"], real, fakes[0], draw), rel=1e-5
    )
    assert found["sharp_critic"] == pytest.approx(
        penalised_loss(hand.networks["sharp_critic"], sharp, fakes[1], draw), rel=1e-5
    )

    draw = torch.Generator().manual_seed(SEED)
    (hand, _), (_, found) = TRAININGS["finetune"](objective="wgan-gp"), backward("finetune", objective="wgan-gp")
    blurred, sharp = Photographs("finetune")[3]
    wanted = penalised_loss(hand.networks["critic"], sharp, hand.networks["generator"](blurred), draw)
    assert found["critic"] == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "critics"),
    [
        ("cycle", {"blur_critic": 2, "sharp_critic": 0}),
        ("paper", {"critic": 2}),
        ("paired", {"critic": 2}),
        ("finetune", {"critic": 1}),
    ],
)
def test_each_critic_judges_its_own_kind_of_photograph(name, critics):
    """Real blurred photographs go to the critic of blur, real sharp ones to the critic of sharpness."""
    training, _ = TRAININGS[name]()
    seen, batch = {}, Photographs(name)[3]
    for key in critics:
        training.networks[key].register_forward_pre_hook(
            lambda module, inputs, key=key: seen.setdefault(key, inputs[0][:2].clone())
        )
    list(training.losses(batch, torch.Generator().manual_seed(SEED), UPDATE))
    assert all(seen[key].equal(batch[k]) for key, k in critics.items())


@pytest.mark.parametrize("name", ["cycle", "paired"])
def test_the_pixel_phase_learns_the_pairs_and_leaves_the_critics_alone(name):
    training, recorded = backward(name, n=1)
    for network in of_kind(training, "generator").values():
        assert without_gradient(network) == []
    assert all(has_no_gradient(network) for network in of_kind(training, "critic").values())
    hand, _ = TRAININGS[name]()
    sharp, blurred, _ = Photographs(name)[3]
    noise = hand.networks["blur"].draw_noise(sharp, torch.Generator().manual_seed(SEED))
    wanted = (hand.networks["blur"](sharp, noise) - blurred).abs().mean()
    if name == "cycle":
        wanted = wanted + (hand.networks["deblur"](blurred) - sharp).abs().mean()
    assert recorded == {"pixel": pytest.approx(wanted.item(), rel=1e-5)}


@pytest.mark.parametrize(("name", "key"), [("cycle", "blur_critic"), ("paper", "critic")])
def test_the_critic_sees_blurs_as_jpeg_and_change_is_that_before(name, key):
    batch, made = Photographs(name)[3], {}
    for stored in (True, False):
        (training, _), seen, first = TRAININGS[name](jpeg=stored), [], []
        training.networks[key].register_forward_pre_hook(lambda module, inputs, seen=seen: seen.append(inputs[0][2:]))
        training.networks["blur"].register_forward_hook(lambda module, _, fake, first=first: first.append(fake))
        *_, terms = training.losses(batch, torch.Generator().manual_seed(SEED), UPDATE)
        assert seen[0].equal(seen[1])  # critic's turn, generator's turn
        assert terms["change"].item() == pytest.approx(255 * (first[0] - batch[0]).abs().mean().item(), rel=1e-5)
        assert not terms["change"].requires_grad
        made[stored] = first[0].equal(seen[0]), terms["change"]
    assert (made[True][0], made[False][0]) == (False, True)
    assert made[True][1] == made[False][1]


@pytest.mark.parametrize("name", ["cycle", "paper", "paired"])
def test_terms_without_weight_are_not_computed(name):
    training, _ = TRAININGS[name](perceptual=0.0, color=0.0, mode_seeking=0.0)
    training.features.register_forward_hook(lambda *_: pytest.fail("features without weight"))
    *_, terms = training.losses(Photographs(name)[3], torch.Generator().manual_seed(SEED), UPDATE)
    assert not {"perceptual", "color", "mode_seeking"} & terms.keys()


def test_the_patch_critic_takes_patches_that_vgg_does_not():
    assert finetune_params(critic="patch", patch=48).patch == 48


def test_pretraining_reaches_all_weights():
    training, _ = backward("pretrain")
    assert without_gradient(training.networks["generator"]) == []


@pytest.mark.parametrize(("kind", "power"), [("mse", 2), ("l1", 1)])
def test_pretraining_minimises_the_mean_difference_to_this_power(kind, power):
    (training, _), (blurred, sharp) = TRAININGS["pretrain"](content=kind), Photographs("pretrain")[3]
    (terms,) = training.losses((blurred, sharp), torch.Generator(), UPDATE)
    difference = (training.networks["generator"](blurred) - sharp).detach().double().numpy()
    assert terms["content"].item() == pytest.approx((abs(difference) ** power).mean(), rel=1e-5)


@pytest.mark.parametrize("name", ["cycle", "paper"])
def test_mode_seeking_compares_two_noise_maps_on_the_same_photographs(name):
    training, _ = TRAININGS[name]()
    seen, batch = [], Photographs(name)[3]
    training.networks["blur"].register_forward_hook(lambda module, inputs, output: seen.append((*inputs, output)))
    *_, terms = training.losses(batch, torch.Generator().manual_seed(SEED), UPDATE)
    (_, noise, fake), (_, other_noise, other) = [call for call in seen if call[0].equal(batch[0])]
    assert not noise.equal(other_noise)
    assert terms["mode_seeking"].item() == pytest.approx(2.0 * mode_seeking(fake, other).item(), rel=1e-5)
