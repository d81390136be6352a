//! The server is killed while clients send to it: a few times always, many times when there is time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ledgerstone_testkit::{SeededEntropy, Served};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::feeding::{TENANTS, program};
use crate::history::History;
use crate::kills::{is_long, seed};
use crate::sending::{Client, Manner};

/// How clients of each tenant send.
const MANNERS: [Manner; 4] =
    [Manner::Single, Manner::Array(40), Manner::Lines(400), Manner::Array(7)];

fn serve(history: &History) -> Served {
    Served::start(program(&history.data(), &["serve", "--listen", "127.0.0.1:0"]))
}

/// Makes the tenants, and clients of each.
fn clients(history: &History, seed: u64) -> Vec<Client> {
    let mut clients = Vec::new();
    for tenant in TENANTS {
        history.run(&["tenants", "create", tenant]);
        let create = ["api-keys", "create", "--label", "clients", "--role", "writer"];
        let made = history.run(&[&create[..], &["--tenant", tenant]].concat());
        let made: Value = serde_json::from_slice(&made).unwrap();
        let key = made["api_key"].as_str().unwrap();
        for manner in MANNERS {
            clients.push(Client::new(clients.len(), manner, key, seed));
        }
    }
    clients
}

/// Lets the clients send, and kills the server at a moment that nobody knows before.
fn kill_under_load(
    runtime: &Runtime,
    history: &History,
    clients: Vec<Client>,
    entropy: &SeededEntropy,
) -> Vec<Client> {
    let server = serve(history);
    let told = Arc::new(AtomicUsize::new(0));
    let sending: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            let (url, told) = (server.url().to_owned(), Arc::clone(&told));
            runtime.spawn(async move {
                client.send_until_lost(&url, &told).await;
                client
            })
        })
        .collect();
    let enough = 1 + usize::try_from(entropy.below(3_000)).unwrap();
    let begun = Instant::now();
    while told.load(Ordering::Relaxed) < enough {
        assert!(begun.elapsed() < Duration::from_mins(1), "no receipts for a minute");
        std::thread::sleep(Duration::from_micros(200));
    }
    std::thread::sleep(Duration::from_micros(entropy.below(20_000)));
    server.signal("KILL");
    let (status, log) = server.ended();
    assert_eq!(status.code(), None, "it ended by itself: {log}");
    assert!(!log.contains("\"level\":\"ERROR\""), "{log}");
    sending.into_iter().map(|client| runtime.block_on(client).unwrap()).collect()
}

#[test]
fn what_clients_were_told_holds_and_what_they_were_not_told_comes_once() {
    let (seed, kills) = (seed(), if is_long() { 80 } else { 4 });
    let entropy = SeededEntropy::new(seed);
    let runtime = Runtime::new().unwrap();
    let mut history = History::begin("served-kills");
    let mut clients = clients(&history, seed);
    for round in 0..kills {
        clients = kill_under_load(&runtime, &history, clients, &entropy);
        if round % 10 < 2 {
            history.assert_verifies("tree");
        }
    }
    let server = serve(&history);
    for client in &mut clients {
        runtime.block_on(client.settle(server.url()));
    }
    server.stop();
    let repeated: usize = clients.iter().map(Client::repeated).sum();
    for client in &clients {
        history.keep_receipts(client.receipts().to_vec());
    }
    history.assert_verifies("full");
    history.assert_nothing_taken_back();
    // Nothing is open any more, so nothing else may be there.
    assert_eq!(history.events(), history.acknowledged().len());
    eprintln!("{kills} kills: {} receipts hold, {repeated} of them repeated", history.receipts());
    assert!(repeated > 0 && history.receipts() > 100 * kills, "too little to show anything");
}
