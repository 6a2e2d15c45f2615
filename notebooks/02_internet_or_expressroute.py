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
# # Internet VPN or ExpressRoute: latency and throughput over distance
#
# **Question.** One office, one region in Europe, two ways to connect: a tunnel over the internet
# and a private circuit. How do latency and throughput of both change as the office moves away?

# %%
import pandas as pd

from simulator import load, run
from simulator.plots import COLOURS, new_axes, style

scenario = load("scenarios/internet-versus-expressroute.yaml")
# A circuit that reaches beyond its own continent is a premium one.
scenario = scenario.with_("circuits.lyon-paris.tier", "premium").with_("run.horizon", "15 s")

# Where the office stands, and the peering location in its city.
PLACES = {
    "France Central": "Paris",
    "Sweden Central": "Stockholm",
    "East US": "Washington DC",
    "Southeast Asia": "Singapore",
}

# %% [markdown]
# ## Four places, the same traffic
#
# The office asks for the same every time: voice, office traffic, one TCP flow with a window of
# 256 KiB, sixteen with 1 MiB. The access line loses one packet in ten thousand; the circuit none.


# %%
def measured(region: str, peering_location: str) -> pd.DataFrame:
    moved = scenario.with_(
        {
            "sites.lyon-internet.location.near": region,
            "sites.lyon-private.location.near": region,
            "circuits.lyon-paris.peering_location": peering_location,
        }
    )
    streams = run(moved).streams
    payload = streams[streams["goodput_bps"] > 0]
    return payload.assign(place=region)


results = pd.concat([measured(*place) for place in PLACES.items()], ignore_index=True)

# %%
# `many-flows-private` -> what it is, and the way that it takes.
results[["what", "way"]] = results["stream"].str.extract(r"(.+)-(internet|private)$")
forward = results[results["direction"] == "forward"]
table = forward.pivot_table(
    index="place", columns=["what", "way"], values=["latency_s_p50", "goodput_bps"], sort=False
).reindex(list(PLACES))
latency_ms = (1e3 * table["latency_s_p50"]["voice"]).round(1)
latency_ms

# %% [markdown]
# ## Throughput of one flow: the window over the round trip
#
# A single flow cannot have more under way than its window. Over the private way that is all that
# limits it; over the internet the random loss does too.

# %%
one_mbps = (table["goodput_bps"]["one-flow"] / 1e6).round(1)
one_mbps

# %%
with style():
    axes = new_axes(height_in=3.6)
    one_mbps.plot.bar(
        ax=axes, color=COLOURS, rot=0, ylabel="Goodput of one flow (Mbit/s)", xlabel=""
    )
axes

# %% [markdown]
# ## Sixteen flows
#
# Many flows with larger windows fill a short way over either. Over a long one each loss costs more
# round trips to make good, so the internet way falls behind.

# %%
many = results[(results["what"] == "many-flows") & (results["goodput_bps"] > 1e6)]
many_mbps = many.pivot(index="place", columns="way", values="goodput_bps").reindex(list(PLACES))
many_mbps = (many_mbps / 1e6).round(1)
many_mbps

# %% [markdown]
# ## Answer

# %%
near, far = one_mbps.loc["France Central"], one_mbps.loc["Southeast Asia"]

# Distance costs one flow on either way most of its throughput.
assert (far < near / 4).all()

# Where no packet is lost, window over round trip is the throughput; nearby the queue that the
# sixteen flows build on the way back is a good part of the round trip, far away it is not.
rtt_s = 2e-3 * latency_ms["private"]
bound_mbps = 256 * 1024 * 8 / rtt_s / 1e6
reached = one_mbps["private"] / bound_mbps
assert (reached <= 1.02).all()
assert (reached.loc[["East US", "Southeast Asia"]] > 0.85).all()

# Random loss that nobody notices nearby makes the internet way the slower one far away.
share = many_mbps["internet"] / many_mbps["private"]
assert share.loc["Southeast Asia"] < share.loc["France Central"]

print(
    f"Nearby one flow has {near['internet']:.0f} Mbit/s over the internet and "
    f"{near['private']:.0f} over ExpressRoute; from Southeast Asia "
    f"{far['internet']:.1f} and {far['private']:.1f}. "
    f"Sixteen flows from there keep {share.loc['Southeast Asia']:.0%} of the private way's rate."
)
