"""Writes the networks for tests as ONNX graphs, without PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import rectangles as networks
from onnx import TensorProto, checker, helper, numpy_helper

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

# Old enough for every ONNX Runtime of the last years.
OPERATORS = 13
FORMAT = 7


class _Graph:
    """Nodes and constants of a graph under construction; each value is known by its name."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, Any] = {}

    def constant(self, values: object, kind: type[np.generic] = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = numpy_helper.from_array(np.asarray(values, dtype=kind), name)
        return name

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:  # noqa: ANN401 - as in onnx.helper
        output = name or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def slice(self, value: str, axis: int, start: int, step: int = 1, end: int = 2**31 - 1) -> str:
        bounds = [self.constant([number], np.int64) for number in (start, end, axis, step)]
        return self.add("Slice", value, *bounds)

    def reshape(self, value: str, *shape: int) -> str:
        return self.add("Reshape", value, self.constant(shape, np.int64))

    def model(self, name: str, given: tuple[str, list[int]], results: dict[str, list[int]]) -> ModelProto:
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info(given[0], TensorProto.FLOAT, given[1])],
            [helper.make_tensor_value_info(result, TensorProto.FLOAT, shape) for result, shape in results.items()],
            list(self.constants.values()),
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPERATORS)], ir_version=FORMAT)
        checker.check_model(made, full_check=True)
        return made


def write(name: str) -> bytes:
    """Return the ONNX file of a network.

    Args:
        name: One of rectangles.NETWORKS.
    """
    makers = {"yolo-detect": _yolo_detect, "yolo-pose": _yolo_pose, "yolo-nas": _yolo_nas, "rtmpose": _rtmpose}
    content: bytes = makers[name]().SerializeToString(deterministic=True)
    return content


def _yolo_detect() -> ModelProto:
    graph = _Graph()
    left, top, right, bottom, scores = _places(graph, _colours(graph), len(networks.COLOURS))
    half = graph.constant(0.5)
    middle_x = graph.add("Mul", graph.add("Add", left, right), half)
    middle_y = graph.add("Mul", graph.add("Add", top, bottom), half)
    width, height = graph.add("Sub", right, left), graph.add("Sub", bottom, top)
    graph.add("Concat", middle_x, middle_y, width, height, scores, name="output0", axis=1)
    return graph.model("yolo-detect", _images(), {"output0": [1, 4 + len(networks.COLOURS), _count()]})


def _yolo_pose() -> ModelProto:
    graph = _Graph()
    left, top, right, bottom, score = _places(graph, graph.add("ReduceMin", "images", axes=[1], keepdims=1), 1)
    half = graph.constant(0.5)
    middle_x = graph.add("Mul", graph.add("Add", left, right), half)
    middle_y = graph.add("Mul", graph.add("Add", top, bottom), half)
    width, height = graph.add("Sub", right, left), graph.add("Sub", bottom, top)
    points = len(networks.KEYPOINTS)
    part_x = graph.constant(networks.PLACES[:, 0].reshape(1, points, 1))
    part_y = graph.constant(networks.PLACES[:, 1].reshape(1, points, 1))
    along_x = graph.add("Add", graph.add("Mul", width, part_x), left)
    along_y = graph.add("Add", graph.add("Mul", height, part_y), top)
    sure = graph.add("Mul", score, graph.constant(np.ones((1, points, 1))))
    apart = [graph.reshape(value, 1, points, 1, _count()) for value in (along_x, along_y, sure)]
    keypoints = graph.reshape(graph.add("Concat", *apart, axis=2), 1, 3 * points, _count())
    graph.add("Concat", middle_x, middle_y, width, height, score, keypoints, name="output0", axis=1)
    return graph.model("yolo-pose", _images(), {"output0": [1, 5 + 3 * points, _count()]})


def _yolo_nas() -> ModelProto:
    graph = _Graph()
    left, top, right, bottom, scores = _places(graph, _colours(graph), len(networks.COLOURS))
    graph.add("Transpose", graph.add("Concat", left, top, right, bottom, axis=1), name="pred_bboxes", perm=[0, 2, 1])
    graph.add("Transpose", scores, name="pred_scores", perm=[0, 2, 1])
    shapes = {"pred_bboxes": [1, _count(), 4], "pred_scores": [1, _count(), len(networks.COLOURS)]}
    return graph.model("yolo-nas", _images(), shapes)


def _rtmpose() -> ModelProto:
    graph = _Graph()
    width, height, points = networks.CROP_WIDTH, networks.CROP_HEIGHT, len(networks.KEYPOINTS)
    deviation = graph.constant(np.reshape(networks.DEVIATION, (1, 3, 1, 1)))
    mean = graph.constant(np.reshape(networks.MEAN, (1, 3, 1, 1)))
    colours = graph.add("Add", graph.add("Mul", "input", deviation), mean)
    white = graph.add("ReduceMin", graph.add("Div", colours, graph.constant(255)), axes=[1], keepdims=0)
    sure = graph.reshape(graph.add("ReduceMax", white, axes=[1, 2], keepdims=0), 1, 1, 1)
    sure = graph.add("Mul", sure, _is_bright(graph, sure))
    shapes = {}
    for axis, length, name in ((2, width, "simcc_x"), (1, height, "simcc_y")):
        other = 3 - axis
        line = graph.add("Greater", graph.add("ReduceMax", white, axes=[other], keepdims=0), _bright(graph))
        index = np.arange(length).reshape(1, length)
        first = graph.add("Where", line, graph.constant(index), graph.constant(length))
        last = graph.add("Where", line, graph.constant(index + 1), graph.constant(0))
        first = graph.reshape(graph.add("ReduceMin", first, axes=[1], keepdims=0), 1, 1, 1)
        last = graph.reshape(graph.add("ReduceMax", last, axes=[1], keepdims=0), 1, 1, 1)
        part = graph.constant(networks.PLACES[:, 2 - axis].reshape(1, points, 1))
        place = graph.add("Add", graph.add("Mul", graph.add("Sub", last, first), part), first)
        bins = length * networks.SPLIT
        grid = graph.constant((np.arange(bins) / networks.SPLIT).reshape(1, 1, bins))
        off = graph.add("Div", graph.add("Sub", grid, place), graph.constant(networks.SIGMA))
        bell = graph.add("Exp", graph.add("Mul", graph.add("Mul", off, off), graph.constant(-0.5)))
        graph.add("Mul", bell, sure, name=name)
        shapes[name] = [1, points, bins]
    return graph.model("rtmpose", ("input", [1, 3, height, width]), shapes)


def _images() -> tuple[str, list[int]]:
    return "images", [1, 3, networks.SIZE, networks.SIZE]


def _count() -> int:
    return sum((networks.SIZE // stride) ** 2 for stride in networks.STRIDES)


def _colours(graph: _Graph) -> str:
    """Return how much each colour of a pixel is above both others."""
    planes = [graph.slice("images", 1, number, end=number + 1) for number in range(3)]
    above = [graph.add("Sub", planes[at], graph.add("Max", planes[at - 2], planes[at - 1])) for at in range(3)]
    return graph.add("Relu", graph.add("Concat", *above, axis=1))


def _bright(graph: _Graph) -> str:
    return graph.constant(networks.BRIGHT)


def _is_bright(graph: _Graph, planes: str) -> str:
    return graph.add("Cast", graph.add("Greater", planes, _bright(graph)), to=TensorProto.FLOAT)


def _places(graph: _Graph, planes: str, classes: int) -> tuple[str, str, str, str, str]:
    """Return left, top, right, bottom (1, 1, N) and scores (1, classes, N) of all places of the three grids."""
    rows = graph.slice(planes, 2, networks.STEP, networks.STEP)
    columns = graph.slice(planes, 3, networks.STEP, networks.STEP)
    edges = [*_ends(graph, rows, 3), *_ends(graph, columns, 2)]
    scores = _pick(graph, planes, classes, at=(2, 3), coarse=())
    mask = _is_bright(graph, scores)
    scores = graph.add("Mul", scores, mask)
    # Where edges of rows were looked for, rows are those of the coarse grid already; the same with columns.
    picked = [_pick(graph, edge, classes, at=(2, 3), coarse=(2,) if n < 2 else (3,)) for n, edge in enumerate(edges)]  # noqa: PLR2004
    left, right, top, bottom = (
        graph.add("ReduceSum", graph.add("Mul", edge, mask), graph.constant([1], np.int64), keepdims=1)
        for edge in picked
    )
    return left, top, right, bottom, scores


def _ends(graph: _Graph, planes: str, axis: int) -> tuple[str, str]:
    """Return, for each pixel, where along an axis the bright run that it is part of begins and ends."""
    size = networks.SIZE
    shape = [1, 1, 1, 1]
    shape[axis] = size
    index = np.arange(size).reshape(shape)
    dark = graph.add("Sub", graph.constant(1), _is_bright(graph, planes))
    begin = _running_maximum(graph, graph.add("Mul", dark, graph.constant(index + 1)), axis, from_end=False)
    end = _running_maximum(graph, graph.add("Mul", dark, graph.constant(size - index)), axis, from_end=True)
    return begin, graph.add("Sub", graph.constant(size), end)


def _running_maximum(graph: _Graph, value: str, axis: int, *, from_end: bool) -> str:
    """Return the maximum of everything up to each pixel: pairs, pairs of pairs, and so on."""
    distance = 1
    while distance < networks.SIZE:
        start, end = (distance, networks.SIZE) if from_end else (0, networks.SIZE - distance)
        pads = [0] * 8
        pads[axis + (4 if from_end else 0)] = distance
        moved = graph.add("Pad", graph.slice(value, axis, start, end=end), graph.constant(pads, np.int64))
        value = graph.add("Max", value, moved)
        distance *= 2
    return value


def _pick(graph: _Graph, value: str, classes: int, *, at: tuple[int, ...], coarse: tuple[int, ...]) -> str:
    """Return the values in the middle of each place of the three grids, (1, classes, N)."""
    grids = []
    for stride in networks.STRIDES:
        grid = value
        for axis in at:
            start, step = networks.first_and_step(stride) if axis in coarse else (stride // 2, stride)
            grid = graph.slice(grid, axis, start, step)
        grids.append(graph.reshape(grid, 1, classes, (networks.SIZE // stride) ** 2))
    return graph.add("Concat", *grids, axis=2)
