//! The server is killed while it erases people and drops what expired: what it left verifies, the next one
//! ends what was begun, and exactly what was to go has gone.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ledgerstone_ledger::{KeyFiles, Ledger, Order, Reader, Settings};
use ledgerstone_model::system::{KeyAlgorithm, LogName};
use ledgerstone_model::{Entropy as _, ParseContext, SealedEvent, ValidEvent};
use ledgerstone_proof::{Canonicalizer, Kind, Salt, TenantId};
use ledgerstone_store::StoredRecord;
use ledgerstone_store::embedded::files::Files;
use ledgerstone_store::embedded::{EmbeddedStore, Mode, Options};
use ledgerstone_testkit::{MockClock, SeededEntropy, Served, TestEvent, sealed_in_clear};
use serde_json::{Value, json};

use crate::feeding::program;
use crate::history::History;
use crate::kills::{is_long, seed};

/// Batches of events that expire, and people that are erased: as many as there may be kills of each.
const PARTS: usize = 130;
/// Events of a batch, and of a person.
const OF_BATCH: usize = 4;
const OF_PERSON: usize = 2;
/// Contents that name a person in clear: their own, and a note about them that is somebody else's.
const NAMING_PERSON: usize = OF_PERSON + 1;
/// Kills until enough of them met something.
const KILLS_MAX: usize = 60;
/// How late a kill comes at most after the request, and after a run was seen, in microseconds.
const AFTER_REQUEST: u64 = 100_000;
const AFTER_BEGIN: u64 = 5_000;
/// How long a run is looked for.
const UNSEEN: Duration = Duration::from_secs(1);

fn tenant() -> TenantId {
    TenantId::parse("default").unwrap()
}

fn name_of(person: usize) -> String {
    format!("Lima-{person:04}-Secret")
}

fn by_person(id: &str, person: usize) -> TestEvent {
    let actor = json!({"type": "customer", "id": format!("cus-{person}"), "name": name_of(person)});
    TestEvent::new("order.paid").id(id).set("/actor", actor)
}

/// When the server is killed.
#[derive(Clone, Copy)]
enum Moment {
    /// So long after the request was sent.
    Sent(Duration),
    /// So long after a run was seen that is recorded and not done.
    Begun(Duration),
}

/// A directory whose events are two years old, in clear, and in segments of a few records.
fn fill(history: &History) {
    let (data, entropy) = (history.data(), Arc::new(SeededEntropy::new(3)));
    let clock = Arc::new(MockClock::stepping(MockClock::START_MICROS, Duration::from_micros(7)));
    let (log_bytes_first, log_bytes_max) = (64 << 10, 64 << 10);
    let options =
        Options { segment_records: 64, log_bytes_first, log_bytes_max, ..Options::default() };
    let store = EmbeddedStore::create(&data, options, Files::new(), clock.clone(), entropy.clone());
    let store = Arc::new(store.unwrap());
    fs::create_dir_all(data.join("keys")).unwrap();
    fs::set_permissions(data.join("keys"), fs::Permissions::from_mode(0o700)).unwrap();
    let keys = Arc::new(KeyFiles::in_directory(data.join("keys")));
    keys.create(KeyAlgorithm::Ed25519, &*entropy).unwrap();
    let settings = Settings::new(LogName::parse(LogName::DEFAULT).unwrap());
    let ledger = Ledger::create(store.clone(), keys, settings, clock, entropy.clone()).unwrap();
    ledger.create_tenants(&[tenant()]).unwrap();
    for part in 0..PARTS {
        let batch = (0..OF_BATCH)
            .map(|at| TestEvent::new(&format!("batch{part:04}.old")).id(&format!("b{part}-{at}")));
        let person = (0..OF_PERSON).map(|at| by_person(&format!("p{part}-{at}"), part));
        let note = TestEvent::new("note.left")
            .id(&format!("n{part}"))
            .set("/metadata/note", json!(format!("ask {} first", name_of(part))));
        let events = batch.chain(person).chain([note]).map(|event| sealed(&entropy, &event.json()));
        ledger.append(events.collect()).unwrap();
    }
    // The last part is full as well.
    for at in 0..64 {
        let event = TestEvent::new("pad.old").id(&format!("pad-{at}")).json();
        ledger.append(vec![sealed(&entropy, &event)]).unwrap();
    }
    store.wait_until_sealed();
    ledger.close().unwrap();
    store.close().unwrap();
}

fn sealed(entropy: &SeededEntropy, json: &str) -> SealedEvent {
    let (tenant, mut salt) = (tenant(), [0; ledgerstone_proof::SALT_BYTES]);
    entropy.fill(&mut salt);
    let at = ledgerstone_proof::IngestedAt::from_micros(MockClock::START_MICROS).unwrap();
    let context = ParseContext::new(&tenant, at, [7; 16]);
    let event = ValidEvent::parse(json.as_bytes(), &context, &mut Canonicalizer::new()).unwrap();
    sealed_in_clear(event, &Salt::from_bytes(salt))
}

/// A directory, who answers for its tenant, and what has to be gone.
struct Scene {
    history: History,
    admin: String,
    officer: String,
    gone: BTreeSet<String>,
    erased: Vec<usize>,
}

impl Scene {
    fn new() -> Self {
        let history = History::empty("erasing-killed");
        fill(&history);
        let key = |role: &str| {
            let made = history.run(&["api-keys", "create", "--label", role, "--role", role]);
            let made: Value = serde_json::from_slice(&made).unwrap();
            made["api_key"].as_str().unwrap().to_owned()
        };
        let (admin, officer) = (key("admin"), key("privacy_officer"));
        Self { history, admin, officer, gone: BTreeSet::new(), erased: Vec::new() }
    }

    fn serve(&self) -> Served {
        Served::start(program(&self.history.data(), &["serve", "--listen", "127.0.0.1:0"]))
    }

    fn records(&self) -> Vec<StoredRecord> {
        let (clock, entropy) = (Arc::new(MockClock::default()), Arc::new(SeededEntropy::new(1)));
        let (options, files) = (Options::default(), Files::new());
        let store =
            EmbeddedStore::open(&self.history.data(), Mode::Read, options, files, clock, entropy);
        let reader = Reader::new(Arc::new(store.unwrap()));
        let all = reader.list(&tenant(), Order::Sequence, None).unwrap();
        all.collect::<Result<_, _>>().unwrap()
    }

    /// How many `system` records say each of these.
    fn said<const N: usize>(&self, names: [&str; N]) -> [usize; N] {
        let text = |record: &StoredRecord| {
            String::from_utf8(record.content.clone().unwrap_or_default()).unwrap()
        };
        let said: Vec<String> =
            self.records().iter().filter(|one| one.kind == Kind::System).map(text).collect();
        names.map(|name| {
            let event_type = format!("\"event_type\":\"system.{name}\"");
            said.iter().filter(|text| text.contains(&event_type)).count()
        })
    }

    /// How many runs and erasures have begun and not ended.
    fn begun(&self) -> usize {
        let [begun, ended] = self.said(["retention_started", "retention"]);
        let [erasures, certificates] = self.said(["erasure_started", "erasure"]);
        begun.saturating_sub(ended) + erasures.saturating_sub(certificates)
    }

    /// Exactly what was to go has gone, and nobody who was erased can be read.
    fn assert_gone(&self) {
        let mut gone = BTreeSet::new();
        for record in self.records().iter().filter(|one| one.kind == Kind::Event) {
            let Some(content) = &record.content else {
                gone.insert(record.event_id.as_str().to_owned());
                continue;
            };
            let text = String::from_utf8(content.clone()).unwrap();
            let readable = self.erased.iter().find(|person| text.contains(&name_of(**person)));
            assert_eq!(readable, None, "{} can be read", record.event_id);
        }
        assert_eq!(gone, self.gone);
    }

    /// Brings the tenant to where the next batch may go, and gives the request that lets it go.
    fn expiry(&mut self, server: &Served, part: usize) -> (String, String) {
        let rule = |part: usize| {
            json!({"name": format!("batch{part:04}"), "maximum": "P1Y",
                "filter": {"field": "event_type", "eq": format!("batch{part:04}.old")}})
        };
        let policy = json!({"rules": (0..=part).map(rule).collect::<Vec<_>>()}).to_string();
        let path = "/v1/policies/retention";
        let (status, proposed) = server.request("PUT", path, Some(&self.admin), &policy);
        assert_eq!(status, 202, "{proposed}");
        let named = json!({"system_record": proposed["proposed"]["system_record"]}).to_string();
        let path = "/v1/policies/retention/approve";
        let (status, set) = server.request("POST", path, Some(&self.officer), &named);
        assert_eq!(status, 200, "{set}");
        self.gone.extend((0..OF_BATCH).map(|at| format!("b{part}-{at}")));
        ("/v1/retention".to_owned(), "{}".to_owned())
    }

    /// Has a person's erasure asked for and checked, and gives the request that approves it.
    fn erasure(&mut self, server: &Served, part: usize) -> (String, String) {
        let post = |path: &str, sent: Value| {
            let (status, answer) =
                server.request("POST", path, Some(&self.officer), &sent.to_string());
            assert!(status < 300, "{path}: {answer}");
            answer
        };
        let event = by_person(&format!("s{part}"), part).json();
        let (status, told) = server.request("POST", "/v1/events", Some(&self.admin), &event);
        assert_eq!(status, 201, "{told}");
        let id = json!({"type": "customer", "id": format!("cus-{part}")});
        let subject = post("/v1/subjects/lookup", id)["subject_id"].take();
        let path = format!("/v1/subjects/{}/erasure", subject.as_str().unwrap());
        let request = post(&path, json!({"basis": "consent_withdrawn"}))["id"].take();
        let at = format!("/v1/requests/{}", request.as_str().unwrap());
        post(&format!("{at}/check-identity"), json!({}));
        self.gone.extend((0..OF_PERSON).map(|number| format!("p{part}-{number}")));
        self.gone.insert(format!("n{part}"));
        self.erased.push(part);
        let terms = json!({"clear_contents": NAMING_PERSON}).to_string();
        (format!("{at}/approve"), terms)
    }

    /// Sends a request, and kills the server at the moment.
    fn kill(&self, server: Served, (path, body): &(String, String), moment: Moment) {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.admin,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let later = match moment {
            Moment::Sent(later) => later,
            Moment::Begun(later) => {
                self.wait_for_run(&server);
                later
            }
        };
        std::thread::sleep(later);
        server.signal("KILL");
        assert_eq!(server.ended().0.code(), None, "it ended by itself");
    }

    /// Waits until contents are being dropped, unless that came and went unseen.
    fn wait_for_run(&self, server: &Served) {
        let sent = Instant::now();
        while sent.elapsed() < UNSEEN {
            let (_, state) = server.request("GET", "/v1/retention", Some(&self.admin), "");
            if state["open_runs"] != json!([]) {
                return;
            }
        }
    }

    /// The next server ends what was begun, and what was not begun when it is asked again.
    fn finish(&self, (path, body): &(String, String)) {
        let server = self.serve();
        let begun = Instant::now();
        loop {
            let (_, answer) = server.request("POST", path, Some(&self.admin), body);
            let job = answer.get("job").unwrap_or(&answer);
            let is_done = job["state"] == "done" || answer["code"] == "REQUEST_STATE";
            let (_, state) = server.request("GET", "/v1/retention", Some(&self.admin), "");
            if is_done && state["open_runs"] == json!([]) {
                break;
            }
            assert!(begun.elapsed() < Duration::from_mins(2), "{answer}\n{state}");
            std::thread::sleep(Duration::from_millis(50));
        }
        server.stop();
    }
}

#[test]
fn a_server_killed_while_it_erases_or_drops_leaves_what_the_next_one_ends() {
    let entropy = SeededEntropy::new(seed());
    let mut scene = Scene::new();
    let (kills, mut kill, mut met) = (if is_long() { 220 } else { 6 }, 0, 0);
    while kill < kills || (met == 0 && kill < KILLS_MAX) {
        let (part, is_erasure) = (kill / 2, kill % 2 == 1);
        let server = scene.serve();
        let request =
            if is_erasure { scene.erasure(&server, part) } else { scene.expiry(&server, part) };
        let later = |most| Duration::from_micros(entropy.below(most));
        let is_at_random = kill % 6 < 2;
        let moment = if is_at_random {
            Moment::Sent(later(AFTER_REQUEST))
        } else {
            Moment::Begun(later(AFTER_BEGIN))
        };
        kill += 1;
        scene.kill(server, &request, moment);
        scene.history.assert_verifies("tree");
        met += usize::from(scene.begun() > 0);
        scene.finish(&request);
        assert_eq!(scene.begun(), 0, "kill {kill}");
        scene.assert_gone();
        if !is_long() || kill % 10 == 0 {
            scene.history.assert_verifies("full");
        }
    }
    let opened = scene.history.run(&["list", "--limit", "100000", "--open"]);
    let opened = String::from_utf8(opened).unwrap();
    for person in &scene.erased {
        assert!(!opened.contains(&name_of(*person)), "person {person} can be read");
    }
    eprintln!("{kill} kills, {met} amid a run or an erasure that was recorded");
    assert!(met > 0, "no kill met anything");
    assert_eq!(scene.said(["erasure"]), [scene.erased.len()], "one certificate for each erasure");
    scene.history.assert_verifies("full");
    scene.history.run(&["doctor"]);
}
