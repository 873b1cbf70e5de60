#!/usr/bin/env python3
"""Writes tests/golden/c1.bin: PyTorch's losses over one epoch of the digit reader (784-128-10, examples/c1.cpp), computed in float64 from stored weights.

    python tests/golden/make_c1.py [FOLDER_OF_THE_DATA]

Little-endian: eight bytes "c1 v1\\n\\0\\0"; the int32 number of steps; the initial weights as float32, w1 (784, 128) and w2 (128, 10), row-major (the biases
start at zero); one float64 loss for each step, each on the batch before its update; the float64 loss on the 5,000 validation images after the last step; the
int32 number of test images that the net then reads right. Batches are consecutive slices of 1,000 of the first 55,000 training images; lr is 0.1.
"""
import pathlib
import struct
import sys

import numpy
import torch

root = pathlib.Path(__file__).resolve().parents[2]
folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root / "data" / "mnist"


def images(name):
    raw = numpy.fromfile(folder / name, dtype=numpy.uint8)[16:].reshape(-1, 784)
    return torch.tensor((raw / numpy.float32(255)).astype(numpy.float32)).double()  # as the library gives them: rounded to float32


def labels(name):
    return torch.tensor(numpy.fromfile(folder / name, dtype=numpy.uint8)[8:].astype(numpy.int64))


generator = torch.Generator().manual_seed(1)
w1 = (torch.randn(784, 128, generator=generator) * 0.01).float()
w2 = (torch.randn(128, 10, generator=generator) * 0.01).float()
parameters = [w1.double(), torch.zeros(128).double(), w2.double(), torch.zeros(10).double()]
for p in parameters:
    p.requires_grad_()


def logits(x):
    return torch.relu(x @ parameters[0] + parameters[1]) @ parameters[2] + parameters[3]


def loss_of(x, t):
    return torch.nn.functional.cross_entropy(logits(x), t)


x, t = images("train-images-idx3-ubyte"), labels("train-labels-idx1-ubyte")
losses = []
for first in range(0, 55000, 1000):
    loss = loss_of(x[first:first + 1000], t[first:first + 1000])
    for p in parameters:
        p.grad = None
    loss.backward()
    with torch.no_grad():
        for p in parameters:
            p -= 0.1 * p.grad
    losses.append(loss.item())
with torch.no_grad():
    validation = loss_of(x[55000:], t[55000:]).item()
    right = int((logits(images("t10k-images-idx3-ubyte")).argmax(1) == labels("t10k-labels-idx1-ubyte")).sum())

with open(root / "tests" / "golden" / "c1.bin", "wb") as out:
    out.write(b"c1 v1\n\0\0" + struct.pack("<i", len(losses)))
    out.write(w1.numpy().tobytes() + w2.numpy().tobytes())
    out.write(struct.pack(f"<{len(losses)}d", *losses) + struct.pack("<di", validation, right))
print(losses[0], losses[-1], validation, right)
