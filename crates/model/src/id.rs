//! Ids the server makes: UUIDs out of bytes and times that the caller gives.

use ledgerstone_proof::{EventId, IngestedAt, NameError};
use uuid::{Builder, Uuid};

/// A version 7 UUID (RFC 9562 section 5.7) of a time and random bytes, of which the last six are unused.
pub(crate) fn uuid_v7(at: IngestedAt, random: [u8; 16]) -> String {
    let [random @ .., _, _, _, _, _, _] = random;
    // Times before 1970 have no place in a UUIDv7; such a clock is wrong anyway.
    let millis = u64::try_from(at.micros().div_euclid(1000)).unwrap_or(0);
    let uuid = Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
    uuid.hyphenated().to_string()
}

/// The event id for a foreign id that the grammar of ids does not allow: the version 5
/// UUID (RFC 9562 section 5.5) of the id in a namespace that is made likewise of the format's name. The same foreign
/// id always gives the same event id.
pub fn foreign_id(format: &str, id: &str) -> Result<EventId, NameError> {
    let name = format!("ledgerstone:{format}");
    let namespace = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes());
    let uuid = Uuid::new_v5(&namespace, id.as_bytes());
    EventId::parse(&uuid.hyphenated().to_string())
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::IngestedAt;

    use super::{foreign_id, uuid_v7};

    #[test]
    fn version_7_begins_with_the_time() {
        let at = IngestedAt::from_micros(0x0123_4567_89ab * 1000 + 999).unwrap();
        let text = uuid_v7(at, [0xff; 16]);
        assert_eq!(text, "01234567-89ab-7fff-bfff-ffffffffffff");
    }

    #[test]
    fn a_foreign_id_has_one_name_for_ever() {
        let id = foreign_id("cloudtrail", "an id with spaces").unwrap();
        assert_eq!(id.as_str(), "56e42046-0604-55c3-aa24-dc807bb6dd1c");
        assert_ne!(id, foreign_id("syslog", "an id with spaces").unwrap());
    }
}
