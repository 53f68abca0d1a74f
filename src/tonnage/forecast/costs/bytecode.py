"""How large the bytecode of Python files becomes, by the version of Python. Pure.

The size of a ``.pyc`` file grows with that of its source, differently in each version of Python, and differently for
code, text and tables: by a ratio that belongs to the package.

The ratio is much steadier than the size: two releases of torch three years apart differ by 4 %. What is not in the
table is taken for the average.

Source: measured with CPython 3.8.18, 3.9.18, 3.10.13, 3.11.7, 3.12.1 and 3.13.0 over the 17,165 files of 115 wheels.
Later versions are taken for 3.13.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.model.forecast.estimate import NOTHING, Grade, spread
from tonnage.model.forecast.python_lock import in_blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.estimate import Estimate

# Name, bytes of bytecode for each byte of source with Python 3.10, the same with 3.11.
_MEASURED = """
accelerate 0.71 1.16 | aiohttp 0.75 1.29 | albumentations 0.88 1.14 | alembic 0.80 1.26 | amqp 0.78 1.14
anyio 0.91 1.49 | asgiref 0.76 1.28 | attrs 0.79 1.14 | beautifulsoup4 0.70 1.00 | billiard 0.84 1.54
boto3 0.73 1.07 | botocore 0.74 1.16 | celery 0.81 1.35 | charset-normalizer 0.63 1.01 | click 0.83 1.23
contourpy 0.81 1.29 | cryptography 0.86 1.37 | cuda-pathfinder 0.74 1.14 | dask 0.88 1.70 | datasets 0.79 1.27
diffusers 0.68 1.07 | django 0.76 1.28 | fastapi 0.52 0.85 | filelock 0.66 1.15 | flask 0.86 1.17
flatbuffers 0.92 1.59 | fonttools 0.73 1.25 | fsspec 0.82 1.41 | gradio 0.78 1.20 | grpcio 0.81 1.20
gunicorn 0.73 1.26 | h11 0.58 0.94 | httpcore 0.80 1.35 | httpcore2 0.81 1.38 | httpx 0.79 1.27 | httpx2 0.82 1.29
huggingface-hub 0.78 1.15 | hydra-core 0.78 1.41 | idna 0.48 0.54 | jinja2 0.87 1.44 | joblib 0.74 1.31
kombu 0.87 1.35 | kubernetes 0.43 0.66 | langchain-core 0.76 1.12 | lxml 0.74 1.18 | markdown-it-py 0.62 1.08
matplotlib 0.82 1.40 | mmdet 0.73 1.15 | mmengine 0.81 1.20 | mmpose 0.71 1.10 | mpmath 0.85 1.49
multidict 0.88 1.66 | narwhals 0.96 1.41 | networkx 0.87 1.44 | numba 0.85 1.62 | numpy 0.84 1.52 | onnx 0.70 1.32
onnxruntime 0.63 1.15 | openai 0.56 0.83 | opentelemetry-api 0.90 1.28 | packaging 0.73 1.10 | pandas 0.80 1.49
pillow 0.75 1.26 | plotly 0.96 1.16 | polars 0.91 1.13 | prompt-toolkit 0.84 1.27 | protobuf 0.58 1.06
psutil 0.70 1.21 | pyarrow 0.76 1.66 | pydantic 0.74 1.14 | pydantic-core 0.84 1.02 | pygments 0.64 0.85
pymongo 0.79 1.14 | pyparsing 0.82 1.26 | pytest 0.82 1.30 | python-dateutil 0.71 1.17 | pytorch-lightning 0.81 1.24
pyyaml 0.61 1.23 | redis 0.79 1.21 | regex 0.69 1.58 | requests 0.80 1.19 | rich 0.97 1.15 | s3transfer 0.78 1.15
scikit-learn 0.76 1.25 | scipy 0.80 1.36 | seaborn 0.78 1.22 | sentence-transformers 0.80 1.12
sentry-sdk 0.68 1.20 | setuptools 0.73 1.18 | sqlalchemy 0.82 1.19 | sqlparse 0.78 1.39 | starlette 0.91 1.55
statsmodels 0.75 1.22 | streamlit 0.75 1.02 | super-gradients 0.83 1.31 | sympy 0.90 1.84 | tensorboard 0.76 1.11
threadpoolctl 0.77 1.14 | timm 0.73 1.26 | tokenizers 0.79 1.18 | torch 0.69 1.17 | torchmetrics 0.85 1.13
torchvision 0.80 1.29 | tqdm 0.85 1.41 | transformers 0.71 1.16 | typer 0.78 1.26 | typing-extensions 0.71 1.10
ultralytics 0.85 1.33 | ultralytics-platform 0.51 0.80 | urllib3 0.75 1.15 | uvicorn 0.76 1.39 | wcwidth 2.68 1.44
websockets 0.73 1.12 | werkzeug 0.90 1.32 | xtcocotools 0.61 1.28 | yarl 0.63 1.11
"""

RATIOS: dict[str, tuple[float, float]] = {
    name: (float(until_310), float(since_311))
    for name, until_310, since_311 in (
        entry.split() for entry in _MEASURED.replace("\n", "|").split("|") if entry.strip()
    )
}
# What the bytecode of a file has beside what grows with its source: header, names, lines.
_EACH_FILE_BYTES = 310
# The average of all files, for 3.10 and for 3.11.
_AVERAGE = (0.78, 1.31)
# Which of the two ratios a version goes by, and the line from that to its own.
_OLD, _NEW = 0, 1
_LINES = {
    (3, 8): (_OLD, -0.014, 1.017),
    (3, 9): (_OLD, -0.015, 1.018),
    (3, 10): (_OLD, 0.0, 1.0),
    (3, 11): (_NEW, 0.0, 1.0),
    (3, 12): (_NEW, 0.15, 0.798),
    (3, 13): (_NEW, 0.168, 0.774),
}
_MEASURED_SPREAD, _AVERAGE_SPREAD, _UNSEEN_VERSION_SPREAD = 0.06, 0.3, 0.06
# A spread of this much in one package is more than an exact figure may have.
_MOST_EXACT_BYTES = 2_000_000


class Bytecode(Struct, frozen=True):
    """The bytecode of one package: its bytes, and the blocks that they take."""

    image: Estimate
    disk: Estimate


def bytecode(name: str, python_file_bytes: Sequence[int], minor: tuple[int, int]) -> Bytecode:
    """Return how large the bytecode of a package becomes."""
    if not python_file_bytes:
        return Bytecode(NOTHING, NOTHING)
    version = min(max(minor, min(_LINES)), max(_LINES))
    which, offset, slope = _LINES[version]
    ratio = offset + slope * RATIOS.get(name, _AVERAGE)[which]
    sizes = [int(_EACH_FILE_BYTES + ratio * size) for size in python_file_bytes]
    part = _MEASURED_SPREAD if name in RATIOS else _AVERAGE_SPREAD
    if minor != version:
        part += _UNSEEN_VERSION_SPREAD
    content_bytes = sum(sizes)
    grade = Grade.EXACT if name in RATIOS or content_bytes * part < _MOST_EXACT_BYTES else Grade.LEARNED
    return Bytecode(_around(content_bytes, part, grade), _around(sum(map(in_blocks, sizes)), part, grade))


def _around(count_bytes: int, part: float, grade: Grade) -> Estimate:
    return spread(int(count_bytes * (1 - part)), count_bytes, int(count_bytes * (1 + part)), grade)
