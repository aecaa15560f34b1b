"""``portal verify-statement``: what it checks, with which keys, and what it says of anything else."""

import csv
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from portal_client import ed25519, keyring, statements

from tests.client.test_command_line import SOURCE

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = PRIVATE.public_key().public_bytes_raw()
ACCOUNT = uuid.UUID(int=7)


def statement(
    folder: Path,
    month: str = "2026-09",
    before: bytes = bytes(32),
    opening: int = 0,
    number: int = 1,
    *,
    rows_of: int = 2,
) -> Path:
    """A signed statement of two transactions or more, made without any code of the portal's."""
    rows, previous, balance = [], before, opening
    for step in range(rows_of):
        seq, moment, balance = number + step, f"{month}-{step + 1:02}T00:00:00.000000Z", balance + 5
        columns = [
            seq, str(uuid.UUID(int=seq)), str(ACCOUNT), "bonus", 5_000_000, balance * 1_000_000, "credit", "=évil, \"x\"\n",
            None, "", "", None, f"bonus:{seq}", "", moment,
        ]  # fmt: skip
        previous = hashlib.sha256(previous + json.dumps(columns, ensure_ascii=False).encode()).digest()
        rows.append(
            [seq, f"txn_{uuid.UUID(int=seq).hex}", moment, "bonus", 5, balance, "credit", "'=évil, \"x\"\n", "", "", "",
             "", f"bonus:{seq}", "", previous.hex()]
        )  # fmt: skip
    head = {
        "statement": "1", "state": "final", "issuer": "https://billing.example.com", "account": f"acct_{ACCOUNT.hex}",
        "holder": "Nord", "month": month, "opening_unit": "credit", "unit": "credit", "opening_balance": str(opening),
        "closing_balance": str(balance), "transactions": str(rows_of), "first_number": str(number),
        "last_number": str(number + rows_of - 1), "head_before": before.hex(), "head": previous.hex(),
        "issued_at": "2026-10-01T00:10:00Z", "key": statements.key_id(PUBLIC),
    }  # fmt: skip
    signature = PRIVATE.sign(json.dumps(list(map(list, head.items())), ensure_ascii=False).encode())
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows([*head.items(), [], statements._COLUMNS, *rows, [], ["signature", signature.hex()]])
    file = folder / f"{month}.csv"
    file.write_bytes(b"\xef\xbb\xbf" + out.getvalue().encode())
    return file


def as_preview(file: Path) -> None:
    """What the portal writes while the month runs: no signature."""
    text = file.read_bytes().replace(b"state,final", b"state,preview")
    file.write_bytes(re.sub(rb"signature,\w+", b"signature,", text))


def portal(*arguments: str, saved: Path | None = None) -> "subprocess.CompletedProcess[str]":
    environment = {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        "PORTAL_STATEMENT_KEYS": str(saved or "/nonexistent/keys"),
    }
    environment.pop("PORTAL_API_KEY", None)
    command = [sys.executable, "-m", "portal_client", "verify-statement", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_two_months_are_in_order_with_a_given_key(tmp_path: Path) -> None:
    first = statement(tmp_path)
    head = statements.check(first, {}).head["head"]
    second = statement(tmp_path, "2026-10", bytes.fromhex(head), 10, 3)
    done = portal(str(second), str(first), "--key", PUBLIC.hex())
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("  ok  ") == 6
    assert "Each statement starts where the one before it ends." in done.stdout


def test_saved_keys_are_used_and_an_unknown_one_is_told(tmp_path: Path) -> None:
    file = statement(tmp_path)
    unknown = portal(str(file))
    assert unknown.returncode == 3
    assert "not checked  Signature: key" in unknown.stdout
    assert "chain and sums are intact, but the signature was not checked" in unknown.stderr
    saved = tmp_path / "keys" / "keys.json"
    keyring.save(saved, {statements.key_id(PUBLIC): PUBLIC})
    known = portal(str(file), "--json", saved=saved)
    answer = json.loads(known.stdout)
    assert (known.returncode, answer["ok"], answer["signature"]) == (0, True, "ok")
    assert any("Signature: made with key" in text for text in answer["files"][0]["checked"])


@pytest.mark.parametrize("preview", [False, True], ids=["unknown key", "preview"])
def test_without_a_checked_signature_it_is_in_order_only_when_that_was_asked_for(
    tmp_path: Path, preview: bool
) -> None:
    file = statement(tmp_path)
    key = [] if not preview else ["--key", PUBLIC.hex()]
    if preview:
        as_preview(file)
    for asked, status in ([], 3), (["--unsigned"], 0):
        done = portal(str(file), "--json", *key, *asked)
        answer = json.loads(done.stdout)
        assert (done.returncode, answer["ok"], answer["signature"]) == (status, status == 0, "not checked")
        assert bool(done.stderr) == (status == 3)
        assert answer["files"][0]["signature"] == "not checked"


def test_a_signed_statement_that_calls_itself_a_preview_is_wrong(tmp_path: Path) -> None:
    file = statement(tmp_path)
    file.write_bytes(file.read_bytes().replace(b"state,final", b"state,preview"))
    done = portal(str(file), "--key", PUBLIC.hex(), "--unsigned")
    assert done.returncode == 1
    assert "did not make this signature" in done.stdout


def test_one_unchecked_signature_among_many_is_told_and_a_wrong_one_comes_first(tmp_path: Path) -> None:
    signed = statement(tmp_path)
    head = statements.check(signed, {}).head["head"]
    preview = statement(tmp_path, "2026-10", bytes.fromhex(head), 10, 3)
    as_preview(preview)
    files = (str(signed), str(preview), "--key", PUBLIC.hex())
    done = portal(*files)
    assert done.returncode == 3
    assert "2026-10.csv" in done.stderr
    assert "2026-09.csv" not in done.stderr
    signed.write_bytes(signed.read_bytes().replace(b"holder,Nord", b"holder,Sued"))
    done = portal(*files, "--unsigned", "--json")
    assert (done.returncode, json.loads(done.stdout)["signature"]) == (1, "wrong")


def test_statements_that_do_not_follow_each_other_are_told(tmp_path: Path) -> None:
    first, second = statement(tmp_path), statement(tmp_path, "2026-10", bytes(32), 10, 3)
    done = portal(str(first), str(second), "--key", PUBLIC.hex())
    assert done.returncode == 1
    assert "does not start where" in done.stdout


def test_a_forged_statement_with_a_valid_chain_fails_by_its_signature(tmp_path: Path) -> None:
    file = statement(tmp_path)
    file.write_bytes(file.read_bytes().replace(b"holder,Nord", b"holder,Sued"))
    done = portal(str(file), "--key", PUBLIC.hex())
    assert done.returncode == 1
    assert "did not make this signature" in done.stdout


def test_a_statement_that_was_altered_everywhere_is_wrong_and_not_unreadable(tmp_path: Path) -> None:
    file = statement(tmp_path, rows_of=28)
    assert portal(str(file), "--key", PUBLIC.hex()).returncode == 0
    file.write_bytes(file.read_bytes().replace(b",bonus,5,", b",bonus,4,"))
    done = portal(str(file), "--key", PUBLIC.hex())
    assert (done.returncode, done.stderr) == (1, "portal: not in order.\n")
    assert done.stdout.count("  WRONG  ") == statements.MOST_TOLD + 1
    assert "And 36 more like these." in done.stdout


def test_a_pdf_is_told_from_what_can_be_checked(tmp_path: Path) -> None:
    file = tmp_path / "2026-09.pdf"
    file.write_bytes(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3")
    done = portal(str(file), "--key", PUBLIC.hex())
    assert done.returncode == 2
    assert "the month's CSV file, not its PDF" in done.stderr


@pytest.mark.parametrize(
    "content", [b"", b"%PDF-1.4", b"\xff\xfe", b"statement,1\r\n", b'"', b"statement,2\r\n\r\n"]
)
def test_what_is_no_statement_is_said_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes(content)
    done = portal(str(file))
    assert done.returncode == 2
    assert done.stderr.startswith("portal: ")
    assert "Traceback" not in done.stderr
    assert "unpack" not in done.stderr


def test_a_missing_file_or_key_is_wrong_use(tmp_path: Path) -> None:
    assert portal(str(tmp_path / "none.csv")).returncode == 2
    assert portal(str(statement(tmp_path)), "--key", "abc").returncode == 2


@pytest.mark.slow
def test_signatures_are_those_of_a_well_known_library() -> None:
    for number in range(25):
        key = Ed25519PrivateKey.generate()
        public, message = key.public_key().public_bytes_raw(), os.urandom(number * 7)
        signature = key.sign(message)
        assert ed25519.verify(public, message, signature)
        for place in (0, 31, 32, 63):
            forged = bytearray(signature)
            forged[place] ^= 1
            assert not ed25519.verify(public, message, bytes(forged))
        assert not ed25519.verify(public, message + b"x", signature)
        assert not ed25519.verify(os.urandom(32), message, signature)


def test_a_signature_with_a_response_beyond_the_order_is_refused() -> None:
    """The same signature in another writing (S + L) would verify by the equation alone."""
    signature = PRIVATE.sign(b"m")
    response = int.from_bytes(signature[32:], "little") + ed25519.L
    assert not ed25519.verify(PUBLIC, b"m", signature[:32] + response.to_bytes(32, "little"))
    assert not ed25519.verify(PUBLIC[:31], b"m", signature)
    assert not ed25519.verify(b"\xff" * 32, b"m", signature)
