"""The command line as people meet it: quick answers, nearest names, exit codes."""

import argparse
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.cli import build_parser, main
from bench.testing import write_pictures, write_results
from model_zoo.registry import ROOT

WNIDS = ("n01440764", "n02123045")

NETWORK = """
import torch
from torch import nn

def make():
    torch.manual_seed(0)
    return nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 1000))
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A user's own model by name, and a folder of images."""
    root = tmp_path_factory.mktemp("own")
    (root / "net.py").write_text(NETWORK)
    name = f"file:{root}/net.py:make?size=32&resize=36&mean=0.5,0.5,0.5&std=0.5,0.5,0.5&classes=1000"
    return name, str(write_pictures(root / "imagenet", WNIDS, 4))


def test_listing_models_does_not_import_torch() -> None:
    code = "import sys; from bench.cli import main; main(['list', 'models']); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "efficientnet_lite0" in done.stdout


@pytest.mark.parametrize("kind", ["models", "suites", "attacks", "datasets"])
def test_lists_are_also_json(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", kind, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert all(row["name"] for row in rows)


def test_show_prints_the_card(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "efficientnet_lite0"]) == 0
    out = capsys.readouterr().out
    assert "Apache-2.0" in out
    assert "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db" in out


@pytest.mark.parametrize("command", ["show lab", "weights where lab", "list models"])
def test_own_cards_are_known_to_other_commands_than_run(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BENCH_CARDS", "")
    text = (ROOT / "tiny" / "cards" / "tiny_at.toml").read_text(encoding="utf-8")
    (tmp_path / "lab.toml").write_text(text.replace('"tiny_at"', '"lab"'), encoding="utf-8")
    assert main([*command.split(), "--cards", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "lab" in shown if command.startswith("show") else "tiny_at.safetensors" in shown or "lab\t" in shown


@pytest.mark.parametrize("command", ["leaderboard", "report", "figures", "diagnose", "check"])
def test_commands_that_look_at_cards_take_a_folder_of_them(command: str) -> None:
    (subparsers,) = (a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    assert "--cards" in subparsers.choices[command].format_help()


def test_a_file_of_somebody_else_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_results(tmp_path / "r", "fake", {"imagenet": {"imagenet/clean": 0.5}}, n=4)
    notes = tmp_path / "notes.csv"
    notes.write_text("mine", encoding="utf-8")
    assert main(["results", str(tmp_path / "r"), "--csv", str(notes)]) == 2
    assert "is not replaced" in capsys.readouterr().err
    assert notes.read_text(encoding="utf-8") == "mine"
    notes.unlink()
    for _ in range(2):  # its own table is brought up to date
        assert main(["results", str(tmp_path / "r"), "--csv", str(notes)]) == 0
    capsys.readouterr()
    for command, out in (("report", "r"), ("report", "notes.csv"), ("figures", "notes.csv")):
        assert main([command, str(tmp_path / "r"), "--out", str(tmp_path / out)]) == 2
        assert "name another" in (said := capsys.readouterr().err) or "name a folder" in said


def test_run_results_leaderboard(own: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, data = own
    out = str(tmp_path / "runs")
    command = ["run", "--model", model, "--suite", "imagenet,pgd", "--data", data, "--out", out, "--eps", "2/255,4/255"]
    assert main(command) == 0
    assert "8 of 50000 images, 998 of 1000 classes missing" in capsys.readouterr().out
    assert main(command) == 0
    assert "0 units to do" in capsys.readouterr().out
    assert main(["results", out, "--csv", str(tmp_path / "r.csv")]) == 0
    header = (tmp_path / "r.csv").read_text("utf-8").splitlines()[0].split(",")
    assert header[:10] == ["model", "suite", "condition", "metric", "value", "low", "high", "n", "unscored", "unit"]
    board = tmp_path / "board"
    assert (
        main(["leaderboard", out, "--csv", f"{board}.csv", "--markdown", f"{board}.md", "--latex", f"{board}.tex"]) == 0
    )
    assert "imagenet_accuracy_protocol" in Path(f"{board}.csv").read_text("utf-8")
    assert Path(f"{board}.md").read_text("utf-8").count("|") > 8
    assert "tabular" in Path(f"{board}.tex").read_text("utf-8")


def test_shards_and_merge(own: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, data = own
    common = ["run", "--model", model, "--suite", "pgd", "--data", data, "--steps", "2"]
    for i in (1, 2):
        assert main([*common, "--out", str(tmp_path / str(i)), "--shard", f"{i}/2"]) == 0
    assert main(["results", str(tmp_path / "1")]) == 3
    assert "is incomplete" in capsys.readouterr().err
    assert main(["merge", str(tmp_path / "1"), str(tmp_path / "2"), "--out", str(tmp_path / "all")]) == 0
    assert main(["results", str(tmp_path / "all")]) == 0


def test_a_dry_run_measures_nothing(own: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, data = own
    out = tmp_path / "runs"
    assert main(["run", "--model", model, "--suite", "pgd", "--data", data, "--out", str(out), "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "2 units to do (16 images)" in printed
    assert "MB of records" in printed
    assert not out.exists()


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("run --model efficientnet_lite --suite imagenet --data {data}", 2, "did you mean efficientnet_lite"),
        ("run --model {model} --suite imagenet-q --data {data}", 2, "did you mean imagenet"),
        (
            "run --model {model} --suite imagenet --data {data} --lmit 3",
            2,
            "unknown option --lmit (did you mean --limit",
        ),
        ("runn --model x", 2, "unknown command 'runn' (did you mean run?)"),
        ("run --model {model} --suite imagenet --data {data}/nowhere", 5, "is not a folder"),
        ("run --model {model} --suite imagenet-c --data {data}", 5, "--suite imagenet-c-live"),
        ("run --model {model} --suite pgd --data {data} --eps 4", 2, "4/255"),
        ("results {data}", 5, "no results here"),
        ("data fetch imagenett", 2, "did you mean imagenet"),
        ("reproduce satt", 2, "(did you mean sat?); known: "),
        ("show", 2, "`bench show --help` shows all"),
        ("show lab --cards {data}/nowhere", 2, "next: bench card new CHECKPOINT --cards"),
        ("doctor {data}/nowhere", 5, "not a folder"),
    ],
)
def test_what_goes_wrong_is_told_with_its_exit_code(
    own: tuple[str, str], command: str, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model, data = own
    arguments = [word.format(model=model, data=data) for word in command.split()]
    try:
        returned = main(arguments)
    except SystemExit as stop:
        returned = int(stop.code or 0)
    assert returned == code
    assert message in capsys.readouterr().err


def test_the_doctor_prints_and_returns_5_for_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_pictures(tmp_path, WNIDS, 2)
    assert main(["doctor", str(data)]) == 0
    assert "healthy" in capsys.readouterr().out
    (data / WNIDS[0] / "x.JPEG").write_text("x")
    assert main(["doctor", str(data)]) == 5


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_options_and_names(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for word in ("leaderboard", "step-size", "tiny_sat_silu", "imagenet-c-live", "imagenet-sketch", "canonical"):
        assert word in script


COMPLETED = pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("run --model tiny_sat_gelu_rec", "tiny_sat_gelu_rectified"),
        ("doc", "doctor"),
        ("run --suite imagenet-sk", "imagenet-sketch"),
    ],
)


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
@COMPLETED
def test_fish_completes(typed: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["completion", "fish"])
    (tmp_path / "script").write_text(capsys.readouterr().out)
    asked = f"source {tmp_path}/script; complete -C 'bench {typed}'"
    done = subprocess.run(["fish", "--no-config", "-c", asked], capture_output=True, text=True, check=False)
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == [expected], done.stderr


@pytest.mark.skipif(shutil.which("zsh") is None, reason="needs zsh")
def test_zsh_completes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At a terminal of its own: zsh completes nowhere else."""
    main(["completion", "zsh"])
    (tmp_path / "_bench").write_text(capsys.readouterr().out)
    ours, its = os.openpty()
    started = subprocess.Popen(
        ["zsh", "-f", "-i"],
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
        env=os.environ | {"TERM": "dumb"},
    )
    try:
        os.write(ours, f"fpath=({tmp_path} $fpath); autoload -Uz compinit; compinit -u -D; echo re''ady\n".encode())
        assert "ready" in said_until(ours, "ready")
        os.write(ours, b"bench run --model tiny_sat_gelu_rec\t")
        assert "tiny_sat_gelu_rectified" in said_until(ours, "tiny_sat_gelu_rectified")
        os.write(ours, b"--suite imagenet-sk\t")
        assert "imagenet-sketch" in said_until(ours, "imagenet-sketch")
    finally:
        started.kill()
        started.wait()
        os.close(ours)
        os.close(its)


def said_until(terminal: int, expected: str, seconds: float = 60) -> str:
    """What a terminal shows until it shows `expected`."""
    said, end = "", time.monotonic() + seconds
    while expected not in said and time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            said += os.read(terminal, 65536).decode(errors="replace")
    return said


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@COMPLETED
def test_bash_completes(typed: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["completion", "bash"])
    (tmp_path / "script").write_text(capsys.readouterr().out)
    words = typed.split()
    asked = f"source {tmp_path}/script; COMP_WORDS=(bench {typed}); COMP_CWORD={len(words)}; _shtab_bench"
    done = subprocess.run(
        ["bash", "-c", f"{asked}; echo ${{COMPREPLY[@]}}"], capture_output=True, text=True, check=False
    )
    assert expected in done.stdout.split(), done.stderr


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("list modles", "unknown kind 'modles' (did you mean models?)"),
        ("results DIR --format jsn", "unknown --format 'jsn' (did you mean json?)"),
        ("weights fetc x", "unknown command 'fetc' (did you mean fetch?)"),
    ],
)
def test_a_misspelt_choice_is_suggested(command: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(command.split())
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["corruptions", "recipes"])
def test_what_an_error_says_to_list_can_be_listed(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", kind]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 5


def test_compare_begins_with_a_summary_and_orders_its_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attacked = [f"imagenet/pgd-linf-eps{e}_255-k10-a1_255-r1-untargeted" for e in (2, 16)]
    for name, accuracy in (("a", 0.9), ("b", 0.2)):
        write_results(tmp_path, name, {"pgd": {attacked[1]: 0.5, attacked[0]: accuracy, "imagenet/clean": 0.5}}, n=50)
    assert main(["compare", "a", "b", str(tmp_path), "--format", "table"]) == 0
    first, *_, one, two, three = capsys.readouterr().out.splitlines()
    assert first == "a (A) against b (B): A is better on 1, not told apart on 2 of 3 conditions"
    assert [name in line for name, line in zip(["imagenet/clean", *attacked], (one, two, three), strict=True)] == [
        True
    ] * 3
    with pytest.raises(SystemExit):
        main(["compare"])
    assert main(["compare", "aa", "b", str(tmp_path)]) == 2
    assert "no results of 'aa' here (did you mean a?)" in capsys.readouterr().err


def test_one_of_a_thing_is_told_in_the_singular(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--model", "tiny_std", "--suite", "tiny", "--limit", "1", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "tiny_std: 1 condition on tiny (1 image)" in shown
    assert "1 unit to do (1 image)" in shown


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            "run --model tiny_std --suite tiny --model tiny_at",
            "--model is given twice, found tiny_std and tiny_at; separate",
        ),
        ("run --model tiny_std --suite tiny --limit 4 --limit=8", "--limit is given twice, found 4 and 8"),
        ("run --model file:net.py:make?size=32&size=64 --suite clean", "option size is given twice"),
    ],
)
def test_an_option_given_twice_is_refused(command: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """argparse keeps the last value and says nothing of the others."""
    try:
        code = main(command.split())
    except SystemExit as stop:
        code = int(str(stop.code))
    assert code == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_the_same_parser_reads_two_commands() -> None:
    parser = build_parser()
    words = ["results", "runs", "--csv", "a.csv"]
    assert [parser.parse_args(words).csv for _ in range(2)] == [parser.parse_args(words).csv] * 2
