"""All benchmarks, as `make bench` runs them: python -m benchmarks"""

from benchmarks import networks, photograph, steps

if __name__ == "__main__":
    for benchmark in (photograph, steps, networks):
        benchmark.main()
