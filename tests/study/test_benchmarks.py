"""The benchmark suite runs: nothing here is timed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import spinodal


@pytest.fixture
def suite(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2]))
    from benchmarks import channels, commands, peer, run

    return channels, commands, peer, run


def test_peer_computes_the_same(suite):
    channels, _, peer, _ = suite
    model = spinodal.load("binary-perceptron")
    x, p = channels.states(model, 40)
    ours, theirs = model.solver().residual_and_jacobian(x + 0.01, p), peer.residual_and_jacobian(x + 0.01, p)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-12)


def test_channels_and_calls(suite, monkeypatch):
    channels, commands, _, run = suite
    monkeypatch.setattr(channels, "CASES", (channels.CASES[0], channels.CASES[-1]))
    results = {"channels": channels.measure(batch=60, rounds=1), "calls": {"solve": commands.solve(rounds=1)}}
    assert len(results["channels"]) == len(channels.CASES) + 1
    assert all(entry["ratio"] > 0.0 for entry in results["channels"].values())
    text = run.table(results, results)
    assert "random-features-binary" in text
    assert "nan" not in text


def test_commands(suite):
    _, commands, _, _ = suite
    assert commands.command_start(rounds=1)["seconds"] > 0.0
    assert commands.special_point(rounds=1)["solves"] > 0.0
