"""`--keep-adversarial`: the images, judged again as the files hold them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import bench
from bench.cli import main
from bench.errors import UsageError
from bench.folder.kept import KeptPictures
from model_zoo import load_model


def test_pictures_lie_as_png_and_are_judged_as_stored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where, out = tmp_path / "pictures", tmp_path / "out"
    command = f"run --model tiny_at --suite apgd-ce --eps 8/255 --steps 3 --limit 6 --reliability 0 --quiet --out {out}"
    assert main([*command.split(), "--keep-adversarial", f"{where}:4"]) == 0
    folder = where / "tiny_at" / "tiny%2Fapgd-ce-linf-eps8_255-k3-r1"
    table = pd.read_csv(folder / "0-6.csv")
    assert len(table) == len(list(folder.glob("*.png"))) == 4
    assert f"{folder}: 4 images" in capsys.readouterr().out
    records = bench.records(out).set_index(["condition", "image_id"])
    model = load_model("tiny_at")
    for row in table.itertuples():
        picture = np.array(Image.open(folder / row.file))
        shown = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
        assert int(model(shown).argmax()) == row.png_prediction
        kept = records.loc[("tiny/apgd-ce-linf-eps8_255-k3-r1", row.image_id)]
        assert (kept["prediction"], kept["distance"]) == (row.prediction, pytest.approx(row.distance))
        assert row.png_distance <= 8.5 / 255 + 1e-6
        before = np.array(Image.open(where / "tiny_at" / "tiny%2Fclean" / row.file))
        assert np.abs(before.astype(int) - picture).max() == round(row.png_distance * 255)


def test_a_run_that_measures_nothing_says_that_it_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = f"run --model tiny_at --suite bim --steps 1 --limit 2 --reliability 0 --quiet --out {tmp_path / 'out'}"
    assert main(command.split()) == 0
    assert main([*command.split(), "--keep-adversarial", str(tmp_path / "none")]) == 0
    assert "no images" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "message"),
    [({"suites": "tiny"}, "none of the suites has an attack"), ({"keep_adversarial": __file__}, "is a file")],
)
def test_what_could_not_be_kept_is_refused(tmp_path: Path, given: dict[str, str], message: str) -> None:
    asked = {"suites": "bim", "keep_adversarial": str(tmp_path / "pictures")} | given
    with pytest.raises(UsageError, match=message):
        bench.run("tiny_at", asked.pop("suites"), out=tmp_path / "out", **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "folder", "images"), [("a/b", "a/b", None), ("a/b:12", "a/b", 12), ("C:dir", "C:dir", None)]
)
def test_a_number_behind_a_colon_is_that_of_images(text: str, folder: str, images: int | None) -> None:
    assert KeptPictures.parse(text) == KeptPictures(Path(folder), images)


def test_names_never_leave_the_folder() -> None:
    assert KeptPictures(Path("a")).of("..", "../x") == Path("a/%2E%2E/%2E.%2Fx")


def test_a_picture_that_two_runs_attacked_counts_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = f"--keep-adversarial {tmp_path / 'pictures'}"
    command = f"run --model tiny_at --suite apgd-ce --eps 8/255 --steps 3 --reliability 0 --quiet {kept}"
    for limit in (3, 5):
        assert main([*command.split(), "--limit", str(limit), "--out", str(tmp_path / str(limit))]) == 0
    assert "5 images" in capsys.readouterr().out
    condition = "tiny/apgd-ce-linf-eps8_255-k3-r1"
    table = KeptPictures(tmp_path / "pictures").table("tiny_at", condition)
    records = bench.records(tmp_path / "5").query("condition == @condition")
    assert table["image_id"].tolist() == records["image_id"].tolist()
