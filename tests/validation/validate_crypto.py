"""Cost of ESP per packet with OpenSSL beside the line that is fitted to it, size by size."""

from pathlib import Path

import pandas as pd

from kernels.crypto import LinearFit, fit_linear

DATA = Path(__file__).parent / "data" / "crypto_cost.csv"
KEYS = ["suite", "dir"]


def measured() -> pd.DataFrame:
    """Return the measured costs; `ns_min` is the cost, the rest says how noisy the machine was."""
    return pd.read_csv(DATA)


def fits() -> dict[tuple[str, str], LinearFit]:
    """Return the fitted line of each suite and direction."""
    return {
        (str(suite), str(way)): fit_linear(points["bytes"], points["ns_min"])
        for (suite, way), points in measured().groupby(KEYS)
    }


def crypto_rows() -> pd.DataFrame:
    """Return one row per suite, direction and size: measured, fitted, relative residual."""
    lines = fits()
    rows = measured()[[*KEYS, "bytes", "ns_min"]].rename(columns={"ns_min": "ns_measured"})
    of_row = [lines[key] for key in zip(rows["suite"], rows["dir"], strict=True)]
    rows["per_packet_ns"] = [line.per_packet_ns for line in of_row]
    rows["per_byte_ns"] = [line.per_byte_ns for line in of_row]
    rows["ns_model"] = rows["per_packet_ns"] + rows["per_byte_ns"] * rows["bytes"]
    rows["residual_ratio"] = rows["ns_model"] / rows["ns_measured"] - 1
    return rows
