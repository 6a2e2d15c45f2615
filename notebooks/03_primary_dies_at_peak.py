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
# # What happens when the primary dies at peak?
#
# **Question.** The ExpressRoute circuit goes silent at the busiest time, and a VPN less than half
# as wide stands by. How long is the outage, who notices first, and what does BFD buy?

# %%
from simulator import load, run

scenario = load("scenarios/failover-at-peak.yaml")
fault = scenario.faults[0]
print(f"{fault.kind} at {fault.at:.0f} s, repaired at {fault.end_s:.0f} s")

# %% [markdown]
# ## With BFD

# %%
with_bfd = run(scenario)
with_bfd.plot.failover()

# %% [markdown]
# The chain from the fault to the new way. Each event names its cause.

# %%
events = with_bfd.events[["event_id", "time_s", "subject", "kind", "cause_event_id", "detail"]]
events.head(16)

# %% [markdown]
# ## Who notices when
#
# Each end routes the direction that it sends. Microsoft's end takes longer to program the change
# than the customer's, so what flows to the office is out for longer.

# %%
columns = ["stream", "direction", "detected_by_end", "detected_s", "rerouted_s", "outage_s"]
failovers = with_bfd.failovers[columns]
failovers

# %% [markdown]
# ## On the standby
#
# The line to the internet is narrower than what is offered: its queue fills, which is latency for
# everybody, and what does not fit is lost.

# %%
timeline = with_bfd.timeline.set_index("time_s")
office = timeline[(timeline["stream"] == "office") & (timeline["direction"] == "return")]
before = office.loc[30:39, ["goodput_bps", "loss_ratio", "latency_s_p95"]].mean()
standby = office.loc[70:95, ["goodput_bps", "loss_ratio", "latency_s_p95"]].mean()
(standby / before).to_frame("on the standby, as a multiple of before")

# %% [markdown]
# ## Without BFD
#
# BGP alone waits for its hold time of three minutes. The circuit is back before that.

# %%
without_bfd = run(scenario.with_("circuits.paris.bfd", None))
without_bfd.events["kind"].value_counts()

# %% [markdown]
# ## Answer

# %%
forward_s = failovers[failovers["direction"] == "forward"].set_index("stream")
return_s = failovers[failovers["direction"] == "return"].set_index("stream")
slow = without_bfd.failovers.set_index(["stream", "direction"])
down_s = fault.end_s - fault.at

# BFD notices within three intervals of 300 ms at either end.
assert (failovers["detected_s"] - fault.at).between(0.6, 0.9).all()
# The direction to the office waits for the platform's convergence.
assert return_s.loc["voice", "outage_s"] > 10 + forward_s.loc["voice", "outage_s"]
# Without BFD nobody notices at all, and the outage lasts as long as the failure.
assert slow["detected_s"].isna().all()
assert slow.loc[("voice", "return"), "outage_s"] >= down_s - 1
# The standby queues: the 95th percentile is far above what it was.
assert standby["latency_s_p95"] > 5 * before["latency_s_p95"]

print(
    f"With BFD voice to the office is out for {return_s.loc['voice', 'outage_s']:.0f} s, "
    f"without for {slow.loc[('voice', 'return'), 'outage_s']:.0f} s. On the standby p95 latency is "
    f"{1e3 * standby['latency_s_p95']:.0f} ms instead of {1e3 * before['latency_s_p95']:.0f} ms, "
    f"and {standby['loss_ratio']:.0%} of the office traffic is lost."
)
