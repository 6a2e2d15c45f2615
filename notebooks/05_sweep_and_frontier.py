# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A sweep and its frontier
#
# **Question.** Which SKU is worth its money for an office whose load nobody knows exactly?

# %%
import tempfile
from pathlib import Path

from simulator import open_sweep, sweep

DESIGN = f"""
schema_version: 1
title: Four SKUs, four loads
scenario: {Path("scenarios/base/lyon-office.yaml").resolve()}
set:
  run: {{horizon: 1 s, warm_up: 200 ms, time_bin: 100 ms, seed: 1}}
  sites.lyon.internet.isp: {{down: 2 Gbit/s, up: 2 Gbit/s, delay: 4 ms, buffer: 20 ms}}
vary:
  gateways.hub-vpn.sku: [VpnGw1AZ, VpnGw2AZ, VpnGw3AZ, VpnGw4AZ]
  traffic.office.reply_rate: [100 Mbit/s, 300 Mbit/s, 500 Mbit/s, 700 Mbit/s]
"""
folder = Path(tempfile.mkdtemp())
(folder / "design.yaml").write_text(DESIGN, encoding="utf-8")

# %% [markdown]
# ## Sixteen points
#
# Each finished point is kept at once; a sweep that is ended in the middle goes on with `resume`.

# %%
sweep(folder / "design.yaml", folder / "out", workers=2)
table = open_sweep(folder / "out").table
replies = table[(table["stream"] == "office") & (table["direction"] == "return")]
replies[["gateways.hub-vpn.sku", "traffic.office.reply_rate", "loss_ratio", "latency_s_p95"]]

# %% [markdown]
# ## Where each SKU stops

# %%
losses = replies.pivot(
    index="gateways.hub-vpn.sku", columns="traffic.office.reply_rate_bps", values="loss_ratio"
)
losses.style.format("{:.1%}")

# %% [markdown]
# ## The frontier
#
# What a month costs, against what all streams get: each point is a SKU under a load. Those on the
# line are beaten by no other.

# %%
done = open_sweep(folder / "out")
done.plot.frontier(y="goodput_bps").figure

# %% [markdown]
# ## Answer

# %%
carries = losses < 0.001
cheapest = {}
for load_bps in losses.columns:
    fit = replies[
        (replies["traffic.office.reply_rate_bps"] == load_bps) & (replies["loss_ratio"] < 0.001)
    ]
    cheapest[load_bps / 1e6] = fit.nsmallest(1, "monthly_cost_usd")["gateways.hub-vpn.sku"].iloc[0]

# A larger SKU never carries less.
assert (carries.astype(int).diff().iloc[1:] >= 0).all().all()
# The smallest one stops at its published throughput of 650 Mbit/s, or before.
assert not carries.loc["VpnGw1AZ", 700e6]
assert cheapest[100.0] == "VpnGw1AZ"

print("cheapest SKU that carries the replies:")
for load_mbps, sku in cheapest.items():
    print(f"  {load_mbps:.0f} Mbit/s: {sku}")
