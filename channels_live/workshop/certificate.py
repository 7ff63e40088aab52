"""The certificate of a class that speaks TLS: one that is given, or one of its own."""

import hashlib
import ssl
from collections.abc import Sequence
from pathlib import Path

from channels_live.trouble import in_words
from channels_live.workspace import LessonError


def given(certificate: Path, key: Path) -> dict[str, str]:
    """Return the paths of these files. Raises LessonError if they do not fit each other."""
    for file in (certificate, key):
        if not file.is_file():
            raise LessonError(f"There is no file {file}.")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, ValueError):
        raise LessonError(
            f"{certificate} and {key} are no certificate and its key, both in PEM, the key "
            "without a password."
        ) from None
    except OSError as error:
        raise LessonError(in_words(error)) from None
    return {"certificate": str(certificate.resolve()), "key": str(key.resolve())}


def own(folder: Path, hosts: Sequence[str]) -> dict[str, str]:
    """Return the paths of a certificate for these hosts, and of its key: made, if need be."""
    import trustme

    certificate, key, named = (folder / f"own.{end}" for end in ("pem", "key", "hosts"))
    if not named.exists() or named.read_text().split() != [*hosts]:
        issued = trustme.CA().issue_cert(*hosts)
        issued.private_key_pem.write_to_path(key)
        key.chmod(0o600)
        certificate.write_bytes(issued.cert_chain_pems[0].bytes())
        named.write_text("\n".join(hosts))  # last: until then, it is made anew
    return {"certificate": str(certificate), "key": str(key), "own": "yes"}


def fingerprint(certificate: str) -> str:
    """Return what a browser shows of a certificate: its SHA-256, in pairs."""
    pem = Path(certificate).read_text().partition("-----END")[0] + "-----END CERTIFICATE-----\n"
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN") :])).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2)).upper()
