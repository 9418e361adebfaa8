import os

# Threads that wait must soon sleep, not spin: beside other work on the machine, spinning made the steps of small
# networks up to ten times slower. OpenMP reads it when torch is first imported, so it stands before every import.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
