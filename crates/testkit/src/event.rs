//! Events for tests: valid as they stand, changed in the one field that the test is about.

use serde_json::{Map, Value, json};

/// An event under construction. Starts with a type and a timestamp and nothing else, so that what
/// a test sets is all that there is to see.
#[derive(Clone, Debug)]
pub struct TestEvent {
    members: Map<String, Value>,
}

impl TestEvent {
    /// An event of this type at 2024-05-01T12:00:00Z, without an id.
    pub fn new(event_type: &str) -> Self {
        let mut members = Map::new();
        members.insert("event_type".to_owned(), json!(event_type));
        members.insert("timestamp".to_owned(), json!("2024-05-01T12:00:00Z"));
        Self { members }
    }

    /// A whole event such as an application sends: actor, target, action, context, change.
    pub fn full(id: &str) -> Self {
        Self::new("user.role_changed")
            .id(id)
            .set("/severity", json!("medium"))
            .actor("u-17")
            .set("/actor/name", json!("Ada Example"))
            .set("/actor/ip_address", json!("203.0.113.7"))
            .set("/target", json!({"id": "u-42", "type": "user"}))
            .set("/action", json!({"status": "success", "verb": "update"}))
            .set("/context/request_id", json!("req-0001"))
            .set("/data/before", json!({"role": "viewer"}))
            .set("/data/after", json!({"role": "admin"}))
    }

    #[must_use]
    pub fn id(self, id: &str) -> Self {
        self.set("/id", json!(id))
    }

    #[must_use]
    pub fn timestamp(self, text: &str) -> Self {
        self.set("/timestamp", json!(text))
    }

    #[must_use]
    pub fn actor(self, id: &str) -> Self {
        self.set("/actor/id", json!(id)).set("/actor/type", json!("user"))
    }

    /// Puts `value` where a JSON pointer says, making the objects on the way.
    ///
    /// # Panics
    /// When the pointer does not begin with `/`, or leads through something that is no object.
    #[must_use]
    pub fn set(mut self, pointer: &str, value: Value) -> Self {
        let Some(path) = pointer.strip_prefix('/') else {
            panic!("`{pointer}` is no JSON pointer");
        };
        let mut steps: Vec<&str> = path.split('/').collect();
        let last = steps.pop().unwrap_or_default();
        let mut object = &mut self.members;
        for step in steps {
            let member = object.entry(step).or_insert_with(|| json!({}));
            object = match member {
                Value::Object(inner) => inner,
                _ => panic!("`{pointer}` leads through `{step}`, which is no object"),
            };
        }
        object.insert(last.to_owned(), value);
        self
    }

    /// Takes a top-level field out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.members.remove(name);
        self
    }

    /// The event as a JSON value.
    pub fn value(&self) -> Value {
        Value::Object(self.members.clone())
    }

    /// The event as JSON text, keys sorted.
    pub fn json(&self) -> String {
        self.value().to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::TestEvent;

    #[test]
    fn an_event_says_what_was_set_and_nothing_else() {
        let event = TestEvent::new("user.login").id("e-1").actor("u-1");
        let text = concat!(
            r#"{"actor":{"id":"u-1","type":"user"},"event_type":"user.login","#,
            r#""id":"e-1","timestamp":"2024-05-01T12:00:00Z"}"#
        );
        assert_eq!(event.json(), text);
    }

    #[test]
    fn fields_are_set_and_taken_out_by_name() {
        let event =
            TestEvent::full("e-1").set("/data/after/role", json!("owner")).without("timestamp");
        let value = event.value();
        assert_eq!(value.pointer("/data/after/role"), Some(&json!("owner")));
        assert_eq!(value.pointer("/data/before/role"), Some(&json!("viewer")));
        assert_eq!(value.get("timestamp"), None);
    }

    #[test]
    #[should_panic(expected = "which is no object")]
    fn a_pointer_through_a_string_is_a_fault_of_the_test() {
        let _ = TestEvent::new("a").set("/event_type/x", json!(1));
    }
}
