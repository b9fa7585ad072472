//! `hospes plan`, `hospes apply` and `hospes tenant delete`, as somebody runs them.

#![expect(clippy::unwrap_used, reason = "tests: what does not hold fails the test")]

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const TENANTS: &str = r#"
tenants:
  - domain: contoso.test
    displayName: Contoso
    users:
      - userPrincipalName: alice@contoso.test
        displayName: Alice Adams
        jobTitle: Administrator
        roles: [Global Administrator]
    groups:
      - displayName: Sales
        mailNickname: sales
        members: [alice@contoso.test, Robot]
    applications:
      - displayName: Robot
        kind: daemon
        permissions: [User.Read.All]
"#;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let config = "base_url = \"https://login.contoso.test\"\nlisten = \"127.0.0.1:0\"\ndata = \"data\"\n\
                      [behind_proxy]\ntrusted = [\"127.0.0.1\"]\n";
        place.write("hospes.toml", config);
        place.write("tenants.yaml", TENANTS);
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hospes"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    /// Exit code, standard output and standard error.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code().unwrap(), text(stdout), text(stderr))
    }
}

#[test]
fn a_plan_is_applied_and_then_there_is_nothing_to_do() {
    let place = Place::new();
    let (code, shown, _) = place.run(&["plan", "tenants.yaml"]);
    assert_eq!(code, 2, "{shown}");
    for line in [
        "contoso.test\n",
        "  + create user alice@contoso.test (displayName: \"Alice Adams\")\n",
        "  + create role \"Global Administrator\" of user alice@contoso.test\n",
        "  + create member of group \"sales\" Robot\n",
        "8 to create, 0 to update, 0 to delete",
    ] {
        assert!(shown.contains(line), "{line} is missing in\n{shown}");
    }
    assert!(!place.path().join("data").exists(), "a plan makes nothing");

    let (code, _, error) = place.run(&["apply", "tenants.yaml"]);
    assert!(code == 1 && error.contains("--yes"), "{error}");
    let (code, shown, error) = place.run(&["apply", "tenants.yaml", "--yes", "--secrets", "made"]);
    assert_eq!(code, 0, "{shown}{error}");
    assert!(shown.contains("contoso.test: created user alice@contoso.test"), "{shown}");
    let made = std::fs::read_to_string(place.path().join("made")).unwrap();
    let rights = std::fs::metadata(place.path().join("made")).unwrap().permissions().mode();
    assert_eq!(rights & 0o777, 0o600);
    let secrets: Vec<serde_json::Value> =
        made.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(secrets.len(), 2);
    for secret in &secrets {
        assert!(!shown.contains(secret["secret"].as_str().unwrap()), "kept in the file and not shown");
    }

    let (code, shown, _) = place.run(&["plan", "tenants.yaml", "--prune"]);
    assert_eq!((code, shown.contains("Nothing to do")), (0, true), "{shown}");
    let (code, _, _) = place.run(&["apply", "tenants.yaml", "--yes", "--secrets", "made"]);
    assert_eq!(code, 0);
    assert_eq!(std::fs::read_to_string(place.path().join("made")).unwrap(), made, "nothing new was made");
}

#[test]
fn changes_and_deletions_are_shown_as_json_too() {
    let place = Place::new();
    let (code, _, error) = place.run(&["apply", "tenants.yaml", "--yes", "--json"]);
    assert_eq!(code, 0, "{error}");
    let changed = TENANTS.replace("jobTitle: Administrator", "jobTitle: Chief").replace(", Robot]", "]");
    place.write("tenants.yaml", &changed);
    let (code, shown, _) = place.run(&["plan", "tenants.yaml", "--prune"]);
    assert_eq!(code, 2);
    assert!(
        shown.contains("~ update user alice@contoso.test (jobTitle: \"Administrator\" → \"Chief\")"),
        "{shown}"
    );
    assert!(shown.contains("- delete member of group \"Sales\" Robot (made by an earlier apply)"), "{shown}");
    let (code, shown, _) = place.run(&["plan", "tenants.yaml", "--prune", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(code, 2);
    assert_eq!(
        document["summary"],
        serde_json::json!({ "create": 0, "update": 1, "delete": 1, "unchanged": 6 })
    );
    assert_eq!(document["changes"][0]["properties"][0]["after"], "\"Chief\"");
    let (code, shown, _) = place.run(&["apply", "tenants.yaml", "--prune", "--yes", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((code, &document["done"], &document["stopped"]), (0, &2.into(), &serde_json::Value::Null));
    assert_eq!(place.run(&["plan", "tenants.yaml", "--prune"]).0, 0);
}

/// A server that runs until this is dropped.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_running_server_takes_descriptions_through_its_own_door() {
    let place = Place::new();
    let mut serve = place.command(&["serve"]);
    let mut server = Running(serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    // It prints the set-up link once the store is open, and then opens the door.
    let mut line = String::new();
    let out = server.0.stdout.take().unwrap();
    let mut out = BufReader::new(out);
    while !line.contains("/setup?token=") {
        line.clear();
        assert!(out.read_line(&mut line).unwrap() > 0, "the server ended");
    }
    let door = place.path().join("data/apply.sock");
    while !door.exists() {
        std::thread::yield_now();
    }
    assert_eq!(std::fs::metadata(&door).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(place.run(&["plan", "tenants.yaml"]).0, 2);
    let (code, shown, error) = place.run(&["apply", "tenants.yaml", "--yes", "--json"]);
    assert_eq!(code, 0, "{shown}{error}");
    let document: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&document["done"], document["secrets"].as_array().unwrap().len()), (&8.into(), 2));
    let (code, shown, error) = place.run(&["tenant", "delete", "contoso.test", "--yes"]);
    assert!(code == 1 && shown.contains("groups (1)"), "{shown}{error}");
    // The folder is known by itself as long as its server runs.
    let (code, shown, _) = place.run(&["plan", "tenants.yaml", "--data", "data"]);
    assert_eq!((code, shown.contains("Nothing to do")), (0, true), "{shown}");
    place.write("tenants.yaml", &TENANTS.replace("[User.Read.All]", "[World.Rule]"));
    let (code, _, error) = place.run(&["apply", "tenants.yaml", "--yes"]);
    assert!(code == 1 && error.contains("World.Rule"), "{error}");
    place.write("tenants.yaml", TENANTS);
    // Stopped, it left a socket behind that nobody answers.
    drop(server);
    assert_eq!(place.run(&["plan", "tenants.yaml"]).0, 0);
}

#[test]
fn a_tenant_is_deleted_once_it_is_empty() {
    let place = Place::new();
    assert_eq!(place.run(&["apply", "tenants.yaml", "--yes"]).0, 0);
    let (code, _, error) = place.run(&["tenant", "delete", "contoso.test"]);
    assert!(code == 1 && error.contains("--yes"), "{error}");
    let (code, _, error) = place.run(&["tenant", "delete", "nowhere.test", "--yes"]);
    assert!(code == 1 && error.contains("there is no such tenant"), "{error}");
    let (code, shown, _) = place.run(&["tenant", "delete", "contoso.test", "--yes"]);
    let left = "Delete first what is still there: groups (1), application registrations (1), enterprise applications (1).";
    assert!(code == 1 && shown.contains(left), "{shown}");

    let (people, _) = TENANTS.split_once("    groups:").unwrap();
    place.write("tenants.yaml", &people.replace("contoso.test", "fabrikam.test"));
    assert_eq!(place.run(&["apply", "tenants.yaml", "--yes"]).0, 0);
    let (code, shown, error) = place.run(&["tenant", "delete", "fabrikam.test", "--yes"]);
    assert_eq!(code, 0, "{shown}{error}");
    assert!(shown.contains("- delete tenant Contoso (with everything that it holds, for good)"), "{shown}");
    assert!(shown.contains("fabrikam.test: deleted tenant Contoso"), "{shown}");
    let (code, _, error) = place.run(&["tenant", "delete", "fabrikam.test", "--yes"]);
    assert!(code == 1 && error.contains("there is no such tenant"), "{error}");
    // The name is free for whoever the operator describes.
    assert_eq!(place.run(&["apply", "tenants.yaml", "--yes"]).0, 0);
}

#[test]
fn what_is_wrong_with_a_file_is_named_with_its_place() {
    let place = Place::new();
    let wrong = [
        (TENANTS.replace("jobTitle:", "jobTitel:"), "jobTitel"),
        (TENANTS.replace("Robot]", "Nobody]"), "contoso.test / groups / sales / members"),
        (TENANTS.replace("kind: daemon", "kind: toaster"), "contoso.test / applications / Robot"),
        ("tenants: [".to_owned(), "line"),
    ];
    for (text, hint) in wrong {
        place.write("tenants.yaml", &text);
        let (code, shown, error) = place.run(&["apply", "tenants.yaml", "--yes"]);
        assert!(code == 1 && error.contains("tenants.yaml") && error.contains(hint), "{shown}{error}");
    }
    // A mistake beside a password must not bring it to the screen.
    place
        .write("tenants.yaml", &TENANTS.replace("jobTitle: A", "password: Hush-Hush-1\n        jobTitel: A"));
    let (_, shown, error) = place.run(&["plan", "tenants.yaml"]);
    assert!(!shown.contains("Hush") && !error.contains("Hush") && error.contains("line 9"), "{error}");
    place.write("tenants.yaml", TENANTS);
    let (code, _, error) = place.run(&["plan", "elsewhere.yaml"]);
    assert!(code == 1 && error.contains("elsewhere.yaml"), "{error}");
    let (code, _, error) = place.run(&["plan", "tenants.yaml", "--data", "nowhere"]);
    assert!(code == 1 && error.contains("hospes dev"), "{error}");
}
