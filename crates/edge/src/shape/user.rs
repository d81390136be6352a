//! What a user did to a resource: `user_id`, `action`, `resource_type`, `resource_id`, `details`.

use super::Shape;

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
};
