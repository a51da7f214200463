"""What a week would bring: a plan played citizen by citizen beside no vans at all and beside the biggest towns in turn.

`facts` gathers what the product knows (measured and forecast, never the truth of the simulated country), `people` draws
the citizens of a run, `week` plays them under each policy, `answer` says the hours saved with intervals.
"""
