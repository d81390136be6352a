"""What no schema can say, for the run that asks whether everything the document allows is accepted.

Loaded by schemathesis. LEDGERSTONE_ATTACKER is the id of the API key that it works with, and
LEDGERSTONE_RECORDS a number of records that the ledger has.
"""

import os

import schemathesis

OWN_KEY = os.environ["LEDGERSTONE_ATTACKER"]
RECORDS = int(os.environ["LEDGERSTONE_RECORDS"])

# Parameters whose right values follow from what was asked before, or from other parameters: cursors, keys
# that were used, how a body is packed, what else than the model's own form it has, which version was changed.
UNSAID = {
    "cursor", "Idempotency-Key", "Content-Encoding", "shape", "format", "atomic", "If-Match",
}

# What is wide in the document and narrow here: sizes of the one ledger, `wait` of either kind of body,
# the one verification that a foreign route has.
NARROWED = {
    ("/v1/proofs/inclusion", "sequence_number"): [0],
    ("/v1/proofs/inclusion", "tree_size"): list(range(1, RECORDS + 1)),
    ("/v1/proofs/consistency", "from"): [1],
    ("/v1/proofs/consistency", "to"): list(range(1, RECORDS + 1)),
}


def operations(schema):
    for path, item in schema["paths"].items():
        for operation in item.values():
            yield path, operation


def event_of_exact_values(schemas):
    """What the document leaves open because generators of clients do not know it."""
    value = {"$ref": "#/components/schemas/JsonValue"}
    own = {
        "type": "object",
        "propertyNames": {"not": {"const": "$sealed"}},
        "additionalProperties": value,
    }
    schemas["JsonValue"] = {
        "anyOf": [
            {"type": ["null", "boolean", "string"]},
            {"type": "number", "minimum": -(2**53) + 1, "maximum": 2**53 - 1},
            {"type": "array", "items": value},
            own,
        ]
    }
    event = schemas["Event"]
    groups = [one for one in event["properties"].values() if "properties" in one]
    for group in [event, *groups]:
        group["additionalProperties"] = value
        for name, field in group["properties"].items():
            if "type" not in field:
                group["properties"][name] = value
            elif "object" in field["type"] and "properties" not in field:
                group["properties"][name] = own


@schemathesis.hook
def before_load_schema(context, schema):
    if os.environ.get("LEDGERSTONE_POSITIVE") != "1":
        return
    for path, operation in operations(schema):
        parameters = operation.get("parameters", [])
        parameters[:] = [one for one in parameters if one["name"] not in UNSAID]
        for one in parameters:
            if (path, one["name"]) in NARROWED:
                one["schema"] = {"enum": NARROWED[path, one["name"]]}
            if one["name"] == "wait":
                one["schema"]["enum"].remove("checkpoint")
    schemas = schema["components"]["schemas"]
    event_of_exact_values(schemas)
    # An event names no other tenant than the one whose key sends it, and no id that another has.
    for group in (schemas["Event"], schemas["Event"]["properties"]["context"]):
        group["properties"]["tenant_id"] = {"type": "null"}
    schemas["Event"]["properties"]["id"] = {"type": "null"}
    # A dead letter as it was is refused as it was.
    schema["paths"]["/v1/dead-letters/{id}/resend"]["post"]["requestBody"]["required"] = True
    # Nobody is given a key that has expired.
    for key in ("WantedKey", "FirstKey"):
        schemas[key]["properties"]["expires_at"] = {"enum": [None, "2999-12-31T23:59:59Z"]}
    verify = schemas["VerifyBody"]["properties"]
    del verify["tenant"]
    verify["from"], verify["to"] = {"enum": [0]}, {"enum": list(range(1, RECORDS + 1))}
    schemas["VerifyAll"]["properties"]["verify_all"] = {"enum": [True]}
    # Log keys take no algorithm.
    del schemas["WantedRotation"]["properties"]["record_key_algorithm"]
    # What may stand in a policy is told by docs/personal-data.md, docs/retention.md and docs/access-log.md.
    change = schema["paths"]["/v1/policies/{policy}"]["put"]["requestBody"]["content"]
    change["application/json"]["schema"] = {"enum": [{}]}
    # Whole numbers are written without a point, and there is one record that is approved.
    schemas["Approval"]["properties"]["system_record"] = {"enum": [1]}
    # What may be corrected is told by docs/personal-data.md.
    changes = {"enum": [{"/data/after/name": "Ana Lima"}]}
    schemas["CorrectionBody"]["properties"]["changes"] = changes
    schemas["RectificationBody"]["properties"]["corrections"]["maxItems"] = 1
    # Operators name the tenant whose key is replaced; which record asked for a closing is state.
    schemas["WantedKeyRotation"]["required"] = ["tenant_id"]
    schemas["WantedKeyRotation"]["properties"]["tenant_id"]["type"] = "string"
    rotate = schema["paths"]["/v1/sealing-keys/rotate"]["post"]["requestBody"]
    rotate["required"] = True
    rotate["content"]["application/json"]["schema"] = {
        "$ref": "#/components/schemas/WantedKeyRotation"
    }
    del schema["paths"]["/v1/tenants/{tenant_id}/close/approve"]
    # Filters are told by docs/filters.md, and a time ends behind its begin.
    for name in ("filter", "from", "subject_id"):
        schemas["NewHoldBody"]["properties"][name] = {"type": "null"}
    # Which schemas a taxonomy may hold is told in docs/taxonomy.md; which version it changes is state. One
    # that is enforced refuses events, as it should.
    draft = schemas["TaxonomyDraft"]["properties"]
    draft["mode"]["enum"].remove("enforce")
    del draft["version"]
    del draft["event_types"]["additionalProperties"]["properties"]["schema"]


@schemathesis.hook
def before_call(context, case, **kwargs):
    """Nobody saws off the branch they sit on: the key that is worked with is not revoked."""
    if case.path_parameters and case.path_parameters.get("key_id") == OWN_KEY:
        case.path_parameters["key_id"] = "aaaaaaaaaaaaaaaa"
