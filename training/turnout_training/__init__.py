"""How the classifier is made: from labelled prompts to the model layer. Never deployed."""
