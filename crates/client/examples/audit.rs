//! An application that records what it does, and keeps the proof.
//!
//! `LEDGERSTONE_SERVER=http://127.0.0.1:8003 LEDGERSTONE_API_KEY=lsk_… cargo run -p ledgerstone-client --example audit`

use std::error::Error;

use ledgerstone_client::{Append, Client, Event};
use ledgerstone_proof::{EventId, TlogProof, verify_record_proof};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::builder(&std::env::var("LEDGERSTONE_SERVER")?)
        .api_key(&std::env::var("LEDGERSTONE_API_KEY")?)
        .build()?;

    // The id is the application's own: sending the event again records nothing twice.
    let event = Event::of(&json!({
        "id": "invoice-17-approved",
        "event_type": "invoice.approved",
        "actor": {"type": "user", "id": "u-ana"},
        "target": {"type": "invoice", "id": "17"},
    }))?;
    let outcome = client.append(&event, &Append::new()).await?;
    let receipt = outcome.receipt().ok_or("the event waits")?;
    println!("{}", receipt.json());

    let id = EventId::parse("invoice-17-approved")?;
    let proof = TlogProof::parse(client.proof(&id).await?.as_bytes())?;
    let content = client.content(&id).await?;
    // Whoever trusts nobody has this key from elsewhere.
    let vkey = client.checkpoint().await?.vkey().clone();
    let proved = verify_record_proof(&proof, &[vkey], Some(&content))?;
    println!("record {} is in {}", proved.header().sequence_number(), proved.checkpoint().origin());
    Ok(())
}
