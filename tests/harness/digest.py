"""Digest answers as a phone computes them (RFC 7616 §3.4)."""

import hashlib
import re

from tests.harness.sip import token

HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


def challenge_parameters(challenge: str) -> dict[str, str]:
    """``Digest realm="x", nonce=…`` as a table; keys in lower case."""
    return {
        key.lower(): quoted or plain
        for key, quoted, plain in re.findall(r'([\w-]+)\s*=\s*(?:"([^"]*)"|([^\s,]+))', challenge.partition(" ")[2])
    }


def answer(challenge: str, *, method: str, uri: str, username: str, password: str, nonce_count: int = 1) -> str:
    """Return the Authorization value for one challenge."""
    asked = challenge_parameters(challenge)
    algorithm = asked.get("algorithm", "MD5")
    digest = HASHES[algorithm]

    def h(text: str) -> str:
        return digest(text.encode()).hexdigest()

    ha1, ha2 = h(f"{username}:{asked['realm']}:{password}"), h(f"{method}:{uri}")
    fields = [f'username="{username}"', f'realm="{asked["realm"]}"', f'nonce="{asked["nonce"]}"', f'uri="{uri}"']
    if "qop" in asked:
        cnonce, count = token(), f"{nonce_count:08x}"
        result = h(f"{ha1}:{asked['nonce']}:{count}:{cnonce}:auth:{ha2}")
        fields += [f'cnonce="{cnonce}"', f"nc={count}", "qop=auth"]
    else:
        result = h(f"{ha1}:{asked['nonce']}:{ha2}")
    fields += [f'response="{result}"', f"algorithm={algorithm}"]
    if "opaque" in asked:
        fields.append(f'opaque="{asked["opaque"]}"')
    return "Digest " + ", ".join(fields)


def algorithm(challenge: str) -> str:
    """Return the algorithm of a challenge; without one it is MD5 (RFC 7616 §3.3)."""
    return challenge_parameters(challenge).get("algorithm", "MD5")
