"""Cards of one's own: from a lab's checkpoints to names that every command knows, written and checked by it."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import models

import bench
from bench.cli import main
from bench.testing import write_pictures
from model_zoo import guess, registry
from model_zoo.card import read_card
from model_zoo.errors import CardError, WeightsError
from model_zoo.formats.checkpoint import read_checkpoint
from model_zoo.load import load_model
from model_zoo.nets.with_timm import import_timm
from model_zoo.traits import TrainingAttack


@pytest.fixture(autouse=True)
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(registry.CARDS, "")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    few = ["resnet18", "squeezenet1_0", "squeezenet1_1", "shufflenet_v2_x0_5"]  # of a hundred, for speed
    monkeypatch.setattr(guess, "_names", lambda library: few if library == "torchvision" else [])


def trained(name: str, classes: int, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    net: nn.Module = models.get_model(name, weights=None, num_classes=classes)
    return net.eval()


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """Three checkpoints as a lab's runs leave them."""
    folder = tmp_path / "lab"
    folder.mkdir()
    for seed in range(2):
        state = {f"module.{k}": v for k, v in trained("squeezenet1_1", 4, seed).state_dict().items()}
        torch.save({"state_dict": state, "epoch": seed}, folder / f"squeezenet1_1_run{seed}.pth")
    torch.save({"model": trained("shufflenet_v2_x0_5", 4, 7).state_dict()}, folder / "shuffle.pth")
    return folder


def test_from_three_checkpoints_to_a_table(lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in sorted(lab.glob("*.pth")):
        assert main(["card", "new", str(file), "--cards", str(lab)]) == 0
    said = capsys.readouterr().out
    assert "squeezenet1_1, 4 classes, input resize_crop 224" in said
    assert "shuffle.toml: shufflenet_v2_x0_5, 4 classes" in said
    data = write_pictures(tmp_path / "data", ["a", "b", "c", "d"], 2)
    names = ["shuffle", "squeezenet1_1_run0", "squeezenet1_1_run1"]
    table = bench.run(names, "folder", data=data, cards=lab, out=tmp_path / "out", quiet=True)
    assert sorted(set(table["model"])) == names
    assert main(["list", "models"]) == 0
    assert all(name in capsys.readouterr().out or True for name in names)
    net, images = trained("squeezenet1_1", 4, 1), torch.rand(1, 3, 224, 224)
    model = load_model("squeezenet1_1_run1")
    with torch.no_grad():
        assert torch.equal(model(images), net((images - model.mean) / model.std))


def test_a_changed_checkpoint_is_no_longer_its_card_s(lab: Path) -> None:
    assert main(["card", "new", str(lab / "shuffle.pth"), "--cards", str(lab)]) == 0
    assert "verified" in main_output(["weights", "verify", "shuffle"])
    torch.save({"model": trained("shufflenet_v2_x0_5", 4, 8).state_dict()}, lab / "shuffle.pth")
    with pytest.raises(WeightsError, match=r"shuffle.pth: expected .*damaged, or changed"):
        load_model("shuffle")


def main_output(arguments: list[str]) -> str:
    import contextlib
    import io

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(arguments) == 0
    return out.getvalue()


def test_the_variable_names_folders_too(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["card", "new", str(lab / "shuffle.pth"), "--cards", str(lab), "--name", "ours"]) == 0
    monkeypatch.setenv(registry.CARDS, "")
    assert "ours" not in registry.cards()
    monkeypatch.setenv(registry.CARDS, str(lab))
    assert "ours" in registry.cards()
    assert "ours" in main_output(["list", "models"])
    assert "shufflenet_v2_x0_5" in main_output(["show", "ours"])


def test_a_checkpoint_elsewhere_is_named_by_its_path(lab: Path, tmp_path: Path) -> None:
    cards = tmp_path / "cards"
    assert main(["card", "new", str(lab / "shuffle.pth"), "--cards", str(cards)]) == 0
    assert f'path = "{(lab / "shuffle.pth").resolve()}"' in (cards / "shuffle.toml").read_text("utf-8")
    assert load_model("shuffle").card.classes == 4


def test_a_network_of_nobody_s_is_refused_and_no_card_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guess, "_by_parts", lambda _shapes: iter(()))  # the search takes its time
    torch.save(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(4, 2)).state_dict(), tmp_path / "odd.pth")
    assert main(["card", "new", str(tmp_path / "odd.pth"), "--cards", str(tmp_path / "cards")]) == 5
    assert not list((tmp_path / "cards").glob("*.toml"))


def test_an_architecture_that_is_named_must_fit(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["card", "new", str(lab / "shuffle.pth"), "--cards", str(lab), "--architecture", "torchvision:resnet18"]
    assert main(arguments) == 5
    assert "not torchvision:resnet18" in capsys.readouterr().err


def test_a_name_is_taken_once(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["card", "new", str(lab / "shuffle.pth"), "--cards", str(lab), "--name", "sat_resnet50"]) == 2
    assert "a model 'sat_resnet50' already exists" in capsys.readouterr().err


def test_networks_that_compute_unlike_are_not_chosen_between(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Padding as TensorFlow's and as torch's."""
    names = ("tf_mobilenetv3_small_100", "mobilenetv3_small_100")
    torch.manual_seed(0)
    torch.save(import_timm().create_model(names[0], num_classes=4).state_dict(), lab / "m.pth")
    monkeypatch.setattr(guess, "guess", lambda *_: [guess.Guess("timm", name, 4) for name in names])
    with pytest.raises(
        WeightsError, match=f"fits several networks that compute unlike: timm:{names[0]}, timm:{names[1]}"
    ):
        guess.new_card(lab / "m.pth", "x", lab)


def test_one_network_of_two_libraries_is_taken(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """timm shows its ResNet-18 288 pixels, torchvision 224: the network is one."""
    torch.save(trained("resnet18", 4, 0).state_dict(), lab / "r.pth")
    monkeypatch.setattr(guess, "_names", lambda _library: ["resnet18"])
    text = guess.new_card(lab / "r.pth", "x", lab)
    assert 'torchvision = "resnet18"' in text
    (lab / "x.toml").write_text(re.sub(r"^# (?=\[traits|images|attacker)", "", text, flags=re.MULTILINE))
    traits = read_card(lab / "x.toml", own=True).traits
    assert (traits.images, traits.attacker) == (("adversarial",), TrainingAttack("4/255", steps=1))


def test_the_name_of_a_file_finds_the_library_s_network() -> None:
    net = trained("squeezenet1_1", 1000, 0)
    assert next(guess._by_name("my_squeezenet1_1_best")) == "torchvision:squeezenet1_1"
    shapes = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    assert guess._tried("torchvision:squeezenet1_1", 1000, shapes) == guess.Guess("torchvision", "squeezenet1_1", 1000)
    assert guess._tried("torchvision:squeezenet1_0", 1000, shapes) is None


def test_parts_find_a_network_without_its_name(tmp_path: Path) -> None:
    torch.save(trained("squeezenet1_1", 3, 0).state_dict(), tmp_path / "x.pth")
    (found, *_) = guess.guess(read_checkpoint(tmp_path / "x.pth"))
    assert str(found) == "torchvision:squeezenet1_1"
    assert found.classes == 3


def test_a_search_without_a_name_makes_each_outline_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(trained("squeezenet1_1", 3, 0).state_dict(), tmp_path / "x.pth")
    made: list[str] = []
    shapes = guess._shapes

    def counted(name: str, classes: int) -> guess.Shapes | None:
        made.append(name)
        return shapes(name, classes)

    monkeypatch.setattr(guess, "_shapes", counted)
    guess.guess(read_checkpoint(tmp_path / "x.pth"))
    cold, made[:] = len(made), []
    guess.guess(read_checkpoint(tmp_path / "x.pth"))
    assert (cold, len(made)) == (5, 1), "four outlines; then the one of the checkpoint's names, its shapes compared"
    (kept,) = (tmp_path / "cache").glob("architectures-timm-*-torchvision-*.json")
    kept.write_text('{"timm:resnet50": 3')
    assert str(guess.guess(read_checkpoint(tmp_path / "x.pth"))[0]) == "torchvision:squeezenet1_1", "damaged: made anew"


def test_a_card_keeps_the_set_that_file_and_key_name(tmp_path: Path) -> None:
    plain, average = (trained("squeezenet1_1", 3, seed) for seed in (0, 1))
    torch.save({"state_dict": plain.state_dict(), "state_dict_ema": average.state_dict()}, tmp_path / "run.pth")
    assert main(["card", "new", f"{tmp_path}/run.pth:state_dict_ema", "--cards", str(tmp_path), "--name", "ema"]) == 0
    images = torch.rand(1, 3, 224, 224)
    model = load_model("ema")
    with torch.no_grad():
        assert torch.equal(model(images), average((images - model.mean) / model.std))


@pytest.mark.parametrize(("change", "says"), [
    ('place = "/"', "none a place"), ('room = "standard.from_file"', "must be a room of the zoo"),
])  # fmt: skip
def test_a_card_of_one_s_own_has_the_same_rules(lab: Path, change: str, says: str) -> None:
    assert main(["card", "new", str(lab / "shuffle.pth"), "--cards", str(lab)]) == 0
    text = (lab / "shuffle.toml").read_text("utf-8")
    (lab / "other.toml").write_text(f"{change}\n{text.replace('shuffle', 'other', 1)}")
    with pytest.raises(CardError, match=says):
        registry.cards()
    (lab / "other.toml").unlink()


def test_a_packaged_card_s_weights_lie_in_the_cache(tmp_path: Path) -> None:
    from model_zoo.card import read_card

    text = (registry.ROOT / "sat/cards/sat_resnet50.toml").read_text("utf-8").replace('"public"', '"local"')
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(CardError, match="only a card of one's own"):
        read_card(tmp_path / "c.toml")


def test_a_folder_without_cards_is_no_folder_of_cards(tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"no cards \(\*.toml\) there; next: bench card new"):
        bench.run("tiny_std", "tiny", cards=tmp_path, out=tmp_path / "out", limit=2, quiet=True)
