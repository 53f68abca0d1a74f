"""Writes the networks for tests as TorchScript modules; needs PyTorch, and gives what the ONNX graphs give."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import rectangles as networks
import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor


class _Rectangles(nn.Module):
    """Tells at each place of three grids where the edges of the rectangle around it are."""

    index: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("index", torch.arange(networks.SIZE, dtype=torch.float32))

    def places(self, planes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return left, top, right, bottom (1, 1, N) and scores (1, classes, N)."""
        rows = planes[:, :, networks.STEP :: networks.STEP]
        columns = planes[:, :, :, networks.STEP :: networks.STEP]
        left, right = self.ends(rows)
        top, bottom = (edge.transpose(2, 3) for edge in self.ends(columns.transpose(2, 3)))
        scores = self.pick(planes, coarse_rows=False, coarse_columns=False)
        mask = (scores > networks.BRIGHT).float()
        across = [self.pick(edge, coarse_rows=True, coarse_columns=False) for edge in (left, right)]
        down = [self.pick(edge, coarse_rows=False, coarse_columns=True) for edge in (top, bottom)]
        left, right, top, bottom = ((edge * mask).sum(1, keepdim=True) for edge in (*across, *down))
        return left, top, right, bottom, scores * mask

    def ends(self, planes: Tensor) -> tuple[Tensor, Tensor]:
        """Return where along each row the bright run around each pixel begins and ends."""
        dark = (planes <= networks.BRIGHT).float()
        begin = torch.cummax(dark * (self.index + 1), 3)[0]
        end = torch.cummax((dark * (networks.SIZE - self.index)).flip(3), 3)[0].flip(3)
        return begin, networks.SIZE - end

    def pick(self, planes: Tensor, *, coarse_rows: bool, coarse_columns: bool) -> Tensor:
        """Return the values in the middle of each place, (1, classes, N)."""
        grids = []
        for stride in networks.STRIDES:
            fine, coarse = (stride // 2, stride), networks.first_and_step(stride)
            row, column = coarse if coarse_rows else fine, coarse if coarse_columns else fine
            grids.append(planes[:, :, row[0] :: row[1], column[0] :: column[1]].flatten(2))
        return torch.cat(grids, 2)


def _colours(images: Tensor) -> Tensor:
    red, green, blue = images[:, :1], images[:, 1:2], images[:, 2:]
    above = [red - torch.maximum(green, blue), green - torch.maximum(blue, red), blue - torch.maximum(red, green)]
    return torch.cat(above, 1).relu()


class _YoloDetect(_Rectangles):
    def forward(self, images: Tensor) -> Tensor:
        left, top, right, bottom, scores = self.places(_colours(images))
        return torch.cat([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top, scores], 1)


class _YoloNas(_Rectangles):
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        left, top, right, bottom, scores = self.places(_colours(images))
        return torch.cat([left, top, right, bottom], 1).transpose(1, 2), scores.transpose(1, 2)


class _YoloPose(_Rectangles):
    parts: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("parts", torch.from_numpy(networks.PLACES.copy()))

    def forward(self, images: Tensor) -> Tensor:
        left, top, right, bottom, score = self.places(images.amin(1, keepdim=True))
        width, height = right - left, bottom - top
        along_x = left + self.parts[:, :1] * width
        along_y = top + self.parts[:, 1:] * height
        keypoints = torch.stack([along_x, along_y, score.expand_as(along_x)], 2).flatten(1, 2)
        return torch.cat([(left + right) / 2, (top + bottom) / 2, width, height, score, keypoints], 1)


class _RtmPose(nn.Module):
    parts: Tensor
    mean: Tensor
    deviation: Tensor
    index: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("parts", torch.from_numpy(networks.PLACES.copy()))
        self.register_buffer("mean", torch.tensor(networks.MEAN).reshape(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(networks.DEVIATION).reshape(1, 3, 1, 1))
        longest = networks.CROP_HEIGHT * networks.SPLIT
        self.register_buffer("index", torch.arange(longest, dtype=torch.float32))

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        white = ((crops * self.deviation + self.mean) / 255).amin(1)
        sure = white.amax((1, 2)).reshape(1, 1, 1)
        sure = sure * (sure > networks.BRIGHT).float()
        along_x = self.line(white.amax(1), self.parts[:, :1], networks.CROP_WIDTH)
        along_y = self.line(white.amax(2), self.parts[:, 1:], networks.CROP_HEIGHT)
        return along_x * sure, along_y * sure

    def line(self, brightest: Tensor, parts: Tensor, length: int) -> Tensor:
        """Return how likely each keypoint is at each place of an axis."""
        is_bright = brightest > networks.BRIGHT
        index = self.index[:length].expand_as(brightest)
        first = torch.where(is_bright, index, torch.full_like(index, length)).amin(1)
        last = torch.where(is_bright, index + 1, torch.zeros_like(index)).amax(1)
        place = first + parts * (last - first)
        off = (self.index[: length * networks.SPLIT] / networks.SPLIT - place) / networks.SIGMA
        return torch.exp(off * off * -0.5).unsqueeze(0)


def write(name: str) -> bytes:
    """Return the TorchScript file of a network.

    Args:
        name: One of rectangles.NETWORKS.
    """
    makers: dict[str, type[nn.Module]] = {
        "yolo-detect": _YoloDetect,
        "yolo-pose": _YoloPose,
        "yolo-nas": _YoloNas,
        "rtmpose": _RtmPose,
    }
    width, height = networks.NETWORKS[name][0]
    with torch.inference_mode(mode=False), torch.no_grad():
        traced = torch.jit.trace(makers[name]().eval(), torch.zeros(1, 3, height, width))
    content = io.BytesIO()
    torch.jit.save(traced, content)
    return content.getvalue()
