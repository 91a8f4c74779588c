"""A certificate that nobody trusts, for servers on loopback."""

from __future__ import annotations

import subprocess
from pathlib import Path


def self_signed(place: Path) -> tuple[str, str]:
    """Make files of a self-signed certificate, for 127.0.0.1 and `model.invalid`, and of its key.

    Needs the program `openssl`.
    """
    made = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=model.invalid"
        " -addext subjectAltName=IP:127.0.0.1,DNS:model.invalid -keyout k.pem -out c.pem"
    )
    subprocess.run(made.split(), cwd=place, check=True, capture_output=True)
    return str(place / "c.pem"), str(place / "k.pem")
