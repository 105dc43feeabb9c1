"""`rnn`: iterate over the time axis of a tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kcore import ops as O
from kcore.errors import GraphError, ShapeError
from kcore.graph import Tensor
from kcore.ops.scan import fold_steps

__all__ = ["rnn"]

Step = Callable[[Tensor, list[Tensor]], tuple[Tensor, Sequence[Tensor]]]


def rnn(
    step_function: Step,
    inputs: Tensor,
    initial_states: Sequence[Tensor],
    go_backwards: bool = False,
    mask: Tensor | None = None,
    constants: Sequence[Tensor] | None = None,
    unroll: bool = False,
    input_length: int | None = None,
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Iterate over the time axis of a tensor.

    Args:
        step_function: ``step_function(input, states + constants) -> (output, new states)`` with an input
            ``(samples, ...)``, an output ``(samples, ...)`` and as many new states as there are states, of the same
            shapes. With a mask, the first state must be the output of the step before.
        inputs: ``(samples, time, ...)``, at least 3 dimensions.
        initial_states: the states of the first step.
        go_backwards: whether to start with the last time step; outputs are in the order in which they are made.
        mask: ``(samples, time)`` or ``(samples, time, 1)``; where it is zero, the output and the states of the step
            before are kept.
        constants: tensors that every step receives after its states.
        unroll: whether to build every step anew instead of a loop; the number of steps must be known.
        input_length: not needed; kept for scripts that give it.

    Returns:
        the last output ``(samples, ...)``, all outputs ``(samples, time, ...)``, and the list of last states.

    Raises:
        ValueError: fewer than 3 dimensions; no timesteps, or with `unroll` an unknown number; a mask without states.
    """
    if not isinstance(inputs, Tensor):
        raise GraphError(f"`inputs` of rnn should be a tensor, got {inputs!r:.200}")
    if inputs.ndim < 3:
        raise ShapeError(f"Input should be at least 3D: (samples, time, ...). rnn got {inputs.spec}")
    if unroll and inputs.shape[1] is None:
        raise ShapeError(f"Unrolling requires a fixed number of timesteps; rnn got {inputs.spec}")
    if inputs.shape[1] == 0:
        raise ShapeError(f"rnn needs at least one timestep, and {inputs.spec} (samples, time, ...) has none")
    states, extra = list(initial_states), list(constants or ())
    sequences = [_time_first(inputs)]
    if mask is not None:
        if not states:
            raise ShapeError(
                "No initial states provided! When using masking in an RNN, you should provide initial states"
            )
        sequences.append(_time_first(_checked_mask(mask, inputs)))
    if go_backwards:
        sequences = [O.reverse(s, 0) for s in sequences]

    def step(carried: list[Tensor], elements: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        output, new = step_function(elements[0], [*carried, *extra])
        new = list(new)
        if len(new) != len(carried):
            raise ShapeError(f"the step function of rnn got {len(carried)} states and returned {len(new)}")
        if mask is None:
            return new, output
        kept = [_where(elements[1], n, old) for n, old in zip(new, carried, strict=True)]
        return kept, _where(elements[1], output, carried[0])

    run = _unrolled if unroll else _looped
    last_states, outputs = run(step, states, sequences)
    return outputs[-1], _time_first(outputs), last_states


def _looped(
    step: Callable[[list[Tensor], list[Tensor]], tuple[list[Tensor], Tensor]],
    states: list[Tensor],
    sequences: list[Tensor],
) -> tuple[list[Tensor], Tensor]:
    def body(carried: list[Tensor], elements: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        new, output = step(carried, elements)
        return new, [output]

    last, (outputs,) = fold_steps(body, states, sequences)
    return last, outputs


def _unrolled(
    step: Callable[[list[Tensor], list[Tensor]], tuple[list[Tensor], Tensor]],
    states: list[Tensor],
    sequences: list[Tensor],
) -> tuple[list[Tensor], Tensor]:
    outputs = []
    for t in range(sequences[0].shape[0] or 0):
        states, output = step(states, [s[t] for s in sequences])
        outputs.append(output)
    return states, O.stack(outputs, 0)


def _time_first(x: Tensor) -> Tensor:
    """``(samples, time, ...)`` as ``(time, samples, ...)``, or back."""
    return O.transpose(x, (1, 0, *range(2, x.ndim)))


def _checked_mask(mask: Tensor, inputs: Tensor) -> Tensor:
    """The mask as bool ``(samples, time)``."""
    if mask.ndim == 3 and mask.shape[2] in (1, None):
        mask = O.squeeze(mask, 2)
    if mask.ndim != 2:
        raise ShapeError(f"a mask of rnn should be (samples, time) or (samples, time, 1), got {mask.spec}")
    for axis in (0, 1):
        if None not in (mask.shape[axis], inputs.shape[axis]) and mask.shape[axis] != inputs.shape[axis]:
            raise ShapeError(f"the mask {mask.spec} of rnn does not fit its inputs {inputs.spec}")
    return O.cast(mask, "bool")


def _where(mask: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """`new` for the samples where `mask` ``(samples,)`` holds, else `old`."""
    if new.ndim == 0:
        raise ShapeError("with a mask, outputs and states of rnn need a samples dimension; got a scalar")
    if new.ndim != old.ndim:
        raise ShapeError(
            f"with a mask, the first state of rnn should be like its output; got {old.spec} and {new.spec}"
        )
    return O.where(O.expand_dims(mask, tuple(range(1, new.ndim))) if new.ndim > 1 else mask, new, old)
