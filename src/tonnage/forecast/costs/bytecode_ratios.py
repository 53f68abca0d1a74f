"""How many bytes of bytecode one byte of a package's Python source becomes, for the packages that weigh most.

It is a property of how a package is written, much steadier than its size: two releases of torch three years apart
differ by 4 %. What is not here is taken for the average.

Source: measured over every file of the wheels that the index had in November 2026, with CPython 3.10.13 and 3.11.7.
"""

from __future__ import annotations

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
