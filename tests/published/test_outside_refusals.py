"""Tables of others that would be misread are refused: fractions, renamed columns, shifted cells, norms by guess."""

import json
from pathlib import Path

import pytest

from bench.board.leaderboard import leaderboard
from bench.errors import UsageError
from bench.published.comparability import beside
from bench.published.outside import of_model, read_outside
from bench.published.table import Published
from bench.testing import write_results
from model_zoo.errors import CardError
from model_zoo.reported import ReportedNumber

INFO = {"dataset": "imagenet", "eps": "4/255", "clean_acc": "64.02", "autoattack_acc": "34.96"}
TIMM = "model,img_size,top1,top1_err,crop_pct,interpolation\n"
OWN = "model,metric,value,dataset,source"
PGD = "imagenet/pgd-linf-eps4_255-k10-a1_255-r1-untargeted"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"clean_acc": "0.6402", "autoattack_acc": "0.3496"},
            "accuracy: a share is in %, found 0.6402 %, which looks like a fraction of 1",
        ),
        ({"autoattack_acc": "0.3496"}, "robust_accuracy: a share is in %, found 0.3496 %, which looks"),
        ({"clean_acc": "640.2"}, "a share is in %, from 0 to 100, found 640.2"),
        ({"dataset": None}, "KeyError: 'dataset'"),
        ({"clean_acc": None, "autoattack_acc": None, "clean": "64.02"}, "none of clean_acc, autoattack_acc"),
    ],
)
def test_robustbench_s_files_are_in_percent_and_have_its_keys(given: dict[str, str], says: str, tmp_path: Path) -> None:
    info = {key: value for key, value in (INFO | given).items() if value is not None}
    (tmp_path / "x.json").write_text(json.dumps(info))
    with pytest.raises(UsageError, match=says):
        read_outside(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("folder", "eps", "norm"),
    [("Linf", "0.0156862745", "linf"), ("Linf", "4/255", "linf"), ("L2", "128/255", "l2"), ("x", "4/255", "linf")],
)
def test_a_folder_s_name_says_the_norm(folder: str, eps: str, norm: str, tmp_path: Path) -> None:
    (tmp_path / folder).mkdir()
    file = tmp_path / folder / "x.json"
    file.write_text(json.dumps(INFO | {"eps": eps, "autoattack_acc": "0.28"}))
    number = read_outside(file)[1].number
    assert (number.norm, number.value) == (norm, 0.28)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("results-imagenet.csv", f"{TIMM}a,224,0.812,0.188,1.0,bicubic\n", "add up to another number than 100"),
        ("results-imagenet.csv", f"{TIMM}a,224,81.2,1.0,bicubic\n", "not as many cells as there are columns"),
        ("own.csv", f"{OWN}\na,accuracy,0.812,imagenet,x\n", "looks like a fraction of 1"),
        ("own.csv", f"{OWN}\na,accuracy,812,imagenet,x\n", "from 0 to 100, found 812"),
        ("own.csv", f"{OWN},unit\na,error,0.188,imagenet,x,share\n", "found 0.188 share"),
        ("own.csv", f"{OWN},Subset\na,accuracy,81.2,imagenet,x,5000\n", "column 'Subset', .*did you mean subset"),
        ("own.csv", "model,metric,value,source\na,accuracy,81.2,x\n", "no column dataset"),
        ("own.csv", f"{OWN}\na,accuracy,81.2,imagenet,table 3, page 2\n", "not as many cells as there are columns"),
    ],
)
def test_tables_that_would_be_misread_are_refused(name: str, text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=says):
        read_outside(tmp_path / name)


def test_a_number_whose_measurer_is_not_named_is_no_author_s_claim(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(f"{OWN}\ntimm:a,accuracy,81.2,imagenet,x\n")
    write_results(tmp_path / "r", "timm:a", {"imagenet": {"imagenet/clean": 0.8}})
    board = leaderboard(tmp_path / "r", outside=read_outside(tmp_path / "own.csv"))
    assert board["imagenet_accuracy_outside"].item() == 81.2
    assert "imagenet_accuracy_claimed" not in board


def test_a_share_in_a_card_is_in_percent() -> None:
    with pytest.raises(CardError, match=r"found 0\.7 share"):
        ReportedNumber("accuracy", 0.7, "x", unit="share")
    with pytest.raises(CardError, match=r"found 0\.761 %, which looks like a fraction of 1"):
        ReportedNumber("accuracy", 0.761, "x")
    assert ReportedNumber("accuracy_200", 0.04, "x", dataset="imagenet-a").value == 0.04
    assert ReportedNumber("mce", 123.4, "x", unit="mCE", dataset="imagenet-c").value == 123.4


@pytest.mark.parametrize(("restarts", "value"), [(0, 43.0), (1, 43.0), (20, None)])
def test_other_restarts_are_another_attack(restarts: int, value: float | None) -> None:
    attack = {"attack": "pgd", "norm": "linf", "eps": "4/255", "steps": 10, "targeted": False, "restarts": restarts}
    number = Published("m", ReportedNumber("robust_accuracy", 43.0, "x", **attack))  # type: ignore[arg-type]
    assert beside(number, "pgd", "robust_accuracy", "hash", [PGD]) == value


@pytest.mark.parametrize(("side", "shown"), [(224, True), (288, False)])
def test_timm_s_numbers_at_another_size_stand_beside_nothing(side: int, shown: bool, tmp_path: Path) -> None:
    (tmp_path / "results-imagenet.csv").write_text(f"{TIMM}a,{side},81.2,18.8,1.0,bicubic\n")
    write_results(tmp_path / "r", "timm:a", {"imagenet": {"imagenet/clean": 0.8}})  # an input of 224
    board = leaderboard(tmp_path / "r", outside=read_outside(tmp_path / "results-imagenet.csv"))
    assert ("imagenet_accuracy_outside" in board) == shown
    unused = "1 outside number read, none of a model, a set and an attack that are shown here"
    assert (unused in board.attrs["notes"]) != shown


@pytest.mark.parametrize(
    ("model", "theirs", "shown"),
    [
        ("efficientnet_lite0", "efficientnet_lite0", False),  # timm's old name of another checkpoint
        ("resnet50", "resnet50", False),
        ("resnet50", "resnet50.tv_in1k", True),  # the card says that it is this one
        ("timm:resnet50.tv_in1k", "resnet50.tv_in1k", True),
    ],
)
def test_one_name_in_two_zoos_is_not_one_checkpoint(model: str, theirs: str, shown: bool, tmp_path: Path) -> None:
    (tmp_path / "results-imagenet.csv").write_text(f"{TIMM}{theirs},224,81.2,18.8,1.0,bicubic\n")
    found = of_model(model, read_outside(tmp_path / "results-imagenet.csv"))
    assert (81.2 in {published.number.value for published in found}) == shown
