"""The loop, the steps, and what makes each recipe what it says it is."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from bench.cli import main
from bench.errors import DataError, UsageError
from bench.training import loop
from bench.training.clip import clip_filters
from bench.training.data import Folder, Share, TinyPictures, TrainingBatch, epoch_order
from bench.training.loop import Epoch, TrainingJob, learning_rate, train
from bench.training.recipes import RECIPES, Attacker, Recipe, find_recipe
from bench.training.steps import augment, perturb, take
from bench.training.zoo import make_job, tasks
from model_zoo.nets.normalisation import split_branches, use_branch
from model_zoo.tiny.build import TinySpec, network

CPU = torch.device("cpu")


def small(name: str, **changes: object) -> Recipe:
    return replace(find_recipe(name), **{"images": 32, "batch_size": 16, "epochs": 2, **changes})


def job(recipe: Recipe, out: Path, seed: int = 0) -> TrainingJob:
    return TrainingJob(recipe, seed, TinyPictures(recipe.images, seed), out, CPU)


def batch(n: int = 8) -> TrainingBatch:
    return next(TinyPictures(n, 0).batches(0, n, Share()))


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_takes_a_step_that_moves_every_weight(name: str) -> None:
    recipe = find_recipe(name)
    torch.manual_seed(0)
    net = network(recipe.net).train()
    loss = take(net, batch(), recipe, 0.5, torch.Generator().manual_seed(0)).loss
    torch.autograd.backward(loss)
    assert loss.isfinite()
    still = [key for key, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert not still


def test_training_is_repeatable_bit_for_bit_and_by_seed(tmp_path: Path) -> None:
    runs = [load_file(train(job(small("mbn"), tmp_path / str(i), seed))) for i, seed in enumerate((0, 0, 1))]
    assert all(torch.equal(runs[0][key], runs[1][key]) for key in runs[0])
    assert not torch.equal(runs[0]["fc.weight"], runs[2]["fc.weight"])


@pytest.mark.parametrize("name", ["mix", "nofrost"])
def test_an_interrupted_training_ends_as_if_it_had_not_been(tmp_path: Path, name: str) -> None:
    class PowerCutError(Exception):
        pass

    def cut(_job: TrainingJob, _epoch: Epoch) -> None:
        raise PowerCutError

    whole, broken = job(small(name), tmp_path / "whole"), job(small(name), tmp_path / "broken")
    with pytest.raises(PowerCutError):
        train(broken, cut)
    assert not broken.weights.exists()
    seen: list[int] = []
    a, b = load_file(train(whole)), load_file(train(broken, lambda _job, epoch: seen.append(epoch.epoch)))
    assert seen == [2]
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not broken.checkpoint.exists()


def test_a_finished_training_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = job(small("std"), tmp_path)
    before = train(done).read_bytes()
    monkeypatch.setattr(loop, "take", lambda *_: pytest.fail("trained again"))
    assert train(done).read_bytes() == before


def test_the_log_tells_recipe_seed_data_and_losses(tmp_path: Path) -> None:
    done = job(small("at"), tmp_path)
    train(done)
    log = json.loads(done.log.read_text("utf-8"))
    assert (log["model"], log["seed"], log["recipe"]["name"]) == ("tiny_at", 0, "at")
    assert "0..31" in log["data"]
    assert [line["epoch"] for line in log["epochs"]] == [1, 2]


def test_perturbed_images_stay_in_the_ball_raise_the_loss_and_leave_the_network_as_it_was() -> None:
    torch.manual_seed(0)
    net, clean = network(TinySpec()).train(), batch(32)
    state = {key: value.clone() for key, value in net.state_dict().items()}
    attacked = perturb(net, clean, Attacker(ramp=0), 8 / 255, torch.Generator().manual_seed(0))
    assert (attacked - clean.images).abs().max() <= 8 / 255 + 1e-6
    assert attacked.min() >= 0
    assert attacked.max() <= 1
    assert net.training
    assert all(p.requires_grad for p in net.parameters())
    assert all(torch.equal(state[key], value) for key, value in net.state_dict().items())
    net.eval()
    loss = [nn.functional.cross_entropy(net(x), clean.labels).item() for x in (clean.images, attacked)]
    assert loss[1] > loss[0]


def test_mixture_batch_norm_keeps_statistics_apart() -> None:
    torch.manual_seed(0)
    recipe = replace(find_recipe("mbn"), attacker=Attacker(ramp=0))
    net = network(recipe.net).train()
    take(net, batch(), recipe, 1.0, torch.Generator().manual_seed(0))
    state = net.state_dict()
    means = {branch: state[f"trunk.1.branches.{branch}.running_mean"] for branch in ("clean", "adv")}
    assert means["clean"].any()
    assert means["adv"].any()
    assert not torch.equal(means["clean"], means["adv"])
    net.eval()
    with use_branch(net, "adv"):
        adversarial = net(batch().images)
    assert not torch.equal(adversarial, net(batch().images))


def test_smooth_gradients_change_the_attack_or_the_update_alone() -> None:
    """ReLU forwards in all four, so only where the derivative is smooth can they differ."""

    def gradient(name: str) -> torch.Tensor:
        torch.manual_seed(0)
        recipe = replace(find_recipe(name), net=TinySpec(activation="relu_smooth_gradient"))
        net = network(recipe.net).train()
        torch.autograd.backward(take(net, batch(), recipe, 1.0, torch.Generator().manual_seed(0)).loss)
        return net.trunk[0].weight.grad.clone()

    found = [gradient(name) for name in ("at", "sat_smooth_attack", "sat_smooth_update", "sat_smooth_both")]
    assert all(not torch.equal(a, b) for i, a in enumerate(found) for b in found[:i])


def test_frozen_statistics_do_not_move_in_the_last_epochs(tmp_path: Path) -> None:
    means = []

    def keep(job: TrainingJob, _epoch: Epoch) -> None:
        saved = torch.load(job.checkpoint, weights_only=True)
        means.append(saved["net"]["trunk.1.running_mean"])

    train(job(small("at_frozen", epochs=3, freeze=2), tmp_path), keep)
    assert torch.equal(means[0], means[2])


def test_fine_tuning_starts_from_the_other_recipe(tmp_path: Path) -> None:
    tuned = job(small("advprop_tuned", epochs=1, learning_rate=0.0, weight_decay=0.0), tmp_path)
    with pytest.raises(UsageError, match="bench train at"):
        train(tuned)
    start = load_file(train(job(small("at", epochs=1), tmp_path)))
    assert torch.equal(load_file(train(tuned))["fc.weight"], start["fc.weight"])


def test_learning_rate_and_eps_rise_as_stated() -> None:
    recipe = replace(find_recipe("at"), learning_rate=0.4, warm_up=0.25)
    assert [learning_rate(recipe, p) for p in (0, 0.125, 0.25, 0.625, 1)] == pytest.approx([0, 0.2, 0.4, 0.2, 0])
    attacker = Attacker(eps=0.8, ramp=0.5)
    assert [attacker.eps_at(p) for p in (0, 0.25, 0.5, 1)] == pytest.approx([0, 0.4, 0.8, 0.8])
    assert Attacker(eps=0.8, ramp=0).eps_at(0) == 0.8


def test_clipping_bounds_each_filter_and_spares_the_classifier() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4, 2))
    for p in net.parameters():
        p.grad = torch.full_like(p, 100.0)
    net[0].weight.grad[0] = 1e-9
    clip_filters(net, 0.1)
    ratio = net[0].weight.grad.flatten(1).norm(dim=1) / net[0].weight.flatten(1).norm(dim=1)
    assert ratio[1:].tolist() == pytest.approx([0.1] * 3, rel=1e-4)
    assert net[0].weight.grad[0].unique().item() == pytest.approx(1e-9)
    assert net[2].weight.grad.unique().item() == 100
    assert net[0].bias.grad.unique().item() == 100


def test_augmented_images_are_others_within_range() -> None:
    images = batch().images
    changed = augment(images, torch.Generator().manual_seed(0))
    assert changed.shape == images.shape
    assert 0 <= changed.min() <= changed.max() <= 1
    assert not torch.equal(changed, images)


def test_every_epoch_is_another_order_of_all_pictures_and_processes_share_it() -> None:
    orders = [epoch_order(50, 0, epoch) for epoch in (0, 1)]
    assert all(torch.equal(order.sort().values, torch.arange(50)) for order in orders)
    assert not torch.equal(*orders)
    data = TinyPictures(32, 0)
    whole = [b.labels for b in data.batches(0, 8, Share())]
    shares = [[b.labels for b in data.batches(0, 8, Share(rank, 2))] for rank in (0, 1)]
    for together, even, odd in zip(whole, *shares, strict=True):
        assert torch.equal(together[0::2], even)
        assert torch.equal(together[1::2], odd)


def pictures(root: Path) -> Path:
    rng = np.random.default_rng(0)
    for label in ("cat", "dog", "eel"):
        (root / "train" / label).mkdir(parents=True)
        for i in range(4):
            picture = Image.fromarray(rng.integers(0, 256, (20, 24, 3), dtype=np.uint8))
            picture.save(root / "train" / label / f"{i}.png")
    return root


def test_a_folder_of_pictures_is_trained_on(tmp_path: Path) -> None:
    data = Folder(pictures(tmp_path / "data"), 16, 0, workers=0)
    assert (data.classes, data.length(4)) == (3, 3)
    first = next(data.batches(0, 4, Share()))
    assert first.images.shape == (4, 3, 16, 16)
    assert 0 <= first.images.min() <= first.images.max() <= 1
    recipe = replace(find_recipe("at"), batch_size=4, epochs=1, net=TinySpec(classes=3))
    weights = load_file(train(TrainingJob(recipe, 0, data, tmp_path / "out", CPU)))
    assert weights["fc.weight"].shape == (3, 64)


def test_a_folder_without_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="one folder a class"):
        Folder(tmp_path, 16, 0)


def test_the_zoo_goes_seed_by_seed_and_every_forerunner_comes_first() -> None:
    wanted = list(tasks(list(RECIPES), [0, 1, 2]))
    assert [task.seed for task in wanted] == sorted(task.seed for task in wanted)
    order = [task.recipe for task in wanted if task.seed == 0]
    for name in order:
        before = find_recipe(name).start_from
        assert not before or order.index(before) < order.index(name)


def test_unknown_recipe_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nofrost"):
        make_job("nofrst", 0, tmp_path)
    with pytest.raises(UsageError, match="at least 1"):
        make_job("at", 0, tmp_path, epochs=0)


def test_command_lists_recipes_and_trains(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    assert main(["train", "list"]) == 0
    assert "mbn" in capsys.readouterr().out
    monkeypatch.setitem(RECIPES, "std", small("std"))
    assert main(["train", "std", "--epochs", "1", "--out", str(tmp_path), "--device", "cpu"]) == 0
    assert (tmp_path / "tiny_std.safetensors").is_file()
    assert main(["train", "stdd"]) == 2


def stepped(recipe: Recipe, seed: int = 0) -> tuple[float, dict[str, float], torch.Tensor]:
    torch.manual_seed(0)
    net = network(recipe.net).train()
    found = take(net, batch(16), recipe, 1.0, torch.Generator().manual_seed(seed))
    torch.autograd.backward(found.loss)
    return found.loss.item(), dict(found.right), next(net.parameters()).grad.clone()


def test_a_share_of_clean_images_is_the_first_of_each_batch_and_weighs_as_many() -> None:
    recipe = find_recipe("mix_20")
    torch.manual_seed(0)
    net, data = network(recipe.net).train(), batch(16)
    attacked = perturb(net, data, recipe.attacker, 8 / 255, torch.Generator().manual_seed(0))
    found = take(net, data, recipe, 1.0, torch.Generator().manual_seed(0)).loss
    logits = net(torch.cat([data.images[:3], attacked]))  # 20 % of 16, rounded
    labels = torch.cat([data.labels[:3], data.labels])
    assert found.item() == pytest.approx(nn.functional.cross_entropy(logits, labels).item(), rel=1e-6)
    assert stepped(replace(recipe, clean_share=100.0))[0] == stepped(find_recipe("mix"))[0]


def test_logit_pairing_adds_half_the_mean_squared_difference() -> None:
    recipe = find_recipe("mbn_alp")
    torch.manual_seed(0)
    net, data = network(recipe.net).train(), batch(16)
    attacked = perturb(net, data, recipe.attacker, 8 / 255, torch.Generator().manual_seed(0))
    found = take(copy.deepcopy(net), data, recipe, 1.0, torch.Generator().manual_seed(0)).loss.item()
    with split_branches(net, ("clean", "adv")):
        clean, adversarial = net(torch.cat([data.images, attacked])).chunk(2)
    plain = stepped(find_recipe("mbn"))[0]
    assert found - plain == pytest.approx(0.5 * (clean - adversarial).square().mean().item(), rel=1e-4)


def test_trades_is_cross_entropy_and_six_times_the_divergence_from_the_clean_prediction() -> None:
    recipe = find_recipe("trades")
    torch.manual_seed(0)
    net, data = network(recipe.net).train(), batch(16)
    attacked = perturb(net, data, recipe.attacker, 8 / 255, torch.Generator().manual_seed(0), trades=True)
    found = take(copy.deepcopy(net), data, recipe, 1.0, torch.Generator().manual_seed(0)).loss.item()
    clean, adversarial = net(torch.cat([data.images, attacked])).double().chunk(2)
    p, q = clean.softmax(1), adversarial.softmax(1)
    divergence = (p * (p / q).log()).sum(1).mean().item()
    expected = nn.functional.cross_entropy(clean, data.labels).item() + 6 * divergence
    assert found == pytest.approx(expected, rel=1e-4)
    net.eval()
    with torch.no_grad():
        p = net(data.images).softmax(1)
        q = net(attacked).softmax(1)
        near = net((data.images + (attacked - data.images) / 2).clamp(0, 1)).softmax(1)
    away = [(p * (p / each).log()).sum().item() for each in (near, q)]
    assert 0 < away[0] < away[1], "the attack goes away from the clean prediction"


@pytest.mark.parametrize("method", ["gradient", "noise"])
def test_other_attackers_keep_to_their_size(method: str) -> None:
    torch.manual_seed(0)
    net, data = network(TinySpec()).train(), batch(64)
    data = TrainingBatch(data.images * 0.5 + 0.25, data.labels)  # far from 0 and 1
    attacker = Attacker(method=method, ramp=0)
    change = perturb(net, data, attacker, 8 / 255, torch.Generator().manual_seed(0)) - data.images
    if method == "noise":
        assert change.std().item() == pytest.approx(8 / 255, rel=0.02)  # 200,000 draws: 0.16 % in one deviation
        return
    assert change.abs().max() <= 8 / 255 + 1e-6
    signed = perturb(net, data, Attacker(ramp=0), 8 / 255, torch.Generator().manual_seed(0)) - data.images
    assert not torch.equal(change, signed)
    inside = [(each.abs() < 8 / 255 - 1e-4).float().mean().item() for each in (change, signed)]
    assert inside[0] > inside[1], "along the gradient most pixels hardly move"


def test_augmented_training_attacks_augmented_images() -> None:
    plain, augmented = stepped(find_recipe("advprop")), stepped(find_recipe("advprop_augmented"))
    assert plain[0] != augmented[0]
    assert set(augmented[1]) == {"clean", "adversarial"}


def test_the_log_keeps_training_accuracy_of_each_domain(tmp_path: Path) -> None:
    done = job(small("mix", epochs=1, learning_rate=0.0, weight_decay=0.0), tmp_path)
    train(done)
    (line,) = json.loads(done.log.read_text("utf-8"))["epochs"]
    torch.manual_seed(0)
    net = network(find_recipe("mix").net).train()
    hits = []
    for part in TinyPictures(32, 0).batches(0, 16, Share()):
        hits += (net(torch.cat([part.images, part.images])).argmax(1) == part.labels.repeat(2)).tolist()[:16]
    assert line["right"]["clean"] == pytest.approx(sum(hits) / 32, abs=0.1)  # batch norm sees attacked ones beside it
    assert 0 <= line["right"]["adversarial"] <= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clean_share": 0.0}, "above 0"),
        ({"net": TinySpec(branches=("clean", "adv")), "clean_share": 50.0}, "branches"),
        ({"domains": ("adversarial",), "objective": "alp"}, "pairs clean with adversarial"),
        ({"seeds": ()}, "expected at least one training seed"),
    ],
)
def test_recipes_that_cannot_be_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(find_recipe("mix"), **changes)
