"""Any model enters a figure by what its card, its run or the user says of it; nothing is read from its name."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

import bench
from bench.cli import main
from bench.errors import UsageError
from bench.figures import FIGURES, read_traits, style, write_figures
from bench.figures.advprop.distorted import DISTORTED
from bench.figures.base import NotMeasuredError
from bench.figures.facts import Facts, differences, groups, merged
from bench.figures.flops import multiply_adds, multiply_adds_of_resnet
from bench.figures.measured import Numbers
from bench.figures.nofrost.radar import AXES
from bench.folder.reader import ResultsFolder
from bench.manifest import RunManifest, RunModel
from bench.metrics.estimate import wilson
from bench.published.papers import points
from bench.suites.registry import SUITES
from bench.testing import fake_model, write_results
from model_zoo.build import build
from model_zoo.inspect_network import activation_of, normalisation_of
from model_zoo.registry import cards
from model_zoo.traits import TrainingAttack, Traits

BY_NAME = {spec.name: spec for spec in FIGURES}
PGD = "imagenet/pgd-linf-eps4_255-k50-a1_255-r1-untargeted"
ATTACKED = {"pgd": {"imagenet/clean": 0.6, PGD: 0.4}}


def draw(name: str, data: Numbers) -> Figure:
    with style.styled():
        return BY_NAME[name].draw(BY_NAME[name], data)


def labels(figure: Figure, panel: int = 0) -> list[str]:
    return figure.axes[panel].get_legend_handles_labels()[1]


def test_an_efficientnet_is_drawn_with_its_own_activation_and_apart_from_other_networks(tmp_path: Path) -> None:
    for name in ("sat_resnet50_relu", "sat_resnet50", "sat_efficientnet_b0", "sat_efficientnet_b1"):
        write_results(tmp_path, name, ATTACKED)
    asked = Numbers(tmp_path, ["sat_resnet50_relu", "sat_resnet50", "sat_efficientnet_b0"])
    found = labels(draw("sat-activation-scatter", asked))
    assert any(label.startswith("SILU, efficientnet") for label in found)
    assert sum(label.startswith("ReLU") for label in found) == 1
    every = Numbers(tmp_path)
    assert labels(draw("sat-activation-scatter", every)) == ["ReLU", "SILU"], "partners only, where any are"
    assert [line.split()[0] for line in every.passed_over] == ["sat_efficientnet_b0", "sat_efficientnet_b1"]
    figure = draw("sat-scaling", Numbers(tmp_path))
    lines = [line for line in figure.axes[0].get_lines() if len(line.get_xdata()) > 1]
    assert len(lines) == 1, "EfficientNets grow together, and no ResNet is among them"


@pytest.mark.parametrize(
    "asked", {pair for s in (*AXES.values(), *((d,) for d in DISTORTED.values())) for pair in s[0]}
)
def test_sets_of_200_classes_are_read_by_them(asked: tuple[str, str]) -> None:
    suite, metric = SUITES[asked[0]], asked[1]
    names = {m.name for m in suite.metrics}
    assert metric in names
    assert (metric == "accuracy_200") == ("accuracy_200" in names)


def test_vanilla_b7_is_the_papers_84_5() -> None:
    (b7,) = (row for row in points("advprop-scaling")["vanilla"] if row.x == "B7")
    assert b7.number.value == 84.5
    assert [row.number.value for row in points("intriguing-clean-share")["ResNet-152"]] == [
        20.9,
        20.3,
        15.4,
        29.1,
        32.1,
        39.2,
    ]


@pytest.mark.parametrize(("depth", "giga"), [(152, 11.6), (200, 15.1), (338, 25.2)])
def test_multiply_adds_are_those_of_the_papers_axis(depth: int, giga: float) -> None:
    """The axis was read by pixel, to 0.2."""
    assert multiply_adds_of_resnet(depth) / 1e9 == pytest.approx(giga, abs=0.2)


def test_multiply_adds_by_hand() -> None:
    with torch.device("meta"):
        net = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3, 2, 1, groups=1),
            torch.nn.Conv2d(8, 8, 3, 1, 1, groups=8),
            torch.nn.Flatten(),
            torch.nn.Linear(8 * 16 * 16, 10),
        )
    assert multiply_adds(net, 32) == 16 * 16 * 8 * (3 * 9) + 16 * 16 * 8 * 9 + 8 * 16 * 16 * 10


KINDS = {
    (c.room, c.traits.family, c.traits.activation, c.traits.normalisation): name
    for name, c in sorted(cards().items(), reverse=True)
}


@pytest.mark.parametrize("name", KINDS.values())
def test_a_card_s_traits_are_those_of_its_network(name: str) -> None:
    card = cards()[name]
    with torch.device("meta"):
        net = build(card)
    seen, said = activation_of(net), card.traits.activation
    assert said.removesuffix("_rectified").removesuffix("_2") == seen or (said == "relu6" and seen in ("relu", "relu6"))
    assert card.traits.normalisation in (normalisation_of(net), "none")


def test_every_card_says_how_it_was_trained_and_whose_each_branch_is() -> None:
    for name, card in cards().items():
        assert card.traits.images, name
        assert all(Facts.of(f"{name}@{branch}").role for branch in card.branches)


def test_a_branch_is_what_the_run_wrote_where_its_card_is_not_at_hand(tmp_path: Path) -> None:
    bench.run(["tiny_mbn@adv"], "tiny", limit=2, out=tmp_path, quiet=True)
    (run,) = ResultsFolder(tmp_path).suite_runs()
    assert (run.about.branches, run.about.dataset) == (("clean", "adv"), "tiny")
    assert Facts.of("lab@adv", run.about).role == "adversarial"
    assert Facts.of("lab@clean", run.about).role == "clean"
    assert Facts.of("lab@adv", replace(run.about, branches=())).role == "", "an earlier version's run: not known"
    released = replace(run.about, branches=(), traits=replace(run.about.traits, batch_norms=2))
    assert Facts.of("lab@adv", released).role == "", "one branch of two was released, and not this one"
    assert Facts.of("lab", released).role == "clean", "the main one"


def test_what_is_said_of_a_model_is_no_part_of_a_run_s_id() -> None:
    plain, told = RunModel(), RunModel(branches=("clean",), extra_data="JFT", dataset="tiny")
    assert RunManifest({"a": plain}, ()).id == RunManifest({"a": told}, ()).id


def test_a_model_without_a_card_says_what_is_missing_and_enters_once_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = fake_model("lab_a", classes=10), fake_model("lab_b", classes=10, seed=1)
    bench.run(list(net), "tiny-pgd", limit=10, reliability=0, out=tmp_path / "runs", quiet=True)
    with pytest.raises(
        NotMeasuredError, match=r"lab_a says no images; lab_b says no images .say it in the card's .traits."
    ):
        write_figures(str(tmp_path / "runs"), tmp_path / "out", only=["intriguing-normalisation"])
    file = tmp_path / "traits.toml"
    file.write_text('[lab_a]\nimages = ["adversarial"]\n[lab_b]\nimages = ["clean", "adversarial"]\n')
    arguments = ["figures", str(tmp_path / "runs"), "--out", str(tmp_path / "out"), "--only", "intriguing-clean-share"]
    assert main([*arguments, "--traits", str(file), "--models", "lab_a,lab_b"]) == 0
    assert "intriguing-clean-share.png" in capsys.readouterr().out
    data = Numbers(tmp_path / "runs", traits=read_traits(file))
    (line, *_) = draw("intriguing-clean-share", data).axes[0].get_lines()
    assert list(line.get_xdata()) == [0, 100]
    facts = {f.name: f for f in data.models}["lab_a"]
    assert (facts.traits.activation, facts.traits.normalisation) == ("relu", "batch"), "as the run saw the network"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a]\nimages = 'clean'", "a.images must be an array"),
        ("[a]\nimage = []", "unknown key a.image"),
        ("a", "expected a table"),
        ("[a]\nattacker = {eps = 'many'}", "positive fraction"),
        ("[a]\nattacker = {eps = '4/255', ramp = 1.5}", "share of training, 0 to 1; found 1.5"),
        ("[a]\nclean_share = 120", "in percent"),
    ],
)
def test_a_file_of_traits_is_refused_by_the_place(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text(text)
    with pytest.raises(UsageError, match=message):
        read_traits(tmp_path / "t.toml")


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    write_results(tmp_path, "sat_resnet50", ATTACKED)
    with pytest.raises(UsageError, match=r"unknown figure 'sat-scalin' .did you mean sat-scaling"):
        write_figures(str(tmp_path), tmp_path / "out", only=["sat-scalin"])
    with pytest.raises(UsageError, match=r"no results of 'sat_resnet5'.*measured are sat_resnet50"):
        Numbers(tmp_path, ["sat_resnet5"])


def test_a_model_of_another_zoo_is_what_its_card_says_it_is_also_named() -> None:
    ours, theirs = Facts.of("advprop_efficientnet_b3"), Facts.of("timm:tf_efficientnet_b3.ap_in1k")
    assert theirs.traits == ours.traits
    assert theirs.key(()) == ours.key(())


def test_groups_differ_in_nothing_but_what_is_free() -> None:
    at, silu, deep = (Facts.of(f"tiny_{name}") for name in ("at", "sat_silu", "at_deep"))
    assert [len(group) for group in groups([at, silu, deep], "activation")] == [2, 1]
    assert differences(groups([at, silu, deep], "activation"), "activation") == ["8 layers", "14 layers"]


def test_the_first_that_says_a_field_is_believed() -> None:
    first, second = Traits(activation="relu"), Traits(activation="silu", images=("clean",))
    assert merged([first, second]) == Traits(activation="relu", images=("clean",))


def test_roles_of_branches_follow_the_images() -> None:
    assert Facts.of("tiny_mbn@adv").role == "adversarial"
    assert Facts.of("tiny_advprop_fine@aug").role == "augmented"
    assert Facts.of("advprop_efficientnet_b0").role == "clean", "the one branch that was released"
    assert Facts.of("tiny_mix").role == ""
    assert replace(Facts.of("tiny_mix").traits, attacker=TrainingAttack("8/255")).share == 100


def test_what_grows_together_is_of_one_family(tmp_path: Path) -> None:
    for name in ("sat_resnet50", "sat_resnet101", "sat_efficientnet_b0", "sat_efficientnet_b1"):
        write_results(tmp_path, name, ATTACKED)
    assert set(labels(draw("sat-scaling", Numbers(tmp_path)))) == {"resnet", "efficientnet"}


def test_the_readmes_rows_are_parted_by_training(tmp_path: Path) -> None:
    write_results(tmp_path, "efficientnet_b0", ATTACKED)
    shown = labels(draw("advprop-scaling", Numbers(tmp_path)), 1)
    assert {"vanilla, the paper", "AdvProp, the paper", "vanilla with AutoAugment, README"} <= set(shown)
    panel = draw("advprop-remeasured", Numbers(tmp_path)).axes[0]
    assert all(len(line.get_xdata()) > 5 for line in panel.get_lines()[:3]), "README, timm and the testbed, B0 to B7"


def test_networks_of_no_known_family_are_one_line_with_their_like_alone() -> None:
    told = Traits(images=("adversarial",), activation="relu")
    small, large, again = (
        Facts(n, traits=told, architecture=a) for n, a in zip("abc", ("r18", "r50", "r18"), strict=True)
    )
    assert groups([small, large, again]) == [[small, again], [large]]
    assert differences(groups([small, large, again])) == ["r18", "r50"]


@pytest.mark.parametrize("name", ["sat-activation-scatter", "nofrost-clean-robust"])
def test_both_numbers_of_a_point_have_their_interval(name: str, tmp_path: Path) -> None:
    for model in ("tiny_at", "tiny_sat_silu", "tiny_nofrost", "tiny_mix"):
        write_results(tmp_path, model, ATTACKED, n=50)
    axes = draw(name, Numbers(tmp_path)).axes[0]
    (bars, *_) = [c for c in axes.containers if isinstance(c, ErrorbarContainer)]
    assert (bars.has_xerr, bars.has_yerr) == (True, True)
    across, up = (lines.get_segments()[0] for lines in bars.lines[2])
    clean, robust = (100 * np.array(wilson(right, 50)) for right in (30, 20))
    expected = (robust, clean) if name.startswith("sat") else (clean, robust)
    assert across[:, 0] == pytest.approx(expected[0])
    assert up[:, 1] == pytest.approx(expected[1])


TINY_PGD = "tiny/pgd-linf-eps8_255-k20-a1_255-r1-untargeted"
MIXTURE = ("tiny_std", "tiny_at", "tiny_mbn@clean", "tiny_mbn@adv")
PAIRED = ("tiny_mbn_alp@clean", "tiny_mbn_alp@adv")


@pytest.mark.parametrize(("models", "bars"), [(MIXTURE, 2), ((*MIXTURE, *PAIRED), 3)])
def test_a_mixture_with_logit_pairing_is_a_bar_of_its_own(models: tuple[str, ...], bars: int, tmp_path: Path) -> None:
    """Pairing is a trait of the card; in both panels a kind of training has one colour."""
    for place, name in enumerate(models):
        write_results(tmp_path, name, {"tiny-pgd": {"tiny/clean": 0.9, TINY_PGD: 0.3 + 0.05 * place}})
    figure = draw("intriguing-mixture-batch-norm", Numbers(tmp_path))
    measured, published = (axes.get_legend_handles_labels() for axes in figure.axes)
    assert measured[1] == published[1][:bars]
    heights = [handle[1].get_height() for handle in measured[0]]
    assert heights == pytest.approx([35, 45, 55][:bars], abs=0.6)
    colours = [[h[0].get_edgecolor() for h in handles] for handles, _ in (measured, published)]
    assert colours[0] == colours[1][:bars]


def test_a_label_of_both_panels_has_one_colour(tmp_path: Path) -> None:
    for name in ("tiny_at", "tiny_at_deep", "tiny_std", "tiny_std_deep"):
        write_results(tmp_path, name, {"tiny-pgd": {"tiny/clean": 0.9, TINY_PGD: 0.5}})
    left, right = (
        dict(zip(labels, [(h[0] if isinstance(h, tuple) else h).get_color() for h in handles], strict=True))
        for handles, labels in (a.get_legend_handles_labels() for a in draw("intriguing-depth", Numbers(tmp_path)).axes)
    )
    shared = left.keys() & right.keys()
    assert shared == {"adversarial training, under attack", "clean training, clean"}
    assert all(left[label] == right[label] for label in shared)
    assert right["clean training, clean"] != left["adversarial training, clean"]
