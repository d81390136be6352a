"""Uses a client that was generated from docs/openapi.json: posts, lists, proves.

Arguments: the folder that holds the generated package `generated`, the server, an API key.
"""

import base64
import hashlib
import sys

folder, server, key = sys.argv[1:]
sys.path.insert(0, folder)

from generated import AuthenticatedClient  # noqa: E402
from generated.api.events import get_v1_events, post_v1_events  # noqa: E402
from generated.api.proofs import get_v1_checkpoint, get_v1_proofs_inclusion  # noqa: E402
from generated.api.tenants import get_v1_tenants  # noqa: E402
from generated.models.event import Event  # noqa: E402
from generated.models.problem import Problem  # noqa: E402
from generated.models.receipt import Receipt  # noqa: E402
from generated.models.receipt_status import ReceiptStatus  # noqa: E402

client = AuthenticatedClient(base_url=server, token=key)

event = Event.from_dict(
    {"id": "generated-1", "event_type": "user.login", "actor": {"id": "u", "type": "user"}}
)
receipt = post_v1_events.sync(client=client, body=event)
assert isinstance(receipt, Receipt) and receipt.status == ReceiptStatus.CREATED, receipt
assert post_v1_events.sync(client=client, body=event).status == ReceiptStatus.DUPLICATE

listed = get_v1_events.sync(client=client, limit=1)
assert listed.events[0].event["id"] == "generated-1", listed
assert listed.events[0].record.record_hash == receipt.record_hash

refused = get_v1_tenants.sync(client=client)
assert isinstance(refused, Problem) and refused.code == "FORBIDDEN", refused


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaf, index, size, hashes):
    """RFC 9162, section 2.1.3.2."""
    first, last, found = index, size - 1, leaf
    for one in hashes:
        assert last > 0
        if first % 2 == 1 or first == last:
            found = node(one, found)
            while first % 2 == 0 and first != 0:
                first, last = first >> 1, last >> 1
        else:
            found = node(found, one)
        first, last = first >> 1, last >> 1
    assert last == 0
    return found


number = receipt.sequence_number
size = number + 1
proof = get_v1_proofs_inclusion.sync(client=client, sequence_number=number, tree_size=size)
hashes = [base64.b64decode(text) for text in proof.hashes]
assert root_of(base64.b64decode(proof.leaf_hash), number, size, hashes) == base64.b64decode(proof.root)
checkpoint = get_v1_checkpoint.sync(client=client)
assert checkpoint.size >= 1 and checkpoint.vkey.count("+") >= 2
print("posted, listed, proved")
