//! Connections that hold on to the server and never say anything whole, while a client works.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::place::{Place, event};

/// Connections that say nothing at all.
const IDLE: usize = 1_000;

/// Connections that drip a header, and as many that drip a body.
const DRIPPING: usize = 40;

/// How long any single answer may take in between.
const PATIENCE: Duration = Duration::from_secs(5);

/// The test holds as many connections as the server.
fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// Whether the other side has ended the connection; whatever came before is passed over.
fn was_ended(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut sink = [0; 1_024];
    loop {
        match stream.read(&mut sink) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

#[test]
fn a_client_gets_its_answers_in_a_crowd_of_bad_ones() {
    raise_limit();
    let place = Place::new("crowd");
    let server = place.serve(|command| {
        command.env("LEDGERSTONE_LIMITS_HEADER_SECONDS", "2");
        command.env("LEDGERSTONE_LIMITS_BODY_PAUSE_SECONDS", "2");
        command.env("LEDGERSTONE_LIMITS_IDLE_SECONDS", "30");
    });
    let key = server.first_key();
    let connect = || TcpStream::connect(server.address()).unwrap();
    let mut crowd: Vec<TcpStream> = (0..IDLE).map(|_| connect()).collect();
    let mut dripping = Vec::new();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\n"
    );
    for number in 0..2 * DRIPPING {
        let mut stream = connect();
        let in_body = number % 2 == 0;
        let length = if in_body { "content-length: 900\r\n\r\n{" } else { "x-slow: " };
        stream.write_all(format!("{head}{length}").as_bytes()).unwrap();
        dripping.push(stream);
    }
    let began = Instant::now();
    let mut sent = Vec::new();
    while began.elapsed() < Duration::from_secs(4) {
        for stream in &mut dripping {
            // Those that were given up cannot be written to.
            let _ = stream.write_all(b" ");
        }
        let (id, asked) = (format!("e-{}", sent.len()), Instant::now());
        let (status, answer) =
            server.request("POST", "/v1/events", Some(&key), &event(&id).to_string());
        assert_eq!(status, 201, "{answer}");
        assert!(asked.elapsed() < PATIENCE, "{:?} for one answer", asked.elapsed());
        sent.push(id);
        std::thread::sleep(Duration::from_millis(100));
    }
    crowd.append(&mut dripping);
    for (number, stream) in crowd.iter_mut().enumerate() {
        assert!(was_ended(stream), "connection {number} never said anything whole, and was kept");
    }
    server.stop();
    place.run(&["verify"]);
    assert_eq!(place.events(), sent, "nothing else was recorded");
}
