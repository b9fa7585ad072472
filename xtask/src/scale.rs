//! Compares directories of different sizes: the same requests, with answers of the same length, asked of servers over each
//! of them by turns, so that whatever else the machine does weighs on all alike. Prints times as the caller sees them.

use crate::bench::SERVER_CORE;
use crate::crash::daemon_token;
use crate::fill::{self, Filled, NAMESAKES};
use crate::server::{Prepared, Server};
use anyhow::{Context, Result, bail, ensure};
use domain::entropy::Entropy;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How much slower the slowest hundredth may be in the largest directory than in the smallest.
const LIMIT: f64 = 1.3;
/// Users on a page, and changes in a round of a delta query.
const PAGE: usize = 20;
/// Invitations of one application in an hour, below what is refused.
const MOST_INVITATIONS: usize = 3_900;

#[derive(clap::Args)]
pub(crate) struct Directories {
    /// Users of the directories that are compared, smallest first.
    #[arg(long, value_delimiter = ',', default_value = "10000,1000000", requires = "scale")]
    sizes: Vec<usize>,
    /// Requests of each kind to each server.
    #[arg(long, default_value_t = 2_000, requires = "scale")]
    requests: usize,
    /// Fill the directories anew.
    #[arg(long, requires = "scale")]
    fresh: bool,
}

/// What is asked, in this order: invitations change what a delta query tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Read,
    StartsWith,
    EqMail,
    Search,
    FirstPage,
    Page500,
    Delta,
    Invitation,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Read,
        Self::StartsWith,
        Self::EqMail,
        Self::Search,
        Self::FirstPage,
        Self::Page500,
        Self::Delta,
        Self::Invitation,
    ];

    fn name(self) -> String {
        match self {
            Self::Read => "GET /users/{id}".to_owned(),
            Self::StartsWith => format!("startswith(displayName), {NAMESAKES} found"),
            Self::EqMail => "mail eq, 1 found".to_owned(),
            Self::Search => format!("$search, {NAMESAKES} found"),
            Self::FirstPage => format!("page 1 of {PAGE}"),
            Self::Page500 => format!("page 500 of {PAGE}"),
            Self::Delta => format!("delta page, {PAGE} changes"),
            Self::Invitation => "invitation".to_owned(),
        }
    }

    /// How many objects each answer holds; `None` where it is one object.
    fn answers(self) -> Option<usize> {
        match self {
            Self::Read | Self::Invitation => None,
            Self::EqMail => Some(1),
            Self::StartsWith | Self::Search => Some(NAMESAKES),
            Self::FirstPage | Self::Page500 | Self::Delta => Some(PAGE),
        }
    }
}

pub(crate) fn run(program: &str, asked: &Directories) -> Result<()> {
    ensure!(asked.sizes.len() >= 2, "a comparison takes two sizes: --sizes 10000,1000000");
    ensure!(
        (1..=MOST_INVITATIONS - warming(MOST_INVITATIONS)).contains(&asked.requests),
        "--requests must be from 1 to 3,100: one application invites no more in an hour"
    );
    let filled = asked.sizes.iter().map(|users| Filled::of(program, *users, asked.fresh));
    let filled = filled.collect::<Result<Vec<_>>>()?;
    let load = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    load.block_on(compare(program, asked, &filled))
}

/// Requests before those that count.
fn warming(requests: usize) -> usize {
    requests.div_ceil(5)
}

/// A server over a copy of a filled directory.
struct Subject {
    users: usize,
    client: reqwest::Client,
    token: String,
    page_500: String,
    delta: String,
    server: Server,
    started: Duration,
    /// After the first answers: megabytes in all, and those that are no pages of the file.
    idle: (f64, f64),
    prepared: Prepared,
}

impl Subject {
    async fn new(program: &str, filled: &Filled) -> Result<Self> {
        let folder = tempfile::tempdir_in("target/scale")?;
        let copy = folder.path().join("data");
        std::fs::create_dir(&copy)?;
        for file in std::fs::read_dir(&filled.data)? {
            let file = file?;
            // Not the socket that a server listened on.
            if file.file_type()?.is_file() {
                std::fs::copy(file.path(), copy.join(file.file_name()))?;
            }
        }
        let limits = "[limits]\nobjects = 100_000_000\nobjects_with_verified_domain = 100_000_000\n";
        let prepared = Prepared::over(program, folder, filled.world.clone(), limits)?;
        let (server, started) = prepared.serve(Some(SERVER_CORE), Some(1))?;
        let client = reqwest::Client::builder().pool_max_idle_per_host(1).build()?;
        let token = daemon_token(&prepared, 0).await?;
        let mut subject = Self {
            users: filled.users,
            client,
            token,
            page_500: String::new(),
            delta: String::new(),
            idle: memory(server.pid())?,
            server,
            started,
            prepared,
        };
        subject.follow_pages().await?;
        subject.change_some().await?;
        Ok(subject)
    }

    async fn get(&self, url: &str) -> Result<Value> {
        let (status, body, _) = self.ask(self.client.get(url).header("consistencylevel", "eventual")).await?;
        ensure!(status == 200, "{status} for {url}: {body}");
        Ok(body)
    }

    /// One request, and how long it took until its answer was there.
    async fn ask(&self, request: reqwest::RequestBuilder) -> Result<(u16, Value, Duration)> {
        let request = request.bearer_auth(&self.token).build()?;
        let began = Instant::now();
        let answer = self.client.execute(request).await?;
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await?;
        let took = began.elapsed();
        Ok((status, serde_json::from_slice(&bytes).unwrap_or_default(), took))
    }

    /// A link as the server gives it, without the proxy that it believes in.
    fn link(&self, answer: &Value, name: &str) -> Result<String> {
        let link = answer[name].as_str().with_context(|| format!("no {name} in {answer}"))?;
        let path = link.split_once("/v1.0/").context("a strange link")?.1;
        Ok(self.prepared.url(&format!("/v1.0/{path}")))
    }

    /// Walks to the page before the 500th and keeps where it leads.
    async fn follow_pages(&mut self) -> Result<()> {
        self.page_500 = self.prepared.url(&first_page());
        for _ in 1..500 {
            self.page_500 = self.link(&self.get(&self.page_500).await?, "@odata.nextLink")?;
        }
        Ok(())
    }

    /// Changes as many users as a page holds, all over the directory, and keeps the link that tells of them.
    async fn change_some(&mut self) -> Result<()> {
        let latest = self.get(&self.prepared.url("/v1.0/users/delta?$deltatoken=latest")).await?;
        self.delta = self.link(&latest, "@odata.deltaLink")?;
        for turn in 0..PAGE {
            let user = fill::id(turn * self.users / PAGE);
            let request = self.client.patch(self.prepared.url(&format!("/v1.0/users/{user}")));
            let (status, body, _) = self.ask(request.json(&json!({ "jobTitle": "Chief" }))).await?;
            ensure!(status == 204, "{status} for a change: {body}");
        }
        Ok(())
    }

    /// The `number`-th request of a kind; `place` is where in the directory, from 0 to 1.
    fn request(&self, kind: Kind, number: usize, place: f64) -> reqwest::RequestBuilder {
        let pick = |of: usize| ((place * of as f64) as usize).min(of - 1);
        let (user, name) = (pick(self.users), pick(self.users / NAMESAKES));
        let get = |path: &str| self.client.get(self.prepared.url(path));
        match kind {
            Kind::Read => get(&format!("/v1.0/users/{}", fill::id(user))),
            Kind::StartsWith => get(&format!(
                "/v1.0/users?$filter=startswith(displayName,'{}')&$top=50",
                fill::given_name(name)
            )),
            Kind::EqMail => get(&format!("/v1.0/users?$filter=mail eq '{}'", fill::mail(user))),
            Kind::Search => {
                get(&format!("/v1.0/users?$search=\"displayName:{}\"&$top=50", fill::surname(name)))
                    .header("consistencylevel", "eventual")
            }
            Kind::FirstPage => get(&first_page()),
            Kind::Page500 => self.client.get(&self.page_500),
            Kind::Delta => self.client.get(&self.delta),
            Kind::Invitation => self.client.post(self.prepared.url("/v1.0/invitations")).json(&json!({
                "invitedUserEmailAddress": format!("n{number}@d{}.elsewhere.test", number / 100),
                "inviteRedirectUrl": "https://app.elsewhere.test/",
                "sendInvitationMessage": true,
            })),
        }
    }

    /// Asks once and looks whether the answer is as long as it should be.
    async fn measure(&self, kind: Kind, number: usize, place: f64) -> Result<Duration> {
        let (status, body, took) = self.ask(self.request(kind, number, place)).await?;
        let expected = if kind == Kind::Invitation { 201 } else { 200 };
        ensure!(status == expected, "{} users, {kind:?}: {status} {body}", self.users);
        let found = body["value"].as_array().map(Vec::len);
        if found != kind.answers() {
            bail!("{} users, {kind:?}: {found:?} objects instead of {:?}", self.users, kind.answers());
        }
        Ok(took)
    }
}

fn first_page() -> String {
    format!("/v1.0/users?$top={PAGE}")
}

/// Resident megabytes: all, and those that are the process's own.
fn memory(pid: u32) -> Result<(f64, f64)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let megabytes = |name: &str| -> Result<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no memory figure")?;
        Ok(line.split_whitespace().next().context("no memory figure")?.parse::<f64>()? / 1024.0)
    };
    Ok((megabytes("VmRSS:")?, megabytes("RssAnon:")?))
}

/// Times of one kind at one server.
struct Times(Vec<Duration>);

impl Times {
    fn at(&self, hundredths: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let place = (sorted.len() * hundredths).div_ceil(100).saturating_sub(1);
        sorted.get(place).map_or(0.0, |time| time.as_secs_f64() * 1e6)
    }
}

/// Where in the directory the `number`-th request of a kind goes: the same at every size and in every run.
fn place(kind: Kind, number: usize) -> f64 {
    let [a, b, c, d, ..] = Entropy::new([9; 32]).child("place", number).bytes(&format!("{kind:?}"));
    f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX)
}

async fn compare(program: &str, asked: &Directories, filled: &[Filled]) -> Result<()> {
    let mut subjects = Vec::new();
    for filled in filled {
        subjects.push(Subject::new(program, filled).await?);
    }
    println!(
        "\n{} requests of each kind over one connection, by turns; servers on core {SERVER_CORE}; times in us\n",
        asked.requests
    );
    print!("{:<36}", "");
    for subject in &subjects {
        print!("{:>14} p50      p99", subject.users);
    }
    println!("   p50 ratio   p99 ratio (limit {LIMIT})");
    let mut not_met = Vec::new();
    for kind in Kind::ALL {
        let times = take_times(asked.requests, &subjects, kind).await?;
        print!("{:<36}", kind.name());
        for times in &times {
            print!("{:>18.0} {:>8.0}", times.at(50), times.at(99));
        }
        let (Some(first), Some(last)) = (times.first(), times.last()) else { bail!("nothing was measured") };
        let ratio = last.at(99) / first.at(99);
        let verdict = if ratio <= LIMIT { "met" } else { "NOT MET" };
        println!("{:>12.2} {ratio:>11.2}   {verdict}", last.at(50) / first.at(50));
        if ratio > LIMIT {
            not_met.push(kind.name());
        }
    }
    println!();
    for (subject, filled) in subjects.iter().zip(filled) {
        let ((idle, idle_own), (busy, busy_own)) = (subject.idle, memory(subject.server.pid())?);
        let bytes = filled.bytes()?;
        println!(
            "{:>9} users: first answer after {} ms; memory at the start {idle:.0} MB (own {idle_own:.0}), afterwards {busy:.0} MB (own {busy_own:.0}); store {:.0} MB, {} bytes per user",
            subject.users,
            subject.started.as_millis(),
            bytes as f64 / 1e6,
            bytes / subject.users as u64
        );
    }
    match not_met.is_empty() {
        true => println!("\nmet: nothing grows with the directory"),
        false => println!("\nNOT MET: {}", not_met.join("; ")),
    }
    Ok(())
}

/// Asks all servers each request before the next one, and begins with another one each time.
async fn take_times(requests: usize, subjects: &[Subject], kind: Kind) -> Result<Vec<Times>> {
    let mut times: Vec<Times> = subjects.iter().map(|_| Times(Vec::with_capacity(requests))).collect();
    let (warming, count) = (warming(requests), subjects.len());
    let bar = ProgressBar::new((warming + requests) as u64);
    bar.set_style(ProgressStyle::with_template("{msg:34} {bar:30} {pos}/{len}")?);
    bar.set_message(kind.name());
    for number in 0..warming + requests {
        let place = place(kind, number);
        for turn in 0..count {
            let at = (turn + number) % count;
            let took = subjects[at].measure(kind, number, place).await?;
            if number >= warming {
                times[at].0.push(took);
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(times)
}
