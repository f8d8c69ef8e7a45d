"""One name, several models: each has its own records, rows, pages and paired tests, and none outlives its number."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import bench
from bench.board.leaderboard import leaderboard
from bench.board.site.build import write_site
from bench.cli import main
from bench.engine.run import prepare
from bench.errors import UsageError
from bench.folder.compare import compare_models, compare_pairs
from bench.folder.merge import merge
from bench.folder.verify import verify
from bench.known_models import ModelKey, labels, name_of, read_known_models
from bench.store import Store
from model_zoo.card import InputSpec, ModelCard, WeightsSpec
from model_zoo.load import load_model
from model_zoo.model import Model

NORM = "mean=0:0:0&std=1:1:1&classes=10&labels=tiny10&dataset=tiny"


class Always(nn.Module):
    """Answers one class, whatever it is shown; the class is held where torch does not look."""

    def __init__(self, answer: int) -> None:
        super().__init__()
        self.held = [2 * torch.nn.functional.one_hot(torch.tensor(answer), 10).float()]

    def forward(self, x: Tensor) -> Tensor:
        return self.held[0].expand(len(x), -1) + 0 * x.mean((1, 2, 3))[:, None]


def always(answer: int) -> Model:
    spec = InputSpec(32, resize=32)
    card = ModelCard(
        "one_name",
        "standard",
        "always",
        spec,
        WeightsSpec("none", "user", "-"),
        dataset="tiny",
        labels="tiny10",
        classes=10,
    )
    return Model(Always(answer), card)


def shown(table: pd.DataFrame) -> dict[str, float]:
    rows = table[(table["condition"] == "all") & (table["metric"] == "accuracy")]
    return dict(zip(rows["model"], rows["value"], strict=True))


def right(answer: int, folder: Path) -> float:
    """From the labels themselves."""
    records = bench.records(folder)
    each = records.drop_duplicates("image_id")
    return float((each["label"] == answer).mean())


def test_weights_of_two_files_under_one_name_are_two_rows(tmp_path: Path) -> None:
    """Case 1: the second file is zeroed, so that every image is said to be of class 0."""
    model = load_model("tiny_std")
    state = {k: v for k, v in model.net.state_dict().items() if not k.endswith("num_batches_tracked")}
    save_file(state, tmp_path / "w1.safetensors")
    save_file({k: torch.zeros_like(v) for k, v in state.items()}, tmp_path / "w2.safetensors")
    out = tmp_path / "out"
    for name in ("w1", "w2"):
        bench.run("tiny_std", "tiny", weights=tmp_path / f"{name}.safetensors", limit=100, out=out, quiet=True)
    rows = shown(bench.results(out))
    (first,) = [label for label in rows if "w1.safetensors" in label]
    (second,) = [label for label in rows if "w2.safetensors" in label]
    assert len(rows) == 2
    assert rows[first] > 0.8
    assert rows[second] == right(0, out)
    assert name_of(first) == name_of(second) == "tiny_std"
    board = leaderboard(out)
    assert set(board["model"]) == {first, second}
    assert set(board["method"]) == {""}  # neither file is the card's
    found = compare_pairs(out)
    assert len(found.table) == 1
    a, b = (found.table[side].item() for side in ("a", "b"))
    assert found.table["difference"].item() == pytest.approx(rows[a] - rows[b])
    with pytest.raises(UsageError, match=r"which tiny_std.*w1.safetensors.*w2.safetensors"):
        compare_models("tiny_std", first, out)
    assert len(compare_models(first, second, out).table) == 1
    recount = verify(str(out))
    assert (recount.planned, recount.whole, recount.spare, recount.problems) == (2, 2, 0, [])
    write_site(out, tmp_path / "site")
    assert len(list((tmp_path / "site" / "models").glob("*.html"))) == 2


def write(path: Path, answer: int) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "import torch\nfrom torch import nn\nclass Net(nn.Module):\n    def forward(self, x):\n"
        f"        return 2 * torch.eye(10)[{answer}].repeat(len(x), 1)\ndef make():\n    return Net()\n"
    )
    return f"file:{path}:make"


def test_one_file_name_in_two_folders_and_with_two_sizes_in_one_command(tmp_path: Path) -> None:
    """Case 2."""
    a, b = write(tmp_path / "x" / "a.py", 1), write(tmp_path / "y" / "a.py", 2)
    names = [f"{a}?size=32&{NORM}", f"{b}?size=32&{NORM}", f"{a}?size=64&{NORM}"]
    table = bench.run(names, "tiny", limit=50, out=tmp_path / "out", quiet=True)
    rows = shown(table)
    assert len(rows) == 3
    expected = {1: right(1, tmp_path / "out"), 2: right(2, tmp_path / "out")}
    for label, value in rows.items():
        assert value == expected[1 if "/x/" in label else 2]
    recount = verify(str(tmp_path / "out"))
    assert (recount.planned, recount.whole, recount.spare) == (3, 3, 0)


@pytest.mark.parametrize("together", [False, True])
def test_a_network_in_a_list_with_other_weights_is_another_model(tmp_path: Path, together: bool) -> None:
    """Case 3, in two runs and in one."""
    models = [always(3), always(4)]
    for asked in [models] if together else [[model] for model in models]:
        bench.run(asked, "tiny", limit=60, out=tmp_path, quiet=True)
    rows = shown(bench.results(tmp_path))
    assert sorted(rows.values()) == sorted([right(3, tmp_path), right(4, tmp_path)])
    assert len(rows) == 2
    assert all(name_of(label) == "one_name" for label in rows)
    assert prepare(always(3), "tiny", limit=60, out=tmp_path).todo == []


def test_two_seeds_are_two_rows_that_say_so(tmp_path: Path) -> None:
    """Case 10."""
    for seed in (0, 1):
        bench.run("tiny_std", "tiny", limit=20, seed=seed, out=tmp_path, quiet=True)
    board = leaderboard(tmp_path)
    assert sorted(board["model"]) == ["tiny_std [seed 0]", "tiny_std [seed 1]"]
    assert set(board["method"]) == {"standard"}
    with pytest.raises(UsageError, match="which tiny_std"):
        compare_pairs(tmp_path, ["tiny_std", "tiny_std [seed 1]"])


def test_a_model_that_only_the_probe_tells_apart_has_records_of_its_own(tmp_path: Path) -> None:
    """A number read from a file at every call."""
    file, name = tmp_path / "answer", tmp_path / "net.py"
    name.write_text(
        "import torch\nfrom pathlib import Path\nfrom torch import nn\n"
        "class Net(nn.Module):\n    def forward(self, x):\n"
        f"        answer = int(Path({str(file)!r}).read_text())\n"
        "        return 2 * torch.eye(10)[answer].repeat(len(x), 1)\ndef make():\n    return Net()\n"
    )
    asked = f"file:{name}:make?size=32&{NORM}"
    for answer in (5, 6, 5):
        file.write_text(str(answer))
        table = bench.run(asked, "tiny", limit=60, out=tmp_path / "out", quiet=True)
        assert list(shown(table).values()) == [right(answer, tmp_path / "out")]
    assert len(shown(bench.results(tmp_path / "out"))) == 2


def test_merged_folders_keep_what_their_models_are(tmp_path: Path) -> None:
    for answer in (3, 4):
        bench.run(always(answer), "tiny", limit=30, out=tmp_path / str(answer), quiet=True)
    merge([str(tmp_path / "3"), str(tmp_path / "4")], str(tmp_path / "all"))
    assert len(shown(bench.results(tmp_path / "all"))) == 2
    assert prepare([always(3), always(4)], "tiny", limit=30, out=tmp_path / "all").todo == []
    assert {m.fingerprint for m in read_known_models(Store(tmp_path / "all"))} == {
        always(answer).identity().exact for answer in (3, 4)
    }


@pytest.mark.parametrize("text", ["{", "[1]", '{"probe": "none"}'])
def test_a_damaged_description_of_a_model_does_not_stop_a_merge(text: str, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        bench.run(always(3), "tiny", limit=10, out=tmp_path / folder, quiet=True)
    (damaged,) = (tmp_path / "a" / "models").iterdir()
    damaged.write_text(text)
    merge([str(tmp_path / "a"), str(tmp_path / "b")], str(tmp_path / "all"))
    assert shown(bench.results(tmp_path / "all")) == {"one_name": right(3, tmp_path / "b")}


def test_compare_asks_which_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for answer in (3, 4):
        bench.run(always(answer), "tiny", limit=30, out=tmp_path, quiet=True)
    assert main(["compare", "one_name", "one_name", str(tmp_path)]) == 2
    assert "which one_name?" in capsys.readouterr().err
    one, other = sorted(shown(bench.results(tmp_path)))
    assert main(["compare", one, other, str(tmp_path)]) == 0


def test_labels_say_no_more_than_they_must() -> None:
    one, two = ModelKey("a", "1" * 64), ModelKey("a", "2" * 64)
    assert labels([one], []) == {one: "a"}
    assert labels([one, two], []) == {one: "a [11111111]", two: "a [22222222]"}
    close = ModelKey("a", "1" * 63 + "2")
    assert labels([one, close], [])[one] == f"a [{'1' * 64}]"


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("tiny_mbn@adv", "tiny_mbn@adv"),
        ("tiny_mbn@adv [seed 1]", "tiny_mbn@adv"),
        ("a [w 1.pt 0123abcd]", "a"),
        ("a [0123abcd, seed 12]", "a"),
        ("file:x [y]/n.py:make [n.pt 0123abcd]", "file:x [y]/n.py:make"),
        ("a [note]", "a [note]"),
    ],
)
def test_a_label_gives_its_name_back(label: str, name: str) -> None:
    assert name_of(label) == name
