//! A server and the people who answer for what is in it, asked by commands.

use ledgerstone_testkit::{Served, TestEvent};
use serde_json::{Value, json};

use crate::program::{Program, Run, text};
use crate::served::plainly;

/// A server, and keys of two who answer for a tenant's records.
pub struct Office {
    pub program: Program,
    pub server: Served,
    pub admin: String,
    pub officer: String,
}

impl Office {
    pub fn new(name: &str) -> Self {
        let program = Program::new(name);
        let server = plainly(&program);
        let admin = server.first_key();
        Self::at(program, server, admin)
    }

    /// The same with a server that runs, and the key of its tenant's administrator.
    pub fn at(program: Program, server: Served, admin: String) -> Self {
        let wanted = json!({"label": "officer", "roles": ["privacy_officer"]}).to_string();
        let (_, granted) = server.request("POST", "/v1/api-keys", Some(&admin), &wanted);
        Self { officer: text(&granted, "/api_key"), program, server, admin }
    }

    /// The same that has met Ana.
    pub fn with_ana(name: &str) -> Self {
        let office = Self::new(name);
        office.ana_logs_in("e-1");
        office
    }

    /// Records an event by Ana.
    pub fn ana_logs_in(&self, id: &str) {
        let login = TestEvent::new("user.login")
            .id(id)
            .set("/actor/type", "customer".into())
            .set("/actor/id", "cus-1".into())
            .set("/actor/name", "Ana Lima".into());
        let (status, _) =
            self.server.request("POST", "/v1/events", Some(&self.admin), &login.json());
        assert_eq!(status, 201);
    }

    pub fn ask(&self, key: &str, arguments: &[&str], input: &str) -> Run {
        self.program.feed_with(arguments, input, |command| {
            command.env("LEDGERSTONE_SERVER", self.server.url()).env("LEDGERSTONE_API_KEY", key);
        })
    }

    pub fn admin(&self, arguments: &[&str]) -> Run {
        self.ask(&self.admin, arguments, "")
    }

    pub fn officer(&self, arguments: &[&str]) -> Run {
        self.ask(&self.officer, arguments, "")
    }

    /// Ana, as the lookup knows her.
    pub fn ana(&self) -> Value {
        self.ask(&self.officer, &["subjects", "lookup", "customer"], "cus-1\n").ok().line()
    }

    /// The id of a request of Ana's that the second person has approved.
    pub fn approved(&self, right: &str) -> String {
        let ana = text(&self.ana(), "/subject_id");
        let request = self.officer(&["subjects", "request", right, &ana]).ok().line();
        let request = text(&request, "/id");
        self.officer(&["requests", "check-identity", &request]).ok();
        self.admin(&["requests", "approve", &request]).ok();
        request
    }
}
