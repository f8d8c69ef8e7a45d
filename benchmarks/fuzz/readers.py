"""Every reader of untrusted files, with valid samples and their mutations."""

import data
import mutate
import zoo
from mutate import damage, noise, of
from reader import OURS, Reader
from safetensors.torch import save as save_safetensors

import results
from model_zoo.standard import from_timm, from_torchvision

__all__ = ["OURS", "READERS"]

PRELOADED = (from_timm, from_torchvision)
"""Modules that readers import late, which takes seconds."""

READERS = (
    Reader("card (TOML)", zoo.card_samples, of(mutate.lines, mutate.lines, damage), zoo.card),
    Reader("weights: TensorFlow V2", zoo.index_samples, of(damage, zoo.index_entries, noise), zoo.index),
    Reader(
        "weights: npz",
        zoo.npz_samples,
        of(damage, mutate.zipped(mutate.npy_header), mutate.zipped(damage), noise),
        zoo.weights,
    ),
    Reader(
        "weights: safetensors",
        lambda: [save_safetensors(zoo.TENSORS)],
        of(damage, mutate.safetensors_header, noise),
        zoo.weights,
    ),
    Reader(
        "weights: PyTorch zip", lambda: zoo.torch_samples(legacy=False), of(damage, mutate.zipped(damage)), zoo.weights
    ),
    Reader("weights: PyTorch legacy", lambda: zoo.torch_samples(legacy=True), of(damage, damage, noise), zoo.weights),
    Reader("oracle meta.json", zoo.meta_samples, mutate.json_tree, zoo.meta, 0.2),
    Reader("oracle io.npz", zoo.io_samples, of(damage, mutate.zipped(mutate.npy_header)), zoo.oracle_io),
    Reader("SHA256SUMS", lambda: [b"0" * 64 + b"  w.npz\n"], of(damage, mutate.lines), zoo.sums),
    Reader("model names", lambda: [b"tiny_mbn@adv"], zoo.name_, zoo.model_name, 0.5),
    Reader("pictures", data.picture_samples, of(damage, damage, mutate.png_chunk, noise), data.picture, 2.0),
    Reader("tar shards", data.tar_samples, of(damage, mutate.tar_header, mutate.tar_header), data.tar, 0.5),
    Reader("Parquet data sets", data.parquet_samples, of(damage, mutate.parquet_table), data.parquet, 0.5),
    Reader("LOC_val_solution.csv", data.kaggle_samples, of(mutate.lines, damage), data.kaggle, 0.5),
    Reader("devkit: ground truth", lambda: [b"1\n2\n1\n"], of(mutate.lines, damage), data.truth, 0.3),
    Reader("devkit: meta.mat", lambda: [data.MAT], damage, data.mat, 0.5),
    Reader("data folders", lambda: [b"n01440764/a.JPEG"], data.folder_names, data.data_folder, 0.3),
    Reader("archives (tar, zip)", data.archive_samples, data.archive_bytes, data.archive, 0.5),
    Reader("decode cache", data.decoded_samples, mutate.json_tree, data.decoded),
    Reader("run.json", results.of_kind("run.json"), mutate.json_tree, results.run_json, 0.15),
    Reader("cell.json", results.of_kind("cell.json"), mutate.json_tree, results.cell_json, 0.15),
    Reader("reliability.json", results.verdict_samples, mutate.json_tree, results.verdict, 0.1),
    Reader(
        "records (Parquet)",
        results.of_kind(".parquet"),
        of(damage, mutate.parquet_table, mutate.parquet_table),
        results.part,
        0.15,
    ),
    Reader(
        "measurements (Parquet)",
        results.measurement_samples,
        of(damage, mutate.parquet_table, mutate.parquet_table),
        results.measurement,
        0.3,
    ),
    Reader("baseline of bench check", results.baseline_samples, of(mutate.json_tree, damage), results.baseline),
    Reader("RobustBench model_info", results.outside_samples, of(mutate.json_tree, damage), results.outside("x.json")),
    Reader(
        "timm results, published.csv",
        results.table_samples,
        of(mutate.lines, damage),
        results.outside("results-imagenet.csv"),
    ),
)
