"""What would more bring? One more van, longer shifts, a second crew, a pin given up, a place served for certain.

`estimates` says it at once for every region, from the plan and the prices of its bound; `answer` solves the part of the
plan around the question twice, without and with the change, and says how far from proven the difference is.
"""

from routing.whatif.answer import Answer, Totals, answer
from routing.whatif.estimate import Estimate, estimates
from routing.whatif.questions import Question, QuestionError

__all__ = ["Answer", "Estimate", "Question", "QuestionError", "Totals", "answer", "estimates"]
