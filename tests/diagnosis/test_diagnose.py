"""From a model to its page: what is drawn and said is what was measured."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import bench
from bench.board.site.build import write_site
from bench.condition import Condition
from bench.diagnosis.findings import mixture_shares
from bench.diagnosis.matched import matched_difference, verdict
from bench.diagnosis.read import label_of, read_diagnoses
from bench.diagnosis.run import diagnose, variants
from bench.diagnostics.plane import loss_planes
from bench.folder.reader import ResultsFolder
from bench.suites import diagnostics
from bench.testing import fake_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of one of a network's two branches, on six tiny images and one corruption."""
    out = tmp_path_factory.mktemp("diagnose")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diagnostics, "NAMES", ("fog",))
        diagnose("tiny_mbn@adv", out, quiet=True, limit=6, steps=2)
    return out


def test_the_report_s_model_page_tells_the_findings_and_how_to_see_more(folder: Path, tmp_path: Path) -> None:
    write_site(folder / "results", tmp_path)
    page = (tmp_path / "models" / "tiny_mbn-adv.html").read_text("utf-8")
    assert "findings on batch norm, smoothness and margins" in page
    assert "channel means differ" in page
    assert "bench diagnose tiny_mbn@adv --out" in page


def test_the_page_is_whole_in_itself(folder: Path) -> None:
    page = (folder / "tiny_mbn@adv.html").read_text("utf-8")
    assert page.count("src='data:image/png;base64,") == page.count("<img") >= 9
    assert not re.search(r"(src|href)='?(?!data:)", page.replace("src='data:", ""))
    assert page.index("<img") < page.index("<h2>Findings") < page.index("<h2>Tables")
    for words in (
        "dead or nearly dead",
        "between the two domains",
        "the affine parameters of",
        "relative L2 distance",
        "adapting the statistics",
        "smallest linf perturbation",
        "transductive",
        "limit 6 of",
    ):
        assert words in page, words


def test_findings_can_be_recounted_from_the_records(folder: Path) -> None:
    found = read_diagnoses(ResultsFolder(str(folder / "results")))
    assert set(found) == {"tiny_mbn@adv"}
    diagnosis = found["tiny_mbn@adv"]
    assert list(diagnosis.moments)[:3] == ["clean", "adversarial via adv", "adversarial via clean"]
    frame = diagnosis.records("batchnorm")["clean"]
    own = frame["prediction_statistics-adv_affine-adv"]
    assert own.tolist() == frame["prediction"].tolist()
    clean, attacked = diagnosis.moments["clean"], diagnosis.moments["adversarial via adv"]
    between = ((clean["mean"] - attacked["mean"]) / 2) ** 2
    share = between / (between + (clean["variance"] + attacked["variance"]) / 2 + clean["eps"])
    shares = mixture_shares(diagnosis, "adversarial via adv")
    np.testing.assert_allclose(shares, share.groupby(clean["layer"], sort=False).mean(), rtol=1e-9)


def test_moments_that_are_compared_are_of_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a larger run only the clean condition is whole: its moments are not held against another run's."""
    monkeypatch.setattr(diagnostics, "NAMES", ("fog",))
    for limit in (16, 32):
        bench.run("tiny_std", "batchnorm", limit=limit, out=tmp_path, quiet=True)
    for key, cell in ResultsFolder(tmp_path).cells.items():
        if cell.protocol.images == 32 and not Condition.parse(cell.protocol.condition).clean:
            shutil.rmtree(tmp_path / "cells" / key)
    (found,) = read_diagnoses(ResultsFolder(tmp_path)).values()
    assert len(found.moments) > 2
    assert {int(moments["images"].max()) for moments in found.moments.values()} == {16}


def test_variants_and_labels() -> None:
    assert variants("tiny_mbn") == ["tiny_mbn@clean", "tiny_mbn@adv"]
    assert variants("tiny_mbn@adv") == ["tiny_mbn@adv"]
    assert variants("tiny_at") == ["tiny_at"]
    pgd = "tiny/pgd-linf-eps8_255-k20-a1_255-r1-untargeted"
    assert label_of(f"{pgd}-through-adv:moments") == "adversarial via adv"
    assert label_of(f"{pgd}:moments") == "adversarial"
    assert label_of("tiny/fog/3:moments") == "fog"
    assert label_of("tiny-a/clean:moments") == "tiny-a"
    assert label_of("imagenet-v2/clean:moments+consistency") == "clean"


def test_matched_differences_are_of_images_that_both_have_right() -> None:
    def frame(right: list[bool], values: list[float]) -> pd.DataFrame:
        columns = {
            "image_id": list("abcd"),
            "label": 1,
            "prediction": np.where(right, 1, 0),
            "scored": True,
            "x": values,
        }
        return pd.DataFrame(columns)

    a, b = frame([True, True, True, False], [5, 6, 7, 100]), frame([True, True, True, True], [1, 2, 3, -100])
    found = matched_difference(a, b, "x")
    assert (found.value, found.n) == (4.0, 3)
    assert verdict(found) == "agrees"
    assert verdict(found, higher=False) == "disagrees"
    assert verdict(matched_difference(a, a, "x")) == "not told apart"


def test_a_plane_holds_the_losses_on_it() -> None:
    model, images = fake_model(classes=5), torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    label = model(images).argmax(1)
    (plane,) = loss_planes(model, images, label, ["a"], reach=0.1, points=3, device=torch.device("cpu"))
    loss = torch.nn.functional.cross_entropy
    assert plane.loss[1, 1] == pytest.approx(loss(model(images), label).item(), rel=1e-4)
    assert plane.right[1, 1]
    leaf = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(model(leaf), label), [leaf])
    ahead = (images + 0.1 * gradient.sign()).clamp(0, 1)
    assert plane.loss[2, 1] == pytest.approx(loss(model(ahead), label).item(), rel=1e-4)
    assert plane.loss[2, 1] > plane.loss[1, 1]
