"""Callbacks measure a network between epochs; the numbers are `bench.run`'s."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import bench
from bench.callbacks import EpochEvaluation
from bench.errors import UsageError

PICTURES = torch.rand(12, 3, 8, 8, generator=torch.Generator().manual_seed(1)).mul(255).round().div(255)
LABELS = torch.arange(12) % 3
HOW = {"size": 8, "mean": (0.5,) * 3, "std": (0.5,) * 3, "data": (PICTURES, LABELS)}


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 3))


def expected(net: nn.Module) -> float:
    with torch.no_grad():
        return (net((PICTURES - 0.5) / 0.5).argmax(1) == LABELS).double().mean().item()


def test_an_evaluation_gives_the_numbers_of_a_run(tmp_path: Path) -> None:
    net = network()
    evaluation = EpochEvaluation("pgd", every=2, eps="2/255", steps=2, reliability=0, out=tmp_path, **HOW)
    assert [epoch for epoch in range(1, 7) if evaluation.due(epoch)] == [2, 4, 6]
    found = evaluation.measure(net, 2)
    assert found["pgd/clean_accuracy"] == pytest.approx(expected(net))
    assert found["pgd/robust_accuracy_low"] <= found["pgd/robust_accuracy"] <= found["pgd/clean_accuracy"]
    assert found["pgd/robust_accuracy_n"] == 12
    assert all(map(math.isfinite, found.values()))
    assert set(bench.results(tmp_path)["model"]) == {"network-epoch2"}


def test_an_earlier_run_of_the_suite_with_fewer_budgets_is_no_part_of_it(tmp_path: Path) -> None:
    how = {"steps": 2, "reliability": 0, "out": tmp_path, "name": "net", "quiet": True, **HOW}
    weak = bench.run(network(), "pgd", eps="1/255", **how)
    both = bench.run(network(), "pgd", eps="1/255,64/255", **how)
    attacked = both[(both["metric"] == "accuracy") & both["condition"].str.contains("pgd")]["value"]
    robust = both[both["metric"] == "robust_accuracy"]["value"].tolist()
    assert robust == [attacked.min()]  # it stood there twice, once of the weaker attack alone
    assert robust != weak[weak["metric"] == "robust_accuracy"]["value"].tolist()
    found = EpochEvaluation("pgd", eps="1/255,64/255", **{k: v for k, v in how.items() if k not in ("name", "quiet")})
    bench.run(network(), "pgd", eps="1/255", **{**how, "name": "network-epoch1"})
    assert found.measure(network(), 1)["pgd/robust_accuracy"] == attacked.min()


def test_epochs_are_counted_from_one() -> None:
    with pytest.raises(UsageError, match="every=0"):
        EpochEvaluation("pgd", every=0)


@pytest.mark.filterwarnings("ignore:.isinstance.treespec:FutureWarning")  # Lightning's own, under torch 2.15
def test_lightning_logs_every_second_epoch(tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning.pytorch")

    class Net(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.net = network()

        def forward(self, images: Tensor) -> Tensor:
            return self.net(images)

        def training_step(self, batch: Any, _index: int) -> Tensor:
            images, labels = batch
            return nn.functional.cross_entropy(self((images - 0.5) / 0.5), labels)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    seen: list[dict[str, float]] = []

    class Watch(lightning.Callback):  # type: ignore[misc, name-defined]
        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            seen.append({k: v.item() for k, v in trainer.callback_metrics.items()} | {"true": expected(pl_module.net)})
            assert pl_module.training

    made = bench.callbacks.for_lightning("clean", every=2, out=tmp_path, **HOW)
    trainer = lightning.Trainer(
        max_epochs=4, callbacks=[made, Watch()], logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, accelerator="cpu",
    )  # fmt: skip
    trainer.fit(Net(), DataLoader(TensorDataset(PICTURES, LABELS), batch_size=6))
    assert "clean/accuracy" not in seen[0]
    assert [round(seen[i]["clean/accuracy"], 4) for i in (1, 3)] == [round(seen[i]["true"], 4) for i in (1, 3)]
    assert set(bench.results(tmp_path)["model"]) == {"network-epoch2", "network-epoch4"}


def test_trainer_keeps_it_in_its_history(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    config = transformers.ViTConfig(
        image_size=8, patch_size=4, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
        num_labels=3,
    )  # fmt: skip
    net = transformers.ViTForImageClassification(config)
    made = bench.callbacks.for_trainer("clean", out=tmp_path, **HOW)
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path / "trainer"), num_train_epochs=2, report_to=[], save_strategy="no", use_cpu=True,
        disable_tqdm=True,
    )  # fmt: skip
    pairs = [{"pixel_values": (x - 0.5) / 0.5, "labels": int(y)} for x, y in zip(PICTURES, LABELS, strict=True)]
    trainer = transformers.Trainer(model=net, args=arguments, train_dataset=pairs, callbacks=[made])
    trainer.train()
    told = [line["clean/accuracy"] for line in trainer.state.log_history if "clean/accuracy" in line]
    net.eval()
    with torch.no_grad():
        true = (net(pixel_values=(PICTURES - 0.5) / 0.5).logits.argmax(1) == LABELS).double().mean().item()
    assert len(told) == 2
    assert told[-1] == pytest.approx(true)
