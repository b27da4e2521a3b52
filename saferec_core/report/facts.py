"""What a run was: the lines of a page's head, out of its configuration and manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from saferec_core.report.reading import Run

__all__ = ["facts", "facts_table", "provenance"]


def facts(run: Run) -> dict[str, str]:
    """Return what was run, in a few lines; what a configuration does not say is left out."""
    config = run.config
    model, data = _section(config, "model"), _section(config, "data")
    optimization, rollout = _section(config, "optimization"), _section(config, "rollout")
    steps = optimization.get("max_steps") or 0
    lora = f", LoRA r = {model.get('lora_r')}" if model.get("use_lora") else ""
    lines = {
        "Model": _name(model.get("model")) + lora,
        "Start": _start(config),
        "Reference policy": _reference(run.manifest),
        "Data": _name(data.get("train_path")),
        "Oracle": _chosen(config.get("oracle")),
        "Rewards": ", ".join(_reward(*item) for item in _section(config, "rewards").items()),
        "Normalizer": _chosen(config.get("normalizer")),
        "Completions per prompt": str(rollout.get("num_generations") or ""),
        "Ranks (K)": str(config.get("num_ranks") or ""),
        "Steps": _steps(optimization, steps),
        "Learning rate": f"{optimization['learning_rate']:g}" if "learning_rate" in optimization else "",
        "KL weight": f"{config['kl_beta']:g}" if "kl_beta" in config else "",
        "Seed": str(config.get("seed", "")),
        "Started": str(run.manifest.get("created", "")).replace("T", " ").replace("+00:00", " UTC"),
        "Folder": str(run.folder),
    }
    return {name: line for name, line in lines.items() if line}


def facts_table(runs: Sequence[Run]) -> dict[str, tuple[list[str], bool]]:
    """Lay the facts of several runs side by side: each fact by run, and whether they differ."""
    by_run = [facts(run) for run in runs]
    names = dict.fromkeys(name for lines in by_run for name in lines)
    table = {name: [lines.get(name, "") for lines in by_run] for name in names}
    return {name: (lines, len(set(lines)) > 1) for name, lines in table.items()}


def provenance(run: Run) -> dict[str, str]:
    """Return versions, plugins, hashes and the command that the run was made with."""
    manifest = run.manifest
    lines = {"command": " ".join(map(str, manifest.get("command") or ()))}
    if "python" in manifest:
        lines["python"] = str(manifest["python"])
    lines |= {name: str(version) for name, version in _section(manifest, "versions").items() if version}
    for name, entry in _section(manifest, "data").items():
        if isinstance(entry, Mapping):
            lines[name] = f"{entry.get('path')} (SHA-256 {str(entry.get('sha256'))[:12]}…)"
    if isinstance(git := manifest.get("git"), Mapping):
        lines["git"] = f"{git.get('commit')}{'' if git.get('clean') else ', with changes'}"
    plugins = _section(manifest, "plugins")
    ours = {"saferec"}
    lines["plugins of others"] = ", ".join(
        f"{name} ({origin})" for name, origin in plugins.items() if str(origin).split(" ")[0] not in ours
    )
    return {name: text for name, text in lines.items() if text}


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name)
    return section if isinstance(section, Mapping) else {}


def _start(config: Mapping[str, Any]) -> str:
    checkpoint = config.get("sft_checkpoint")
    if checkpoint is not None:
        return f"SFT checkpoint {_name(checkpoint)}"
    return "Safe SFT first" if config.get("sft") else ""


def _reference(manifest: Mapping[str, Any]) -> str:
    """Return the policy that the KL divergence is measured from, where it is not the start."""
    policy = _section(manifest, "reference").get("policy")
    return "" if policy is None or policy == manifest.get("start") else _name(policy)


def _reward(name: str, choice: object) -> str:
    weight = choice.get("weight", 1.0) if isinstance(choice, Mapping) else 1.0
    return f"{name} × {weight:g}"


def _chosen(choice: object) -> str:
    if not isinstance(choice, Mapping):
        return ""
    named = {name: value for name, value in choice.items() if name not in {"name", "beside"}}
    options = ", ".join(f"{name} {_name(value)}" for name, value in named.items())
    chosen = f"{choice.get('name')} ({options})" if options else str(choice.get("name"))
    return " + ".join([chosen, *map(_chosen, choice.get("beside", ()))])


def _steps(optimization: Mapping[str, Any], steps: int) -> str:
    if steps > 0:
        return f"{steps:,}"
    return f"{optimization['num_train_epochs']:g} epochs" if "num_train_epochs" in optimization else ""


def _name(value: object) -> str:
    """Shorten a path to its last two parts; a hub id has no more."""
    if value is None:
        return ""
    text = str(value)
    return "/".join(Path(text).parts[-2:]) if text.startswith(("/", ".")) or text.count("/") > 1 else text
