//! Walks along the table of fields by names, for everything that names fields: filters and policies.

use crate::schema::{FIELDS, Field, FieldType, find};

/// What stands at a path of an event.
#[derive(Clone, Copy, Debug)]
pub enum SchemaPlace {
    /// The event itself, which also has the server's corner `intake`.
    Event,
    /// A group of known fields.
    Group(&'static [Field]),
    /// The server's own corner.
    Intake,
    /// A known field; what stands below it is free where its type is.
    Field(FieldType),
}

const INTAKE_TEXTS: &[&str] = &["format", "mapping", "set", "flags"];

const INTAKE_FREE: &[&str] = &["original", "unmapped"];

impl SchemaPlace {
    /// What stands under a name; `None` where nothing can.
    pub fn below(self, name: &str) -> Option<Self> {
        match self {
            Self::Event if name == "intake" => Some(Self::Intake),
            Self::Event => Self::of(FIELDS, name),
            Self::Group(fields) => Self::of(fields, name),
            Self::Intake if INTAKE_TEXTS.contains(&name) => {
                Some(Self::Field(FieldType::TextList {
                    max_items: usize::MAX,
                    max_bytes: usize::MAX,
                }))
            }
            Self::Intake => INTAKE_FREE.contains(&name).then_some(Self::Field(FieldType::Any)),
            Self::Field(FieldType::Any | FieldType::Object) => Some(Self::Field(FieldType::Any)),
            Self::Field(_) => None,
        }
    }

    /// Everything that can stand under any name.
    pub fn below_any(self) -> Vec<Self> {
        match self {
            Self::Event => {
                let own = FIELDS.iter().map(|field| Self::of_type(field.kind()));
                own.chain([Self::Intake]).collect()
            }
            Self::Group(fields) => fields.iter().map(|field| Self::of_type(field.kind())).collect(),
            Self::Intake => {
                INTAKE_TEXTS.iter().chain(INTAKE_FREE).filter_map(|name| self.below(name)).collect()
            }
            Self::Field(_) => self.below("*").into_iter().collect(),
        }
    }

    /// The names that are known there; none where any name may stand, or nothing can.
    pub fn names(self) -> Vec<&'static str> {
        let of_fields = |fields: &'static [Field]| fields.iter().map(Field::name).collect();
        match self {
            Self::Event => [of_fields(FIELDS), vec!["intake"]].concat(),
            Self::Group(fields) => of_fields(fields),
            Self::Intake => [INTAKE_TEXTS, INTAKE_FREE].concat(),
            Self::Field(_) => Vec::new(),
        }
    }

    fn of(fields: &'static [Field], name: &str) -> Option<Self> {
        find(fields, name.as_bytes()).map(|field| Self::of_type(field.kind()))
    }

    const fn of_type(kind: FieldType) -> Self {
        match kind {
            FieldType::Group(fields) => Self::Group(fields),
            other => Self::Field(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SchemaPlace;
    use crate::schema::FieldType;

    fn at(path: &str) -> Option<SchemaPlace> {
        path.split('.').try_fold(SchemaPlace::Event, SchemaPlace::below)
    }

    #[test]
    fn paths_lead_where_the_table_says() {
        assert!(matches!(at("actor"), Some(SchemaPlace::Group(_))));
        assert!(matches!(at("actor.id"), Some(SchemaPlace::Field(FieldType::Text { .. }))));
        assert!(matches!(at("data.after.x.y"), Some(SchemaPlace::Field(FieldType::Any))));
        assert!(matches!(at("intake"), Some(SchemaPlace::Intake)));
        assert!(matches!(at("intake.unmapped.x"), Some(SchemaPlace::Field(FieldType::Any))));
        for path in ["actr", "actor.id.x", "intake.x", "actor.intake"] {
            assert!(at(path).is_none(), "{path}");
        }
    }

    #[test]
    fn any_name_leads_everywhere() {
        let all = SchemaPlace::Event.below_any();
        assert!(all.len() > 10 && all.iter().any(|place| matches!(place, SchemaPlace::Intake)));
        assert_eq!(SchemaPlace::Intake.below_any().len(), 6);
        for place in [SchemaPlace::Event, SchemaPlace::Intake] {
            assert!(place.names().into_iter().all(|name| place.below(name).is_some()));
        }
    }
}
