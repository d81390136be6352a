//! The closed list of everything that can go wrong, under names that never change.
//!
//! Every error of every crate maps to one [`ErrorCode`]. The table below is the only place where a
//! code, what it means and what to do about it are written; `docs/errors.md` is generated from it.

use std::fmt;

/// Defines the enum and its three tables from one list, so that a code cannot lack its text.
macro_rules! error_codes {
    ($( $variant:ident = $text:literal, $meaning:literal, $remedy:literal; )+) => {
        /// A stable name for one kind of failure. Codes are added, never renamed or reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $( #[doc = $meaning] $variant, )+
        }

        impl ErrorCode {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// The name as it stands in answers, logs and documents, e.g. `NOT_JSON`.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $text, )+ }
            }

            /// The code of this name.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == text)
            }

            /// What happened, in one sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $( Self::$variant => $meaning, )+ }
            }

            /// What the reader of the error can do about it.
            pub const fn remedy(self) -> &'static str {
                match self { $( Self::$variant => $remedy, )+ }
            }
        }
    };
}

error_codes! {
    // The text of an event.
    NotJson = "NOT_JSON",
        "The text is not JSON.",
        "Send one JSON object; the message names the byte where reading stopped.";
    NotUtf8 = "NOT_UTF8",
        "The text is not UTF-8.",
        "Convert the text to UTF-8 before sending it; the message names the first wrong byte.";
    DuplicateKey = "DUPLICATE_KEY",
        "An object names the same key twice, so its meaning depends on the reader.",
        "Send each key once.";
    LoneSurrogate = "LONE_SURROGATE",
        "A string holds half of a surrogate pair, which no UTF-8 text can hold.",
        "Write the whole pair, or the character itself.";
    NumberNotExact = "NUMBER_NOT_EXACT",
        "A number cannot be kept exactly as sent: it is beyond 2^53-1 or has more digits than a double holds.",
        "Send the number as a string.";
    TooDeep = "TOO_DEEP",
        "Objects and arrays are nested more than 64 deep.",
        "Flatten the event, or send the inner part as a string.";
    EventTooLarge = "EVENT_TOO_LARGE",
        "The event is larger in canonical form than the limit (256 KiB; for HTTP unless `limits.event_bytes` says otherwise).",
        "Send large payloads elsewhere and put their hash and place into the event.";

    // The meaning of an event.
    InvalidEvent = "INVALID_EVENT",
        "The text is JSON but not an event, or it has faults of several kinds.",
        "Read the list of faults; each names the field by JSON pointer and the reason.";
    MissingField = "MISSING_FIELD",
        "A required field is missing.",
        "Add the field that the pointer names; docs/events.md lists the required fields.";
    InvalidField = "INVALID_FIELD",
        "A field holds a value of the wrong type or outside its range.",
        "Correct the value that the pointer names; docs/events.md lists types and ranges.";
    InvalidTimestamp = "INVALID_TIMESTAMP",
        "A timestamp is not an RFC 3339 date and time in the years 0001 to 9999.",
        "Send it like 2024-05-01T12:30:00Z.";
    InvalidId = "INVALID_ID",
        "An event id has a character or a length that ids may not have.",
        "Use 1 to 128 characters out of A-Z a-z 0-9 . _ : - (a UUID fits), or leave the id out.";
    InvalidTenant = "INVALID_TENANT",
        "A tenant name has a character or a length that tenant names may not have.",
        "Use 1 to 63 characters out of a-z 0-9 _ -, beginning with a letter or a digit.";
    ReservedName = "RESERVED_NAME",
        "A field or an id uses a name that belongs to the server: intake, sealed, $sealed, or one that begins with `_`.",
        "Rename it; the pointer says where it stands.";
    ReservedEventType = "RESERVED_EVENT_TYPE",
        "An event type begins with system., audit. or `_`; only the server writes such events.",
        "Choose another event type.";
    TenantMismatch = "TENANT_MISMATCH",
        "The event names another tenant than the one it was sent to.",
        "Send it to the tenant it names, or take the name out of the event.";
    EventTypeUnknown = "EVENT_TYPE_UNKNOWN",
        "The tenant's taxonomy is enforced and does not have the event's type.",
        "Correct the event type, or have an admin add it with PUT /v1/taxonomy and send the dead letter again.";
    SchemaViolation = "SCHEMA_VIOLATION",
        "The tenant's taxonomy is enforced and the event does not fit the schema of its type.",
        "Correct what the pointers name; GET /v1/taxonomy shows the schema.";
    InvalidTaxonomy = "INVALID_TAXONOMY",
        "A taxonomy has a fault: its form, its size, or a schema that cannot be used.",
        "Correct what the pointers name; docs/taxonomy.md says what a taxonomy may hold.";
    VersionConflict = "VERSION_CONFLICT",
        "What was to be changed has another version by now than the one the change is based on.",
        "Fetch it as it is now, make the change there, and send it again with that version.";
    DeadLettersFull = "DEAD_LETTERS_FULL",
        "The refused event was not kept: as many dead letters are kept as may be.",
        "Correct or delete old dead letters, wait until they expire, or have an operator raise the limits.";
    DeadLetterTooLarge = "DEAD_LETTER_TOO_LARGE",
        "The refused event was not kept: its text is larger than 1 MiB.",
        "Correct it where it comes from and send it from there.";
    IdConflict = "ID_CONFLICT",
        "The ledger already holds another event under this id.",
        "Give the event an id of its own; if it is a correction, send it as a new event that refers to the first.";

    // Input as a whole.
    EmptyInput = "EMPTY_INPUT",
        "The input holds no event.",
        "Check that the right file or stream was given.";
    InvalidGzip = "INVALID_GZIP",
        "The compressed input is damaged or cut short.",
        "Fetch the file again; events before the damage may have been taken and are not taken twice.";
    InputTooLarge = "INPUT_TOO_LARGE",
        "The input, or what it unpacks to, is larger than the limit.",
        "Split the input into smaller files.";
    InvalidImport = "INVALID_IMPORT",
        "The input is not of the format it was said to be.",
        "Check the format's name and that the file is the log itself, not a digest or an index.";
    UnknownFormat = "UNKNOWN_FORMAT",
        "No importer has this name.",
        "Use one of the names that the message lists.";

    // The data directory.
    NotADataDirectory = "NOT_A_DATA_DIRECTORY",
        "The directory is no Ledgerstone data directory.",
        "Give the right path, or make a new directory with `ledgerstone init`.";
    DataDirectoryNotEmpty = "DATA_DIRECTORY_NOT_EMPTY",
        "A new data directory was asked for where other files already stand.",
        "Give the path of an empty or a new directory.";
    UnsupportedFormatVersion = "UNSUPPORTED_FORMAT_VERSION",
        "The directory was written in a format that this version does not read.",
        "Use the version of Ledgerstone that the message names, or move the data as it says.";
    StoreLocked = "STORE_LOCKED",
        "Another process is writing to the data directory.",
        "Stop the other process, or use a command that only reads.";
    StoreDamaged = "STORE_DAMAGED",
        "The part of the store that is written now is damaged; it can be read but not continued.",
        "Run `ledgerstone doctor`; it names the place and the ways back.";
    RecordDamaged = "RECORD_DAMAGED",
        "The stored bytes of a record do not match their hashes.",
        "Run `ledgerstone verify`; restore the file that it names from a copy.";
    LedgerRolledBack = "LEDGER_ROLLED_BACK",
        "The ledger is older than, or different from, what it was already seen to be.",
        "Do not write to it. Put back the newest copy of the directory; keep this one as evidence.";
    DiskFull = "DISK_FULL",
        "There is no room for more records; nothing was written.",
        "Make room; writing goes on by itself, and everything acknowledged is safe.";
    ReadOnlyStorage = "READ_ONLY_STORAGE",
        "The data directory cannot be written to.",
        "Mount it writable, or correct the owner and mode of the directory.";
    StorageFailed = "STORAGE_FAILED",
        "Reading from or writing to the disk failed.",
        "See the message for file and cause; check the disk and the system log.";
    OutcomeUnknown = "OUTCOME_UNKNOWN",
        "Writing failed at a point where it may have happened or not.",
        "Send the same events again with the ids that the answer gives; none is kept twice.";
    Conflict = "CONFLICT",
        "Somebody else wrote to the ledger in between; nothing was written.",
        "Send the request again.";
    KeyServiceUnavailable = "KEY_SERVICE_UNAVAILABLE",
        "The service that holds the root key does not answer or refuses, so fields can be neither sealed nor opened.",
        "Send the same request again later, when the service answers.";
    WrongRootKey = "WRONG_ROOT_KEY",
        "The keys of a tenant were wrapped by another root key than the one in use, or what was wrapped is not as it was.",
        "Put back the root key, or the settings that name it, with which the data directory was written.";
    KeysBehind = "KEYS_BEHIND",
        "The files of sealing keys are older than the ledger, or not all of one time: keys are missing, or some that were destroyed are back.",
        "Put the newest copy of `keys/` back, all of its files; `ledgerstone doctor` says which of them are older, and which generation is needed.";
    QueueFull = "QUEUE_FULL",
        "More events wait to be written than the queue holds; nothing was taken.",
        "Send the same events again a little later, or slower.";

    // Tenants and records.
    UnknownTenant = "UNKNOWN_TENANT",
        "There is no such tenant.",
        "Check the name, or create it with `ledgerstone tenants create`.";
    TenantExists = "TENANT_EXISTS",
        "A tenant of this name exists already.",
        "Use it, or choose another name.";
    TenantSuspended = "TENANT_SUSPENDED",
        "The tenant is suspended: it can be read and verified, API keys can be revoked, and nothing else is taken.",
        "Ask those who operate the server; nothing that was recorded is lost.";
    TenantClosing = "TENANT_CLOSING",
        "The tenant is being closed: nothing is taken and its contents go; it is verified as before.",
        "Nothing brings it back; take another tenant, of another name, for new events.";
    TenantClosed = "TENANT_CLOSED",
        "The tenant is closed: its contents are gone for good, and what is left of its ledger is verified.",
        "Ask for its checkpoint and proofs; take another tenant, of another name, for new events.";
    EventNotFound = "EVENT_NOT_FOUND",
        "The ledger holds no event under this id or number.",
        "Check id and tenant.";
    ContentDropped = "CONTENT_DROPPED",
        "The record is there, but its content was dropped, as another record of the ledger says.",
        "Read the record that the message names: it says why. Header and proofs are as they were.";

    UnknownSubject = "UNKNOWN_SUBJECT",
        "No sealed value and no request is about this person.",
        "Look the person up again, by type and id as events name them.";
    UnknownRequest = "UNKNOWN_REQUEST",
        "The register holds no request under this id.",
        "Check id and tenant.";
    UnknownHold = "UNKNOWN_HOLD",
        "The tenant has no legal hold under this id.",
        "Check id and tenant.";
    HoldReleased = "HOLD_RELEASED",
        "The legal hold was released before.",
        "Nothing is left to do; set another one where something is to be held again.";
    HeldBack = "HELD_BACK",
        "A legal hold stands, and nothing that it covers goes.",
        "The message names the hold; where it is no longer needed, two people release it.";
    DutyToKeep = "DUTY_TO_KEEP",
        "The retention policy names a duty of law or contract to keep what was to become unreadable.",
        "Where the duty does not need what would go, approve the erasure again, or ask for the end of the tenant again, with despite_duties (`--despite-duties`). Otherwise refuse the erasure with the ground legal_obligation, or wait.";
    MoreInClear = "MORE_IN_CLEAR",
        "An erasure would drop more contents whole than were approved.",
        "Look at the request's survey, and approve it again with that number as clear_contents (`--clear-contents`), or let those stay that are sealed for others alone (`--keep-sealed-for-others`).";
    ContentsWaiting = "CONTENTS_WAITING",
        "Contents that are to go lie in the part that is being written, of which nothing can be dropped.",
        "Nothing: the next run of retention tries again once that part is sealed, which it is when it is full or a day old; nobody is shown them until then.";
    AlreadyErased = "ALREADY_ERASED",
        "The person was erased before, nothing was kept, and nothing was sealed for them since.",
        "The certificate that the message names says when and what. Ask `again` where events may name them in clear since.";
    ErasureOpen = "ERASURE_OPEN",
        "A request for the erasure of this person is open already.",
        "Take the request further that the message names, or withdraw it before opening another.";
    RequestState = "REQUEST_STATE",
        "The request is in a state from which this step does not go.",
        "Look at the request; the message says where it stands.";
    InvalidCorrection = "INVALID_CORRECTION",
        "A correction names no value that a record of the person has, or names nothing.",
        "Correct what the message names: pointers lead to values of the event as GET /v1/events/{id} shows it whole.";
    SubjectNotInEvent = "SUBJECT_NOT_IN_EVENT",
        "The person is neither actor nor target of the event, and nothing in it is sealed for them.",
        "Check the event's id; another person's data is corrected by a request of that person.";
    SubjectRestricted = "SUBJECT_RESTRICTED",
        "The use of somebody's data was restricted, and the record is about them.",
        "Ask those who answer for personal data in this tenant.";
    SecondPersonNeeded = "SECOND_PERSON_NEEDED",
        "A step that cannot be taken back needs another person than the one who asked for it.",
        "Have somebody else with the right to it approve.";

    // Proofs and keys.
    InvalidProof = "INVALID_PROOF",
        "The proof, checkpoint or note is not well formed.",
        "Fetch it again and hand it over unchanged; line ends and spaces count.";
    ProofMismatch = "PROOF_MISMATCH",
        "The proof is well formed but does not hold.",
        "Check that key, proof and content belong together. If they do, something was changed: keep all of it as evidence.";
    InvalidKey = "INVALID_KEY",
        "A key is not well formed or not of the kind that is needed here.",
        "Check the key's text; `ledgerstone signing-keys list` prints the keys in use.";

    // The HTTP interface.
    NotFound = "NOT_FOUND",
        "There is nothing under this path.",
        "Check the path and what it names; /docs lists every route.";
    MethodNotAllowed = "METHOD_NOT_ALLOWED",
        "The route exists, but not for this method.",
        "Use one of the methods that the Allow header lists.";
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE",
        "The body's type or encoding is none that this route reads.",
        "Send one of the types that the Accept-Post header lists, with at most one Content-Encoding: gzip or zstd.";
    InvalidBody = "INVALID_BODY",
        "The body ended early, came too slowly, or could not be unpacked.",
        "Send the request again in full; events that were acknowledged before are not taken twice.";
    MalformedRequest = "MALFORMED_REQUEST",
        "What came over the connection is no request of HTTP, or one whose end is in doubt.",
        "Send well-formed HTTP with either a Content-Length or a Transfer-Encoding; look at what stands between.";
    HeadersTooLarge = "HEADERS_TOO_LARGE",
        "The request's line and headers are more than this server reads.",
        "Send fewer or shorter headers, or raise limits.header_bytes and limits.headers.";
    TooManyItems = "TOO_MANY_ITEMS",
        "The body holds more events than one request may have.",
        "Send at most 1,000 in an array, or up to 100,000 lines of NDJSON.";
    BatchRefused = "BATCH_REFUSED",
        "Another event of an atomic batch was refused, so this one was not taken either.",
        "Mend the events that have another code, and send the whole batch again.";
    InvalidFilter = "INVALID_FILTER",
        "A filter names a field that does not exist, or asks of a field what it cannot answer.",
        "Correct the filter at the place that the message names; docs/filters.md describes it.";
    InvalidPolicy = "INVALID_POLICY",
        "A policy names a field that no event has, a class that does not exist, or contradicts itself.",
        "Correct the policy at the place that the message names; nothing of it was taken.";
    IdempotencyConflict = "IDEMPOTENCY_CONFLICT",
        "The Idempotency-Key was used before with another payload.",
        "Use a new key for a new request; to repeat one, send exactly what was sent first.";
    ResultsNotRead = "RESULTS_NOT_READ",
        "More results waited to be read than the server keeps, so no more events were taken.",
        "Read the results while sending, or send fewer lines at once; send again from the line after the last one answered.";
    InvalidCursor = "INVALID_CURSOR",
        "The cursor was not made by this server for this tenant and this listing.",
        "Begin the listing anew without a cursor.";
    NotSupportedYet = "NOT_SUPPORTED_YET",
        "This version does not have the route or the parameter yet, and does not ignore it silently.",
        "Do without it, or use a version that has it; CHANGELOG.md says which.";
    TooManyJobs = "TOO_MANY_JOBS",
        "As many jobs wait or run as there may be.",
        "Wait until one has ended, or cancel one with DELETE /v1/jobs/{id}; then send the request again.";
    RateLimited = "RATE_LIMITED",
        "The credential has used up its requests for the moment.",
        "Send again after the seconds that Retry-After names; the RateLimit headers say what is left.";
    ServerBusy = "SERVER_BUSY",
        "The server holds as many connections or bytes of requests as it may.",
        "Send again a little later, or over fewer connections.";
    NotReady = "NOT_READY",
        "The server is starting: it is opening its ledgers and takes nothing yet.",
        "Send again once /health/ready answers 200.";
    ShuttingDown = "SHUTTING_DOWN",
        "The server is stopping and takes nothing new.",
        "Send again once it is up; what was acknowledged is safe.";

    // The server.
    InvalidSettings = "INVALID_SETTINGS",
        "A setting is unknown, or its value has no meaning.",
        "Correct the setting that the message names; docs/configuration.md lists all of them, and `ledgerstone config --check` tells whether they can be used.";
    InvalidTlsSettings = "INVALID_TLS_SETTINGS",
        "The certificate, key or authorities of TLS cannot be used.",
        "Check that the files are PEM, can be read by the server, and that certificate and key belong together.";
    CannotListen = "CANNOT_LISTEN",
        "The address cannot be listened on.",
        "Choose another with --listen, or end the process that has it.";
    UnprotectedListener = "UNPROTECTED_LISTENER",
        "Credentials would cross a network in the clear: the address is no loopback address and there is no TLS.",
        "Give a certificate with --tls-cert and --tls-key; or, if something in front of the server ends TLS, say so with --behind-proxy.";

    // Who may.
    Unauthenticated = "UNAUTHENTICATED",
        "The request carries no credential, and what it asks for is not public.",
        "Send an API key as `Authorization: Bearer lsk_…` or `X-API-Key: lsk_…`, or a token of a configured issuer.";
    AmbiguousCredential = "AMBIGUOUS_CREDENTIAL",
        "The request carries more than one credential, so that it is open who asks.",
        "Send exactly one `Authorization` or one `X-API-Key` header.";
    InvalidToken = "INVALID_TOKEN",
        "The API key or token is malformed, or not one that this server accepts.",
        "Check that it was copied whole, belongs to this server and, if a token, that issuer and audience are as configured.";
    TokenExpired = "TOKEN_EXPIRED",
        "The API key or token was good, but its time is over.",
        "Fetch a new token, or ask for a new API key; if it is fresh, compare the clocks.";
    KeyRevoked = "KEY_REVOKED",
        "The API key was revoked.",
        "Ask an admin of the tenant for a new one; a revoked key never comes back.";
    Forbidden = "FORBIDDEN",
        "The caller is known, but none of its roles allows this.",
        "Use a credential with a role that does; docs/roles.md lists what each role may.";
    IssuerUnavailable = "ISSUER_UNAVAILABLE",
        "The keys of the token's issuer could not be fetched, so the token could not be checked.",
        "Send the request again a little later; if it lasts, check the issuer's JWKS address.";
    UnknownApiKey = "UNKNOWN_API_KEY",
        "The tenant has no API key of this id.",
        "Check id and tenant; `ledgerstone api-keys list` shows the keys there are.";
    ApiKeyConflict = "API_KEY_CONFLICT",
        "An API key of this id exists already, with another secret, tenant or roles.",
        "Make a new key with `ledgerstone api-keys generate`; ids are never used twice.";
    InvalidAuthSettings = "INVALID_AUTH_SETTINGS",
        "An issuer, a key or a certificate name in the configuration cannot be used.",
        "Correct the setting that the message names.";

    // A client of the HTTP interface.
    ServerUnreachable = "SERVER_UNREACHABLE",
        "The server could not be reached, or the connection to it broke off.",
        "Check the address, and that the server runs and can be reached from here; the message says what was tried.";
    UnexpectedAnswer = "UNEXPECTED_ANSWER",
        "What answered did not answer as a Ledgerstone server of this version does.",
        "Check that the URL is the server's own, and that client and server are of versions that fit.";

    // Everything else.
    InvalidArgument = "INVALID_ARGUMENT",
        "An argument or a parameter has no meaning here.",
        "Correct what the message names; a command's --help and a server's /openapi.json say what there is.";
    RecordNotBuilt = "RECORD_NOT_BUILT",
        "A record of the server's own could not be built, so that what it was to say was not done.",
        "Report it with the message; what was asked can be asked again.";
    Internal = "INTERNAL",
        "The program met a state that it holds to be impossible.",
        "Report it with the message; run `ledgerstone verify` to see that the ledger is whole.";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::ErrorCode;

    #[test]
    fn names_are_unique_and_shaped_alike() {
        let mut seen = HashSet::new();
        for code in ErrorCode::ALL {
            let name = code.as_str();
            assert!(seen.insert(name), "{name} stands twice");
            assert_eq!(ErrorCode::parse(name), Some(*code));
            assert!(
                name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'),
                "{name}"
            );
        }
    }

    #[test]
    fn the_name_is_the_variant_in_capitals() {
        for code in ErrorCode::ALL {
            let squeezed = code.as_str().replace('_', "").to_lowercase();
            assert_eq!(squeezed, format!("{code:?}").to_lowercase());
        }
    }

    #[test]
    fn every_code_says_what_it_means_and_what_to_do() {
        for code in ErrorCode::ALL {
            for text in [code.meaning(), code.remedy()] {
                assert!(text.ends_with('.') && text.len() > 15, "{code}: {text}");
                assert!(text.starts_with(|c: char| c.is_uppercase()), "{code}: {text}");
            }
        }
    }
}
