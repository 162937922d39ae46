"""How good a model is: the referee, its figures, and the alarms of a detector."""
