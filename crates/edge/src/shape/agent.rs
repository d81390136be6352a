//! What an agent did: `agent_id`, `action`, `outcome`, `payload`.

use super::Shape;

pub(super) const SHAPE: Shape = Shape {
    name: "agent",
    doc: "what an agent did: agent_id, action, outcome, payload",
    mapping: "agent/1",
    known_by: &["agent_id", "outcome", "payload"],
    moves: &[
        ("action", "/action/verb"),
        ("outcome", "/action/status"),
        ("agent_id", "/actor/id"),
        ("payload", "/data/metadata"),
    ],
    says: &[("/actor/id", "/actor/type", "agent")],
};
