"""The benchmark of large photographs runs the command on every kind of file."""

from benchmarks import photographs
from dbgan.use import inference as tiles


def test_every_file_is_restored_in_tiles(monkeypatch, tmp_path, write_params):
    monkeypatch.setattr(photographs, "in_own_process", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(tiles, "in_tiles", tiles.in_tiles)  # put back afterwards
    write_params(tmp_path / "params.yaml")
    found = photographs.measure(40, 60)
    assert list(found) == list(photographs.FILES)
    for one in found.values():
        assert 0 < one["tiles"] < one["seconds"]
        assert one["peak_bytes"] > 1e7
