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
# # Which SKU for a branch office?
#
# **Question.** A branch in Lyon has one tunnel, office traffic and a nightly backup. Does VpnGw1AZ
# carry them together, what would a larger one change, and what does an outage cost?

# %%
from simulator import load, run
from simulator.planner.explain import explain
from simulator.study.axis import rank

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
# ## The run, with an outage of the provider
#
# Dead peer detection notices, the tunnel is built anew, TCP backs off and comes back.

# %%
result = run(scenario)
result

# %%
result.plot.throughput().figure

# %% [markdown]
# ## All SKUs under the same load
#
# The same random numbers for each, without the outage. What a rule refuses stays in the table.

# %%
calm = scenario.with_({"run.horizon": "8 s", "run.warm_up": "2 s", "faults": []})
ranking = rank(calm, "gateways.hub-vpn.sku")
ranking.table[["value", "status", "goodput_bps", "latency_s_p95", "monthly_cost_usd", "reason"]]

# %%
ranking.plot.ranking().figure

# %% [markdown]
# ## Answer

# %%
fault_s = scenario.faults[0].end_s - scenario.faults[0].at
forward = result.streams[result.streams["direction"] == "forward"].set_index("stream")
skus = ranking.table.set_index("value")

# Office and backup lose what is sent during the outage and until the tunnel is there again.
assert (forward.loc[["office", "backup"], "outage_s_max"] >= fault_s).all()

# Outside of it the gateway is not the limit: the random loss of the line is.
assert any(row.binds and "loss" in row.ceiling for row in backup.ceilings)
gain = skus.loc["VpnGw2AZ", "goodput_bps"] / skus.loc["VpnGw1AZ", "goodput_bps"] - 1
assert gain < 0.1

# A larger one costs more, so the smallest that carries the load is the answer.
assert skus.loc["VpnGw2AZ", "monthly_cost_usd"] > skus.loc["VpnGw1AZ", "monthly_cost_usd"]

print(
    f"VpnGw1AZ is enough: VpnGw2AZ would change the goodput by {gain:+.1%}. The outage of "
    f"{fault_s:.0f} s lasts {forward['outage_s_max'].max():.0f} s for the backup."
)
