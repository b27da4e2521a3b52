"""A step of the reference set-up of Safe-Rank-GRPO on one GPU: stock TRL and saferec, in under five minutes.

    python benchmarks/gpu_step.py [--minutes 5] [--out FOLDER] [--tiny]

The network has the dimensions of Qwen2.5-0.5B and random weights in bfloat16; a step trains on 96
completions of about 275 tokens, with adapters of size 256 or all weights, in passes of 16 completions as
the reference does and in larger ones. Everything is printed and written to FOLDER (``gpu_step.json``,
``gpu_step.txt``) as soon as it is known, and what fails is named and does not stop the rest. ``--tiny`` runs
the same with a tiny network on any machine.
"""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import argparse
import gc
import json
import platform
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from paired_steps import (
    Shape,
    Size,
    Steps,
    header,
    line,
    machine,
    make_world,
    measure,
    phase_table,
    prompts_for,
    trainers,
    write_model,
)
from transformers import AutoModelForCausalLM, GenerationConfig
from transformers.utils import logging

from saferec_core.models.shared_prefix import attention
from saferec_core.models.shared_prefix.packing import pack

QWEN = Size(hidden=896, layers=24, intermediate=4864, heads=14, key_value_heads=2, vocabulary=151936)
TINY = Size(hidden=64, layers=2, intermediate=128, heads=4, key_value_heads=2, vocabulary=2048)

REFERENCE = Shape(prompt=512, listed=275, group=8, rows=96, micro=16, lora=256)


def shapes() -> list[Shape]:
    """Return the shapes to measure, the most important first."""
    full = replace(REFERENCE, lora=0)
    wide = replace(full, micro=32)
    return [
        REFERENCE,
        full,
        replace(REFERENCE, micro=32),
        wide,
        replace(wide, iterations=2),
        replace(REFERENCE, micro=96),
        replace(full, prompt=1024),
        replace(wide, prompt=128),
        replace(wide, group=16),
        replace(wide, group=4),
        replace(wide, listed=100),
        replace(wide, checkpointing=True),
    ]


class Report:
    """Prints and writes what is found, at once."""

    def __init__(self, folder: Path) -> None:
        """Begin the files in *folder*."""
        folder.mkdir(parents=True, exist_ok=True)
        self._text, self._json = folder / "gpu_step.txt", folder / "gpu_step.json"
        self._text.write_text("")
        self.start = time.perf_counter()
        self.content: dict[str, Any] = {"results": [], "failures": {}}

    def say(self, text: str) -> None:
        """Print a line and keep it."""
        print(text, flush=True)
        with self._text.open("a") as file:
            file.write(text + "\n")

    def save(self) -> None:
        """Write what is known so far."""
        self._json.write_text(json.dumps(self.content, indent=1, default=str))

    @property
    def passed(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.start

    def attempt(self, name: str, work: Callable[[], Any]) -> Any:
        """Do *work*; name a failure and go on."""
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - the others are to be measured anyway
            self.content["failures"][name] = traceback.format_exc()
            self.say(f"FAILED {name}: {type(error).__name__}: {str(error)[:600]}")
            return None
        finally:
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self.save()


def compare_gradients(folder: Path, world: Any, shape: Shape, size: Size, bf16: bool) -> dict[str, float]:
    """Return how far gradients are apart: shared and plain, and plain in other passes (bfloat16's noise)."""
    dtype = "bfloat16" if bf16 else "float32"
    gradients: dict[str, torch.Tensor] = {}
    settings = {
        "plain": (shape, "off"),
        "shared": (shape, "on"),
        "plain, other passes": (replace(shape, micro=shape.micro // 2), "off"),
    }
    for name, (chosen, share) in settings.items():
        _, ours = trainers(folder, world, chosen, dtype, share_prefix=share, bf16=bf16)
        steps = Steps(ours, processor=False)
        ours.optimizer.step = lambda *_, **__: None
        ours.optimizer.zero_grad = lambda *_, **__: None
        rows = range(chosen.rows)
        records = [world.record_ids[row] for row in rows]
        steps.step(
            prompts_for(records, chosen.prompt, size.vocabulary), [world.ids[row] for row in rows], records
        )
        parts = [p.grad.float().flatten() for p in ours.model.parameters() if p.grad is not None]
        gradients[name] = torch.cat(parts)
        del ours, steps, parts
        gc.collect()
    plain = gradients["plain"]
    return {
        name: ((gradient - plain).norm() / plain.norm()).item()
        for name, gradient in gradients.items()
        if name != "plain"
    }


def check_kernels(shape: Shape, size: Size) -> str:
    """Compare and time both ways of attending over a packed row; use the slower if the other fails."""
    width = shape.prompt + shape.listed
    ids = torch.arange(1, width + 1).expand(16, -1).clone()
    ids[shape.group :, 0] = width + 1
    packed = pack(ids.cuda(), torch.ones_like(ids).cuda(), shape.listed)
    assert packed is not None
    text, results = [], []
    for name, attend in (("by group", attention._by_group), ("by segment", attention._by_segment)):
        generator = torch.Generator("cuda").manual_seed(0)
        tensors = [
            torch.randn(
                packed.size,
                heads,
                size.hidden // size.heads,
                generator=generator,
                device="cuda",
                dtype=torch.bfloat16,
            ).requires_grad_()
            for heads in (size.heads, size.key_value_heads, size.key_value_heads)
        ]
        try:
            for number in range(6):
                if number == 1:
                    torch.cuda.synchronize()
                    start = time.perf_counter()
                attended = attend(*tensors, packed, None)
                gradients = torch.autograd.grad(attended.square().sum(), tensors)
            torch.cuda.synchronize()
        except Exception as error:  # noqa: BLE001 - the other way is used then
            text.append(f"attention {name} fails: {type(error).__name__}: {str(error)[:500]}")
            attention.varlen_attn = None
            break
        took = (time.perf_counter() - start) / 5
        text.append(f"attention {name}: {1000 * took:.2f} ms forward and backward of {packed.size} tokens")
        results.append([attended.detach().float(), *(gradient.float() for gradient in gradients)])
    if len(results) == 2:
        apart = [((a - b).norm() / a.norm()).item() for a, b in zip(*results, strict=True)]
        text.append(
            "relative difference of output and gradients: " + ", ".join(f"{value:.2g}" for value in apart)
        )
        if not max(apart) < 0.02:
            text.append("TOO FAR APART: attention by group is used")
            attention.varlen_attn = None
    return "\n".join(text)


def profile(folder: Path, world: Any, shape: Shape, size: Size, dtype: str, bf16: bool) -> str:
    """Return how long the GPU is busy in a step of either trainer, and its most expensive kernels."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    text = []
    for name, trainer in zip(
        ("TRL", "saferec"), trainers(folder, world, shape, dtype, bf16=bf16), strict=True
    ):
        steps = Steps(trainer, processor=False)
        rows = range(shape.rows)
        records = [world.record_ids[row] for row in rows]
        rollouts = (
            prompts_for(records, shape.prompt, size.vocabulary),
            [world.ids[row] for row in rows],
            records,
        )
        for _ in range(2):
            steps.step(*rollouts)
        start = time.perf_counter()
        steps.step(*rollouts)
        took = time.perf_counter() - start
        with profiler(activities=[ProfilerActivity.CUDA]) as recorded:
            steps.step(*rollouts)
        kernels = recorded.key_averages()
        busy = sum(kernel.self_device_time_total for kernel in kernels) / 1e6
        launches = sum(kernel.count for kernel in kernels)
        text.append(
            f"{name}: step {took:.3f} s, GPU busy {busy:.3f} s ({busy / took:.0%}), {launches} launches"
        )
        top = sorted(kernels, key=lambda kernel: -kernel.self_device_time_total)[:14]
        text += [
            f"    {kernel.self_device_time_total / 1e3:8.1f} ms  {kernel.count:>6}  {kernel.key[:110]}"
            for kernel in top
        ]
        del steps, trainer
        gc.collect()
        torch.cuda.empty_cache()
    return "\n".join(text)


def generation(folder: Path, world: Any, shape: Shape, size: Size, device: str, static: bool) -> str:
    """Return how long transformers takes to sample the completions of a step."""
    model = AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.bfloat16).to(device).eval()
    prompts = prompts_for([row // shape.group for row in range(shape.rows)], shape.prompt, size.vocabulary)
    ids = torch.tensor(prompts, device=device)
    config = GenerationConfig(
        do_sample=True,
        top_k=0,
        max_new_tokens=shape.listed,
        min_new_tokens=shape.listed,
        pad_token_id=world.tokenizer.pad_token_id,
        cache_implementation="static" if static else None,
    )
    took = []
    for _ in range(3 if static else 2):
        start = time.perf_counter()
        with torch.no_grad():
            model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)
        if device == "cuda":
            torch.cuda.synchronize()
        took.append(time.perf_counter() - start)
    kind = "static cache, compiled" if static else "dynamic cache"
    runs = [round(seconds, 2) for seconds in took]
    return f"generate, {kind}: {took[-1]:.2f} s for {shape.rows} x {shape.listed} tokens (runs: {runs})"


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=5.0, help="begin nothing new after so long")
    parser.add_argument("--pairs", type=int, default=6, help="pairs of steps per shape")
    parser.add_argument("--out", type=Path, default=Path("gpu_step"), help="folder for the results")
    parser.add_argument("--tiny", action="store_true", help="a tiny network and short texts")
    parser.add_argument("--only", default="", help="measure only shapes whose row holds this text")
    parser.add_argument("--first", type=int, default=99, help="measure only so many of the shapes")
    parser.add_argument(
        "--without", nargs="*", default=[], choices=("gradients", "profile", "generation", "static")
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = parsed(arguments)
    warnings.simplefilter("ignore", FutureWarning)
    logging.disable_progress_bar()
    cuda = torch.cuda.is_available()
    device = "cuda" if cuda else "cpu"
    size = TINY if chosen.tiny else QWEN
    wanted = [_tiny(shape) if chosen.tiny else shape for shape in shapes() if chosen.only in str(shape)]
    wanted = wanted[: chosen.first]
    dtype = "bfloat16" if cuda else "float32"
    report = Report(chosen.out)
    report.content["machine"] = machine()
    versions = f"transformers {version('transformers')}, TRL {version('trl')}"
    report.say(f"{machine()}, Python {platform.python_version()}, {versions}")
    if cuda:
        report.content["kernels"] = report.attempt("kernels", lambda: check_kernels(wanted[0], size))
        report.say(f"{report.content['kernels']}\n")
    limit = 60 * chosen.minutes
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = make_world(folder, wanted[0], max(1, wanted[0].rows // wanted[0].group))
        millions = write_model(folder / "model", world.tokenizer, size, getattr(torch, dtype))
        report.say(
            f"{millions:.0f} M weights, vocabulary {size.vocabulary}; ready after {report.passed:.0f} s\n"
        )

        def measured(shape: Shape, left: int) -> None:
            """Measure a shape in its part of the time, *left* more things to be measured."""
            groups = (chosen.pairs + 1) * shape.rows // shape.group
            rollouts = make_world(folder, shape, groups)
            result = measure(
                folder,
                rollouts,
                shape,
                size.vocabulary,
                dtype,
                pairs=chosen.pairs,
                seconds=min(20.0, max(1.0, (limit - report.passed) / max(left, 1))),
                processor=False,
                bf16=cuda,
            )
            report.content["results"].append(result.as_json())
            report.say(line(result))
            report.say(phase_table(result))
            difference = f"mean difference of log-probabilities {result.difference:.2g}"
            report.say(f"  {difference}; {report.passed:.0f} s passed\n")

        report.say(header())
        extras = 3
        for number, shape in enumerate(wanted):
            if report.passed > limit:
                report.say(f"left out, no time left: {shape}")
                continue
            left = len(wanted) - number + extras
            report.attempt(str(shape), lambda s=shape, n=left: measured(s, n))
            if number == 1:
                extras = 1
                _extras(report, chosen, folder, world, wanted, size, dtype, device)
        if not {"static", "generation"} & set(chosen.without) and report.passed < limit:
            text = report.attempt("static", lambda: generation(folder, world, wanted[0], size, device, True))
            report.say(str(text))
    report.say(f"\ndone after {report.passed:.0f} s; {len(report.content['failures'])} failure(s)")
    report.save()


def _tiny(shape: Shape) -> Shape:
    """Return a small likeness of a shape."""
    return replace(
        shape,
        prompt=shape.prompt // 8,
        listed=36,
        rows=16,
        micro=min(shape.micro, 16) // 2 * (2 if shape.group > 8 else 1),
        lora=4 * (shape.lora > 0),
    )


def _extras(
    report: Report,
    chosen: Any,
    folder: Path,
    world: Any,
    wanted: list[Shape],
    size: Size,
    dtype: str,
    device: str,
) -> None:
    """Compare gradients, profile a step and time generation, once the main figures are there."""
    cuda = device == "cuda"
    small = replace(wanted[1], rows=2 * wanted[1].group, micro=2 * wanted[1].group)
    if "gradients" not in chosen.without:
        for bf16 in (False, True) if cuda else (False,):
            name = f"relative difference of gradients in {'bfloat16' if bf16 else 'float32'}"
            apart = report.attempt(name, lambda b=bf16: compare_gradients(folder, world, small, size, b))
            report.content[name] = apart
            report.say(f"{name}: {apart}")
    if cuda and "profile" not in chosen.without:
        text = report.attempt("profile", lambda: profile(folder, world, wanted[0], size, dtype, cuda))
        report.content["profile"] = text
        report.say(str(text))
    if "generation" not in chosen.without:
        text = report.attempt("generation", lambda: generation(folder, world, wanted[0], size, device, False))
        report.content["generation"] = text
        report.say(str(text))


if __name__ == "__main__":
    main()
