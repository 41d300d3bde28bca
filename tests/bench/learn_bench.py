# SPDX-License-Identifier: Apache-2.0
"""Training steps against the same networks in Python torch, feeding against memcpy.

`learn_bench.py step unet|vit_small SIZE CHANNELS STEPS THREADS` is the peer itself: one JSON line, as tilewright-learn-bench prints.
"""
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

THREADS, STEPS, ROUNDS = 2, 4, 3
CASES = [("unet", 128, 3), ("vit_small", 224, 3)]
TORCH_PYTHON = Path(__file__).resolve().parents[2] / ".deps/bench-torch/bin/python"


def double_conv(nn, inside, outside):
    layers = []
    for channels in (inside, outside):
        layers += [nn.Conv2d(channels, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def make_unet(torch, channels, classes, width=64):
    nn = torch.nn

    class Unet(nn.Module):
        def __init__(self):
            super().__init__()
            widths = [width << i for i in range(5)]
            self.down = nn.ModuleList([double_conv(nn, channels if i == 0 else widths[i - 1], w) for i, w in enumerate(widths)])
            self.up = nn.ModuleList([nn.ConvTranspose2d(widths[i], widths[i - 1], 2, stride=2) for i in range(4, 0, -1)])
            self.conv = nn.ModuleList([double_conv(nn, widths[i], widths[i - 1]) for i in range(4, 0, -1)])
            self.out = nn.Conv2d(width, classes, 1)

        def forward(self, x):
            maps = []
            for i, block in enumerate(self.down):
                x = block(x if i == 0 else nn.functional.max_pool2d(x, 2))
                maps.append(x)
            for up, conv, skip in zip(self.up, self.conv, maps[-2::-1]):
                x = conv(torch.cat([skip, up(x)], 1))
            return self.out(x)

    return Unet()


def make_vit(torch, channels, classes, size, patch=16, dim=384, depth=12, heads=6):
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
            self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
            self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

        def forward(self, x):
            n, l, _ = x.shape
            q, k, v = self.qkv(self.norm1(x)).reshape(n, l, 3, heads, dim // heads).permute(2, 0, 3, 1, 4)
            x = x + self.proj(nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, l, dim))
            return x + self.mlp(self.norm2(x))

    class Vit(nn.Module):
        def __init__(self):
            super().__init__()
            self.patch = nn.Conv2d(channels, dim, patch, stride=patch)
            self.cls = nn.Parameter(0.02 * torch.randn(1, 1, dim))
            self.register_buffer("positions", 0.02 * torch.randn(1, (size // patch) ** 2 + 1, dim))
            self.blocks = nn.Sequential(*[Block() for _ in range(depth)])
            self.norm, self.head = nn.LayerNorm(dim, eps=1e-6), nn.Linear(dim, classes)

        def forward(self, x):
            x = self.patch(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1) + self.positions
            return self.head(self.norm(self.blocks(x))[:, 0])

    return Vit()


def peer_step(name, size, channels, steps, threads):
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    model = make_unet(torch, channels, 2) if name == "unet" else make_vit(torch, channels, 2, size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    image = torch.randn(8, channels, size, size)
    target = torch.randint(0, 2, (8, size, size) if name == "unet" else (8,))
    times = []
    for step in range(steps + 2):
        start = time.perf_counter()
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(image.clone()), target)
        loss.backward()
        optimizer.step()
        loss.item()
        if step >= 2:
            times.append(time.perf_counter() - start)
    return {"step_s": statistics.median(times), "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "torch": torch.__version__}


def run(*words):
    return json.loads(subprocess.run([str(w) for w in words], check=True, capture_output=True, text=True).stdout)


def best_of(rounds):
    """The quickest round of each side: what else runs on the machine only slows down."""
    return min(rounds, key=lambda r: r["step_s"])


def rows(program):
    need = None
    for name, size, channels in CASES:
        words = ("step", name, size, channels, STEPS, THREADS)
        ours, peers = [], []
        for _ in range(ROUNDS):  # rounds alternate
            ours.append(run(program, *words))
            if TORCH_PYTHON.exists():
                peers.append(run(TORCH_PYTHON, __file__, *words))
        mine = best_of(ours)
        need = 8 / mine["step_s"] if name == "unet" else need
        if peers:
            peer = best_of(peers)
            what = f"Python torch {peer['torch']}, batch 8, {size} px, {THREADS} threads"
            yield (f"training step, {name}", 1 / mine["step_s"], "steps/s", 1 / peer["step_s"], what)
            yield (f"peak memory of training, {name}", mine["peak_mb"], "MB", peer["peak_mb"], what)
        else:
            print(f"(no Python torch in {TORCH_PYTHON.parent}: make bench-torch)", file=sys.stderr)
        yield (f"loader's share of a step, {name}", 1e2 * mine["loader_share"], "%", 2, "the limit")
    size, channels = CASES[0][1:]
    fed = run(program, "feed", size, channels)
    yield ("feeding alone", fed["samples_per_s"], "samples/s", 10 * need, "ten times what the UNet's steps need")
    yield ("feeding alone, bytes moved", fed["bytes_per_s"] / 1e9, "GB/s", fed["copy"]["bytes_per_s"] / 1e9, "memcpy, read + written, one thread each")


if __name__ == "__main__":
    assert sys.argv[1] == "step"
    print(json.dumps(peer_step(sys.argv[2], *map(int, sys.argv[3:7]))))
