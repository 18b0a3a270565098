"""Where a training step on a CPU spends its time, and what threads and processes make of it.

python bench/training_profile.py --digits DIR --plates DIR [--before SRC]

Processor ms, which other processes on the machine do not stretch; medians. Each measurement is a
process of its own, all in turn, so that each has its own memory and threads. ``--before`` names
the ``src`` of another checkout, to be measured in turn with this one.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from datetime import datetime, timezone
from pathlib import Path

RECIPES = {"digits-tiny": "digits", "plates-tiny": "plates"}
BATCH = 128
STEPS = 6
WARMUP = 2


def measure(recipe_name: str, data: Path, size: int, threads: int) -> dict[str, list[float]]:
    """Measure the stages of a few steps of ``size`` pictures in this process, in seconds.

    ``this thread`` is the CPU time of the training thread itself, a lower bound of a step's time
    with all cores free.
    """
    import torch
    from torch.optim.swa_utils import AveragedModel

    from crnn_ctc.data.source import open_training_data
    from crnn_ctc.net.build import build
    from crnn_ctc.net.network import scale_pixels
    from crnn_ctc.recipe import load_recipe
    from crnn_ctc.training import memory, optimization, precision
    from crnn_ctc.training.loss import ctc_loss

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    memory.keep_memory()
    recipe = load_recipe(recipe_name)
    source, _ = open_training_data(recipe, data)
    network = build(recipe).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    plan, alphabet = recipe.training, recipe.characters
    optimizer = torch.optim.AdamW(
        optimization.parameter_groups(network, plan), plan.learning_rate, fused=True
    )
    average = optimization.exponential_average(plan.ema_decay)
    averaged = AveragedModel(network, multi_avg_fn=average, use_buffers=True)
    bf16 = precision.resolve("auto", torch.device("cpu")) == "bf16"
    # a backward stage ends when its input gradient is computed
    inside = {"convolutions": network.cnn, "recurrent": network.rnn, "linear": network.fc}
    marks: list[tuple[str, float]] = []
    clock = time.process_time

    def mark(name: str) -> None:
        marks.append((name, clock()))

    def note(name: str) -> None:
        module = inside[name]

        def after(_module: object, _inputs: object, output: object) -> None:
            mark(f"{name}, forward")
            tensor = output[0] if isinstance(output, tuple) else output
            last = {"convolutions": "recurrent", "recurrent": "linear", "linear": "CTC"}[name]
            tensor.register_hook(lambda _: mark(f"{last}, backward"))  # type: ignore[attr-defined]

        module.register_forward_hook(after)

    for name in inside:
        note(name)
    seconds: dict[str, list[float]] = defaultdict(list)
    for step in range(WARMUP + STEPS):
        started, thread_started = clock(), time.thread_time()
        marks.clear()
        images, texts = source.batch(step, size)
        mark("composing the batch")
        composed = time.thread_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            log_probs = network(scale_pixels(torch.from_numpy(images)))
        loss = ctc_loss(log_probs, texts, alphabet)
        mark("CTC, forward")
        loss.backward()
        mark("convolutions, backward")
        torch.nn.utils.clip_grad_norm_(network.parameters(), plan.clip_norm)
        mark("clipping")
        optimizer.step()
        optimizer.zero_grad()
        mark("optimiser")
        averaged.update_parameters(network)
        mark("averaging")
        if step < WARMUP:
            continue
        ends = [started, *(at for _, at in marks)]
        for (name, at), before in zip(marks, ends, strict=False):
            seconds[name].append(at - before)
        seconds["all but composing"].append(ends[-1] - ends[1])
        seconds["this thread"].append(time.thread_time() - composed)
        assert composed >= thread_started
    return seconds


def in_a_process(
    source: Path, recipe: str, data: Path, size: int, threads: int
) -> dict[str, list[float]]:
    """Run :func:`measure` in a new process with the package in ``source``."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", recipe, str(data), str(size), str(threads)],
        env={
            **os.environ,
            "PYTHONPATH": str(source),
            "OMP_NUM_THREADS": str(threads),
            "OMP_WAIT_POLICY": "passive",
        },
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        recipe, data, size, threads = sys.argv[2:]
        print(json.dumps(measure(recipe, Path(data), int(size), int(threads))))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--digits", type=Path, required=True)
    parser.add_argument("--plates", type=Path, required=True)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    here = Path(__file__).parents[1] / "src"
    variants = {
        "one thread": (here, BATCH, 1),
        "two threads": (here, BATCH, 2),
        "one of two processes": (here, BATCH // 2, 1),
    }
    if options.before:
        variants |= {
            "before, one thread": (options.before, BATCH, 1),
            "before, two threads": (options.before, BATCH, 2),
        }
    results = {}
    for recipe, kind in RECIPES.items():
        data = vars(options)[kind]
        found: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in variants}
        for _ in range(options.rounds):
            for name, (source, size, threads) in variants.items():
                for stage, values in in_a_process(source, recipe, data, size, threads).items():
                    found[name][stage] += values
        medians = {
            name: {stage: 1e3 * statistics.median(values) for stage, values in stages.items()}
            for name, stages in found.items()
        }
        results[recipe] = medians
        show(recipe, medians)
    facts = {
        "name": "training_profile",
        "unit": "processor ms",
        "date": datetime.now(timezone.utc).date().isoformat(),
        "batch": BATCH,
        "rounds": options.rounds,
        "results": results,
    }
    file = Path(__file__).parent / "results" / "training_profile.json"
    file.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def show(recipe: str, medians: dict[str, dict[str, float]]) -> None:
    """Print a table with stages as rows and variants as columns."""
    print(f"\n{recipe}, a batch of {BATCH}, processor ms")
    print(f"{'':<24}" + "".join(f"{name:>22}" for name in medians))
    for stage in next(iter(medians.values())):
        print(f"{stage:<24}" + "".join(f"{row[stage]:>22.1f}" for row in medians.values()))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
