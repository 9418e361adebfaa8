"""A killed training goes on as if nothing had happened, and nothing else can disturb it."""

from functools import partial
from pathlib import Path

import pytest
import torch
from tiny_steps import BUILD, IMAGES, group, optim_params
from tqdm import tqdm

from dbgan.training import resume
from dbgan.training.loop import fit

STEPS = 6


class KilledError(Exception):
    pass


class WritesAFile:
    """Unpickled as a plain pickle, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def progress(**options):
    return tqdm(**(options | {"disable": True}))


def train(root, training, kill_before=None, starts=None, **changes):
    """Train to the end, or up to a kill; gives all that was learnt and the curve."""

    def batches(start):
        if starts is not None:
            starts.append(start)
        for n in range(start + 1, STEPS + 1):
            if n == kill_before:
                raise KilledError
            yield group(n, IMAGES[training])

    build = partial(BUILD[training], **changes)
    with resume.state(root, training, ["the same"], print) as state:
        steps = []
        p = optim_params(steps=STEPS, **changes)
        result = fit(state, lambda: steps.append(build()) or steps[-1], batches, p, 0, lambda row, n: None, progress)
        assert (result is steps[-1].result) == (not p.ema)
        return learnt(steps[-1]) | tensors(result.state_dict(), "result"), state.rows


def tensors(value, prefix=""):
    """Every tensor and number inside nested state dicts, by its path."""
    if isinstance(value, dict):
        return {k: v for key, inner in value.items() for k, v in tensors(inner, f"{prefix}/{key}").items()}
    if isinstance(value, list | tuple):
        return tensors(dict(enumerate(value)), prefix)
    return {prefix: value}


def learnt(step):
    return tensors({name: part.state_dict() for name, part in step.parts().items()})


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert torch.equal(found[key], value) if torch.is_tensor(value) else found[key] == value, key


def state_file(root):
    (found,) = root.glob(".state/*/*/state.pt")
    return found


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Each training done in one go, once for all tests here."""
    done = {}

    def get(training):
        if training not in done:
            done[training] = train(tmp_path_factory.mktemp(training), training)
        return done[training]

    return get


@pytest.mark.parametrize("kill_before", [4, 6])
@pytest.mark.parametrize("training", BUILD)
def test_killed_and_resumed_equals_uninterrupted_bit_for_bit(tmp_path, uninterrupted, training, kill_before):
    starts = []
    with pytest.raises(KilledError):
        train(tmp_path, training, kill_before, starts)
    found, rows = train(tmp_path, training, starts=starts)
    assert starts == [0, (kill_before - 1) // 2 * 2]
    whole, whole_rows = uninterrupted(training)
    assert_equal(found, whole)
    assert rows == whole_rows
    assert [row["step"] for row in rows] == [2, 4, 6]


@pytest.mark.parametrize("training", BUILD)
def test_a_running_mean_too_goes_on_bit_for_bit(tmp_path, training):
    (tmp_path / "killed").mkdir()
    with pytest.raises(KilledError):
        train(tmp_path / "killed", training, 4, ema=0.9, clip=0.5)
    found, rows = train(tmp_path / "killed", training, ema=0.9, clip=0.5)
    expected, expected_rows = train(tmp_path, training, ema=0.9, clip=0.5)
    assert_equal(found, expected)
    assert rows == expected_rows


def test_a_kill_before_the_first_save_starts_anew(tmp_path, uninterrupted):
    with pytest.raises(KilledError):
        train(tmp_path, "pretrain", kill_before=2)
    found, rows = train(tmp_path, "pretrain")
    assert_equal(found, uninterrupted("pretrain")[0])
    assert rows == uninterrupted("pretrain")[1]


@pytest.mark.parametrize("damage", ["empty", "half", "garbage", "another training's"])
def test_a_damaged_state_is_set_aside_with_a_warning_and_training_starts_anew(tmp_path, uninterrupted, damage):
    with pytest.raises(KilledError):
        train(tmp_path, "finetune", kill_before=4)
    file = state_file(tmp_path)
    content = file.read_bytes()
    if damage == "another training's":
        torch.save({"parts": {}, "updates": 4, "rows": []}, file)
    else:
        file.write_bytes({"empty": b"", "half": content[: len(content) // 2], "garbage": b"no state"}[damage])
    starts = []
    with pytest.warns(UserWarning, match="set aside") as caught, pytest.raises(KilledError):
        train(tmp_path, "finetune", kill_before=2, starts=starts)
    assert str(file.with_suffix(".damaged")) in str(caught[0].message)
    assert starts == [0]
    assert file.with_suffix(".damaged").exists()
    assert not file.exists()
    found, rows = train(tmp_path, "finetune")
    assert_equal(found, uninterrupted("finetune")[0])
    assert rows == uninterrupted("finetune")[1]


def test_a_half_read_state_leaves_nothing_of_it_behind(tmp_path):
    """The generator's weights are fine, the critic's missing: none of them may stay."""
    with pytest.raises(KilledError):
        train(tmp_path, "finetune", kill_before=4)
    saved = torch.load(state_file(tmp_path), weights_only=True)
    del saved["parts"]["critic"]
    torch.save(saved, state_file(tmp_path))
    state = resume.State(state_file(tmp_path).parent)
    with pytest.warns(UserWarning, match="starting anew"):
        step, updates = state.restore(BUILD["finetune"])
    assert updates == 0
    assert state.rows == []
    assert_equal(learnt(step), learnt(BUILD["finetune"]()))


def test_a_state_cannot_run_code(tmp_path):
    with pytest.raises(KilledError):
        train(tmp_path, "pretrain", kill_before=4)
    victim = tmp_path / "made_by_the_state"
    torch.save(
        torch.load(state_file(tmp_path), weights_only=True) | {"bait": WritesAFile(victim)}, state_file(tmp_path)
    )
    with pytest.warns(UserWarning, match="set aside"):
        train(tmp_path, "pretrain")
    assert not victim.exists()


def test_a_disk_that_fills_up_while_saving_leaves_the_last_state_whole(tmp_path, monkeypatch):
    def half(path, data):
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "disk full")

    with pytest.raises(KilledError):
        train(tmp_path, "pretrain", kill_before=4)
    before = state_file(tmp_path).read_bytes()
    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match="disk full"):
        resume.State(state_file(tmp_path).parent).save(BUILD["pretrain"](), 4)
    assert state_file(tmp_path).read_bytes() == before


def test_a_second_trainer_of_the_same_result_is_refused(tmp_path):
    with (
        resume.state(tmp_path, "pretrain", ["the same"], print),
        pytest.raises(ValueError, match="another process"),
        resume.state(tmp_path, "pretrain", ["the same"], print),
    ):
        pass


def test_trainings_of_other_results_do_not_meet(tmp_path):
    with (
        resume.state(tmp_path, "pretrain", [1], print),
        resume.state(tmp_path, "pretrain", [2], print),
        resume.state(tmp_path, "finetune", [1], print),
    ):
        assert len(list(tmp_path.glob(".state/*/*/"))) == 3


def test_the_state_goes_when_the_training_is_done_and_stays_when_it_fails(tmp_path):
    with pytest.raises(KilledError):
        train(tmp_path, "pretrain", kill_before=4)
    folder = state_file(tmp_path).parent
    train(tmp_path, "pretrain")
    assert not folder.exists()


def test_the_lock_is_free_again_after_a_fault(tmp_path):
    with pytest.raises(KilledError), resume.state(tmp_path, "pretrain", [], print):
        raise KilledError
    with resume.state(tmp_path, "pretrain", [], print):
        pass


def test_another_pytorch_starts_anew_and_says_which_state_is_left(tmp_path, monkeypatch):
    with pytest.raises(KilledError):
        train(tmp_path, "pretrain", kill_before=4)
    folder, said = state_file(tmp_path).parent, []
    monkeypatch.setattr(torch, "__version__", "0.1")
    with resume.state(tmp_path, "pretrain", ["the same"], said.append) as state:
        assert state.restore(BUILD["pretrain"])[1] == 0
    (line,) = said
    assert str(folder) in line
    assert "deleted" in line
    assert "\n" not in line


def test_nothing_is_said_of_states_where_a_training_goes_on_or_is_at_work(tmp_path):
    for name in (1, 2):
        with pytest.raises(KilledError), resume.state(tmp_path, "pretrain", [name], print) as state:
            state.save(BUILD["pretrain"](), 2)
            raise KilledError
    said = []
    with resume.state(tmp_path, "pretrain", [1], said.append), resume.state(tmp_path, "pretrain", [2], said.append):
        assert said == []
        with pytest.raises(KilledError), resume.state(tmp_path, "pretrain", [3], said.append):
            raise KilledError
    assert said == []
