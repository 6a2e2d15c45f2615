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
# # Teleworkers on Monday at nine
#
# **Question.** Everybody signs in at about nine and synchronises at once. Who gets in, does the
# gateway carry it, and what would the smaller SKU do?

# %%
from simulator import load, run
from simulator.plots import COLOURS, new_axes, style

scenario = load("scenarios/login-morning.yaml").with_(
    {"run.horizon": "11 h", "run.time_bin": "5 min"}
)
print(scenario.question)

# %% [markdown]
# ## The morning, at flow level
#
# Eleven hours from midnight; each transfer is a flow, none of their packets is simulated. Data flow
# to the clients: `return` is the direction that counts.

# %%
morning = run(scenario)
morning.summary[["stream", "direction", "offered_bps", "goodput_bps", "latency_s_p95"]]

# %%
by_hour = morning.timeline.assign(hour=morning.timeline["time_s"] / 3600).pivot_table(
    index="hour", columns=["stream", "direction"], values="goodput_bps"
)
with style():
    axes = new_axes()
    received_mbps = by_hour.xs("return", axis="columns", level="direction").loc[8:] / 1e6
    received_mbps.plot(ax=axes, color=COLOURS, drawstyle="steps-post", xlabel="Hour of the day")
    axes.set_ylabel("Received by all clients (Mbit/s)")
    axes.set_ylim(bottom=0.0)
axes

# %% [markdown]
# ## A gateway with room for fewer
#
# The smaller SKU admits 250 clients over OpenVPN; 400 dial.

# %%
smaller = run(scenario.with_("gateways.hub-vpn.sku", "VpnGw1AZ"))
smaller.events[["time_s", "subject", "kind", "detail"]].head()

# %%
list(smaller.warnings)

# %% [markdown]
# ## Answer


# %%
def peak_bps(result) -> float:
    """Highest goodput of all streams together in a time bin, bits/s."""
    return float(result.timeline.groupby("time_s")["goodput_bps"].sum().max())


def delivered_bytes(result) -> float:
    """All bytes that arrived."""
    return float(result.streams["bytes_delivered"].sum())


refused = smaller.events[smaller.events["kind"] == "p2s-refused"]

# All 400 get in on the larger SKU, 150 are refused on the smaller one.
assert morning.events[morning.events["kind"] == "p2s-refused"].empty
assert refused["detail"].str.contains("150").any()
# The peak is far below the gateway's throughput of 1 Gbit/s: clients wait for themselves.
assert peak_bps(morning) < 0.8e9
# Whoever is refused transfers nothing.
assert 0.5 < delivered_bytes(smaller) / delivered_bytes(morning) < 0.75

print(
    f"VpnGw2AZ takes all {scenario.clients['teleworkers'].count} and peaks at "
    f"{peak_bps(morning) / 1e6:.0f} Mbit/s; VpnGw1AZ refuses 150 of them and carries "
    f"{delivered_bytes(smaller) / delivered_bytes(morning):.0%} of the bytes."
)
