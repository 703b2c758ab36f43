"""The recurrent layers that events use have the gradients that backpropagation through time gives by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.unit.worker.models import backpropagation as by_hand
from worker.models.keras_import import keras
from worker.models.recurrent import RecurrentCell, StepDecision, build_follower, recurrent_cell

BATCH, STEPS, INPUTS, UNITS, CLASSES = 3, 5, 4, 6, 3
CELLS = pytest.mark.parametrize("cell", list(RecurrentCell), ids=str)


@pytest.fixture
def x(rng: np.random.Generator) -> by_hand.Floats:
    return rng.normal(0, 1, (BATCH, STEPS, INPUTS))


@pytest.fixture
def targets(rng: np.random.Generator) -> by_hand.Floats:
    return np.eye(CLASSES)[rng.integers(0, CLASSES, (BATCH, STEPS))]  # (B, T, K)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@CELLS
def test_keras_gives_the_memory_and_every_gradient_that_was_derived_by_hand(
    cell: RecurrentCell, x: by_hand.Floats, targets: by_hand.Floats
) -> None:
    layer, reader, weights, readout = _layers(cell)

    loss, keras_memory, of_keras = _keras_gradients(layer, reader, x, targets)
    memory, of_hand = _hand_gradients(cell, weights, readout, x, targets)

    assert keras_memory == pytest.approx(memory[:, 1:], abs=1e-9)
    assert loss == pytest.approx(_hand_loss(cell, weights, readout, x, targets), abs=1e-9)
    assert set(of_keras) == set(of_hand)
    for name, gradient in of_hand.items():
        assert of_keras[name] == pytest.approx(gradient, abs=1e-5), name


@CELLS
def test_the_gradients_are_those_of_finite_differences(
    cell: RecurrentCell, x: by_hand.Floats, targets: by_hand.Floats
) -> None:
    _, _, weights, readout = _layers(cell)
    _, of_hand = _hand_gradients(cell, weights, readout, x, targets)

    for name in ("w", "v", "b"):
        moved = by_hand.finite_difference(
            lambda: _hand_loss(cell, weights, readout, x, targets), getattr(weights, name)
        )
        assert of_hand[name] == pytest.approx(moved, abs=1e-7), name
    by_input = by_hand.finite_difference(lambda: _hand_loss(cell, weights, readout, x, targets), x)
    assert of_hand["x"] == pytest.approx(by_input, abs=1e-7)


def test_a_probability_outside_the_clipping_passes_no_gradient_in_keras_and_by_hand() -> None:
    # Class 2 is surely wrong: its probability e^-40 is clipped to 1e-7, so the loss there is flat.
    logits = np.array([[[20.0, 0.0, -20.0], [1.0, 0.5, -0.5]]])  # (1, 2, 3)
    targets = np.eye(3)[[[2, 0]]]  # (1, 2, 3)

    of_hand = by_hand.d_logits(by_hand.softmax(logits), targets)
    of_keras = _keras_logit_gradient(logits, targets)

    assert of_hand[0, 0].tolist() == [0.0, 0.0, 0.0]
    assert np.abs(of_hand[0, 1]).max() > 0.1
    assert of_keras == pytest.approx(of_hand, abs=1e-5)


def test_without_clipping_the_gradient_is_probability_minus_target(targets: by_hand.Floats) -> None:
    logits = np.random.default_rng(1).normal(0, 1, targets.shape)
    probabilities = by_hand.softmax(logits)

    assert by_hand.d_logits(probabilities, targets) == pytest.approx((probabilities - targets) / (BATCH * STEPS))


@CELLS
def test_clipping_by_the_global_norm_is_what_the_optimiser_does(
    cell: RecurrentCell, x: by_hand.Floats, targets: by_hand.Floats
) -> None:
    layer, reader, weights, readout = _layers(cell)
    _, of_hand = _hand_gradients(cell, weights, readout, x, targets)
    learnt = {name: gradient for name, gradient in of_hand.items() if name != "x"}
    clipped = by_hand.clip_by_global_norm(learnt, 0.05)
    before = [variable.numpy() for variable in layer.trainable_variables + reader.trainable_variables]

    optimiser = keras.optimizers.SGD(learning_rate=1.0, global_clipnorm=0.05)
    _, _, of_keras = _keras_gradients(layer, reader, x, targets)
    optimiser.apply(
        [keras.ops.convert_to_tensor(of_keras[name]) for name in ("w", "v", "b", "readout_w", "readout_b")],
        layer.trainable_variables + reader.trainable_variables,
    )

    after = layer.trainable_variables + reader.trainable_variables
    for name, old, new in zip(("w", "v", "b", "readout_w", "readout_b"), before, after, strict=True):
        assert old - new.numpy() == pytest.approx(clipped[name], abs=1e-5), name


@CELLS
def test_padding_after_the_last_step_changes_nothing_before_it(cell: RecurrentCell, rng: np.random.Generator) -> None:
    follower = build_follower(cell, steps=4, inputs=INPUTS)
    steps = rng.normal(0, 1, (2, 4, INPUTS)).astype(np.float32)
    log_species = np.log(by_hand.softmax(rng.normal(0, 1, (2, 4, 3)))).astype(np.float32)
    padded_steps, padded_species = steps.copy(), log_species.copy()
    padded_steps[:, 2:], padded_species[:, 2:] = 0.0, 0.0

    whole = follower({"steps": steps, "log_species": log_species})
    padded = follower({"steps": padded_steps, "log_species": padded_species})

    for name in ("decision", "species"):
        assert np.array(padded[name])[:, :2] == pytest.approx(np.array(whole[name])[:, :2], abs=1e-6)


@CELLS
def test_a_follower_decides_and_names_at_every_step_and_starts_by_believing_all_steps_alike(
    cell: RecurrentCell, rng: np.random.Generator
) -> None:
    follower = build_follower(cell, steps=3, inputs=INPUTS)
    seen = np.array([[[0.9, 0.1], [0.9, 0.1], [0.2, 0.8]]])  # (1, T, 2)

    said = follower({"steps": rng.normal(0, 1, (1, 3, INPUTS)), "log_species": np.log(seen)})

    decision, species = np.array(said["decision"]), np.array(said["species"])
    assert decision.shape == (1, 3, len(StepDecision))
    assert decision.sum(axis=-1) == pytest.approx(np.ones((1, 3)), abs=1e-5)
    # 0.9 x 0.9 x 0.2 against 0.1 x 0.1 x 0.8: the first species wins, each step weighing log 2 = softplus(0).
    odds = np.log(0.9 * 0.9 * 0.2 / (0.1 * 0.1 * 0.8)) * np.log(2)
    assert species[0, -1, 0] == pytest.approx(1 / (1 + np.exp(-odds)), abs=1e-4)


def _layers(cell: RecurrentCell) -> tuple[Any, Any, by_hand.SimpleWeights | by_hand.GruWeights, dict[str, Any]]:
    """The layer as events use it, a softmax reader behind it, and copies of both's weights for the hand."""
    keras.utils.set_random_seed(3)
    layer = recurrent_cell(cell, UNITS, steps=STEPS, dtype="float64")
    reader = keras.layers.Dense(CLASSES, activation="softmax", dtype="float64")
    reader(layer(np.zeros((1, STEPS, INPUTS))))
    for variable in layer.trainable_variables:  # biases begin at zero, where a wrong gradient could hide
        variable.assign(np.random.default_rng(len(variable.path)).normal(0, 0.5, variable.shape))
    w, v, b = (np.array(variable, dtype=np.float64) for variable in layer.trainable_variables)
    made = by_hand.GruWeights if cell is RecurrentCell.GRU else by_hand.SimpleWeights
    kernel, bias = (np.array(variable, dtype=np.float64) for variable in reader.trainable_variables)
    return layer, reader, made(w, v, b), {"w": kernel, "b": bias}


def _hand_loss(cell: RecurrentCell, weights: Any, readout: dict[str, Any], x: Any, targets: Any) -> float:
    memory = by_hand.gru_forward(weights, x)[0] if cell is RecurrentCell.GRU else by_hand.simple_forward(weights, x)
    return by_hand.cross_entropy(by_hand.softmax(memory[:, 1:] @ readout["w"] + readout["b"]), targets)


def _hand_gradients(
    cell: RecurrentCell, weights: Any, readout: dict[str, Any], x: Any, targets: Any
) -> tuple[by_hand.Floats, by_hand.Gradients]:
    steps = None
    if cell is RecurrentCell.GRU:
        memory, steps = by_hand.gru_forward(weights, x)
    else:
        memory = by_hand.simple_forward(weights, x)
    seen = memory[:, 1:]  # (B, T, U)
    d_z = by_hand.d_logits(by_hand.softmax(seen @ readout["w"] + readout["b"]), targets)  # (B, T, K)
    d_memory = d_z @ readout["w"].T  # (B, T, U)
    found = (
        by_hand.simple_backward(weights, x, memory, d_memory)
        if steps is None
        else by_hand.gru_backward(weights, x, memory, steps, d_memory)
    )
    return memory, {
        **found,
        "readout_w": np.einsum("btu,btk->uk", seen, d_z),  # (U, K)
        "readout_b": d_z.sum(axis=(0, 1)),  # (K,)
    }


def _keras_gradients(
    layer: Any, reader: Any, x: by_hand.Floats, targets: by_hand.Floats
) -> tuple[float, by_hand.Floats, by_hand.Gradients]:
    import tensorflow as tf

    shown = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(shown)
        memory = layer(shown)
        loss = tf.reduce_mean(
            keras.losses.categorical_crossentropy(tf.constant(targets), _probabilities(reader, memory))
        )
    variables = [variable.value for variable in layer.trainable_variables + reader.trainable_variables]
    found = tape.gradient(loss, [*variables, shown])
    names = ("w", "v", "b", "readout_w", "readout_b", "x")
    return float(loss), memory.numpy(), {name: np.array(one) for name, one in zip(names, found, strict=True)}


def _keras_logit_gradient(logits: by_hand.Floats, targets: by_hand.Floats) -> by_hand.Floats:
    import tensorflow as tf

    shown = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(shown)
        probabilities = tf.nn.softmax(shown)
        loss = tf.reduce_mean(keras.losses.categorical_crossentropy(tf.constant(targets), probabilities))
    return np.array(tape.gradient(loss, shown))


def _probabilities(reader: Any, memory: Any) -> Any:
    """The reader's softmax, as plain values: with its logits at hand Keras would not clip at all."""
    import tensorflow as tf

    return tf.identity(reader(memory))
