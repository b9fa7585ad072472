//! Decision cases as data: facts, a question, the verdict and its reasons. `cases/README.md` says how to read and add one.
//!
//! The mirrors below are for tests only: domain types have no serde, because a type that serialises becomes a wire
//! format by accident. A case states what matters; the defaults stand beside each mirror.

#![expect(clippy::unwrap_used, reason = "tests: what does not hold fails the test")]

/// Lists the variants of an enum by name. A new variant stops the build here until it is listed, and the tests until a
/// case shows it.
macro_rules! every_variant {
    ($kind:ident: $($variant:ident)*) => {{
        let _ = |one: &$kind| match one { $($kind::$variant { .. } => (),)* };
        [$(concat!(stringify!($kind), "::", stringify!($variant))),*]
    }};
}

#[path = "cases/anywhere.rs"]
mod anywhere;
#[path = "cases/consent.rs"]
mod consent;
#[path = "cases/invitation.rs"]
mod invitation;
#[path = "cases/issuance.rs"]
mod issuance;
#[path = "cases/lifetime.rs"]
mod lifetime;
#[path = "cases/membership.rs"]
mod membership;
#[path = "cases/next.rs"]
mod next;
#[path = "cases/redemption.rs"]
mod redemption;
#[path = "cases/words.rs"]
mod words;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// One file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    deserialize = "F: DeserializeOwned + Default, Q: DeserializeOwned + Default, V: DeserializeOwned"
))]
struct Case<F, Q, V> {
    /// The rule in a sentence.
    about: String,
    #[serde(default)]
    facts: F,
    #[serde(default)]
    question: Q,
    verdict: V,
}

/// What a decision said, in the words of a case, and which variants it showed (`Refusal::AddressInUse`).
struct Judged<V> {
    /// Which of several questions in one file it was.
    asked: String,
    verdict: V,
    shown: Vec<String>,
}

/// Reads every case of a folder whose file name begins with `prefix`, and decides it. Gives the variants that the cases
/// showed, or all that is wrong with them.
fn run_in<F, Q, V>(
    folder: &Path,
    prefix: &str,
    judge: impl Fn(&F, &Q) -> Vec<Judged<V>>,
) -> Result<BTreeSet<String>, String>
where
    F: DeserializeOwned + Default,
    Q: DeserializeOwned + Default,
    V: DeserializeOwned + Serialize + PartialEq,
{
    let mut shown = BTreeSet::new();
    let mut problems = Vec::new();
    for file in files(folder, prefix)? {
        let name = file.display();
        if file.extension().is_none_or(|extension| extension != "toml") {
            problems.push(format!("{name}: is no case; a case ends in .toml"));
            continue;
        }
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{name}: {error}"))?;
        let case: Case<F, Q, V> = match toml::from_str(&text) {
            Ok(case) => case,
            Err(error) => {
                problems.push(format!("{name}: {error}"));
                continue;
            }
        };
        if !case.about.ends_with('.') {
            problems.push(format!("{name}: `about` is a sentence"));
        }
        for judged in judge(&case.facts, &case.question) {
            if judged.verdict != case.verdict {
                let write = |verdict| toml::to_string(verdict).unwrap();
                let (expected, found) = (write(&case.verdict), write(&judged.verdict));
                problems.push(format!(
                    "{name}: {} {}\n--- the case expects\n{expected}--- the decision says\n{found}",
                    case.about, judged.asked
                ));
            }
            shown.extend(judged.shown);
        }
    }
    if problems.is_empty() { Ok(shown) } else { Err(problems.join("\n")) }
}

/// Files in order. A folder without cases would pass in silence, so it is an error.
fn files(folder: &Path, prefix: &str) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| format!("{}: {error}", folder.display()))?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)) {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(format!("{}: no case begins with `{prefix}`", folder.display()));
    }
    Ok(files)
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(name)
}

/// Makes the tests of one folder: all cases hold, every variant is shown, and one test for each rule whose cases begin
/// with its number.
macro_rules! folder_of_cases {
    ($folder:ident: $whole:ident, $($rule:ident,)*) => {
        #[test]
        fn $whole() {
            let shown = run_in(&folder(stringify!($folder)), "", $folder::judge).unwrap_or_else(|e| panic!("{e}"));
            let all: BTreeSet<String> = $folder::variants().into_iter().collect();
            let missing: Vec<&String> = all.difference(&shown).collect();
            assert!(missing.is_empty(), "no case shows {missing:?}");
            let strange: Vec<&String> = shown.difference(&all).collect();
            assert!(strange.is_empty(), "decided elsewhere, as the list of variants says: {strange:?}");
        }
        $(
            #[test]
            fn $rule() {
                let name = stringify!($rule);
                let prefix = name.get(..3).unwrap().to_owned() + "-";
                run_in(&folder(stringify!($folder)), &prefix, $folder::judge).unwrap_or_else(|e| panic!("{e}"));
            }
        )*
    };
}

folder_of_cases! { consent:
    cases_of_consent_hold,
}
folder_of_cases! { anywhere:
    cases_of_sign_in_at_common_hold_and_show_every_way,
    r12_a_hint_at_somebody_else_lets_no_account_in,
}
folder_of_cases! { invitation:
    cases_of_invitations_hold_and_show_every_refusal,
    r06_redirects_that_browsers_could_read_differently_are_refused,
    r07_words_of_the_inviter_reach_nobody_unless_they_are_harmless,
}
folder_of_cases! { lifetime:
    cases_of_token_lifetimes_hold_and_show_every_token,
}
folder_of_cases! { membership:
    cases_of_membership_rules_hold,
    r23_guests_are_among_all_users_unless_the_rule_says_otherwise,
}
folder_of_cases! { redemption:
    cases_of_redemption_hold_and_show_every_outcome,
    r02_only_issuer_and_subject_recognise_a_guest,
    r04_an_invitation_that_ended_is_refused_though_nobody_swept_it,
    r05_whoever_opens_the_link_becomes_nobody_else,
}
folder_of_cases! { issuance:
    cases_of_issuance_hold_and_show_every_denial_of_the_gate,
    r04_what_expired_is_refused_though_nobody_swept_it,
    r14_a_code_is_redeemed_once,
    r17_the_key_decides_how_a_client_signs,
    r26_a_challenge_that_was_stored_is_asked_for,
    r27_redirects_are_the_registered_text,
    r38_everything_is_looked_at_again_at_every_redemption,
}
folder_of_cases! { next:
    cases_of_sign_in_hold_and_show_every_step,
    r11_a_step_is_asked_only_where_the_stored_state_says_so,
    r12_no_other_path_lowers_what_is_required,
}

mod the_loader {
    use super::*;
    use words::Name;

    /// The smallest decision: the answer is the question.
    #[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
    #[serde(default, deny_unknown_fields)]
    struct Echo {
        user: Name,
    }

    fn echo(_: &BTreeMap<String, String>, question: &Echo) -> Vec<Judged<Echo>> {
        vec![Judged {
            asked: String::new(),
            verdict: Echo { user: question.user.clone() },
            shown: vec!["Echo".to_owned()],
        }]
    }

    /// A folder of its own for each test, with one file unless `text` is empty.
    fn folder_with(name: &str, file: &str, text: &str) -> PathBuf {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("domain-cases").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        if !text.is_empty() {
            std::fs::write(folder.join(file), text).unwrap();
        }
        folder
    }

    #[test]
    fn takes_a_case_that_holds() {
        let folder =
            folder_with("right", "a.toml", "about = \"A.\"\nquestion.user = \"a\"\nverdict.user = \"a\"");
        assert_eq!(run_in(&folder, "", echo), Ok(BTreeSet::from(["Echo".to_owned()])));
    }

    #[test]
    fn names_the_file_that_does_not_hold_and_both_verdicts() {
        let text = "about = \"A.\"\nquestion.user = \"rosa\"\nverdict.user = \"alice\"";
        let error = run_in(&folder_with("wrong", "odd.toml", text), "", echo).unwrap_err();
        for part in ["wrong/odd.toml", "user = \"alice\"", "user = \"rosa\""] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn refuses_unknown_fields_wherever_they_stand() {
        for (name, extra) in
            [("top", "fact = 1"), ("question", "question.usr = \"a\""), ("verdict", "verdict.x = 1")]
        {
            let text = format!("{extra}\nabout = \"A.\"\nverdict.user = \"\"");
            let error =
                run_in(&folder_with(&format!("unknown-{name}"), "a.toml", &text), "", echo).unwrap_err();
            assert!(error.contains("unknown field") && error.contains("a.toml"), "{error}");
        }
    }

    #[test]
    fn refuses_an_empty_folder_and_a_rule_without_a_case() {
        let empty = folder_with("empty", "", "");
        assert!(run_in(&empty, "", echo).unwrap_err().contains("empty"));
        let folder =
            folder_with("right", "a.toml", "about = \"A.\"\nquestion.user = \"a\"\nverdict.user = \"a\"");
        assert!(run_in(&folder, "r99-", echo).unwrap_err().contains("r99-"));
        assert!(run_in(Path::new("/nowhere"), "", echo).is_err());
    }

    #[test]
    fn refuses_a_file_that_is_no_case() {
        let folder = folder_with("stray", "a.tml", "about = \"A.\"");
        assert!(run_in(&folder, "", echo).unwrap_err().contains("a.tml"));
    }
}
