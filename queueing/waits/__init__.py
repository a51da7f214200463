"""Waits that are learned: rebuilt from logs, predicted as a distribution, measured on every ticket served.

snapshots (real logs of offices and the waits in them), and what learns from them.
"""
