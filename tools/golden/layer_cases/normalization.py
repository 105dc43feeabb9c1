"""BatchNormalization on any axis, in both phases, moved statistics, frozen as 2.1.6 behaves."""

from __future__ import annotations

from layer_case import Case, case, disciplined

FROZEN = (
    "2.1.6 normalizes with the batch's statistics in the training phase though the layer is frozen, and moves nothing;"
    " tf-keras uses the moving statistics, so the values come from the layer unfrozen"
)


def cases() -> list[Case]:
    tables = [
        ((4, 3), {}),
        ((3, 4, 2), {}),
        ((3, 4, 2), {"axis": 1}),
        ((2, 3, 4, 3), {}),
        ((2, 3, 4, 3), {"axis": 1}),
        ((2, 3, 4, 3), {"axis": 2}),
        ((2, 2, 3, 2, 3), {"axis": 1}),
        ((2, 2, 3, 2, 3), {}),
        ((4, 3), {"scale": False}),
        ((4, 3), {"center": False}),
        ((3, 4, 2), {"scale": False, "center": False}),
        ((2, 3, 4, 3), {"momentum": 0.5, "epsilon": 0.1}),
        ((2, 3, 4, 3), {"axis": 1, "scale": False, "momentum": 0.0}),
        ((3, 4, 2), {"axis": -2}),
        ((2, 3, 4, 3), {"axis": 1, "center": False}),
        ((2, 3, 4, 3), {"axis": -2, "scale": False, "center": False}),
        ((2, 2, 3, 2, 3), {"axis": 2, "scale": False}),
        ((2, 3, 4, 3), {"momentum": 1.0}),
    ]
    found = [
        case("BatchNormalization", shape, name=_name(shape, args, phase), args=args, learning_phase=phase)
        for shape, args in tables
        for phase in (0, 1)
    ]
    frozen = [
        case(
            "BatchNormalization", (4, 3), name=f"frozen-{'train' if phase else 'test'}", args={"trainable": False},
            learning_phase=phase, peer={"trainable": True}, note=FROZEN,
        )
        for phase in (0, 1)
    ]  # fmt: skip
    frozen += [
        case(
            "BatchNormalization", (2, 3, 4, 3), name=f"frozen-axis1-{'train' if phase else 'test'}",
            args={"trainable": False, "axis": 1}, learning_phase=phase, peer={"trainable": True}, note=FROZEN,
        )
        for phase in (0, 1)
    ]  # fmt: skip
    masked = case("BatchNormalization", (2, 4, 3), name="mask", masks=([[1, 1, 0, 0], [1, 0, 1, 1]],))
    return [*found, *frozen, masked, *_disciplined()]


def _name(shape: tuple[int, ...], args: dict, phase: int) -> str:
    text = "-".join(f"{key}={value}" for key, value in args.items()) or "default"
    return f"{len(shape)}d-{text}-{'train' if phase else 'test'}"


def _disciplined() -> list[Case]:
    return [
        disciplined("BatchNormalization", (4, 3), parts=("gamma", "beta"), args={}),
    ]
