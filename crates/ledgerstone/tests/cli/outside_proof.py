"""Checks proofs and a whole log as docs/format.md describes them, with nothing of this project: hashes by Python,
signatures by openssl 3 where it is there.

    outside_proof.py URL KEY VKEY PROOF...

URL is the prefix of a tlog-tiles log and KEY its bearer token. Every PROOF must hold by itself, and its checkpoint
must be one of an earlier size of the log that is served now. Beside a proof `x.proof`, `x.content` is its content.
"""

import base64, hashlib, json, pathlib, shutil, subprocess, sys, tempfile, urllib.request

url, key, vkey, *proofs = sys.argv[1:]
name, key_id, public = vkey.split("+", 2)
public = base64.b64decode(public)
assert public[:1] == b"\x01" and len(public) == 33
named = name.encode() + b"\n" + public
assert hashlib.sha256(named).hexdigest()[:8] == key_id


def openssl():
    """The program, where it is one that verifies Ed25519 over a whole text (3.0 and later)."""
    found = shutil.which("openssl")
    version = subprocess.run([found, "version"], capture_output=True).stdout if found else b""
    return found if version.startswith(b"OpenSSL ") and version[8:9] not in b"01" else None


OPENSSL = openssl()


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def leaf(entry):
    return sha(b"\0", entry)


def node(left, right):
    return sha(b"\1", left, right)


def signed(text, signature):
    """RFC 8032 by openssl, which wants the key as SubjectPublicKeyInfo."""
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        (place / "key").write_bytes(bytes.fromhex("302a300506032b6570032100") + public[1:])
        (place / "text").write_bytes(text)
        (place / "signature").write_bytes(signature)
        command = [OPENSSL, "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", place / "key",
                   "-rawin", "-in", place / "text", "-sigfile", place / "signature"]
        return subprocess.run(command, capture_output=True).returncode == 0


def opened(note):
    """Size and root of a checkpoint (c2sp.org/signed-note, c2sp.org/tlog-checkpoint)."""
    text, signatures = note.split(b"\n\n", 1)
    text += b"\n"
    marked = [line.split(" ") for line in signatures.decode().splitlines()]
    bytes_of = [base64.b64decode(line[2]) for line in marked if line[:2] == ["\u2014", name]]
    ours = [one[4:] for one in bytes_of if one[:4].hex() == key_id]
    assert len(ours) == 1, "not signed by this key"
    assert OPENSSL is None or signed(text, ours[0]), "the signature is not over this checkpoint"
    assert OPENSSL is None or not signed(text + b"x", ours[0]), "openssl agrees to anything"
    origin, size, root = text.decode().splitlines()
    assert origin == name
    return int(size), base64.b64decode(root)


def root_of(entry, index, size, path):
    """The root that an inclusion proof leads to: RFC 9162, section 2.1.3.2."""
    assert index < size
    at, last, way = index, size - 1, leaf(entry)
    for step in path:
        assert last > 0, "the path is too long"
        if at & 1 or at == last:
            way = node(step, way)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            way = node(way, step)
        at, last = at >> 1, last >> 1
    assert last == 0, "the path is too short"
    return way


def tree(hashes):
    """The Merkle tree hash of RFC 6962, section 2.1."""
    if len(hashes) <= 1:
        return hashes[0] if hashes else sha()
    half = 1
    while 2 * half < len(hashes):
        half *= 2
    return node(tree(hashes[:half]), tree(hashes[half:]))


def get(path):
    wanted = urllib.request.Request(f"{url}/{path}", headers={"authorization": f"Bearer {key}"})
    with urllib.request.urlopen(wanted) as answer:
        return answer.read()


def tiles(kind, count):
    """All tiles of a level, or the bundles of entries (c2sp.org/tlog-tiles)."""
    for tile in range((count + 255) // 256):
        assert tile < 1000, "more than this script reads"
        width = min(256, count - 256 * tile)
        yield get(f"tile/{kind}/{tile:03}" + (f".p/{width}" if width < 256 else ""))


def entries(size):
    for bundle in tiles("entries", size):
        while bundle:
            end = 2 + int.from_bytes(bundle[:2], "big")
            yield bundle[2:end]
            bundle = bundle[end:]


size, root = opened(get("checkpoint"))
log = list(entries(size))
leaves = [leaf(entry) for entry in log]
assert len(log) == size and tree(leaves) == root, "the tree is not the checkpoint's"
level = leaves
for height in range(2):
    assert b"".join(level) == b"".join(tiles(height, len(level))), "tiles of hashes are not the tree's"
    level = [tree(level[at:at + 256]) for at in range(0, len(level) // 256 * 256, 256)]
previous = "0" * 64
for number, entry in enumerate(log):
    header = json.loads(entry)
    assert header["sequence_number"] == number and header["previous_hash"] == previous
    previous = hashlib.sha256(entry).hexdigest()

for proof in map(pathlib.Path, proofs):
    first, extra, index, *path = proof.read_bytes().split(b"\n\n", 1)[0].decode().splitlines()
    assert first == "c2sp.org/tlog-proof@v1" and index.startswith("index ") and extra.startswith("extra ")
    entry, index = base64.b64decode(extra[6:]), int(index[6:])
    then, then_root = opened(proof.read_bytes().split(b"\n\n", 1)[1])
    assert root_of(entry, index, then, [base64.b64decode(step) for step in path]) == then_root
    content = hashlib.sha256(proof.with_suffix(".content").read_bytes()).hexdigest()
    header = json.loads(entry)
    assert (header["sequence_number"], header["content_hash"]) == (index, content)
    assert log[index] == entry and then <= size and tree(leaves[:then]) == then_root, "another log"

print(f"{len(proofs)} proofs hold in a log of {size}, " + ("signatures too" if OPENSSL else "no signature was looked at"))
