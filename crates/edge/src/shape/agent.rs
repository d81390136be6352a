//! What an agent did: `agent_id`, `action`, `outcome`, `payload`.

use super::{Shape, Source};

pub(super) const SHAPE: Shape = Shape {
    name: "agent",
    doc: "what an agent did: agent_id, action, outcome, payload",
    mapping: "agent/1",
    known_by: &["agent_id", "outcome", "payload"],
    known_by_text: &[],
    moves: &[
        ("action", "/action/verb"),
        ("outcome", "/action/status"),
        ("agent_id", "/actor/id"),
        ("payload", "/data/metadata"),
    ],
    says: &[("/actor/id", "/actor/type", "agent")],
    answers: &[
        ("id", Source::Id),
        ("timestamp", Source::Field("/timestamp")),
        ("event_type", Source::Field("/event_type")),
        ("agent_id", Source::Field("/actor/id")),
        ("action", Source::Field("/action/verb")),
        ("outcome", Source::Field("/action/status")),
        ("payload", Source::Field("/data/metadata")),
        ("content_hash", Source::ContentHash),
        ("chain_hash", Source::RecordHash),
        ("prev_hash", Source::PreviousHash),
        ("signature", Source::Signature),
        ("created_at", Source::IngestedAt),
    ],
};
