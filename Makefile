# The chores are in dev.py; these two are its most used ones.
.PHONY: demo test

demo:
	python3 dev.py demo

test:
	python3 dev.py test
