//! The taxonomy of the caller's tenant.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::call::{Call, JSON};
use crate::client::Client;
use crate::error::ClientError;

/// A taxonomy in force, of which the server also says which records set it.
#[derive(Deserialize)]
struct InForce {
    event_types: Value,
    mode: Value,
    version: Value,
}

impl InForce {
    /// The document alone, as it may be changed and set again.
    fn document(self) -> String {
        let members =
            [("event_types", self.event_types), ("mode", self.mode), ("version", self.version)];
        let members = members.map(|(name, value)| (name.to_owned(), value));
        Value::Object(Map::from_iter(members)).to_string()
    }
}

impl Client {
    /// The taxonomy in force, as the JSON document that [`Self::set_taxonomy`] takes.
    pub async fn taxonomy(&self) -> Result<String, ClientError> {
        let answer = self.send(&Call::get(self.route("v1/taxonomy", &[]))).await?;
        Ok(answer.json::<InForce>()?.document())
    }

    /// Sets the taxonomy, whole, and answers it as it is in force now. A document with a `version`
    /// is refused where another one is in force.
    pub async fn set_taxonomy(&self, document: &[u8]) -> Result<String, ClientError> {
        let call = Call::put(self.route("v1/taxonomy", &[])).body(JSON, document.to_vec());
        Ok(self.send(&call).await?.json::<InForce>()?.document())
    }
}
