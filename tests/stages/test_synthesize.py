"""The stage that blurs: what was made before it was stopped is not made again."""

import pytest
from commands import run, run_well

from dbgan.synthesis import Bgan


@pytest.mark.parametrize("source", ["bgan", "oracle"])
def test_it_goes_on_where_it_was_stopped(copied, write_params, monkeypatch, source):
    """By a fault at its third job, the second time around at its fourth."""
    import stages.synthesize

    write_params(copied / "params.yaml", {"synthesize.source": source, "synthesize.batch": 2})
    run_well("synthesize")
    path = copied / "data" / "synthetic.h5"
    whole, jobs = path.read_bytes(), []
    path.unlink()
    make, oracle = Bgan.made, stages.synthesize.oracle

    def counted(of, *arguments, **keys):
        jobs.append(of if source == "oracle" else arguments)
        if len(jobs) in (3, 5):
            raise MemoryError
        return of(*arguments, **keys)

    monkeypatch.setattr(Bgan, "made", lambda self, *job, **keys: counted(make, self, *job, **keys))
    monkeypatch.setattr("stages.synthesize.oracle", lambda *job, **keys: counted(oracle, *job, **keys))
    assert [run("synthesize").exit_code for _ in range(2)] == [1, 1]
    assert not path.exists()
    result = run("synthesize")
    assert result.exit_code == 0
    assert "goes on after 12 of 16 blurs" in result.stderr
    assert len(jobs) == 4 + 2
    assert path.read_bytes() == whole
    assert not list(copied.glob(".state/synthesize/*/"))
