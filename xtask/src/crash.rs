//! Kills the server under concurrent writes. Afterwards every acknowledged write is there, and nothing is half-written.

use crate::server::{PROGRAM, Prepared};
use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Connections that write at the same time.
const WRITERS: usize = 8;
/// Tenants that take turns: one application invites only so many an hour.
const TENANTS: usize = 2;

pub(crate) fn run(rounds: u32) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(rounds_of(rounds))
}

async fn rounds_of(rounds: u32) -> Result<()> {
    let prepared = Prepared::new(PROGRAM)?;
    let bar = ProgressBar::new(u64::from(rounds));
    bar.set_style(ProgressStyle::with_template("crash {bar:30} {pos}/{len} {msg}")?);
    let mut acknowledged: Vec<Vec<(String, String)>> = vec![Vec::new(); TENANTS];
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        let (server, started) = prepared.serve(None, None)?;
        slowest = slowest.max(started);
        let tenant = round as usize % TENANTS;
        let token = daemon_token(&prepared, tenant).await?;
        let log = Arc::new(Mutex::new(Vec::new()));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (url, token, log) = (prepared.url("/v1.0/invitations"), token.clone(), Arc::clone(&log));
                tokio::spawn(write(url, token, format!("r{round}w{writer}"), log))
            })
            .collect();
        // A different moment in every round.
        tokio::time::sleep(Duration::from_millis(150 + u64::from(round * 37 % 300))).await;
        server.kill();
        for writer in writers {
            writer.await?;
        }
        let mut written = log.lock().map_err(|_| anyhow::anyhow!("a writer panicked"))?;
        acknowledged[tenant].append(&mut written);
        drop(written);
        bar.set_message(format!("{} acknowledged", count(&acknowledged)));
        check_whole(&prepared).with_context(|| format!("after round {round}"))?;
        bar.inc(1);
    }
    let (server, started) = prepared.serve(None, None)?;
    slowest = slowest.max(started);
    for (tenant, acknowledged) in acknowledged.iter().enumerate() {
        let token = daemon_token(&prepared, tenant).await?;
        check_acknowledged(&prepared, &token, acknowledged).await?;
    }
    server.kill();
    bar.finish_and_clear();
    println!(
        "{rounds} rounds, {} acknowledged invitations, all there, none half-written; slowest start {} ms",
        count(&acknowledged),
        slowest.as_millis()
    );
    if slowest > Duration::from_secs(1) {
        bail!("a restart took {} ms; it must stay under a second", slowest.as_millis());
    }
    Ok(())
}

fn count(acknowledged: &[Vec<(String, String)>]) -> usize {
    acknowledged.iter().map(Vec::len).sum()
}

/// Invites until the connection breaks; logs what was acknowledged. Each writer has a domain of its own: one domain gets
/// only so many mails an hour.
async fn write(url: String, token: String, name: String, log: Arc<Mutex<Vec<(String, String)>>>) {
    let client = reqwest::Client::new();
    for number in 0.. {
        let address = format!("n{number}@{name}.elsewhere.test");
        let body = json!({ "invitedUserEmailAddress": address, "inviteRedirectUrl": "https://app.elsewhere.test/", "sendInvitationMessage": true });
        let Ok(answer) = client.post(&url).bearer_auth(&token).json(&body).send().await else { return };
        if answer.status() == 201 {
            let Ok(invitation) = answer.json::<Value>().await else { return };
            let id = invitation["invitedUser"]["id"].as_str().unwrap_or_default().to_owned();
            if let Ok(mut log) = log.lock() {
                log.push((id, address));
            }
        }
        if number > 5_000 {
            return;
        }
    }
}

pub(crate) async fn daemon_token(prepared: &Prepared, tenant: usize) -> Result<String> {
    let (id, secret) = prepared.application(tenant, "daemon", "Daemon")?;
    let url = prepared.url(&format!("/{}/oauth2/v2.0/token", prepared.tenant(tenant)));
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", id.as_str()),
        ("client_secret", secret.as_str()),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    let answer: Value = reqwest::Client::new().post(url).form(&fields).send().await?.json().await?;
    Ok(answer["access_token"].as_str().with_context(|| format!("no token: {answer}"))?.to_owned())
}

async fn check_acknowledged(
    prepared: &Prepared,
    token: &str,
    acknowledged: &[(String, String)],
) -> Result<()> {
    let client = reqwest::Client::new();
    for (id, address) in acknowledged {
        let url = prepared.url(&format!("/v1.0/users/{id}?$select=id,mail,externalUserState"));
        let answer = client.get(url).bearer_auth(token).send().await?;
        if answer.status() != 200 {
            bail!("{address} was acknowledged as {id} and is gone: {}", answer.status());
        }
        let user: Value = answer.json().await?;
        if user["mail"] != address.as_str() || user["externalUserState"] != "PendingAcceptance" {
            bail!("{address} was acknowledged and came back as {user}");
        }
    }
    Ok(())
}

/// Looks into the file itself: a guest, its invitation, its mail, its change and its record come together or not at all.
fn check_whole(prepared: &Prepared) -> Result<()> {
    let file = rusqlite::Connection::open(prepared.database())?;
    let state: String = file.query_row("PRAGMA quick_check", [], |row| row.get(0))?;
    if state != "ok" {
        bail!("the file is damaged: {state}");
    }
    let count = |sql: &str| -> Result<i64> { Ok(file.query_row(sql, [], |row| row.get(0))?) };
    let guests = count("SELECT COUNT(*) FROM users WHERE external_state IS NOT NULL")?;
    for (what, sql) in [
        ("guests with an invitation", "SELECT COUNT(DISTINCT user) FROM invitations"),
        (
            "changes",
            "SELECT COUNT(*) FROM changes c JOIN users u ON u.id = c.object WHERE c.operation = 'created' AND u.external_state IS NOT NULL",
        ),
    ] {
        let found = count(sql)?;
        if found != guests {
            bail!("{guests} guests, but {found} {what}");
        }
    }
    let invitations = count("SELECT COUNT(*) FROM invitations")?;
    for (what, sql) in [
        ("mails", "SELECT COUNT(*) FROM outbox"),
        (
            "records",
            "SELECT COUNT(*) FROM directory_records WHERE activity = 'Invite external user' AND refusal IS NULL",
        ),
    ] {
        let found = count(sql)?;
        if found != invitations {
            bail!("{invitations} invitations, but {found} {what}");
        }
    }
    Ok(())
}
