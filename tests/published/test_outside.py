"""Numbers of others: read, never taken from memory, and set beside like numbers only."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.published.comparability import beside
from bench.published.outside import of_model, read_outside
from bench.published.table import Published, published_table, read_rows, write_rows
from model_zoo.reported import ReportedNumber
from tools.published import PAGE, table

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
HEADER = "model,metric,dataset,value,note,source\n"


def claim(metric: str, model: str = "m", **fields: Any) -> Published:
    return Published(model, ReportedNumber(metric, 43.0, "README", **fields))  # type: ignore[arg-type]


def test_robustbench_s_model_info(tmp_path: Path) -> None:
    file = tmp_path / "Salman2020Do_R50.json"
    file.write_text(json.dumps(ROBUSTBENCH))
    clean, robust = read_outside(file)
    assert (clean.model, clean.number.metric, clean.number.value) == ("robustbench:Salman2020Do_R50", "accuracy", 64.02)
    assert (robust.number.metric, robust.number.value) == ("robust_accuracy", 34.96)
    assert (robust.number.attack, robust.number.norm, robust.number.eps) == ("autoattack", "linf", "4/255")
    assert {robust.number.dataset, clean.number.dataset} == {"robustbench-5k"}


def test_robustbench_s_l2_models_and_other_data_sets_keep_theirs(tmp_path: Path) -> None:
    (tmp_path / "L2").mkdir()
    file = tmp_path / "L2" / "Wang2023Better.json"
    file.write_text(json.dumps(ROBUSTBENCH | {"dataset": "cifar10", "eps": "0.5"}))
    robust = read_outside(file)[1].number
    assert (robust.dataset, robust.norm, robust.eps) == ("cifar10", "l2", "0.5")


def test_timm_s_results_and_a_folder_of_both(tmp_path: Path) -> None:
    (tmp_path / "results-imagenet-a.csv").write_text(TIMM)
    (tmp_path / "Salman2020Do_R50.json").write_text(json.dumps(ROBUSTBENCH))
    (tmp_path / "benchmark-infer.csv").write_text("model,infer_samples_per_sec\nx,1\n")
    numbers = read_outside(tmp_path)
    assert {n.model for n in numbers} == {"robustbench:Salman2020Do_R50", "timm:eva_giant.m30m"}
    (a,) = (n.number for n in numbers if n.number.by == "timm")
    assert (a.dataset, a.metric, a.value, a.note) == (
        "imagenet-a",
        "accuracy_200",
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
        "net,accuracy,imagenet,70,,table 1",
        "net,accuracy,imagenet,71,,RECOLLECTION",
        "net,accuracy,imagenet,72,DERIVED from the error,table 2",
    ]
    file.write_text(HEADER + "\n".join(rows) + "\n")
    assert [n.number.value for n in read_outside(file)] == [70]


def test_the_published_table_names_other_zoos_models_as_they_are_typed() -> None:
    models = {number.model for number in published_table()}
    assert {"robustbench:Salman2020Do_50_2_Linf", "timm:resnet50.gluon_in1k"} <= models


def test_a_model_s_numbers_are_its_card_s_and_those_of_its_name() -> None:
    others = [claim("accuracy", model="timm:resnet50.a1"), claim("accuracy", model="resnet50")]
    assert {n.model for n in of_model("timm:resnet50.a1", others)} == {"timm:resnet50.a1"}
    assert len(of_model("timm:resnet50.a1", others)) == 1
    reported = of_model("sat_resnet50", [])
    assert 69.7 in {n.number.value for n in reported if n.number.metric == "accuracy"}


def test_a_checkpoint_has_the_same_numbers_under_its_other_name() -> None:
    ours, theirs = (of_model(name, []) for name in ("advprop_efficientnet_b0", "timm:tf_efficientnet_b0.ap_in1k"))
    assert [n.number for n in ours] == [n.number for n in theirs] != []


PGD = "imagenet/pgd-linf-eps4_255-k10-a1_255-r1-untargeted"
LIKE = {"attack": "pgd", "norm": "linf", "eps": "4/255", "steps": 10, "step_size": "1/255", "targeted": False}
AA = {"attack": "autoattack", "norm": "linf", "eps": "4/255", "dataset": "robustbench-5k"}
AA_HERE = ["robustbench-5k/clean", "robustbench-5k/autoattack-linf-eps4_255-standard"]


@pytest.mark.parametrize(
    ("metric", "fields", "suite", "here", "conditions", "value"),
    [
        ("robust_accuracy", LIKE, "pgd", "robust_accuracy", ["imagenet/clean", PGD], 43.0),
        ("robust_error", LIKE, "pgd", "robust_accuracy", ["imagenet/clean", PGD], 57.0),
        ("robust_accuracy", LIKE | {"step_size": ""}, "pgd", "robust_accuracy", [PGD], 43.0),
        ("robust_accuracy", LIKE | {"steps": 20}, "pgd", "robust_accuracy", [PGD], None),
        ("robust_accuracy", LIKE | {"steps": 1}, "pgd", "robust_accuracy", [PGD], None),
        ("robust_accuracy", LIKE | {"steps": 0}, "pgd", "robust_accuracy", [PGD], None),
        ("robust_accuracy", LIKE | {"eps": "8/255"}, "pgd", "robust_accuracy", [PGD], None),
        ("robust_accuracy", LIKE | {"norm": "l2"}, "pgd", "robust_accuracy", [PGD], None),
        ("robust_accuracy", LIKE | {"targeted": True}, "pgd", "robust_accuracy", [PGD], None),
        ("robust_accuracy", LIKE | {"targeted": None}, "pgd", "robust_accuracy", [PGD], None),
        ("robust_accuracy", LIKE | {"step_size": "2/255"}, "pgd", "robust_accuracy", [PGD], None),
        ("robust_accuracy", LIKE | {"attack": "fgsm"}, "pgd", "robust_accuracy", [PGD], None),
        ("robust_accuracy", LIKE | {"subset": "1000 images"}, "pgd", "robust_accuracy", [PGD], None),
        ("attack_success", LIKE, "pgd", "robust_accuracy", [PGD], None),
        ("robust_accuracy", LIKE, "pgd", "robust_accuracy", [PGD, PGD.replace("eps4", "eps8")], None),
        ("robust_accuracy", LIKE, "pgd", "robust_accuracy", [PGD.replace("imagenet/", "folder/")], None),
        ("robust_accuracy", LIKE, "pgd", "accuracy", [PGD], None),
        ("robust_accuracy", AA, "robustbench-5k", "robust_accuracy", AA_HERE, 43.0),
        ("robust_accuracy", AA, "pgd", "robust_accuracy", [PGD], None),
        ("accuracy", {}, "imagenet", "accuracy", ["imagenet/clean"], 43.0),
        ("error", {}, "imagenet", "accuracy", ["imagenet/clean"], 57.0),
        ("accuracy", {}, "pgd", "clean_accuracy", ["imagenet/clean"], 43.0),
        ("accuracy", {"dataset": "robustbench-5k"}, "imagenet", "accuracy", ["imagenet/clean"], None),
        ("accuracy", {"dataset": "stylized-testbed"}, "stylized", "accuracy", ["stylized/clean"], None),
        ("accuracy", {}, "clean", "accuracy", ["sample/clean"], None),
        ("mce", {"dataset": "imagenet-c"}, "imagenet-c", "mce", ["imagenet-c/fog/3"], 43.0),
        ("mce", {"dataset": "imagenet-c", "subset": "5000"}, "imagenet-c", "mce", ["imagenet-c/fog/3"], None),
        ("mce", {"dataset": "imagenet-c"}, "imagenet-c-live", "mce", ["imagenet/fog/3-jpeg85"], None),
        ("accuracy", {}, "imagenet-c-live", "accuracy", ["imagenet/fog/3-jpeg85"], None),
        ("accuracy", {}, "someone-s", "accuracy", ["imagenet/pgd-of-the-future", "x//y"], None),
        (
            "accuracy_matched_frequency",
            {"dataset": "imagenet-v2"},
            "imagenet-v2",
            "accuracy_matched_frequency",
            ["imagenet-v2/clean", "imagenet-v2-threshold0.7/clean"],
            43.0,
        ),
        ("accuracy_200", {"dataset": "imagenet-a"}, "imagenet-a", "accuracy", ["imagenet-a/clean"], None),
        ("accuracy_200", {"dataset": "imagenet-a"}, "imagenet-r", "accuracy_200", ["imagenet-r/clean"], None),
    ],
)
def test_only_like_stands_beside_like(
    metric: str, fields: dict[str, Any], suite: str, here: str, conditions: list[str], value: float | None
) -> None:
    assert beside(claim(metric, **fields), suite, here, "hash", conditions) == value


def test_a_tiny_card_s_number_belongs_to_its_branch_and_protocol() -> None:
    told = {"suite": "tiny-pgd", "branch": "adv", "protocol": "82b54f3aa3d6", "dataset": "tiny"}
    like = ("tiny_mbn@adv", "82b54f3aa3d6")
    for model, protocol in (like, ("tiny_mbn@clean", "82b54f3aa3d6"), ("tiny_mbn@adv", "other")):
        expected = 43.0 if (model, protocol) == like else None
        number = claim("robust_accuracy", model=model, **told)
        assert beside(number, "tiny-pgd", "robust_accuracy", protocol, []) == expected


def test_the_table_is_what_the_cards_say() -> None:
    """Next where it fails: `make docs`."""
    assert PAGE.read_text(encoding="utf-8") == table()


def test_a_row_is_written_as_it_is_read() -> None:
    rows = published_table()
    assert tuple(read_rows(csv.DictReader(io.StringIO(write_rows(rows))))) == rows
