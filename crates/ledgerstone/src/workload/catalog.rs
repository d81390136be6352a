//! What a made-up company does and who works there: the tables that the generator draws from.

/// Which data an event carries.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// An object before and after.
    Change,
    /// Roles before and after.
    Grant,
    /// What was read.
    Access,
}

/// One kind of thing and what is done to it.
#[derive(Debug)]
pub struct Subject {
    pub target: &'static str,
    pub id_prefix: &'static str,
    pub severity: &'static str,
    pub shape: Shape,
    pub deeds: [Deed; DEEDS],
}

/// What is done: event type and verb.
pub type Deed = (&'static str, &'static str);

/// Every subject has so many.
pub const DEEDS: usize = 5;

/// Busy ones first: the generator prefers them.
pub const SUBJECTS: &[Subject] = &[
    Subject {
        target: "customer_record",
        id_prefix: "cus-",
        severity: "info",
        shape: Shape::Access,
        deeds: [
            ("customer.viewed", "read"),
            ("customer.searched", "search"),
            ("customer.listed", "list"),
            ("customer.note_read", "read"),
            ("customer.history_viewed", "read"),
        ],
    },
    Subject {
        target: "invoice",
        id_prefix: "inv-",
        severity: "info",
        shape: Shape::Change,
        deeds: [
            ("invoice.updated", "update"),
            ("invoice.created", "create"),
            ("invoice.approved", "approve"),
            ("invoice.sent", "send"),
            ("invoice.cancelled", "cancel"),
        ],
    },
    Subject {
        target: "order",
        id_prefix: "ord-",
        severity: "info",
        shape: Shape::Change,
        deeds: [
            ("order.updated", "update"),
            ("order.created", "create"),
            ("order.shipped", "ship"),
            ("order.returned", "return"),
            ("order.cancelled", "cancel"),
        ],
    },
    Subject {
        target: "document",
        id_prefix: "doc-",
        severity: "info",
        shape: Shape::Access,
        deeds: [
            ("document.viewed", "read"),
            ("document.downloaded", "download"),
            ("document.shared", "share"),
            ("document.printed", "print"),
            ("document.indexed", "index"),
        ],
    },
    Subject {
        target: "payment",
        id_prefix: "pay-",
        severity: "medium",
        shape: Shape::Change,
        deeds: [
            ("payment.captured", "capture"),
            ("payment.released", "release"),
            ("payment.refunded", "refund"),
            ("payment.held", "hold"),
            ("payment.reconciled", "reconcile"),
        ],
    },
    Subject {
        target: "api_client",
        id_prefix: "api-",
        severity: "low",
        shape: Shape::Access,
        deeds: [
            ("api.token_issued", "issue"),
            ("api.token_refreshed", "refresh"),
            ("api.rate_limited", "throttle"),
            ("api.schema_read", "read"),
            ("api.export_read", "read"),
        ],
    },
    Subject {
        target: "user",
        id_prefix: "u-",
        severity: "high",
        shape: Shape::Grant,
        deeds: [
            ("user.role_granted", "grant"),
            ("user.role_extended", "extend"),
            ("user.role_requested", "request"),
            ("user.delegated", "delegate"),
            ("user.reactivated", "activate"),
        ],
    },
    Subject {
        target: "group",
        id_prefix: "grp-",
        severity: "medium",
        shape: Shape::Grant,
        deeds: [
            ("group.member_added", "add"),
            ("group.role_granted", "grant"),
            ("group.owner_changed", "update"),
            ("group.reviewed", "review"),
            ("group.synced", "sync"),
        ],
    },
];

/// Most used first.
pub const AGENTS: &[&str] = &[
    "backoffice-web/4.17 (Firefox 133; Linux)",
    "backoffice-web/4.17 (Chrome 131; Windows 11)",
    "python-requests/2.32.3",
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    "okhttp/4.12.0",
    "backoffice-mobile/3.2 (iOS 18.1; iPhone15,2)",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
    "curl/8.11.0",
];

pub const GIVEN_NAMES: &[&str] = &[
    "Ada",
    "Amina",
    "Benoît",
    "Carla",
    "Dmitri",
    "Elif",
    "Femi",
    "Grace",
    "Hanna",
    "Ivo",
    "Jun",
    "Katarzyna",
    "Liam",
    "Mei",
    "Nadia",
    "Omar",
    "Priya",
    "Quentin",
    "Rosa",
    "Sven",
    "Tomás",
    "Ulla",
    "Vera",
    "Wen",
    "Yara",
    "Zoë",
];

pub const SURNAMES: &[&str] = &[
    "Adeyemi",
    "Berg",
    "Castillo",
    "Dubois",
    "Eriksen",
    "Fischer",
    "Gupta",
    "Haddad",
    "Ivanova",
    "Jensen",
    "Kowalski",
    "Lindqvist",
    "Müller",
    "Nakamura",
    "Okafor",
    "Petrov",
    "Quinn",
    "Rossi",
    "Sato",
    "Tanaka",
    "Ueda",
    "Varga",
    "Weber",
    "Xu",
    "Yilmaz",
    "Zhang",
];

pub const STATUSES: &[&str] = &["draft", "open", "approved", "sent", "paid", "on_hold", "closed"];
