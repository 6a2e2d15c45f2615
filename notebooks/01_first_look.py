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
# # First look: one branch office, one tunnel, one outage
#
# **Question.** Does VpnGw1AZ carry the office and the nightly backup of a branch in Lyon together,
# and what does an outage of its provider cost?

# %%
from simulator import load, run
from simulator.planner.explain import explain

scenario = load("scenarios/site-to-site.yaml")
print(scenario.question)

# %% [markdown]
# ## Before any run: what binds
#
# Every ceiling on the way of the backup, with its source. The one that binds is not the gateway.

# %%
backup = explain(scenario).stream("backup")
for row in backup.ceilings:
    print(f"{'->' if row.binds else '  '} {row.ceiling}: {row.value}  [{row.source}]")

# %% [markdown]
# ## The run
#
# A result shows its own summary; the first seconds are warm-up and left out of rates and latencies.

# %%
result = run(scenario)
result

# %% [markdown]
# ## The outage
#
# The provider fails and is repaired. Dead peer detection notices, the tunnel is built anew, TCP
# backs off and comes back.

# %%
result.plot.throughput().figure

# %%
result.events[["time_s", "subject", "kind", "cause_event_id", "detail"]]

# %% [markdown]
# ## Latency
#
# One-way, as a distribution: the vertical axis stretches the slowest packets.

# %%
result.plot.cdf().figure

# %% [markdown]
# ## A larger gateway
#
# The same traffic, the same random numbers, another SKU.

# %%
larger = run(scenario.with_("gateways.hub-vpn.sku", "VpnGw2AZ"))
keys = ["stream", "direction"]
both = result.summary.merge(larger.summary, on=keys, suffixes=("_now", "_larger"))
both[[*keys, "goodput_bps_now", "goodput_bps_larger", "latency_s_p95_now", "latency_s_p95_larger"]]

# %% [markdown]
# ## Answer

# %%
fault_s = scenario.faults[0].end_s - scenario.faults[0].at
office = result.streams[result.streams["stream"] == "office"]
forward = result.streams[result.streams["direction"] == "forward"].set_index("stream")

# Office and voice lose what is sent during the outage and until the tunnel is there again.
assert (office["outage_s_max"] >= fault_s).all()
assert forward.loc["backup", "outage_s_max"] >= fault_s

# Outside of it the gateway is not the limit: the random loss of the line is.
assert any(row.binds and "loss" in row.ceiling for row in backup.ceilings)
gain = (both["goodput_bps_larger"] / both["goodput_bps_now"] - 1)[both["stream"] == "backup"].iloc[
    0
]
assert gain < 0.1

slowest = result.streams.nlargest(1, "outage_s_max").iloc[0]
print(
    f"Yes: a larger gateway would change the backup by {gain:+.1%}. "
    f"The outage of {fault_s:.0f} s lasts {slowest['outage_s_max']:.0f} s "
    f"for {slowest['stream']} {slowest['direction']}."
)
