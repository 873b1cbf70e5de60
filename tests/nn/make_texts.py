#!/usr/bin/env python3
"""Stores how PyTorch prints its layers, for the tests beside this file.

    pip install torch numpy
    tests/nn/make_texts.py

A line of texts.jsonl is a layer, its arguments and options, and its text. The layers are those of make_layers.py and more option sets, numbers given as one and
as several among them. A Sequential's arguments are layers described in the same way.
"""
import json
import pathlib

from torch import nn

import make_layers

FILE = pathlib.Path(__file__).resolve().parent / "texts.jsonl"


def described(layer, *arguments, **options):
    return dict(layer=layer, arguments=list(arguments), options=options)


def plain(value):
    return tuple(plain(v) for v in value) if isinstance(value, list) else value


def module_of(case):
    if case["layer"] == "Sequential":
        return nn.Sequential(*[module_of(c) for c in case["arguments"]])
    options = {name: plain(value) for name, value in case["options"].items()}
    return getattr(nn, case["layer"])(*[plain(a) for a in case["arguments"]], **options)


CASES = [described(c["layer"], *c["arguments"], **c["options"]) for c in make_layers.CASES]
for n in (1, 2, 3):
    sizes = [2, 3, 4][:n]
    several = [sizes] if n > 1 else []
    for kernel in [2] + several:
        CASES += [
            described(f"MaxPool{n}d", kernel_size=kernel),
            described(f"MaxPool{n}d", kernel_size=kernel, stride=1, padding=1, dilation=2, ceil_mode=True),
            described(f"AvgPool{n}d", kernel_size=kernel),
            described(f"AvgPool{n}d", kernel_size=kernel, stride=kernel, padding=1, ceil_mode=True, count_include_pad=False),
            described(f"Conv{n}d", 4, 8, kernel_size=kernel, stride=kernel, padding=kernel, dilation=kernel, groups=2, bias=False),
        ]
        for kind in ("Avg", "Max"):
            CASES.append(described(f"Adaptive{kind}Pool{n}d", output_size=kernel))
    for padding in ("same", "valid", 0, 1):
        CASES.append(described(f"Conv{n}d", 1, 8, kernel_size=3, padding=padding))
    if n > 1:
        for kind in ("Avg", "Max"):
            CASES += [described(f"Adaptive{kind}Pool{n}d", output_size=size) for size in (None, [None, 3, 2][:n], [2, None, None][:n])]
    CASES += [
        described(f"InstanceNorm{n}d", 3),
        described(f"InstanceNorm{n}d", 3, eps=0.001, momentum=None, affine=True, track_running_stats=True),
    ]
for kind in ("BatchNorm1d", "BatchNorm2d"):
    CASES += [described(kind, 8), described(kind, 8, eps=1e-3, momentum=None), described(kind, 2, momentum=1.0, affine=False, track_running_stats=False)]
for kind in ("LSTM", "GRU"):
    CASES += [
        described(kind, 2, 3),
        described(kind, 2, 3, num_layers=3, bias=False, batch_first=True, dropout=0.25, bidirectional=True),
    ]
CASES += [
    described("Linear", 3, 4, bias=False),
    described("Embedding", 7, 4, padding_idx=-1),
    described("Embedding", 7, 4, padding_idx=0),
    described("LayerNorm", 6, eps=1e-12),
    described("LayerNorm", [2, 3], elementwise_affine=False),
    described("GroupNorm", 1, 4, eps=0.1),
    described("Dropout"),
    described("Dropout", p=1.0),
    described("Softmax", dim=0),
    described("Softplus", beta=0.5, threshold=1e-07),
    described("LeakyReLU", negative_slope=1e20),
    described("Hardtanh", min_val=-1e-05, max_val=123456.75),
    described("MultiheadAttention", 6, 3, dropout=0.5, bias=False, batch_first=True),
    described("TransformerEncoderLayer", 8, 2, dim_feedforward=5, dropout=0.25, activation="gelu", bias=False),
    described("Sequential"),
    described("Sequential", described("Linear", 3, 4), described("ReLU")),
    described(
        "Sequential",
        described("Sequential", described("Conv2d", 1, 2, kernel_size=3), described("Sequential", described("BatchNorm2d", 2), described("Sequential"))),
        described("Flatten"),
        described("Dropout", p=0.1),
    ),
]


def unique(cases):
    seen = {}
    for case in cases:
        seen.setdefault(json.dumps(case, sort_keys=True), case)
    return list(seen.values())


if __name__ == "__main__":
    FILE.write_text("".join(json.dumps(dict(case, text=str(module_of(case)))) + "\n" for case in unique(CASES)))
