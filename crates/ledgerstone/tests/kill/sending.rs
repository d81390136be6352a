//! A client of a server that may die at any moment: it writes down what it was told, and sends
//! again, under the same ids, whatever it was not told of.

use std::sync::atomic::{AtomicUsize, Ordering};

use ledgerstone_testkit::{SeededEntropy, TestEvent};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

/// How a client sends.
#[derive(Clone, Copy, Debug)]
pub enum Manner {
    Single,
    Array(usize),
    Lines(usize),
}

/// The server is gone, or its answer did not come whole.
pub struct Lost;

impl From<reqwest::Error> for Lost {
    fn from(_: reqwest::Error) -> Self {
        Self
    }
}

/// One client.
pub struct Client {
    name: String,
    manner: Manner,
    key: String,
    entropy: SeededEntropy,
    made: usize,
    /// Events of which nothing is known.
    open: Vec<Value>,
    receipts: Vec<Value>,
    /// How many of the receipts said that the event was there already.
    repeated: usize,
}

impl Client {
    pub fn new(number: usize, manner: Manner, key: &str, seed: u64) -> Self {
        Self {
            name: format!("c{number}"),
            manner,
            key: key.to_owned(),
            entropy: SeededEntropy::new(seed + number as u64),
            made: 0,
            open: Vec::new(),
            receipts: Vec::new(),
            repeated: 0,
        }
    }

    pub fn receipts(&self) -> &[Value] {
        &self.receipts
    }

    pub const fn repeated(&self) -> usize {
        self.repeated
    }

    /// Sends until the server is gone, and counts the receipts in `told`.
    pub async fn send_until_lost(&mut self, url: &str, told: &AtomicUsize) {
        let http = client();
        loop {
            if self.open.is_empty() {
                self.make();
            }
            let before = self.receipts.len();
            let sent = self.send(&http, url).await;
            told.fetch_add(self.receipts.len() - before, Ordering::Relaxed);
            if sent.is_err() {
                return;
            }
        }
    }

    /// Sends what is open until nothing is.
    pub async fn settle(&mut self, url: &str) {
        let http = client();
        while !self.open.is_empty() {
            assert!(self.send(&http, url).await.is_ok(), "{}: a living server was lost", self.name);
        }
    }

    /// Makes new events, and now and then takes one that was acknowledged.
    fn make(&mut self) {
        let count = match self.manner {
            Manner::Single => 1,
            Manner::Array(count) | Manner::Lines(count) => count,
        };
        for _ in 0..count {
            let again = self.made > 0 && self.entropy.below(10) == 0;
            let number = if again {
                usize::try_from(self.entropy.below(self.made as u64)).unwrap()
            } else {
                self.made += 1;
                self.made - 1
            };
            // The same id twice in one request is another matter.
            let event = self.event(number);
            if !self.open.iter().any(|open| open["id"] == event["id"]) {
                self.open.push(event);
            }
        }
    }

    fn event(&self, number: usize) -> Value {
        let event = TestEvent::new("order.paid").id(&format!("{}-{number}", self.name));
        event.set("/data/text", json!("x".repeat(number % 700))).value()
    }

    async fn send(&mut self, http: &reqwest::Client, url: &str) -> Result<(), Lost> {
        let (kind, body) = match self.manner {
            Manner::Single => ("application/json", self.open[0].to_string()),
            Manner::Array(_) => ("application/json", Value::from(self.open.clone()).to_string()),
            Manner::Lines(_) => {
                let lines = self.open.iter().map(|event| format!("{event}\n"));
                ("application/x-ndjson", lines.collect())
            }
        };
        let request = http.post(format!("{url}/v1/events")).bearer_auth(&self.key);
        let answer = request.header("content-type", kind).body(body).send().await?;
        let status = answer.status();
        assert!([StatusCode::OK, StatusCode::CREATED].contains(&status), "{status}");
        match self.manner {
            Manner::Single => {
                let receipt = answer.json().await?;
                self.acknowledged(receipt);
            }
            Manner::Array(_) => {
                let mut answer: Value = answer.json().await?;
                for item in answer["items"].as_array_mut().unwrap() {
                    self.acknowledged(item["receipt"].take());
                }
            }
            Manner::Lines(_) => self.read_lines(answer).await?,
        }
        Ok(())
    }

    /// What came before the answer broke off was acknowledged too.
    async fn read_lines(&mut self, mut answer: Response) -> Result<(), Lost> {
        let mut text = Vec::new();
        while let Some(piece) = answer.chunk().await? {
            text.extend_from_slice(&piece);
            while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = text.drain(..=end).collect();
                let mut line: Value = serde_json::from_slice(&line).unwrap();
                if line["line"].is_null() {
                    assert_eq!(line["status"], "complete", "{line}");
                } else {
                    self.acknowledged(line["receipt"].take());
                }
            }
        }
        Ok(())
    }

    fn acknowledged(&mut self, receipt: Value) {
        let place = self.open.iter().position(|event| event["id"] == receipt["id"]);
        let place = place.unwrap_or_else(|| panic!("nobody sent this: {receipt}"));
        self.open.swap_remove(place);
        self.repeated += usize::from(receipt["status"] == "duplicate");
        self.receipts.push(receipt);
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}
