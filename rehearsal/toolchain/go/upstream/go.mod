// The sums of what sources.py and catalog.py take out of upstream modules; no line of code.
module binderhub.rehearsal/upstream

go 1.26.0
