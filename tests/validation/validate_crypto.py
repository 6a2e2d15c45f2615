"""Cost of ESP per packet with OpenSSL beside the line that is fitted to it, size by size."""

from pathlib import Path

import pandas as pd

from kernels.crypto import LinearFit, fit_linear
from tests.validation.measurements import DATA, read

KEYS = ["suite", "dir"]


def measured(folder: Path = DATA) -> pd.DataFrame:
    """Return the measured costs; `ns_min` is the cost, the rest says how noisy the machine was."""
    return read("crypto_cost.csv", folder)


def fits(folder: Path = DATA) -> dict[tuple[str, str], LinearFit]:
    """Return the fitted line of each suite and direction."""
    return {
        (str(suite), str(way)): fit_linear(points["bytes"], points["ns_min"])
        for (suite, way), points in measured(folder).groupby(KEYS)
    }


def crypto_rows(folder: Path = DATA) -> pd.DataFrame:
    """Return one row per suite, direction and size: measured, fitted, relative residual."""
    lines = fits(folder)
    rows = measured(folder)[[*KEYS, "bytes", "ns_min"]].rename(columns={"ns_min": "ns_measured"})
    of_row = [lines[key] for key in zip(rows["suite"], rows["dir"], strict=True)]
    rows["per_packet_ns"] = [line.per_packet_ns for line in of_row]
    rows["per_byte_ns"] = [line.per_byte_ns for line in of_row]
    rows["ns_model"] = rows["per_packet_ns"] + rows["per_byte_ns"] * rows["bytes"]
    rows["residual_ratio"] = rows["ns_model"] / rows["ns_measured"] - 1
    return rows
