#!/usr/bin/env python3
"""Runs PyTorch's optimizers in float64 on a small problem and stores where their parameters went, for the tests beside this file.

    pip install torch numpy
    tests/optim/make_trajectories.py

The problem is a two-layer network on 8 points, whose every number is a formula that the tests use too (trajectories_test.cpp): value(n, k) below. A line of
trajectories.jsonl is a case: the optimizer, the options of each group of parameters, clipping, another learning rate from step 50 on, and the parameters after
each tenth step, one list for all of them.
"""
import json
import math
import pathlib

import torch

FILE = pathlib.Path(__file__).resolve().parent / "trajectories.jsonl"
STEPS, EVERY = 100, 10
SHAPES = {"w1": (3, 4), "b1": (4,), "w2": (4, 2), "scale": ()}


def value(n, k):
    """The n-th of the numbers of tensor k."""
    return math.sin(1.7 * n + 2.3 * k + 0.5)


def filled(shape, k, factor):
    count = math.prod(shape)
    return torch.tensor([factor * value(n, k) for n in range(count)], dtype=torch.float64).reshape(shape)


def loss_of(p, x, y):
    out = p["scale"] * (torch.tanh(x @ p["w1"] + p["b1"]) @ p["w2"])
    return torch.mean(1 - torch.cos(out - y)) + 0.01 * torch.sum(torch.cos(3 * p["w1"]))


# Name, optimizer, options of the first group; then what is not usual: options of a second group (b1 and scale), clipping, the rate from step 50 on.
CASES = [
    ("sgd", "SGD", dict(lr=0.1)),
    ("sgd_momentum", "SGD", dict(lr=0.05, momentum=0.9)),
    ("sgd_dampening", "SGD", dict(lr=0.1, momentum=0.8, dampening=0.3)),
    ("sgd_nesterov", "SGD", dict(lr=0.05, momentum=0.9, nesterov=True)),
    ("sgd_weight_decay", "SGD", dict(lr=0.1, weight_decay=0.05)),
    ("sgd_all", "SGD", dict(lr=0.02, momentum=0.7, dampening=0.2, weight_decay=0.01, maximize=True)),
    ("sgd_nesterov_decay", "SGD", dict(lr=0.05, momentum=0.6, weight_decay=0.02, nesterov=True)),
    ("sgd_maximize", "SGD", dict(lr=0.01, maximize=True)),
    ("sgd_two_groups", "SGD", dict(lr=0.1, momentum=0.5), dict(second=dict(lr=0.02, momentum=0.0))),
    ("sgd_changed_lr", "SGD", dict(lr=0.1, momentum=0.9), dict(lr_from_50=0.01)),
    ("adagrad", "Adagrad", dict(lr=0.1)),
    ("adagrad_lr_decay", "Adagrad", dict(lr=0.2, lr_decay=0.05)),
    ("adagrad_initial", "Adagrad", dict(lr=0.1, initial_accumulator_value=0.3, eps=1e-3)),
    ("adagrad_all", "Adagrad", dict(lr=0.05, lr_decay=0.01, weight_decay=0.1, initial_accumulator_value=0.1, maximize=True)),
    ("rmsprop", "RMSprop", dict(lr=0.01)),
    ("rmsprop_momentum", "RMSprop", dict(lr=0.005, alpha=0.9, momentum=0.8)),
    ("rmsprop_centered", "RMSprop", dict(lr=0.005, alpha=0.95, centered=True, eps=1e-2)),
    ("rmsprop_all", "RMSprop", dict(lr=0.003, alpha=0.9, eps=1e-3, weight_decay=0.05, momentum=0.5, centered=True, maximize=True)),
    ("adadelta", "Adadelta", dict()),
    ("adadelta_options", "Adadelta", dict(lr=0.5, rho=0.8, eps=1e-4, weight_decay=0.05)),
    ("adadelta_maximize", "Adadelta", dict(lr=0.7, maximize=True)),
    ("adam", "Adam", dict()),
    ("adam_betas", "Adam", dict(lr=0.02, betas=[0.8, 0.95], eps=1e-4)),
    ("adam_weight_decay", "Adam", dict(lr=0.02, weight_decay=0.1)),
    ("adam_amsgrad", "Adam", dict(lr=0.02, betas=[0.9, 0.9], amsgrad=True)),
    ("adam_all", "Adam", dict(lr=0.01, betas=[0.7, 0.9], eps=1e-3, weight_decay=0.05, amsgrad=True, maximize=True)),
    ("adam_changed_lr", "Adam", dict(lr=0.02), dict(lr_from_50=0.002)),
    ("adam_two_groups", "Adam", dict(lr=0.02), dict(second=dict(lr=0.005, betas=[0.5, 0.9], eps=1e-2, weight_decay=0.1))),
    ("adamw", "AdamW", dict(lr=0.01)),
    ("adamw_decay", "AdamW", dict(lr=0.02, weight_decay=0.3)),
    ("adamw_no_decay", "AdamW", dict(lr=0.02, weight_decay=0.0)),
    ("adamw_amsgrad", "AdamW", dict(lr=0.02, betas=[0.9, 0.95], amsgrad=True, maximize=True)),
    ("clip_norm", "SGD", dict(lr=0.2, momentum=0.5), dict(clip_norm=dict(max_norm=0.1))),
    ("clip_norm_1", "SGD", dict(lr=0.2), dict(clip_norm=dict(max_norm=0.3, norm_type=1.0))),
    ("clip_norm_3", "Adam", dict(lr=0.02), dict(clip_norm=dict(max_norm=0.05, norm_type=3.0))),
    ("clip_norm_inf", "SGD", dict(lr=0.2), dict(clip_norm=dict(max_norm=0.05, norm_type="inf"))),
    ("clip_norm_half", "SGD", dict(lr=0.1), dict(clip_norm=dict(max_norm=2.0, norm_type=0.5))),
    ("clip_value", "SGD", dict(lr=0.2, momentum=0.5), dict(clip_value=0.02)),
]


def run(name, optimizer, options, extra=None, start=0.8):
    extra = extra or {}
    p = {n: filled(s, k, start).requires_grad_() for k, (n, s) in enumerate(SHAPES.items())}
    x, y = filled((8, 3), 10, 1.5), filled((8, 2), 11, 1.0)
    second = [p["b1"], p["scale"]] if "second" in extra else []
    steps = getattr(torch.optim, optimizer)([t for t in p.values() if not any(t is s for s in second)], foreach=False, **options)
    if second:
        steps.add_param_group(dict(params=second, **extra["second"]))
    after, norms = [], []
    for step in range(STEPS):
        if step == 50 and "lr_from_50" in extra:
            for group in steps.param_groups:
                group["lr"] = extra["lr_from_50"]
        steps.zero_grad()
        loss_of(p, x, y).backward()
        if "clip_norm" in extra:
            clip = dict(extra["clip_norm"])
            clip["norm_type"] = float(clip.get("norm_type", 2.0))
            norms.append(torch.nn.utils.clip_grad_norm_(list(p.values()), **clip).item())
        if "clip_value" in extra:
            torch.nn.utils.clip_grad_value_(list(p.values()), extra["clip_value"])
        steps.step()
        if (step + 1) % EVERY == 0:
            after.append([v for t in p.values() for v in t.detach().flatten().tolist()])
    assert all(math.isfinite(v) for list_ in after for v in list_), name
    case = dict(name=name, optimizer=optimizer, options=options, **extra, after=after)
    if norms:
        case["norms"] = norms[EVERY - 1 :: EVERY]
    return case


def stored(case):
    """The case, once it is known not to be chaotic: else the tests would compare the growth of rounding errors."""
    result, beside = run(*case), run(*case, start=0.8 * (1 + 1e-12))
    moved = max(abs(a - b) for x, y in zip(result["after"], beside["after"]) for a, b in zip(x, y))
    assert moved < 1e-9, f"{case[0]}: a start moved by 1e-12 moves the parameters by {moved}"
    return result


if __name__ == "__main__":
    lines = [json.dumps(stored(case if len(case) == 4 else (*case, None))) + "\n" for case in CASES]
    FILE.write_text("".join(lines))
