#!/usr/bin/env python3
"""Computes with PyTorch, in float64, the numbers that the tests in tests/golden compare with, and stores them beside this file.

    pip install torch numpy
    tests/golden/make_golden.py build/tests/cotan_golden_tests

The test program writes the cases with their inputs (--cases). Each row's PyTorch expression is evaluated over its operands and options by name; an elementwise
row is the PyTorch function of its name or of OTHER_NAMES. Stored for each case: the results, the gradient of <cotangents, results> by each floating operand, and the gradient of
<gradients, tangents> by each floating operand. Of a case of empty tensors: the results and the gradient of their sum, or that PyTorch refuses it.
"""
import json
import math
import pathlib
import subprocess
import sys

import numpy as np
import torch

FOLDER = pathlib.Path(__file__).resolve().parent
DTYPES = {
    "f64": torch.float64,
    "f32": torch.float32,
    "bf16": torch.bfloat16,
    "i32": torch.int32,
    "i64": torch.int64,
    "u8": torch.uint8,
    "u32": torch.uint32,
    "bool": torch.bool,
}


# Elementwise rows that PyTorch has under another name or as an option, or whose own function has no second derivative.
OTHER_NAMES = {
    "cbrt": lambda x: x ** (1 / 3),  # of the case's positive numbers
    "log_sigmoid": torch.nn.functional.logsigmoid,
    "gelu_tanh": lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
    "hardsigmoid": lambda x: torch.nn.functional.relu6(x + 3) / 6,
}


def tensor(array):
    values = torch.tensor(np.array(array["values"], dtype=np.float64)).reshape(array["shape"])
    return values.to(DTYPES[array["dtype"]])


def number(value):
    """A number as JSON can hold it; the shortest text that is accurate far below the tests' tolerance."""
    if not math.isfinite(value):
        return str(value)
    return float(f"{value:.13g}")


def stored(t):
    t = torch.empty(t.shape, dtype=torch.float64).copy_(t.detach())  # a zero without storage gets some
    return {"shape": list(t.shape), "values": [number(v) for v in t.reshape(-1).tolist()]}


def option(name, value):
    """A list of one dimension as the number that every function of PyTorch takes; infinities, for which JSON has no word, as numbers."""
    if value in ("inf", "-inf"):
        return float(value)
    return value[0] if name == "dim" and isinstance(value, list) and len(value) == 1 else value


def function_of(case):
    """The case's function of its operands, or None where PyTorch has none of an elementwise row's name."""
    options = {name: option(name, value) for name, value in case["options"].items()}
    if case["table"] != "elementwise":
        return lambda operands: eval(case["oracle"], {"torch": torch, "weighted": weighted, **options, **operands})
    if case["row"] in OTHER_NAMES:
        found = OTHER_NAMES[case["row"]]
        return lambda operands: found(*operands.values(), **options)
    for module in (torch, torch.nn.functional, torch.special):
        found = getattr(module, case["row"], None)
        if found is not None:
            return lambda operands: found(*operands.values(), **options)
    return None


def weighted(loss, weight, target, ignore_index, reduction):
    """loss(weight, reduction) with a derivative by the weights of the classes, which PyTorch lacks: but for the mean's divisor it is linear in them."""
    if weight is None or len(weight) == 0:
        return loss(weight, reduction)
    terms = sum(w * loss(one, "none") for w, one in zip(weight, torch.eye(len(weight), dtype=weight.dtype)))
    divisor = weight[target[target != ignore_index]].sum()
    result = {"none": terms, "sum": terms.sum(), "mean": terms.sum() / divisor}[reduction]
    assert torch.allclose(result, loss(weight.detach(), reduction), equal_nan=True)
    return result


def gradients(outputs, seeds, wrt):
    """Zeros where an output does not depend on a tensor."""
    pairs = [(o, s) for o, s in zip(outputs, seeds) if o.requires_grad]
    if not pairs:
        return [torch.zeros_like(w) for w in wrt]
    found = torch.autograd.grad([o for o, _ in pairs], wrt, [s for _, s in pairs], create_graph=True, allow_unused=True)
    return [torch.zeros_like(w) if g is None else g for g, w in zip(found, wrt)]


def operands_of(case):
    """The operands by name: None for one left out, and those of a list (tensors.0, tensors.1, ...) as a list; and the floating ones, marked for gradients."""
    operands, wrt = {}, []
    for o in case["operands"]:
        t = tensor(o) if "values" in o else None
        if t is not None and t.is_floating_point():
            wrt.append(t.requires_grad_())
        name, dot, _ = o["name"].partition(".")
        if dot:
            operands.setdefault(name, []).append(t)
        else:
            operands[name] = t
    return operands, wrt


def numbers(case):
    function = function_of(case)
    if function is None:
        return {}
    operands, wrt = operands_of(case)
    results = function(operands)
    results = list(results) if isinstance(results, (tuple, list)) else [results]
    entry = {"values": [stored(r) for r in results]}
    floating = [(r, tensor(c)) for r, c in zip(results, case["cotangents"]) if c is not None]
    if not floating or not wrt:
        return entry
    first = gradients([r for r, _ in floating], [c for _, c in floating], wrt)
    entry["gradients"] = [stored(g) for g in first]
    second = gradients(first, [tensor(t) for t in case["tangents"]], wrt)
    entry["hessian_products"] = [stored(g) for g in second]
    return entry


def empty_numbers(case):
    """What PyTorch makes of tensors without elements; nothing where it refuses them."""
    operands, wrt = operands_of(case)
    try:
        results = function_of(case)(operands)
        results = list(results) if isinstance(results, (tuple, list)) else [results]
        entry = {"values": [stored(r) for r in results]}
        floating = [r for r in results if r.is_floating_point()]
        if floating and wrt:
            entry["gradients"] = [stored(g) for g in gradients(floating, [torch.ones_like(r) for r in floating], wrt)]
        return entry
    except (RuntimeError, ValueError, IndexError, ZeroDivisionError, AssertionError) as problem:
        return {"refused": str(problem).splitlines()[0][:80]}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    lines = subprocess.run([sys.argv[1], "--cases"], check=True, capture_output=True, text=True).stdout.splitlines()
    there = {}  # a case that has not changed keeps its digits
    for path in FOLDER.glob("*.jsonl"):
        there.update({(path.stem, e["name"], e["fingerprint"]): e for e in map(json.loads, path.read_text().splitlines())})
    files = {}
    for case in map(json.loads, lines):
        made = empty_numbers if case["table"] == "empty" else numbers
        entry = there.get((case["table"], case["name"], case["fingerprint"])) or {"name": case["name"], "fingerprint": case["fingerprint"], "numbers": made(case)}
        files.setdefault(case["table"], []).append(json.dumps(entry, separators=(",", ":")))
    for table, entries in files.items():
        (FOLDER / f"{table}.jsonl").write_text("\n".join(entries) + "\n")
        print(f"{table}: {len(entries)} cases")


if __name__ == "__main__":
    main()
