"""The event log of a van's laptop and its copy at headquarters.

A laptop without a line writes what happened into a chain of entries keyed (device, epoch, sequence), each with the
hash of the one before. Headquarters takes entries once, in order, and shows them in its own tables.

- chain.py packing.py facts.py   pure: canonical bytes and hashes; the small form for a bad line; tickets replayed
- seal.py epochs.py              on the laptop: events into the chain; what to do when it turns out to be a copy
- accept.py                      at headquarters: take entries, once, in order
- project.py book.py             show them in tickets and events (project_rows.py: in rows), loaded and written at once
- leases.py wishes.py feed.py    who gives numbers; what is asked here and done there; what a device does not know yet
- choices.py                     what only a person can decide
"""
