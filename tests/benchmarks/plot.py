"""The plot of the drain: jobs a second of each engine."""

from pathlib import Path

import matplotlib as mpl

from tests.benchmarks.report import median

mpl.use("svg")


def plot_rates(rates: dict[str, list[float]], path: Path) -> None:
    """Bars, the fastest on top; a line shows the spread."""
    from matplotlib import pyplot

    ordered = sorted(rates.items(), key=lambda entry: median(entry[1]))
    middles = [median(figures) for _, figures in ordered]
    spread = [
        [middle - min(figures) for middle, (_, figures) in zip(middles, ordered, strict=True)],
        [max(figures) - middle for middle, (_, figures) in zip(middles, ordered, strict=True)],
    ]
    colours = ["#0a7d5a" if label.startswith("arqlight") else "#8a94a0" for label, _ in ordered]
    mpl.rcParams["svg.hashsalt"] = "arqlight"
    _, axes = pyplot.subplots(figsize=(9, 0.36 * len(ordered) + 1))
    axes.barh([label for label, _ in ordered], middles, xerr=spread, color=colours, ecolor="#444", capsize=2)
    for place, middle in enumerate(middles):
        axes.text(middle, place, f"  {middle:,.0f}", va="center", fontsize=8)
    axes.set_xlabel("no-op jobs a second, one worker process")
    axes.set_xlim(0, 1.15 * max(middles))
    axes.spines[["top", "right"]].set_visible(False)
    pyplot.tight_layout()
    pyplot.savefig(path, metadata={"Date": None})
