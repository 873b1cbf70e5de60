#!/usr/bin/env python3
"""Runs PyTorch's layers in float64 and stores what they give, for the tests beside this file.

    pip install torch numpy
    tests/nn/make_layers.py

Every number that goes in is a formula that the tests use too: value(n, k) below is the n-th number of tensor k. A line of layers.jsonl is a case: the layer, its
arguments, the names and shapes of its state_dict in order (tensor k of the state is filled from k = its place), and runs one after the other. A run has a mode,
inputs (tensors from k = 50 on, 60 on for the second run, and so on), outputs, the gradients of the sum of output times cotangent (tensors from k = 40 on) by
parameters and floating inputs, and the buffers afterwards.
"""
import json
import math
import pathlib

import torch
from torch import nn

FILE = pathlib.Path(__file__).resolve().parent / "layers.jsonl"


def value(n, k):
    return math.sin(1.7 * n + 2.3 * k + 0.5)


def filled(shape, k):
    return torch.tensor([value(n, k) for n in range(math.prod(shape))], dtype=torch.float64).reshape(shape)


def fill_state(module):
    """Fills the state: variances positive, counts 3, all else 0.8 * value."""
    with torch.no_grad():
        for k, (name, t) in enumerate(module.state_dict().items()):
            if name.endswith("num_batches_tracked"):
                t.fill_(3)
            elif name.endswith("running_var"):
                t.copy_(1 + 0.5 * filled(t.shape, k))
            else:
                t.copy_(0.8 * filled(t.shape, k))


def numbers(t):
    return [float(f"{v:.13g}") for v in t.detach().flatten().tolist()]


def made_input(spec, k):
    if "below" in spec:
        return torch.tensor([(7 * n + 3 + k) % spec["below"] for n in range(math.prod(spec["shape"]))]).reshape(spec["shape"])
    if "mask" in spec:  # true now and then, never for the first of a row
        columns = spec["shape"][-1]
        return torch.tensor([n % columns > 0 and (5 * n + k) % 3 == 0 for n in range(math.prod(spec["shape"]))]).reshape(spec["shape"])
    return filled(spec["shape"], k).requires_grad_()


def flat(outputs):
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    return [t for o in outputs if o is not None for t in flat(o)]


def call(case, module, inputs):
    kind = case["layer"]
    if kind == "LSTM":
        return module(inputs[0], tuple(inputs[1:])) if len(inputs) > 1 else module(inputs[0])
    if kind in ("MultiheadAttention", "TransformerEncoderLayer"):
        count = 1 if kind == "TransformerEncoderLayer" or case.get("self") else 3
        tensors = [inputs[0]] * 3 if case.get("self") else inputs[:count]
        masks = dict(zip(case.get("masks", []), inputs[count:]))
        return module(*tensors, **masks, **case.get("call", {}))
    return module(*inputs)


def layer_of(case):
    options = {n: tuple(v) if isinstance(v, list) else v for n, v in case["options"].items()}
    arguments = [tuple(a) if isinstance(a, list) else a for a in case["arguments"]]
    return getattr(nn, case["layer"])(*arguments, **options).double()


def run(case, module, index, training):
    module.train(training)
    inputs = [made_input(spec, 50 + 10 * index + i) for i, spec in enumerate(case["inputs"])]
    outputs = flat(call(case, module, inputs))
    cotangents = [filled(o.shape, 40 + i) for i, o in enumerate(outputs)]
    module.zero_grad()
    sum((o * c).sum() for o, c in zip(outputs, cotangents)).backward()
    return dict(
        training=training,
        outputs=[dict(shape=list(o.shape), values=numbers(o)) for o in outputs],
        gradients={name: numbers(p.grad) for name, p in module.named_parameters()},
        input_gradients=[numbers(x.grad) for x in inputs if x.is_floating_point()],
        buffers={name: numbers(b) for name, b in module.named_buffers()},
    )


def stored(case):
    module = layer_of(case)
    fill_state(module)
    case["state"] = [[name, list(t.shape)] for name, t in module.state_dict().items()]
    modes = case.pop("modes")
    case["runs"] = [run(case, module, i, training) for i, training in enumerate(modes)]
    return case


CASES = []


def case(name, layer, arguments, shapes, modes=(True,), **rest):
    """A case; what is not named here is an option of the layer, but for self, masks, call and tolerance."""
    special = {n: rest.pop(n) for n in ("self", "masks", "call", "tolerance") if n in rest}
    inputs = [s if isinstance(s, dict) else dict(shape=list(s)) for s in shapes]
    CASES.append(dict(name=name, layer=layer, arguments=arguments, options=rest, inputs=inputs, modes=list(modes), **special))


NORM = (True, True, False)
EVAL = (False,)

case("linear", "Linear", [3, 4], [(5, 3)])
case("linear_no_bias", "Linear", [4, 2], [(2, 3, 4)], bias=False)
case("linear_vector", "Linear", [2, 3], [(2,)])
case("conv1d", "Conv1d", [2, 4], [(2, 2, 6)], kernel_size=3)
case("conv1d_groups", "Conv1d", [4, 6], [(1, 4, 7)], kernel_size=3, stride=2, padding=1, groups=2, bias=False)
case("conv1d_same", "Conv1d", [1, 2], [(1, 5)], kernel_size=2, dilation=2, padding="same")
case("conv2d", "Conv2d", [3, 4], [(2, 3, 5, 4)], kernel_size=[3, 2], stride=[2, 1], padding=[1, 0])
case("conv2d_depthwise", "Conv2d", [4, 4], [(1, 4, 3, 3)], kernel_size=3, padding=1, groups=4)
case("conv2d_same", "Conv2d", [2, 3], [(2, 2, 4, 5)], kernel_size=3, dilation=2, padding="same", bias=False)
case("conv2d_unbatched", "Conv2d", [1, 2], [(1, 4, 4)], kernel_size=2)
case("conv3d", "Conv3d", [1, 2], [(1, 1, 3, 2, 3)], kernel_size=2, stride=[1, 1, 2], padding=[0, 1, 0])
case("max_pool1d", "MaxPool1d", [], [(2, 2, 6)], kernel_size=2)
case("max_pool2d", "MaxPool2d", [], [(2, 2, 4, 6)], kernel_size=2)
case("max_pool2d_options", "MaxPool2d", [], [(1, 2, 6, 5)], kernel_size=3, stride=2, padding=1, dilation=1, ceil_mode=True)
case("avg_pool1d", "AvgPool1d", [], [(2, 2, 6)], kernel_size=3, stride=2, padding=1)
case("avg_pool2d", "AvgPool2d", [], [(2, 2, 4, 6)], kernel_size=[2, 3])
case("avg_pool2d_options", "AvgPool2d", [], [(1, 2, 5, 6)], kernel_size=3, stride=2, padding=1, ceil_mode=True, count_include_pad=False)
case("adaptive_avg_pool2d", "AdaptiveAvgPool2d", [], [(2, 2, 5, 4)], output_size=[2, 3])
case("embedding", "Embedding", [7, 4], [dict(shape=[2, 3], below=7)])
case("embedding_padding", "Embedding", [5, 3], [dict(shape=[9], below=5)], padding_idx=2)
case("layer_norm", "LayerNorm", [6], [(3, 6)])
case("layer_norm_shape", "LayerNorm", [[3, 4]], [(2, 3, 4)], eps=0.01)
case("layer_norm_plain", "LayerNorm", [5], [(2, 2, 5)], elementwise_affine=False)
case("layer_norm_no_bias", "LayerNorm", [4], [(4, 4)], bias=False)
case("group_norm", "GroupNorm", [2, 4], [(2, 4, 3)])
case("group_norm_plain", "GroupNorm", [3, 6], [(2, 6, 2, 2)], eps=0.1, affine=False)
case("group_norm_matrix", "GroupNorm", [1, 5], [(3, 5)])
case("batch_norm1d", "BatchNorm1d", [3], [(5, 3)], NORM)
case("batch_norm1d_sequence", "BatchNorm1d", [3], [(2, 3, 4)], NORM, momentum=0.3, eps=0.01)
case("batch_norm1d_average", "BatchNorm1d", [2], [(4, 2)], NORM, momentum=None)
case("batch_norm1d_untracked", "BatchNorm1d", [2], [(4, 2)], NORM, track_running_stats=False)
case("batch_norm2d", "BatchNorm2d", [3], [(2, 3, 2, 4)], NORM)
case("batch_norm2d_plain", "BatchNorm2d", [2], [(2, 2, 3, 1)], NORM, affine=False)
case("instance_norm1d", "InstanceNorm1d", [3], [(2, 3, 4)], NORM)
case("instance_norm1d_tracked", "InstanceNorm1d", [2], [(3, 2, 5)], NORM, momentum=0.3, affine=True, track_running_stats=True)
case("instance_norm1d_unbatched", "InstanceNorm1d", [3], [(3, 4)], NORM, eps=0.01, track_running_stats=True)
case("instance_norm2d", "InstanceNorm2d", [2], [(2, 2, 3, 2)], NORM, affine=True)
case("instance_norm2d_still", "InstanceNorm2d", [2], [(2, 2, 3, 2)], NORM, momentum=None, track_running_stats=True)
case("instance_norm3d_tracked", "InstanceNorm3d", [2], [(2, 2, 2, 1, 3)], NORM, affine=True, track_running_stats=True)
case("adaptive_avg_pool2d_kept", "AdaptiveAvgPool2d", [], [(2, 2, 5, 4)], output_size=[None, 3])
case("adaptive_max_pool2d_kept", "AdaptiveMaxPool2d", [], [(1, 2, 4, 5)], output_size=[2, None])
case("dropout", "Dropout", [], [(3, 4)], EVAL, p=0.3)
case("flatten", "Flatten", [], [(2, 3, 2)])
case("flatten_options", "Flatten", [], [(2, 3, 2, 2)], start_dim=0, end_dim=-2)
case("identity", "Identity", [], [(2, 3)])
for plain in "ReLU ReLU6 SELU SiLU Mish Tanh Sigmoid LogSigmoid Softsign Hardsigmoid Hardswish LeakyReLU ELU CELU Softplus Hardtanh GELU".split():
    # PyTorch's derivative of hardsigmoid multiplies by 1/6 as a float32.
    case(plain.lower(), plain, [], [(2, 5)], **(dict(tolerance=1e-7) if plain == "Hardsigmoid" else {}))
case("leakyrelu_options", "LeakyReLU", [], [(2, 5)], negative_slope=0.3)
case("elu_options", "ELU", [], [(2, 5)], alpha=0.7)
case("celu_options", "CELU", [], [(2, 5)], alpha=1.5)
case("softplus_options", "Softplus", [], [(2, 5)], beta=2.5, threshold=1.0)
case("hardtanh_options", "Hardtanh", [], [(2, 5)], min_val=-0.25, max_val=0.5)
case("gelu_tanh", "GELU", [], [(2, 5)], approximate="tanh")
case("softmax", "Softmax", [], [(3, 4)], dim=-1)
case("softmax_first", "Softmax", [], [(3, 4)], dim=0)
case("log_softmax", "LogSoftmax", [], [(2, 3, 2)], dim=1)
case("lstm", "LSTM", [2, 3], [(4, 2, 2)])
case("lstm_state", "LSTM", [2, 3], [(2, 3, 2), (1, 3, 3), (1, 3, 3)], bias=False)
case("lstm_deep", "LSTM", [3, 2], [(2, 3, 3), (4, 2, 2), (4, 2, 2)], num_layers=2, bidirectional=True, batch_first=True)
case("lstm_unbatched", "LSTM", [2, 2], [(3, 2)], num_layers=2, batch_first=True)
case("lstm_dropout", "LSTM", [2, 2], [(3, 1, 2)], EVAL, num_layers=2, dropout=0.5)
case("gru", "GRU", [2, 3], [(4, 2, 2)])
case("gru_state", "GRU", [3, 2], [(2, 2, 3), (2, 2, 2)], bidirectional=True, bias=False)
case("gru_deep", "GRU", [2, 2], [(2, 3, 2)], num_layers=2, batch_first=True)
case("gru_unbatched", "GRU", [2, 2], [(3, 2), (2, 2)], bidirectional=True)
case("attention", "MultiheadAttention", [4, 2], [(3, 2, 4)], self=True, call=dict(need_weights=True))
case("attention_cross", "MultiheadAttention", [4, 2], [(3, 2, 4), (5, 2, 4), (5, 2, 4)], call=dict(need_weights=True, average_attn_weights=False))
case("attention_batch_first", "MultiheadAttention", [6, 3], [(2, 3, 6), (2, 4, 6), (2, 4, 6)], batch_first=True, bias=False, call=dict(need_weights=False))
case("attention_masks", "MultiheadAttention", [4, 2], [(3, 2, 4), dict(shape=[3, 3], mask=True), dict(shape=[2, 3], mask=True)], self=True,
     masks=["attn_mask", "key_padding_mask"], call=dict(need_weights=True))
case("attention_mask_of_heads", "MultiheadAttention", [4, 2], [(2, 3, 4), (2, 4, 4), (2, 4, 4), (4, 3, 4)], batch_first=True, masks=["attn_mask"],
     call=dict(need_weights=False))
case("attention_unbatched", "MultiheadAttention", [4, 1], [(3, 4), (2, 4), (2, 4), dict(shape=[2], mask=True)], masks=["key_padding_mask"],
     call=dict(need_weights=True))
case("attention_dropout", "MultiheadAttention", [4, 2], [(3, 2, 4)], EVAL, self=True, dropout=0.4, call=dict(need_weights=False))
case("encoder", "TransformerEncoderLayer", [4, 2], [(3, 2, 4)], EVAL, dim_feedforward=6)
case("encoder_norm_first", "TransformerEncoderLayer", [4, 2], [(2, 3, 4)], dim_feedforward=5, dropout=0.0, activation="gelu", norm_first=True, batch_first=True,
     layer_norm_eps=0.01)
case("encoder_masks", "TransformerEncoderLayer", [6, 3], [(2, 3, 6), dict(shape=[3, 3], mask=True), dict(shape=[2, 3], mask=True)], dim_feedforward=4, dropout=0.0,
     batch_first=True, bias=False, masks=["src_mask", "src_key_padding_mask"])


def line_of(case, lines):
    """The line that is there, or a new one: a case whose description has not changed keeps its digits."""
    old = lines.get(case["name"])
    same = old is not None and all(old.get(key) == json.loads(json.dumps(value)) for key, value in case.items() if key != "modes")
    return old if same and [r["training"] for r in old["runs"]] == case["modes"] else stored(case)


if __name__ == "__main__":
    torch.manual_seed(0)
    there = {c["name"]: c for c in map(json.loads, FILE.read_text().splitlines())}
    FILE.write_text("".join(json.dumps(line_of(c, there)) + "\n" for c in CASES))
