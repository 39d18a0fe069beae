"""The figures as tables: the same Markdown for the terminal and for the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- begin: written by make bench-peers -->\n", "<!-- end -->\n"
LABELS = {
    ("native", "backscatter"): "this project: VV and VH",
    ("native", "tile_backscatter"): "this project: VV and VH",
    ("sarsen", "gamma_bilinear"): "sarsen: VV, `gamma_bilinear`",
    ("sarsen", "tile_gamma_bilinear"): "sarsen: VV, `gamma_bilinear`",
    ("sarsen", "geometric"): "sarsen: VV, geometric only",
    ("native", "interferogram"): "this project: coherence and phase",
    ("native", "tile_interferogram"): "this project: coherence and phase",
    ("insardev", "interferogram"): "insardev: two dates geocoded, coherence and phase",
    ("insardev", "tile_interferogram"): "insardev: two dates geocoded, coherence and phase",
    ("native", "frame"): "this project: VV, VH, coherence and phase at once",
}
KINDS = {"backscatter": "Backscatter of one date", "pair": "Interferogram of two dates", "frame": "Both"}

Results = dict[str, Any]


def text(results: Results) -> str:
    """All tables."""
    on, runs = results["machine"], results["runs"]
    place = f"{on['cpu']}, {on['cores']} cores, {on['memory_gib']:.0f} GiB, {on['system']}, Python {on['python']}"
    parts = [
        f"Measured on {place}; one thread. Versions: {_versions(runs)}.",
        "### The whole burst",
        _costs([r for r in runs if not r["alone"]]),
        "### One tile alone",
        _costs([r for r in runs if r["alone"]]),
        "### Errors of backscatter",
        _table(_POWER, (_power_row(r) for r in runs if "power_mean_db" in r.get("errors", {}))),
        "### Errors of interferograms",
        _table(_PAIR, (_pair_row(r) for r in runs if "coherence_bias" in r.get("errors", {}))),
    ]
    failed = [f"* {LABELS[r['tool'], r['task']]}: {r['failed']}" for r in runs if "failed" in r]
    if failed:
        parts += ["### What failed", "\n".join(failed)]
    return "\n\n".join(parts)


def renew(page: Path, results: Results) -> None:
    """Put the tables between the marks of a page."""
    body = page.read_text()
    head, rest = body.split(BEGIN)
    page.write_text(f"{head}{BEGIN}\n{text(results)}\n\n{END}{rest.split(END)[1]}")


def _versions(runs: Sequence[Results]) -> str:
    found: dict[str, set[str]] = {}
    for run in runs:
        for name, version in run.get("versions", {}).items():
            found.setdefault(name, set()).add(version)
    return ", ".join(f"{name} {' and '.join(sorted(found[name]))}" for name in sorted(found))


def microseconds(run: Results) -> float:
    """CPU microseconds per 100 m² of ground with data and layer."""
    return float(run["cpu_s"] * 1e6 / run["pixels"] / run["layers"])


_COST = (
    "",
    "pixels, 10⁶",
    "CPU s",
    "once for all dates, CPU s",
    "wall s",
    "imports, CPU s",
    "memory, GiB",
    "CPU µs per pixel and layer",
    "ratio",
)


def _costs(runs: Sequence[Results]) -> str:
    rows: list[Sequence[str]] = []
    for kind, title in KINDS.items():
        own = [r for r in runs if r["kind"] == kind]
        base = next((microseconds(r) for r in own if r["tool"] == "native" and "cpu_s" in r), None)
        if own:
            rows.append((f"**{title}**", *[""] * (len(_COST) - 1)))
        rows.extend(_cost_row(run, base) for run in own)
    return _table(_COST, rows)


def _cost_row(run: Results, base: float | None) -> Sequence[str]:
    label = LABELS[run["tool"], run["task"]]
    if "failed" in run:
        return label, "failed", *[""] * (len(_COST) - 2)
    each = microseconds(run)
    return (
        label,
        f"{run['pixels'] / 1e6:.3g}",
        f"{run['cpu_s']:.3g}",
        f"{run['parts_cpu_s']['terrain']:.3g}" if "terrain" in run["parts_cpu_s"] else "",
        f"{run['wall_s']:.3g}",
        f"{run['imports_cpu_s']:.2g}",
        f"{run['peak_mib'] / 1024:.2g}",
        f"{each:.3g}",
        f"{each / base:.3g}" if base else "",
    )


_POWER = ("", "mean, dB", "spread, dB", "mean on dark ground, dB", "east, m", "north, m")


def _power_row(run: Results) -> Sequence[str]:
    e = run["errors"]
    numbers = (f"{e[k]:+.2f}" for k in ("dark_mean_db", "east_m", "north_m"))
    return LABELS[run["tool"], run["task"]], f"{e['power_mean_db']:+.2f}", f"{e['power_std_db']:.2f}", *numbers


_PAIR = (
    "",
    "coherence",
    "coherence where there is none",
    "phase: offset, °",
    "plane, °",
    "spread, °",
    "east, north, m",
)


def _pair_row(run: Results) -> Sequence[str]:
    e = run["errors"]
    shift = f"{e['east_m']:+.2f}, {e['north_m']:+.2f}" if "east_m" in e else "as above"
    return (
        LABELS[run["tool"], run["task"]],
        f"{e['coherence_bias']:+.3f}",
        f"{e['coherence_of_none']:.3f}",
        f"{e['phase_offset_deg']:+.1f}",
        f"{e['phase_plane_deg']:.1f}",
        f"{e['phase_std_deg']:.1f}",
        shift,
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
