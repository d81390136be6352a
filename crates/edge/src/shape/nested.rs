//! The model's own groups under an `audit_id`.

use super::Shape;

pub(super) const SHAPE: Shape = Shape {
    name: "nested",
    doc: "the model's own form with audit_id in place of id",
    mapping: "nested/1",
    known_by: &["audit_id"],
    known_by_text: &[],
    moves: &[("audit_id", "/id")],
    says: &[],
    answers: &[],
};
