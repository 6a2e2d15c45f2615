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
# **Question.** Which SKU is worth its money for an office whose load nobody knows exactly? It is
# somewhere between 100 and 700 Mbit/s of small and large packets.

# %%
import tempfile
from pathlib import Path

from simulator import explain, load, open_sweep, sweep
from simulator.frontier_plot import designs

BASE = Path("scenarios/base/lyon-office.yaml").resolve()
LINE = "{down: 2 Gbit/s, up: 2 Gbit/s, delay: 4 ms, buffer: 20 ms}"
DESIGN = f"""
schema_version: 1
title: Four SKUs, four loads
scenario: {BASE}
set:
  run: {{horizon: 600 ms, warm_up: 200 ms, time_bin: 100 ms, seed: 1}}
  sites.lyon.internet.isp: {LINE}
vary:
  gateways.hub-vpn.sku: [VpnGw1AZ, VpnGw2AZ, VpnGw3AZ, VpnGw4AZ]
  traffic.office.reply_rate: [100 Mbit/s, 300 Mbit/s, 500 Mbit/s, 700 Mbit/s]
"""
folder = Path(tempfile.mkdtemp())
file = folder / "design.yaml"
_ = file.write_text(DESIGN, encoding="utf-8")

# %% [markdown]
# ## Sixteen points
#
# Each finished point is kept at once; a sweep that is ended in the middle goes on with `resume`.

# %%
done = sweep(file, folder / "out", workers=2)
table = open_sweep(folder / "out").table
replies = table[(table["stream"] == "office") & (table["direction"] == "return")].rename(
    columns={"gateways.hub-vpn.sku": "sku", "traffic.office.reply_rate_bps": "reply_bps"}
)
replies[["sku", "reply_bps", "loss_ratio", "latency_s_p95", "monthly_cost_usd"]].head()

# %% [markdown]
# ## Where each SKU stops
#
# Share of the replies that is lost. VpnGw1AZ is published with 650 Mbit/s and loses packets at less
# than half of that, because a gateway also has a limit of packets per second, and these are small.

# %%
losses = replies.pivot(index="sku", columns="reply_bps", values="loss_ratio")
(100 * losses).round(1).rename(columns=lambda bps: f"{bps / 1e6:.0f} Mbit/s").add_suffix(", % lost")

# %%
smallest = load(BASE).with_("traffic.office.reply_rate", "300 Mbit/s")
office = explain(smallest).stream("office", "return")
binding = next(row for row in office.ceilings if row.binds)
print(f"{binding.ceiling}: {binding.value}  [{binding.source}]")

# %% [markdown]
# ## The frontier at 500 Mbit/s
#
# What a month costs against what is lost. Grey ones are beaten: another SKU costs less and loses no
# more. Most of the cost is egress, as if the load lasted all month, and is the same for all of them
# but for what a small gateway does not let through.

# %%
heavy = replies[replies["reply_bps"] == 500e6]
designs(heavy.assign(design=heavy["sku"]), y="loss_ratio")

# %% [markdown]
# ## Answer

# %%
carries = losses < 0.001
cheapest = {}
for reply_bps in losses.columns:
    fit = replies[(replies["reply_bps"] == reply_bps) & (replies["loss_ratio"] < 0.001)]
    cheapest[reply_bps / 1e6] = fit.nsmallest(1, "monthly_cost_usd")["sku"].iloc[0]
light = replies[replies["reply_bps"] == 100e6].set_index("sku")["monthly_cost_usd"]
insurance_usd = light["VpnGw2AZ"] - light["VpnGw1AZ"]

# A larger SKU never carries less.
assert (carries.astype(int).diff().iloc[1:] >= 0).all().all()
# The smallest one ends below half of its published throughput, at its limit of packets per second.
assert cheapest[100.0] == "VpnGw1AZ"
assert not carries.loc["VpnGw1AZ", 300e6]
assert "packets/s" in binding.ceiling
# The next one carries five times the load for the price of its gateway: 730 h x (0.49 - 0.19) USD.
assert cheapest[500.0] == "VpnGw2AZ"
assert 200 < insurance_usd < 240

print("cheapest SKU that carries the replies:")
for load_mbps, sku in cheapest.items():
    print(f"  {load_mbps:.0f} Mbit/s: {sku}")
print(
    f"VpnGw2AZ is worth its money: for {insurance_usd:.0f} USD a month more than VpnGw1AZ it "
    "carries all loads but the highest."
)
