"""Compose files of different shape, for which workflows are written."""

from __future__ import annotations

STACKS = {
    "one-service": "services:\n  web: {build: ., image: registry.example.org/shop/web:1}\n",
    "no-names-to-push": "services:\n  web: {build: .}\n  worker: {build: .}\n",
    "github-registry": "services:\n  web: {build: ., image: ghcr.io/someone/web:1}\n",
    "default-registry": "services:\n  web: {build: ., image: someone/web}\n",
    "two-registries": (
        "services:\n  a: {build: ., image: one.example.org/a}\n  b: {build: ., image: 'two.example.org:5000/b:7'}\n"
    ),
    "local-registry": "services:\n  web: {build: ., image: 'localhost:5000/web'}\n",
    "with-a-database": (
        "services:\n  db: {image: 'postgres:16'}\n"
        "  web: {build: ., image: registry.example.org/web, depends_on: [db]}\n"
    ),
    "a-chain": (
        "services:\n"
        "  a: {build: ., image: registry.example.org/a}\n"
        "  b: {build: ., image: registry.example.org/b, depends_on: [a]}\n"
        "  c: {build: ., image: registry.example.org/c, depends_on: [b]}\n"
    ),
    "odd-but-valid-names": "services:\n  web.1_a-b: {build: .}\n  '9': {build: ., image: registry.example.org/nine}\n",
    "profiles": "services:\n  web: {build: .}\n  debug: {build: ., profiles: [debug]}\n",
    "thirty": "services:\n" + "".join(f"  s{n}: {{build: ., image: 'registry.example.org/s{n}'}}\n" for n in range(30)),
    "named-and-with-settings": (
        "name: a-shop\nx-tonnage: {keep-free: 2GB}\nservices:\n"
        "  web: {build: {context: ., args: {A: '1'}}, image: 'registry.example.org/web:${TAG:-1}'}\n"
    ),
}
