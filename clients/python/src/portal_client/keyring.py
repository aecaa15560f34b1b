"""The portal's public keys for statements, as they are published, kept in a file and given on the command line."""

import base64
import binascii
import json
import os
from pathlib import Path

from portal_client import reading
from portal_client.statements import Keys, key_id


def default_file() -> Path:
    """Where keys are saved: PORTAL_STATEMENT_KEYS, or a file in the user's configuration folder."""
    if told := os.environ.get("PORTAL_STATEMENT_KEYS"):
        return Path(told)
    folder = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(folder) / "billing-portal" / "statement-keys.json"


def read(published: reading.Json) -> dict[str, bytes]:
    """The keys of a published list (JSON Web Keys). ValueError for anything else, or a key under another's name."""
    keys = {}
    for entry in reading.children(published, "keys"):
        public = _decoded(reading.text(entry, "x"))
        if reading.text(entry, "kid") != key_id(public):
            raise ValueError("a key is listed under another key's name")
        keys[key_id(public)] = public
    return keys


def load(file: Path) -> dict[str, bytes]:
    """The keys saved in a file; none where there is no file. ValueError, OSError."""
    if not file.exists():
        return {}
    return read(reading.decode_object(file.read_bytes()))


def save(file: Path, keys: Keys) -> None:
    """Keep these keys, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    entries = [
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "kid": name,
            "x": base64.urlsafe_b64encode(public).rstrip(b"=").decode(),
        }
        for name, public in keys.items()
    ]
    scratch = file.with_suffix(f".{os.getpid()}")
    scratch.write_text(json.dumps({"keys": entries}, indent=2))
    scratch.replace(file)


def given(text: str) -> dict[str, bytes]:
    """What ``--key`` names: a file of published keys, or one public key as text. ValueError, OSError."""
    if Path(text).is_file():
        return load(Path(text))
    public = _decoded(text)
    return {key_id(public): public}


def _decoded(text: str) -> bytes:
    """32 bytes of a public key, written in hex or base64."""
    try:
        if len(text) == 64:
            return bytes.fromhex(text)
        public = base64.urlsafe_b64decode(text.replace("+", "-").replace("/", "_") + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        public = b""
    if len(public) != 32:
        raise ValueError(f"{text!r} is neither a file nor a public key")
    return public
