"""The training steps of training/models.h in PyTorch eager: same shapes, mathematics and optimizers.

    python3 eager_steps.py --serve [--threads N]

Serves compare.py: each line of standard input, "MODEL eager SECONDS", is answered by one line of JSON with the median and the least time of a step, its
processor time and the number of steps. MODEL is a name of training/models.h; with _sgd behind it, plain gradient descent takes the place of its
optimizer. Adam is PyTorch's fused one.
"""

import argparse
import json
import math
import statistics
import sys
import time

import torch
import torch.nn.functional as F


def weights(*shape, std=None):
    return (torch.randn(shape) * (std or 1 / math.sqrt(shape[0]))).requires_grad_()


def zero(n):
    return torch.zeros(n, requires_grad=True)


def one(n):
    return torch.ones(n, requires_grad=True)


def labels(n):
    return torch.randint(10, (n,))


# A model is its loss, its parameters and whether Adam updates them.
def network(sizes, batch, adam):
    layers = [(weights(a, b), zero(b)) for a, b in zip(sizes, sizes[1:])]
    x, target = torch.rand(batch, sizes[0]), labels(batch)

    def loss():
        h = x
        for i, (w, b) in enumerate(layers):
            h = (torch.relu(h) if i else h) @ w + b
        return F.cross_entropy(h, target)

    return loss, [p for layer in layers for p in layer], adam


def cnn():
    k1, b1, k2, b2 = weights(32, 1, 5, 5, std=0.1), zero(32), weights(64, 32, 5, 5, std=0.03), zero(64)
    w3, b3, w4, b4 = weights(3136, 512), zero(512), weights(512, 10), zero(10)
    x, target = torch.rand(64, 1, 28, 28), labels(64)

    def loss():
        h = F.max_pool2d(torch.relu(F.conv2d(x, k1, b1, padding=2)), 2)
        h = F.max_pool2d(torch.relu(F.conv2d(h, k2, b2, padding=2)), 2)
        return F.cross_entropy(torch.relu(h.reshape(64, 3136) @ w3 + b3) @ w4 + b4, target)

    return loss, [k1, b1, k2, b2, w3, b3, w4, b4], True


def transformer():
    batch, steps, width, heads = 8, 128, 256, 4
    head = width // heads
    g1, b1, g2, b2 = one(width), zero(width), one(width), zero(width)
    qkv, out, up, down = [(weights(a * width, b * width), zero(b * width)) for a, b in ((1, 3), (1, 1), (1, 4), (4, 1))]
    x, y = torch.randn(batch, steps, width), torch.randn(batch, steps, width)

    def linear(layer, h):
        return h @ layer[0] + layer[1]

    def loss():
        h = linear(qkv, F.layer_norm(x, (width,), g1, b1))
        q, k, v = h.reshape(batch, steps, 3, heads, head).permute(2, 0, 3, 1, 4)
        attended = torch.softmax(q @ k.transpose(2, 3) * head**-0.5, -1) @ v
        h = x + linear(out, attended.permute(0, 2, 1, 3).reshape(batch, steps, width))
        return torch.mean(torch.square(h + linear(down, F.gelu(linear(up, F.layer_norm(h, (width,), g2, b2)))) - y))

    return loss, [p for layer in (qkv, out, up, down) for p in layer] + [g1, b1, g2, b2], True


def over_a_million(of):
    p, q, x, y = weights(1024, std=1), weights(1024, std=1), torch.randn(1024, 1024), torch.randn(1024, 1024)
    return lambda: torch.mean(torch.square(of(x, p, q) - y)), [p, q], False


MODELS = {
    "c1": lambda: network([784, 128, 10], 64, False),
    "c1_1000": lambda: network([784, 128, 10], 1000, False),
    "mlp": lambda: network([784, 1024, 1024, 10], 128, True),
    "cnn": cnn,
    "transformer": transformer,
    "elementwise": lambda: over_a_million(lambda x, p, q: torch.tanh(F.gelu(x * p + q) * torch.sigmoid(x - q))),
    "norm": lambda: over_a_million(lambda x, p, q: torch.softmax(F.layer_norm(x, (1024,), p, q), -1)),
}


def make(name):
    loss, parameters, adam = MODELS[name.removesuffix("_sgd")]()
    adam = adam and not name.endswith("_sgd")
    optimizer = torch.optim.Adam(parameters, 1e-3, fused=True) if adam else torch.optim.SGD(parameters, 0.01)

    def step():
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step


def measure(step, seconds):
    step()
    step()
    times, busy, begin = [], time.process_time(), time.perf_counter()
    while time.perf_counter() - begin < seconds or len(times) < 5:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    cpu = (time.process_time() - busy) / len(times)
    return {
        "time_us": statistics.median(times) * 1e6,
        "min_us": min(times) * 1e6,
        "cpu_us": cpu * 1e6,
        "steps": len(times),
        "torch": torch.__version__,
    }


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--serve", action="store_true", required=True)
    arguments.add_argument("--threads", type=int)
    given = arguments.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    steps = {}
    for line in sys.stdin:
        name, _, seconds = line.split()
        if name not in steps:
            steps[name] = make(name)
        print(json.dumps(measure(steps[name], float(seconds))), flush=True)


if __name__ == "__main__":
    main()
