"""What if: copies of a week under changes, solved and compared, never published.

kinds.py says what can be changed, book.py what a change may name, effects.py, demand.py and rules.py what each
kind does to a fleet-problem, applying.py does them in order, verbs.py is the life of a scenario, takeover.py
how a draft is made of one.
"""
