//! People: looked up by what events call them, and named by an opaque id ever after; and what they
//! ask, as it comes in.

use ledgerstone_model::sealing::SubjectId;
use ledgerstone_model::subject_request::{ErasureBasis, SubjectRight};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::call::{Call, Repeat};
use crate::client::Client;
use crate::error::ClientError;
use crate::requests::SubjectRequest;

/// What is known of a person.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Subject {
    /// Opaque, and always the same for the same person of this tenant.
    pub subject_id: String,
    /// Ids of the keys that values of the person are sealed under.
    pub live_keys: Vec<String>,
    /// Ids of those that were destroyed: what they sealed cannot be opened any more.
    pub destroyed_keys: Vec<String>,
    /// The numbers of the records that certify it, oldest first.
    pub certificates: Vec<u64>,
    /// What is to be known of the type that was looked up, where it is no person's.
    #[serde(default)]
    pub note: Option<String>,
}

/// Some of the records of the access log that name a person.
#[derive(Debug, Deserialize)]
#[non_exhaustive]
pub struct AccessPage {
    /// Each as the server wrote it: `{"event","hidden","record","view"}`.
    pub accesses: Vec<Box<RawValue>>,
    /// Where to go on; `None` at the end.
    pub next_cursor: Option<String>,
}

/// What a person asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// To be erased: why it is due, and whether somebody who was erased is looked for again, although
    /// nothing of them is known to be left.
    Erasure { basis: ErasureBasis, again: bool },
    /// Anything else.
    Other(SubjectRight),
}

impl Client {
    /// Looks a person up by the type and id of actors and targets. The id travels in the body, so that
    /// no path and no log holds it.
    pub async fn look_up_subject(&self, kind: &str, id: &str) -> Result<Subject, ClientError> {
        let call = Call::post(self.route("v1/subjects/lookup", &[]));
        let call = call.json(&json!({"type": kind, "id": id})).repeat(Repeat::Safe);
        self.send(&call).await?.json()
    }

    /// What is known of a person.
    pub async fn subject(&self, id: &SubjectId) -> Result<Subject, ClientError> {
        self.send(&Call::get(self.route(&format!("v1/subjects/{id}"), &[]))).await?.json()
    }

    /// Who saw a person, the newest first: one page, which may be empty and have a cursor. `cursor` is that of
    /// the page before.
    pub async fn subject_access(
        &self,
        id: &SubjectId,
        cursor: Option<&str>,
    ) -> Result<AccessPage, ClientError> {
        let parameters: Vec<_> =
            cursor.map(|cursor| ("cursor", cursor.to_owned())).into_iter().collect();
        let route = self.route(&format!("v1/subjects/{id}/access"), &parameters);
        self.send(&Call::get(route)).await?.json()
    }

    /// Opens a request of a person in the register.
    pub async fn open_subject_request(
        &self,
        id: &SubjectId,
        asked: Asked,
        reason: Option<&str>,
    ) -> Result<SubjectRequest, ClientError> {
        let mut body = Map::new();
        let right = match asked {
            Asked::Erasure { basis, again } => {
                body.insert("basis".to_owned(), Value::from(basis.as_str()));
                if again {
                    body.insert("again".to_owned(), Value::from(true));
                }
                SubjectRight::Erasure
            }
            Asked::Other(right) => right,
        };
        body.extend(reason.map(|reason| ("reason".to_owned(), Value::from(reason))));
        let call = Call::post(self.route(&format!("v1/subjects/{id}/{}", right.as_str()), &[]));
        self.send(&call.json(&Value::Object(body))).await?.json()
    }
}
