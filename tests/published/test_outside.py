"""Numbers of others: read, never taken from memory, and set beside like numbers only."""

import json
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.published.comparability import beside
from bench.published.outside import Published, of_model, published_table, read_outside

ROBUSTBENCH = {
    "link": "https://arxiv.org/abs/2007.08489",
    "name": "Do Adversarially Robust ImageNet Models Transfer Better?",
    "authors": "Salman et al.",
    "additional_data": False,
    "number_forward_passes": 1,
    "dataset": "imagenet",
    "venue": "NeurIPS 2020",
    "architecture": "ResNet-50",
    "eps": "4/255",
    "clean_acc": "64.02",
    "reported": "",
    "autoattack_acc": "34.96",
}
TIMM = (
    "model,top1,top1_err,top5,top5_err,param_count,img_size,crop_pct,interpolation,top1_diff,top5_diff,rank_diff\n"
    'eva_giant.m30m,87.573,12.427,96.893,3.107,"1,014.45",560,1.000,bicubic,-11.257,-3.007,+1\n'
)
HEADER = "paper,method,model,metric,protocol,value,unit,source\n"


def claim(metric: str, protocol: str, value: float = 43.0, model: str = "m") -> Published:
    return Published(model, metric, value, "%", protocol, "README", "authors")


def test_robustbench_s_model_info(tmp_path: Path) -> None:
    file = tmp_path / "Salman2020Do_R50.json"
    file.write_text(json.dumps(ROBUSTBENCH))
    clean, robust = read_outside(file)
    assert (clean.model, clean.metric, clean.value) == ("robustbench:Salman2020Do_R50", "clean top-1", 64.02)
    assert (robust.metric, robust.value) == ("AutoAttack", 34.96)
    assert "eps=4/255" in robust.protocol


def test_timm_s_results_and_a_folder_of_both(tmp_path: Path) -> None:
    (tmp_path / "results-imagenet-a.csv").write_text(TIMM)
    (tmp_path / "Salman2020Do_R50.json").write_text(json.dumps(ROBUSTBENCH))
    (tmp_path / "benchmark-infer.csv").write_text("model,infer_samples_per_sec\nx,1\n")
    numbers = read_outside(tmp_path)
    assert {n.model for n in numbers} == {"robustbench:Salman2020Do_R50", "timm:eva_giant.m30m"}
    (a,) = (n for n in numbers if n.by == "timm")
    assert (a.metric, a.value, a.protocol) == (
        "ImageNet-A top-1",
        87.573,
        "timm validate.py, 560px, crop_pct 1.000, bicubic",
    )


@pytest.mark.parametrize(
    ("name", "text"), [("x.json", "[1]"), ("x.json", "{"), ("other.csv", TIMM), ("x.csv", "a,b\n1,2\n"), ("none", None)]
)
def test_what_is_neither_is_refused_with_its_name(name: str, text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=r"--outside .*expected RobustBench"):
        read_outside(tmp_path / name)


def test_recollections_and_derived_numbers_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "more.csv"
    rows = [
        "p,m,net,clean top-1,val,70,%,table 1",
        "p,m,net,clean top-1,val,71,%,RECOLLECTION",
        "p,m,net,clean top-1,DERIVED from the error,72,%,table 2",
    ]
    file.write_text(HEADER + "\n".join(rows) + "\n")
    assert [n.value for n in read_outside(file)] == [70]


def test_the_published_table_names_other_zoos_models_as_they_are_typed() -> None:
    models = {number.model for number in published_table()}
    assert {"robustbench:Salman2020Do_50_2_Linf", "timm:nf_resnet50.ra2_in1k"} <= models


def test_a_model_s_numbers_are_its_card_s_and_those_of_its_name() -> None:
    others = [claim("clean top-1", "x", model="timm:resnet50.a1"), claim("clean top-1", "x", model="resnet50")]
    assert {n.model for n in of_model("timm:resnet50.a1", others)} == {"timm:resnet50.a1"}
    assert len(of_model("timm:resnet50.a1", others)) == 1
    reported = of_model("sat_resnet50", [])
    assert 69.7 in {n.value for n in reported if n.metric == "clean top-1"}


PGD = "imagenet/pgd-linf-eps4_255-k10-a1_255-r1-untargeted"
TEXT = "PGD-10 untargeted, Linf eps=4/255, step 1/255, 1 random start, BN eval mode, 50k val"


@pytest.mark.parametrize(
    ("metric", "text", "suite", "here", "conditions", "value"),
    [
        ("robust acc", TEXT, "pgd", "robust_accuracy", ["imagenet/clean", PGD], 43.0),
        ("robust error", TEXT, "pgd", "robust_accuracy", ["imagenet/clean", PGD], 57.0),
        ("robust acc", TEXT.replace("PGD-10", "PGD-20"), "pgd", "robust_accuracy", [PGD], None),
        ("robust acc", TEXT.replace("4/255", "8/255"), "pgd", "robust_accuracy", [PGD], None),
        ("robust acc", TEXT.replace("untargeted", "targeted"), "pgd", "robust_accuracy", [PGD], None),
        ("robust acc", TEXT.replace("step 1/", "step 2/"), "pgd", "robust_accuracy", [PGD], None),
        ("robust acc", TEXT, "pgd", "robust_accuracy", [PGD, PGD.replace("eps4", "eps8")], None),
        ("robust acc", TEXT, "pgd", "robust_accuracy", [PGD.replace("imagenet/", "folder/")], None),
        (
            "AutoAttack",
            "standard AutoAttack Linf eps=4/255, 5000 images",
            "robustbench-5k",
            "robust_accuracy",
            ["robustbench-5k/clean", "robustbench-5k/autoattack-linf-eps4_255-standard"],
            43.0,
        ),
        ("AutoAttack", "standard AutoAttack Linf eps=4/255", "pgd", "robust_accuracy", [PGD], None),
        ("clean top-1", "val 50k", "imagenet", "accuracy", ["imagenet/clean"], 43.0),
        ("clean top-1 error", "val 50k", "imagenet", "accuracy", ["imagenet/clean"], 57.0),
        ("clean top-1", "val 50k", "clean", "accuracy", ["sample/clean"], None),
        ("ImageNet-C mCE", "224px JPEGs", "imagenet-c", "mce", ["imagenet-c/fog/3"], 43.0),
        ("ImageNet-C mCE", "224px JPEGs", "imagenet-c-live", "mce", ["imagenet/fog/3-jpeg85"], None),
        ("a metric of the future", "", "imagenet", "accuracy", ["imagenet/clean"], None),
    ],
)
def test_only_like_stands_beside_like(
    metric: str, text: str, suite: str, here: str, conditions: list[str], value: float | None
) -> None:
    assert beside(claim(metric, text), suite, here, "hash", conditions) == value


def test_a_tiny_card_s_number_belongs_to_its_branch_and_protocol() -> None:
    text = "tiny-pgd, branch adv, 82b54f3aa3d6"
    like = ("tiny_mbn@adv", "82b54f3aa3d6")
    for model, protocol in (like, ("tiny_mbn@clean", "82b54f3aa3d6"), ("tiny_mbn@adv", "other")):
        expected = 43.0 if (model, protocol) == like else None
        number = claim("robust_accuracy", text, model=model)
        assert beside(number, "tiny-pgd", "robust_accuracy", protocol, []) == expected
