//! Measures the server on one core with the load on another, against floors measured in the same run: one signature by
//! the same library, one request to a bare server, one password hash. Prints CPU of the server per request, and ratios.

use crate::crash::daemon_token;
use crate::server::{Prepared, Server, free_port, wait_for};
use anyhow::{Context, Result};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::{rsa, signature};
use base64::Engine;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The server's core and the load's.
pub(crate) const SERVER_CORE: usize = 0;
/// Connections that ask at the same time.
const CONNECTIONS: usize = 64;

pub(crate) fn run(program: &str, seconds: u64) -> Result<()> {
    let threads = std::thread::available_parallelism()?.get();
    println!("measuring {seconds} s each; server on core {SERVER_CORE} of {threads}, load on the others\n");
    let floors = Floors::measure(seconds)?;
    let load = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    load.block_on(measure(program, seconds, &floors))
}

/// The server that does nothing: what HTTP itself costs.
pub(crate) fn bare(port: u16) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let answer = || async { "ok" };
        let router = axum::Router::new()
            .route("/healthz", axum::routing::get(answer))
            .route("/echo", axum::routing::post(|body: axum::body::Bytes| async move { body }));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        Ok(axum::serve(listener, router).await?)
    })
}

/// What nothing can beat on this machine, in microseconds of one core.
struct Floors {
    rsa: f64,
    ecdsa: f64,
}

impl Floors {
    fn measure(seconds: u64) -> Result<Self> {
        let random = SystemRandom::new();
        let text = [7; 900];
        let pair =
            rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(|_| anyhow::anyhow!("no RSA key"))?;
        let mut signed = vec![0; pair.public_modulus_len()];
        let rsa =
            time(seconds, || pair.sign(&signature::RSA_PKCS1_SHA256, &random, &text, &mut signed).is_ok())?;
        let form = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = signature::EcdsaKeyPair::generate(form).map_err(|_| anyhow::anyhow!("no EC key"))?;
        let ecdsa = time(seconds, || pair.sign(&random, &text).is_ok())?;
        Ok(Self { rsa, ecdsa })
    }
}

/// Prints what a password's hash costs here: for a process on the server's core.
pub(crate) fn hash(seconds: u64) -> Result<()> {
    let params = argon2::Params::new(19 * 1024, 2, 1, None).map_err(|_| anyhow::anyhow!("no parameters"))?;
    let hasher = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let mut out = [0; 32];
    let cost = time(seconds, || hasher.hash_password_into(b"password", &[1; 16], &mut out).is_ok())?;
    println!("{cost}");
    Ok(())
}

/// Hashes and sign-ins by turns, a second each, on one core: memory, which a hash lives on, is as fast for the one as for
/// the other then, whatever else the machine does. The hash's cost, and the sign-in's.
async fn hashes_and_logins(prepared: &Prepared, pid: u32, seconds: u64) -> Result<(f64, Cost)> {
    let own = std::env::current_exe()?;
    let (mut hash, mut login) = (0.0, Cost { cpu: 0.0, rate: 0.0 });
    for _ in 0..seconds {
        let output = std::process::Command::new("taskset")
            .args(["-c", &SERVER_CORE.to_string()])
            .arg(&own)
            .args(["hash", "1"])
            .output()?;
        hash += String::from_utf8(output.stdout)?.trim().parse::<f64>().context("no cost of a hash")?;
        let Cost { cpu, rate } = logins(prepared, pid, 1).await?;
        login.cpu += cpu;
        login.rate += rate;
    }
    let rounds = seconds as f64;
    Ok((hash / rounds, Cost { cpu: login.cpu / rounds, rate: login.rate / rounds }))
}

/// Microseconds of CPU of one call: like the server's figures, so that other work on the machine weighs on both alike.
fn time(seconds: u64, mut call: impl FnMut() -> bool) -> Result<f64> {
    let (own, began, mut count) = (std::process::id(), Instant::now(), 0_u32);
    let cpu = cpu_of(own)?;
    while began.elapsed() < Duration::from_secs(seconds) {
        anyhow::ensure!(call(), "the measured call failed");
        count += 1;
    }
    Ok((cpu_of(own)? - cpu) / f64::from(count))
}

/// CPU that a process used so far, all threads, in microseconds.
fn cpu_of(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(')').context("a strange process")?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: f64 =
        [11, 12].iter().filter_map(|at| fields.get(*at)).filter_map(|field| field.parse::<f64>().ok()).sum();
    // Linux counts in hundredths of a second.
    Ok(ticks * 10_000.0)
}

/// What one kind of request cost.
struct Cost {
    cpu: f64,
    rate: f64,
}

/// What one request came to.
enum Asked {
    Done,
    /// The server serves no more of these: a limit is reached, and nothing after it would be what is measured.
    Over,
}

/// Asks over all connections for a while, or until it is over; CPU of the server per request that was done.
async fn load<F, W>(pid: u32, seconds: u64, connections: usize, ask: F) -> Result<Cost>
where
    F: Fn(usize, u64) -> W + Clone + Send + Sync + 'static,
    W: Future<Output = Result<Asked>> + Send,
{
    let (number, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let is_over = Arc::new(AtomicBool::new(false));
    // Warm first: connections, caches, the allocator.
    for number in 0..20 {
        ask(0, 1_000_000 + number).await?;
    }
    let (cpu, began) = (cpu_of(pid)?, Instant::now());
    let end = began + Duration::from_secs(seconds);
    let mut tasks = Vec::new();
    for connection in 0..connections {
        let (ask, number, done) = (ask.clone(), Arc::clone(&number), Arc::clone(&done));
        let is_over = Arc::clone(&is_over);
        tasks.push(tokio::spawn(async move {
            while Instant::now() < end && !is_over.load(Ordering::Relaxed) {
                match ask(connection, number.fetch_add(1, Ordering::Relaxed)).await? {
                    Asked::Done => _ = done.fetch_add(1, Ordering::Relaxed),
                    Asked::Over => is_over.store(true, Ordering::Relaxed),
                }
            }
            anyhow::Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    let requests = done.load(Ordering::Relaxed) as f64;
    anyhow::ensure!(requests > 0.0, "nothing was done");
    Ok(Cost { cpu: (cpu_of(pid)? - cpu) / requests, rate: requests / began.elapsed().as_secs_f64() })
}

fn clients() -> Arc<Vec<reqwest::Client>> {
    let client = || reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
    Arc::new((0..CONNECTIONS).filter_map(|_| client().ok()).collect())
}

async fn expect(answer: reqwest::Response, status: u16) -> Result<Asked> {
    let found = answer.status();
    let bytes = answer.bytes().await?;
    anyhow::ensure!(found == status, "{found} instead of {status}: {}", String::from_utf8_lossy(&bytes));
    Ok(Asked::Done)
}

fn line(name: &str, cost: &Cost, limit: f64, limit_text: &str) {
    let verdict = if cost.cpu <= limit { "met" } else { "NOT MET" };
    println!(
        "{name:<34} {:>9.1} us CPU {:>9.0}/s   limit {limit:>8.1} us ({limit_text})   {verdict}",
        cost.cpu, cost.rate
    );
}

async fn measure(program: &str, seconds: u64, floors: &Floors) -> Result<()> {
    let pool = clients();
    let port = free_port()?;
    let own = std::env::current_exe()?;
    let bare = Server::start(
        own.to_str().context("a strange path")?,
        &["bare", &port.to_string()],
        Some(SERVER_CORE),
    )?;
    wait_for(port, Instant::now())?;
    let get = |pool: &Arc<Vec<reqwest::Client>>, url: String, bearer: Option<String>| {
        let pool = Arc::clone(pool);
        move |connection: usize, _: u64| {
            let mut request = pool[connection].get(&url);
            if let Some(bearer) = &bearer {
                request = request.bearer_auth(bearer);
            }
            async move { expect(request.send().await?, 200).await }
        }
    };
    let floor =
        load(bare.pid(), seconds, CONNECTIONS, get(&pool, format!("http://127.0.0.1:{port}/healthz"), None))
            .await?;
    drop(bare);
    println!(
        "floors: RSA-2048 signature {:.1} us, ES256 signature {:.1} us, bare request {:.1} us CPU ({:.0}/s)\n",
        floors.rsa, floors.ecdsa, floor.cpu, floor.rate
    );

    let prepared = Prepared::new(program)?;
    let (server, started) = prepared.serve(Some(SERVER_CORE), Some(1))?;
    let pid = server.pid();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let memory = resident(pid)?;
    println!("start to first answer on a seeded store: {} ms (limit 300)", started.as_millis());
    println!("idle memory: {memory:.0} MB (limit 50)\n");

    let (id, secret) = prepared.application(0, "daemon", "Daemon")?;
    let token_url = prepared.url(&format!("/{}/oauth2/v2.0/token", prepared.tenant(0)));
    let token_of = |scope: String| {
        let (pool, url, id, secret) = (Arc::clone(&pool), token_url.clone(), id.clone(), secret.clone());
        move |connection: usize, _: u64| {
            let fields = [
                ("grant_type", "client_credentials"),
                ("client_id", &id),
                ("client_secret", &secret),
                ("scope", &scope),
            ];
            let request = pool[connection].post(&url).form(&fields);
            async move { expect(request.send().await?, 200).await }
        }
    };
    let rs256 =
        load(pid, seconds, CONNECTIONS, token_of("https://graph.microsoft.com/.default".to_owned())).await?;
    line("token RS256, recorded", &rs256, 1.35 * (floors.rsa + floor.cpu), "1.35 x (signature + bare)");
    let (fast, _) = prepared.application(0, "api", "Fast")?;
    let es256 = load(pid, seconds, CONNECTIONS, token_of(format!("api://{fast}/.default"))).await?;
    line("token ES256, recorded", &es256, 70.0 * floors.rsa / 260.0, "70 us where RS256 takes 260");
    let path = format!("/{}/v2.0/.well-known/openid-configuration", prepared.tenant(0));
    let discovery = load(pid, seconds, CONNECTIONS, get(&pool, prepared.url(&path), None)).await?;
    line("discovery", &discovery, 2.0 * floor.cpu, "2 x bare");
    let bearer = daemon_token(&prepared, 0).await?;
    let user = prepared.world["tenants"][0]["users"][0]["id"].as_str().unwrap_or_default().to_owned();
    let url = prepared.url(&format!("/v1.0/users/{user}"));
    let read = load(pid, seconds, CONNECTIONS, get(&pool, url, Some(bearer.clone()))).await?;
    line("GET /users/{id}", &read, 4.0 * floor.cpu, "4 x bare");
    let (hash, login) = hashes_and_logins(&prepared, pid, seconds).await?;
    line("login, page to code", &login, 1.06 * hash, &format!("1.06 x hash of {hash:.0} us"));

    let url = prepared.url("/v1.0/invitations");
    let pool_in = Arc::clone(&pool);
    let invite = move |connection: usize, number: u64| {
        let body = json!({ "invitedUserEmailAddress": format!("n{number}@c{connection}.elsewhere.test"), "inviteRedirectUrl": "https://app.elsewhere.test/" });
        let request = pool_in[connection].post(&url).bearer_auth(&bearer).json(&body);
        async move {
            let answer = request.send().await?;
            // The hourly limit of R07: what is refused is no durable invitation.
            if answer.status() == 429 { Ok(Asked::Over) } else { expect(answer, 201).await }
        }
    };
    let invitations = load(pid, 2.min(seconds), CONNECTIONS, invite).await?;
    println!(
        "{:<34} {:>9.1} us CPU {:>9.0}/s   durable, {CONNECTIONS} connections",
        "invitations", invitations.cpu, invitations.rate
    );
    Ok(())
}

/// Whole sign-ins: the page, the password, "stay signed in?", the code. One after the other on four connections.
async fn logins(prepared: &Prepared, pid: u32, seconds: u64) -> Result<Cost> {
    let web = prepared.world["tenants"][0]["applications"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|app| app["kind"] == "web");
    let web = web.context("no web application")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let person = &prepared.world["tenants"][0]["users"][0];
    let (name, password) = (text(&person["userPrincipalName"]), text(&person["password"]));
    let challenge = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode([7; 32]);
    let mut query = form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("client_id", &text(&web["appId"]))
        .append_pair("redirect_uri", &text(&web["redirectUris"][0]))
        .append_pair("response_type", "code")
        .append_pair("scope", "openid")
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .append_pair("login_hint", &name);
    let begin = prepared.url(&format!("/{}/oauth2/v2.0/authorize?{}", prepared.tenant(0), query.finish()));
    let submit = prepared.url(&format!("/{}/login", prepared.tenant(0)));
    let one = move |_: usize, _: u64| {
        let (begin, submit, password) = (begin.clone(), submit.clone(), password.clone());
        async move {
            let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
            let mut page = client.get(&begin).send().await?;
            let cookie =
                page.headers().get("set-cookie").and_then(|value| value.to_str().ok()).unwrap_or_default();
            let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
            for _ in 0..5 {
                if page.status() == 302 {
                    return Ok(Asked::Done);
                }
                let html = page.text().await?;
                let field = |name: &str| {
                    let rest = html.split(&format!("name=\"{name}\"")).nth(1)?;
                    rest.split("value=\"").nth(1)?.split('"').next().map(str::to_owned)
                };
                let (attempt, proof) =
                    (field("attempt").context("no form")?, field("proof").context("no proof")?);
                let action = ["signin", "accept", "stay_no"]
                    .into_iter()
                    .find(|action| html.contains(&format!("value=\"{action}\"")));
                let action = action.with_context(|| format!("a strange page: {html}"))?;
                // What the consent page showed; the other pages have no such field.
                let shown = field("shown").unwrap_or_default();
                let fields = [
                    ("attempt", attempt.as_str()),
                    ("proof", &proof),
                    ("action", action),
                    ("password", &password),
                    ("shown", &shown),
                ];
                page = client.post(&submit).header("cookie", &cookie).form(&fields).send().await?;
            }
            anyhow::bail!("the sign-in did not end")
        }
    };
    load(pid, seconds, 4, one).await
}

/// Resident memory in megabytes.
fn resident(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no memory figure")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).context("no memory figure")?.parse()?;
    Ok(kilobytes / 1024.0)
}
