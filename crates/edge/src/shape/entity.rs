//! What happened to an entity: `Actor`, `EntityType`, `EntityID`, `Metadata`, or the same in small letters.

use super::{Shape, Source};

pub(super) const SHAPE: Shape = Shape {
    name: "entity",
    doc: "what happened to an entity: Actor, EntityType, EntityID, Metadata, or entity_type and so on",
    mapping: "entity/1",
    known_by: &[
        "EventType",
        "EntityType",
        "EntityID",
        "Actor",
        "Metadata",
        "entity_type",
        "entity_id",
    ],
    known_by_text: &["actor"],
    moves: &[
        ("ID", "/id"),
        ("EventType", "/event_type"),
        ("Timestamp", "/timestamp"),
        ("Severity", "/severity"),
        ("Actor", "/actor/id"),
        ("actor", "/actor/id"),
        ("EntityType", "/target/type"),
        ("entity_type", "/target/type"),
        ("EntityID", "/target/id"),
        ("entity_id", "/target/id"),
        ("Metadata", "/metadata"),
    ],
    says: &[],
    answers: &[
        ("ID", Source::Id),
        ("EventType", Source::Field("/event_type")),
        ("Severity", Source::Field("/severity")),
        ("Actor", Source::Field("/actor/id")),
        ("EntityType", Source::Field("/target/type")),
        ("EntityID", Source::Field("/target/id")),
        ("Timestamp", Source::Field("/timestamp")),
        ("Metadata", Source::Field("/metadata")),
    ],
};
