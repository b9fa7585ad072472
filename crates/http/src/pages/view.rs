//! What pages show: plain values in, HTML out. Handlers fill these structs; nothing here knows a request or the domain.
//!
//! Templates escape every value, hold no style or script of their own (the content security policy forbids both), and
//! put the main action first, because that is the button that the Enter key presses.

use askama::Template;

/// Whose page it is.
#[derive(Clone, Debug)]
pub(crate) struct Chrome {
    /// The organisation; `Hospes` where none is known yet.
    pub(crate) tenant_name: String,
    /// Address of the tenant's colours ([`TenantStyle`]).
    pub(crate) tenant_style: Option<String>,
    /// Address of the tenant's logo on our origin.
    pub(crate) logo: Option<String>,
    /// What the tenant says below a sign-in form.
    pub(crate) sign_in_text: Option<String>,
    /// BCP 47.
    pub(crate) lang: String,
}

/// Where a sign-in form goes, and the proof that it is ours.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub(crate) action_url: String,
    pub(crate) attempt: String,
    pub(crate) proof: String,
}

/// Asks who signs in: field `login`, action `next`.
#[derive(Debug, Template)]
#[template(path = "name.html")]
pub(crate) struct NamePage {
    pub(crate) chrome: Chrome,
    pub(crate) form: Form,
    pub(crate) login: String,
    pub(crate) error: Option<String>,
    pub(crate) app_name: Option<String>,
}

/// Offers the accounts that are signed in: button `account`, or action `other`.
#[derive(Debug, Template)]
#[template(path = "picker.html")]
pub(crate) struct AccountPicker {
    pub(crate) chrome: Chrome,
    pub(crate) form: Form,
    pub(crate) accounts: Vec<AccountTile>,
    pub(crate) app_name: Option<String>,
}

/// One account to choose.
#[derive(Clone, Debug)]
pub(crate) struct AccountTile {
    /// What the button sends.
    pub(crate) value: String,
    pub(crate) name: String,
    pub(crate) sign_in_name: String,
}

/// Asks for the password: field `password`, actions `signin` and `back`.
#[derive(Debug, Template)]
#[template(path = "password.html")]
pub(crate) struct PasswordPage {
    pub(crate) chrome: Chrome,
    pub(crate) form: Form,
    pub(crate) login: String,
    pub(crate) error: Option<String>,
}

/// Asks for a new password: fields `new_password` and `confirm_password`, action `change`.
#[derive(Debug, Template)]
#[template(path = "change_password.html")]
pub(crate) struct ChangePasswordPage {
    pub(crate) chrome: Chrome,
    pub(crate) form: Form,
    pub(crate) login: String,
    pub(crate) error: Option<String>,
    pub(crate) rules: String,
}

/// Asks whether the browser is trusted: actions `stay_yes` and `stay_no`.
#[derive(Debug, Template)]
#[template(path = "stay.html")]
pub(crate) struct StaySignedInPage {
    pub(crate) chrome: Chrome,
    pub(crate) form: Form,
    pub(crate) login: String,
}

/// Asks for the code that a device shows: field `user_code`.
#[derive(Debug, Template)]
#[template(path = "device.html")]
pub(crate) struct DevicePage {
    pub(crate) chrome: Chrome,
    pub(crate) action_url: String,
    pub(crate) proof: String,
    pub(crate) error: Option<String>,
}

/// Asks whether a waiting device is the person's own doing: actions `device_yes` and `device_no` (R33).
#[derive(Debug, Template)]
#[template(path = "confirm_device.html")]
pub(crate) struct ConfirmDevicePage {
    pub(crate) chrome: Chrome,
    pub(crate) form: Form,
    pub(crate) app_name: String,
    pub(crate) publisher: Option<String>,
    pub(crate) login: String,
    /// Where the code was asked from.
    pub(crate) address: Option<String>,
}

/// Asks for agreement to an application's permissions: actions `accept` and `cancel`, checkbox `for_organization`.
#[derive(Debug, Template)]
#[template(path = "consent.html")]
pub(crate) struct ConsentPage {
    pub(crate) chrome: Chrome,
    pub(crate) form: Form,
    /// Proof of what the page says.
    pub(crate) shown: String,
    /// The list is another than the one that was just answered.
    pub(crate) has_changed: bool,
    pub(crate) app_name: String,
    pub(crate) publisher: Option<String>,
    pub(crate) login: String,
    pub(crate) scopes: Vec<ScopeLine>,
    /// Whether this person may agree for the whole organisation.
    pub(crate) on_behalf_possible: bool,
}

/// Asks an administrator for agreement for everybody: actions `accept` and `cancel`.
#[derive(Debug, Template)]
#[template(path = "admin_consent.html")]
pub(crate) struct AdminConsentPage {
    pub(crate) chrome: Chrome,
    pub(crate) form: Form,
    pub(crate) shown: String,
    pub(crate) has_changed: bool,
    pub(crate) app_name: String,
    pub(crate) publisher: Option<String>,
    pub(crate) login: String,
    /// What it may do for whoever is signed in.
    pub(crate) scopes: Vec<ScopeLine>,
    /// What it may do by itself.
    pub(crate) roles: Vec<ScopeLine>,
}

/// Says that another account is needed, an administrator's: actions `other` and `cancel`.
#[derive(Debug, Template)]
#[template(path = "ask_administrator.html")]
pub(crate) struct AskAdministratorPage {
    pub(crate) chrome: Chrome,
    pub(crate) form: Form,
    pub(crate) app_name: String,
    pub(crate) login: String,
}

/// Says that an administrator has to agree, and takes the reason for a request: field `reason`, actions `request`, `other` and
/// `cancel`.
#[derive(Debug, Template)]
#[template(path = "approval.html")]
pub(crate) struct ApprovalPage {
    pub(crate) chrome: Chrome,
    pub(crate) form: Form,
    pub(crate) app_name: String,
    pub(crate) publisher: Option<String>,
    pub(crate) login: String,
    /// Why no request is taken now.
    pub(crate) obstacle: Option<String>,
    pub(crate) error: Option<String>,
}

/// What waits for a reviewer: fields `request` and `reason`, actions `deny` and `block`.
#[derive(Debug, Template)]
#[template(path = "requests.html")]
pub(crate) struct RequestsPage {
    pub(crate) chrome: Chrome,
    pub(crate) action_url: String,
    pub(crate) proof: String,
    pub(crate) tenant: String,
    pub(crate) user_name: String,
    pub(crate) sign_in_name: String,
    /// What just happened.
    pub(crate) notice: Option<String>,
    pub(crate) requests: Vec<RequestLine>,
    pub(crate) can_approve: bool,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct RequestLine {
    pub(crate) id: String,
    pub(crate) app_name: String,
    pub(crate) publisher: Option<String>,
    pub(crate) asked_by: String,
    pub(crate) reason: String,
    pub(crate) permissions: Vec<String>,
    pub(crate) asked_at: String,
    pub(crate) expires_at: String,
    pub(crate) approve_url: Option<String>,
}

/// One permission that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct ScopeLine {
    pub(crate) title: String,
    pub(crate) description: String,
    /// Whether only an administrator can allow it.
    pub(crate) admin: bool,
    /// Which other application gets it, where that is not the one that asks.
    pub(crate) through: Option<String>,
}

/// Asks for agreement to become a guest: actions `accept` and `cancel`, marked by the field `redemption`.
#[derive(Debug, Template)]
#[template(path = "redemption.html")]
pub(crate) struct RedemptionConsentPage {
    pub(crate) chrome: Chrome,
    pub(crate) form: Form,
    pub(crate) inviting: String,
    pub(crate) inviting_domain: String,
    pub(crate) domain_verified: bool,
    pub(crate) home_name: Option<String>,
    pub(crate) login: String,
    pub(crate) privacy_url: Option<String>,
}

/// Shows the host before an unregistered address is followed (R06).
#[derive(Debug, Template)]
#[template(path = "go_on.html")]
pub(crate) struct GoOnPage {
    pub(crate) chrome: Chrome,
    pub(crate) host: String,
    pub(crate) url: String,
}

/// What a person can open in an organisation.
#[derive(Debug, Template)]
#[template(path = "my_apps.html")]
pub(crate) struct MyAppsPage {
    pub(crate) chrome: Chrome,
    pub(crate) user_name: String,
    pub(crate) sign_in_name: String,
    pub(crate) organization: String,
    pub(crate) apps: Vec<AppTile>,
    pub(crate) may_create_tenant: bool,
    /// How many requests wait for the person, who reviews them.
    pub(crate) requests: Option<usize>,
    pub(crate) tenant: String,
    pub(crate) sign_out_url: String,
}

/// One application; without an address it is shown, but no link.
#[derive(Clone, Debug)]
pub(crate) struct AppTile {
    pub(crate) name: String,
    pub(crate) url: Option<String>,
    pub(crate) description: String,
}

/// Says that the session is over.
#[derive(Debug, Template)]
#[template(path = "signed_out.html")]
pub(crate) struct SignedOutPage {
    pub(crate) chrome: Chrome,
    pub(crate) return_url: Option<String>,
    /// Addresses of applications that hear of it.
    pub(crate) frames: Vec<String>,
}

/// A refusal or fault: what happened, what to do, and what an administrator needs to find it in the log.
#[derive(Debug, Template)]
#[template(path = "error.html")]
pub(crate) struct ErrorPage {
    pub(crate) chrome: Chrome,
    pub(crate) title: String,
    pub(crate) what_happened: String,
    pub(crate) what_to_do: String,
    /// `AADSTS` and the number.
    pub(crate) code: String,
    pub(crate) correlation_id: String,
    pub(crate) timestamp: String,
    pub(crate) retry_url: Option<String>,
}

/// Something to read, and perhaps one place to go: the link's text, then its address.
#[derive(Debug, Template)]
#[template(path = "message.html")]
pub(crate) struct MessagePage {
    pub(crate) chrome: Chrome,
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) link: Option<(String, String)>,
}

/// Asks before invitation mail is blocked (R07). The ticket in `action` is the form's proof.
#[derive(Debug, Template)]
#[template(path = "block_mail.html")]
pub(crate) struct BlockMailPage {
    pub(crate) chrome: Chrome,
    pub(crate) action: String,
}

/// The answer that posts itself to the application (OAuth 2.0 Form Post Response Mode §2), by a button without script.
#[derive(Debug, Template)]
#[template(path = "form_post.html")]
pub(crate) struct FormPostPage {
    pub(crate) action: String,
    pub(crate) fields: Vec<(String, String)>,
}

/// Makes the first organisation and its administrator. The token is the form's proof.
#[derive(Debug, Template)]
#[template(path = "first_admin.html")]
pub(crate) struct FirstAdminPage {
    pub(crate) chrome: Chrome,
    pub(crate) action_url: String,
    pub(crate) token: String,
    pub(crate) error: Option<String>,
    pub(crate) organization: String,
    pub(crate) domain: String,
    pub(crate) user_name: String,
    pub(crate) display_name: String,
}

/// Makes an organisation of a person's own: fields `organization` and `name`.
#[derive(Debug, Template)]
#[template(path = "new_organization.html")]
pub(crate) struct NewOrganizationPage {
    pub(crate) chrome: Chrome,
    pub(crate) action_url: String,
    pub(crate) proof: String,
    pub(crate) tenant: String,
    pub(crate) sign_in_name: String,
    /// What every domain here ends with.
    pub(crate) suffix: String,
    pub(crate) error: Option<String>,
    pub(crate) organization: String,
    pub(crate) name: String,
}

/// The organisations of a person.
#[derive(Debug, Template)]
#[template(path = "organizations.html")]
pub(crate) struct OrganizationsPage {
    /// The home's.
    pub(crate) chrome: Chrome,
    pub(crate) home: String,
    pub(crate) user_name: String,
    pub(crate) sign_in_name: String,
    /// What just happened.
    pub(crate) notice: Option<String>,
    pub(crate) others: Vec<OrganizationLine>,
}

/// One that is not the home.
#[derive(Clone, Debug)]
pub(crate) struct OrganizationLine {
    pub(crate) tenant: String,
    pub(crate) name: String,
    /// The name of the person's account there.
    pub(crate) account: String,
    pub(crate) is_enabled: bool,
    pub(crate) may_delete: bool,
}

/// Asks before something is done that is not undone as easily: field `tenant`, one action.
#[derive(Debug, Template)]
#[template(path = "confirm.html")]
pub(crate) struct ConfirmPage {
    pub(crate) chrome: Chrome,
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
    pub(crate) action_url: String,
    pub(crate) proof: String,
    pub(crate) tenant: String,
    pub(crate) action: &'static str,
    pub(crate) button: &'static str,
    pub(crate) back_url: String,
}

/// The start page of `hospes dev`.
#[derive(Debug, Template)]
#[template(path = "dev_home.html")]
pub(crate) struct DevHomePage {
    pub(crate) base: String,
    pub(crate) tenants: Vec<DevTenant>,
}

/// One tenant of the development world.
#[derive(Clone, Debug)]
pub(crate) struct DevTenant {
    pub(crate) name: String,
    pub(crate) domain: String,
    pub(crate) id: String,
    pub(crate) users: Vec<DevUser>,
    pub(crate) apps: Vec<DevApp>,
}

/// One person of the development world; `roles` is empty for a member without any.
#[derive(Clone, Debug)]
pub(crate) struct DevUser {
    pub(crate) name: String,
    pub(crate) password: String,
    pub(crate) roles: String,
}

/// One application of the development world.
#[derive(Clone, Debug)]
pub(crate) struct DevApp {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) app_id: String,
    pub(crate) secret: Option<String>,
}

/// What `hospes dev` sent by mail.
#[derive(Debug, Template)]
#[template(path = "mailbox.html")]
pub(crate) struct MailboxPage {
    pub(crate) messages: Vec<MailRow>,
}

/// One mail, as its plain part.
#[derive(Clone, Debug)]
pub(crate) struct MailRow {
    pub(crate) id: String,
    pub(crate) to: String,
    pub(crate) from: String,
    pub(crate) subject: String,
    pub(crate) sent: String,
    pub(crate) text: String,
}

/// A stretch of a mail's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece<'a> {
    text: &'a str,
    is_link: bool,
}

impl MailRow {
    /// The text, cut at its addresses. An address ends at white space, and what closes a sentence is not part of it.
    fn pieces(&self) -> Vec<Piece<'_>> {
        let mut pieces = Vec::new();
        for word in self.text.split_inclusive(char::is_whitespace) {
            let address =
                if is_absolute(word) { word.trim_end().trim_end_matches(['.', ',', ')', '>']) } else { "" };
            let rest = word.strip_prefix(address).unwrap_or(word);
            let both = [Piece { text: address, is_link: true }, Piece { text: rest, is_link: false }];
            pieces.extend(both.into_iter().filter(|piece| !piece.text.is_empty()));
        }
        pieces
    }
}

/// A tenant's colours as a style sheet. Written into CSS as they are: the caller lets only `#rrggbb` through.
#[derive(Debug, Template)]
#[template(path = "tenant.css", escape = "none")]
pub(crate) struct TenantStyle {
    pub(crate) accent: String,
    /// `#ffffff` or `#000000`, whichever reads better on the accent.
    pub(crate) accent_ink: String,
}

/// The letter that stands for a name without a picture.
fn initial(name: &str) -> String {
    name.chars()
        .find(|letter| letter.is_alphanumeric())
        .map(|letter| letter.to_uppercase().to_string())
        .unwrap_or_default()
}

/// An address that others gave, if it may become a link.
fn web(url: &Option<String>) -> Option<&str> {
    url.as_deref().filter(|url| is_web(url))
}

/// Whether an address may become a link. Escaping does not disarm `javascript:`.
fn is_web(url: &str) -> bool {
    let is_own_path = url.starts_with('/') && !url.starts_with("//") && !url.starts_with("/\\");
    is_own_path || is_absolute(url)
}

fn is_absolute(url: &str) -> bool {
    let starts =
        |scheme: &str| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    starts("https://") || starts("http://")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVIL: &str = r#""'><script>alert(1)</script><b style="x" onclick="y">"#;

    fn evil() -> String {
        EVIL.to_owned()
    }

    fn chrome() -> Chrome {
        Chrome {
            tenant_name: evil(),
            tenant_style: Some(evil()),
            logo: Some(evil()),
            sign_in_text: Some(evil()),
            lang: evil(),
        }
    }

    fn form() -> Form {
        Form {
            action_url: "https://localhost/t/login".to_owned(),
            attempt: "a1".to_owned(),
            proof: "p1".to_owned(),
        }
    }

    /// The pages of a sign-in, whose forms are bound to an attempt, with hostile text in every field.
    fn attempt_pages() -> Vec<(&'static str, String)> {
        let tile = AccountTile { value: evil(), name: evil(), sign_in_name: evil() };
        let scope = ScopeLine { title: evil(), description: evil(), admin: true, through: Some(evil()) };
        let name = NamePage {
            chrome: chrome(),
            form: form(),
            login: evil(),
            error: Some(evil()),
            app_name: Some(evil()),
        };
        let picker =
            AccountPicker { chrome: chrome(), form: form(), accounts: vec![tile], app_name: Some(evil()) };
        let password = PasswordPage { chrome: chrome(), form: form(), login: evil(), error: Some(evil()) };
        let change = ChangePasswordPage {
            chrome: chrome(),
            form: form(),
            login: evil(),
            error: Some(evil()),
            rules: evil(),
        };
        let stay = StaySignedInPage { chrome: chrome(), form: form(), login: evil() };
        let admin_consent = AdminConsentPage {
            chrome: chrome(),
            form: form(),
            shown: evil(),
            has_changed: true,
            app_name: evil(),
            publisher: Some(evil()),
            login: evil(),
            scopes: vec![scope.clone()],
            roles: vec![scope.clone()],
        };
        let ask_administrator =
            AskAdministratorPage { chrome: chrome(), form: form(), app_name: evil(), login: evil() };
        let approval = |obstacle| ApprovalPage {
            chrome: chrome(),
            form: form(),
            app_name: evil(),
            publisher: Some(evil()),
            login: evil(),
            obstacle,
            error: Some(evil()),
        };
        let consent = ConsentPage {
            chrome: chrome(),
            form: form(),
            shown: evil(),
            has_changed: true,
            app_name: evil(),
            publisher: Some(evil()),
            login: evil(),
            scopes: vec![scope],
            on_behalf_possible: true,
        };
        let redemption = RedemptionConsentPage {
            chrome: chrome(),
            form: form(),
            inviting: evil(),
            inviting_domain: evil(),
            domain_verified: false,
            home_name: Some(evil()),
            login: evil(),
            privacy_url: Some(format!("https://{EVIL}")),
        };
        let device = ConfirmDevicePage {
            chrome: chrome(),
            form: form(),
            app_name: evil(),
            publisher: Some(evil()),
            login: evil(),
            address: Some(evil()),
        };
        vec![
            ("confirm device", device.render().unwrap()),
            ("admin consent", admin_consent.render().unwrap()),
            ("approval", approval(None).render().unwrap()),
            ("approval that is not taken", approval(Some(evil())).render().unwrap()),
            ("ask administrator", ask_administrator.render().unwrap()),
            ("name", name.render().unwrap()),
            ("picker", picker.render().unwrap()),
            ("password", password.render().unwrap()),
            ("change password", change.render().unwrap()),
            ("stay signed in", stay.render().unwrap()),
            ("consent", consent.render().unwrap()),
            ("redemption", redemption.render().unwrap()),
        ]
    }

    fn other_pages() -> Vec<(&'static str, String)> {
        let url = || format!("https://{EVIL}");
        let apps = vec![
            AppTile { name: evil(), url: Some(url()), description: evil() },
            AppTile { name: evil(), url: None, description: evil() },
        ];
        let my_apps = MyAppsPage {
            chrome: chrome(),
            user_name: evil(),
            sign_in_name: evil(),
            organization: evil(),
            apps,
            may_create_tenant: true,
            requests: Some(2),
            tenant: evil(),
            sign_out_url: evil(),
        };
        let error = ErrorPage {
            chrome: chrome(),
            title: evil(),
            what_happened: evil(),
            what_to_do: evil(),
            code: evil(),
            correlation_id: evil(),
            timestamp: evil(),
            retry_url: Some(url()),
        };
        let first_admin = FirstAdminPage {
            chrome: chrome(),
            action_url: evil(),
            token: evil(),
            error: Some(evil()),
            organization: evil(),
            domain: evil(),
            user_name: evil(),
            display_name: evil(),
        };
        let tenant = DevTenant {
            name: evil(),
            domain: evil(),
            id: evil(),
            users: vec![DevUser { name: evil(), password: evil(), roles: evil() }],
            apps: vec![DevApp { kind: evil(), name: evil(), app_id: evil(), secret: Some(evil()) }],
        };
        let mail = MailRow {
            id: evil(),
            to: evil(),
            from: evil(),
            subject: evil(),
            sent: evil(),
            text: format!("{EVIL} {}", url()),
        };
        let message =
            MessagePage { chrome: chrome(), title: evil(), text: evil(), link: Some((evil(), url())) };
        let form_post = FormPostPage { action: evil(), fields: vec![(evil(), evil())] };
        let new_organization = NewOrganizationPage {
            chrome: chrome(),
            action_url: evil(),
            proof: evil(),
            tenant: evil(),
            sign_in_name: evil(),
            suffix: evil(),
            error: Some(evil()),
            organization: evil(),
            name: evil(),
        };
        let request = RequestLine {
            id: "r1".to_owned(),
            app_name: evil(),
            publisher: Some(evil()),
            asked_by: evil(),
            reason: evil(),
            permissions: vec![evil()],
            asked_at: evil(),
            expires_at: evil(),
            approve_url: Some(url()),
        };
        let requests = RequestsPage {
            chrome: chrome(),
            action_url: evil(),
            proof: evil(),
            tenant: evil(),
            user_name: evil(),
            sign_in_name: evil(),
            notice: Some(evil()),
            requests: vec![request],
            can_approve: true,
        };
        let device = DevicePage { chrome: chrome(), action_url: evil(), proof: evil(), error: Some(evil()) };
        let organization = OrganizationLine {
            tenant: evil(),
            name: evil(),
            account: evil(),
            is_enabled: true,
            may_delete: true,
        };
        let organizations = OrganizationsPage {
            chrome: chrome(),
            home: evil(),
            user_name: evil(),
            sign_in_name: evil(),
            notice: Some(evil()),
            others: vec![organization.clone(), OrganizationLine { is_enabled: false, ..organization }],
        };
        let confirm = ConfirmPage {
            chrome: chrome(),
            title: evil(),
            lines: vec![evil()],
            action_url: evil(),
            proof: evil(),
            tenant: evil(),
            action: "leave",
            button: "Leave",
            back_url: evil(),
        };
        vec![
            ("device", device.render().unwrap()),
            ("go on", GoOnPage { chrome: chrome(), host: evil(), url: url() }.render().unwrap()),
            ("requests", requests.render().unwrap()),
            ("organizations", organizations.render().unwrap()),
            ("confirm", confirm.render().unwrap()),
            ("my apps", my_apps.render().unwrap()),
            (
                "signed out",
                SignedOutPage { chrome: chrome(), return_url: Some(url()), frames: vec![url()] }
                    .render()
                    .unwrap(),
            ),
            ("error", error.render().unwrap()),
            ("message", message.render().unwrap()),
            ("block mail", BlockMailPage { chrome: chrome(), action: evil() }.render().unwrap()),
            ("form post", form_post.render().unwrap()),
            ("first admin", first_admin.render().unwrap()),
            ("new organization", new_organization.render().unwrap()),
            ("dev home", DevHomePage { base: evil(), tenants: vec![tenant] }.render().unwrap()),
            ("mailbox", MailboxPage { messages: vec![mail] }.render().unwrap()),
        ]
    }

    fn all_pages() -> Vec<(&'static str, String)> {
        attempt_pages().into_iter().chain(other_pages()).collect()
    }

    /// The tags of a page, without the text between them.
    fn tags(page: &str) -> Vec<&str> {
        page.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag).collect()
    }

    #[test]
    fn what_people_write_is_text_and_never_markup() {
        for (name, page) in all_pages() {
            assert!(!page.contains("<script>"), "{name}: {page}");
            assert!(!page.contains("<b style"), "{name}: {page}");
            assert!(
                page.contains("&#34;&#39;&#62;&#60;script&#62;"),
                "{name} shows nothing of what was given: {page}"
            );
        }
    }

    #[test]
    fn no_page_has_a_style_or_script_of_its_own() {
        for (name, page) in all_pages() {
            for tag in tags(&page) {
                let attributes = tag.split_once(char::is_whitespace).map_or("", |(_, attributes)| attributes);
                // Values are escaped, so every second piece between quotes is a value and the others hold the names.
                for names in attributes.split('"').step_by(2) {
                    let names: Vec<&str> =
                        names.split_whitespace().map(|name| name.trim_end_matches('=')).collect();
                    assert!(
                        !names.iter().any(|name| *name == "style" || name.starts_with("on")),
                        "{name}: <{tag}>"
                    );
                }
                assert!(!tag.starts_with("style"), "{name}: <{tag}>");
                assert!(
                    !tag.starts_with("script") || tag == r#"script src="/assets/form-post.js" defer"#,
                    "{name}: <{tag}>"
                );
            }
            assert_eq!(page.contains("<script"), name == "form post", "{name}");
        }
    }

    #[test]
    fn every_sign_in_form_names_its_attempt_and_carries_its_proof() {
        for (name, page) in attempt_pages() {
            let forms: Vec<&str> = page.split("<form").skip(1).collect();
            assert_eq!(forms.len(), 1, "{name}");
            for form in forms {
                assert!(form.contains(r#"type="hidden" name="attempt" value="a1""#), "{name}: {form}");
                assert!(form.contains(r#"type="hidden" name="proof" value="p1""#), "{name}: {form}");
            }
        }
    }

    #[test]
    fn other_forms_post_too_and_carry_a_proof_of_their_own() {
        // The ticket in the address, the client's own answer, the link's token.
        for (name, proof) in [
            ("device", r#"type="hidden" name="proof" value="&#34;&#39;"#),
            ("block mail", r#"action="&#34;&#39;"#),
            ("form post", r#"type="hidden" name="&#34;&#39;"#),
            ("first admin", r#"type="hidden" name="token" value="&#34;&#39;"#),
            ("new organization", r#"type="hidden" name="proof" value="&#34;&#39;"#),
            ("requests", r#"type="hidden" name="proof" value="&#34;&#39;"#),
            ("confirm", r#"type="hidden" name="proof" value="&#34;&#39;"#),
        ] {
            let (_, page) = other_pages().into_iter().find(|(found, _)| *found == name).unwrap();
            let (_, form) = page.split_once(r#"<form method="post""#).unwrap();
            assert!(form.contains(proof), "{name}: {form}");
        }
        let with_form = other_pages().into_iter().filter(|(_, page)| page.contains("<form"));
        let names: Vec<&str> = with_form.map(|(name, _)| name).collect();
        assert_eq!(
            names,
            ["device", "requests", "confirm", "block mail", "form post", "first admin", "new organization"]
        );
    }

    #[test]
    fn a_guest_reviews_permissions_under_that_heading() {
        let (_, page) = attempt_pages().into_iter().find(|(name, _)| *name == "redemption").unwrap();
        assert!(page.contains("<h1>Review permissions</h1>") && page.contains("<title>Review permissions"));
    }

    #[test]
    fn the_enter_key_presses_the_main_action() {
        let first =
            |page: &str| tags(page).into_iter().find(|tag| tag.starts_with("button")).map(str::to_owned);
        for (name, page) in attempt_pages().into_iter().filter(|(name, _)| *name != "picker") {
            assert!(first(&page).is_some_and(|tag| tag.contains("primary")), "{name}: {page}");
        }
    }

    #[test]
    fn every_page_has_a_title_and_one_heading_and_a_label_for_each_field() {
        for (name, page) in all_pages() {
            assert_eq!(page.matches("<h1>").count(), 1, "{name}");
            assert!(page.contains("<title>") && !page.contains("<title></title>"), "{name}");
            for tag in tags(&page).into_iter().filter(|tag| tag.contains(r#"class="input""#)) {
                let id = tag
                    .split_once(r#"id=""#)
                    .and_then(|(_, rest)| rest.split_once('"'))
                    .map_or("", |(id, _)| id);
                assert!(page.contains(&format!(r#"<label for="{id}">"#)), "{name}: <{tag}>");
            }
        }
    }

    #[test]
    fn an_error_is_announced_and_belongs_to_its_field() {
        for (name, page) in all_pages().into_iter().filter(|(_, page)| page.contains("class=\"problem\"")) {
            assert!(page.contains(r#"id="problem" role="alert""#), "{name}");
            let is_described = |tag: &str| {
                (tag.starts_with("input") || tag.starts_with("textarea"))
                    && tag.contains(r#"aria-describedby="problem"#)
            };
            assert!(tags(&page).into_iter().any(is_described), "{name}");
            assert!(page.contains("<title>Error: "), "{name}");
        }
    }

    #[test]
    fn only_web_addresses_and_own_paths_become_links() {
        for good in ["https://contoso.test/", "HTTP://localhost:5000/", "/myapps?tenant=t"] {
            assert!(is_web(good), "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "//evil.test",
            "/\\evil.test",
            "evil.test",
            "",
            "https:/é",
        ] {
            assert!(!is_web(bad), "{bad}");
        }
        let url = "javascript:alert(1)".to_owned();
        let page = SignedOutPage { chrome: chrome(), return_url: Some(url.clone()), frames: vec![url] }
            .render()
            .unwrap();
        assert!(!page.contains("javascript"));
    }

    #[test]
    fn a_mail_can_be_followed_and_loses_no_letter() {
        let text = "Hello,\n\nopen https://localhost/redeem?a=1&b=2.\nBye (http://localhost/x)\n";
        let mail = MailRow {
            id: "1".to_owned(),
            to: evil(),
            from: evil(),
            subject: evil(),
            sent: evil(),
            text: text.to_owned(),
        };
        let pieces = mail.pieces();
        assert_eq!(pieces.iter().map(|piece| piece.text).collect::<String>(), text);
        let links: Vec<&str> = pieces.iter().filter(|piece| piece.is_link).map(|piece| piece.text).collect();
        assert_eq!(links, ["https://localhost/redeem?a=1&b=2"]);
    }

    #[test]
    fn a_name_without_letters_has_no_initial() {
        assert_eq!(initial("élodie"), "É");
        assert_eq!(initial("(bob)"), "B");
        assert_eq!(initial("— —"), "");
    }

    #[test]
    fn hovering_shades_away_from_the_ink() {
        let style = |accent: &str, ink: &str| {
            TenantStyle { accent: accent.to_owned(), accent_ink: ink.to_owned() }.render().unwrap()
        };
        assert!(
            style("#0a5c8f", "#ffffff")
                .contains("--accent:#0a5c8f;--accent-ink:#ffffff;--accent-shade:#000000")
        );
        assert!(style("#ffd000", "#000000").contains("--accent-shade:#ffffff"));
    }
}
