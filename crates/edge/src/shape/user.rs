//! What a user did to a resource: `user_id`, `action`, `resource_type`, `resource_id`, `details`.

use super::{Shape, Source};

pub(super) const SHAPE: Shape = Shape {
    name: "user",
    doc: "what a user did to a resource: user_id, action, resource_type, resource_id, details",
    mapping: "user/1",
    known_by: &["user_id", "resource_type", "resource_id", "details", "risk_level"],
    moves: &[
        ("action", "/action/verb"),
        ("user_id", "/actor/id"),
        ("ip_address", "/actor/ip_address"),
        ("user_agent", "/actor/user_agent"),
        ("session_id", "/actor/session_id"),
        ("request_id", "/context/request_id"),
        ("resource_type", "/target/type"),
        ("resource_id", "/target/id"),
        ("details", "/data/metadata"),
        ("risk_level", "/severity"),
    ],
    says: &[("/actor/id", "/actor/type", "user")],
    answers: &[
        ("id", Source::Id),
        ("timestamp", Source::Field("/timestamp")),
        ("event_type", Source::Field("/event_type")),
        ("user_id", Source::Field("/actor/id")),
        ("action", Source::Field("/action/verb")),
        ("resource_type", Source::Field("/target/type")),
        ("resource_id", Source::Field("/target/id")),
        ("details", Source::Field("/data/metadata")),
        ("risk_level", Source::Field("/severity")),
        ("ip_address", Source::Field("/actor/ip_address")),
        ("user_agent", Source::Field("/actor/user_agent")),
        ("session_id", Source::Field("/actor/session_id")),
        ("request_id", Source::Field("/context/request_id")),
        ("sequence_number", Source::SequenceNumber),
        ("content_hash", Source::ContentHash),
        ("previous_hash", Source::PreviousHash),
        ("record_hash", Source::RecordHash),
        ("signature", Source::Signature),
        ("ingested_at", Source::IngestedAt),
    ],
};
