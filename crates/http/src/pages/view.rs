//! What pages show: plain values in, HTML out. Nothing here knows a request or the domain.

use askama::Template;

/// What every page carries: whose it is.
#[derive(Clone, Debug)]
pub struct Chrome {
    pub tenant_name: String,
    /// Address of the tenant's colours.
    pub tenant_style: Option<String>,
    pub logo: Option<String>,
    pub lang: String,
}

/// Where a sign-in form goes, and the proof that it is ours.
#[derive(Clone, Debug)]
pub struct Form {
    pub action_url: String,
    pub attempt: String,
    pub proof: String,
}

macro_rules! pages {
    ($($(#[$doc:meta])* $name:ident = $path:literal { $($field:ident: $kind:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Template)]
        #[template(path = $path)]
        pub struct $name { $(pub $field: $kind),* }
    )*};
}

pages! {
    /// Asks who signs in.
    NamePage = "name.html" { chrome: Chrome, form: Form, login: String, error: Option<String>, app_name: Option<String> }
    /// Offers the accounts that are signed in.
    AccountPicker = "picker.html" { chrome: Chrome, form: Form, accounts: Vec<AccountTile>, app_name: Option<String> }
    PasswordPage = "password.html" { chrome: Chrome, form: Form, login: String, error: Option<String> }
    ChangePasswordPage = "change_password.html" { chrome: Chrome, form: Form, login: String, error: Option<String>, rules: String }
    StaySignedInPage = "stay.html" { chrome: Chrome, form: Form, login: String }
    /// Asks for agreement to an application's permissions.
    ConsentPage = "consent.html" {
        chrome: Chrome, form: Form, app_name: String, publisher: Option<String>, login: String, scopes: Vec<ScopeLine>,
        on_behalf_possible: bool,
    }
    /// Asks for agreement to become a guest.
    RedemptionConsentPage = "redemption.html" {
        chrome: Chrome, form: Form, inviting: String, inviting_domain: String, domain_verified: bool,
        home_name: Option<String>, login: String, privacy_url: Option<String>,
    }
    /// Shows the host before an unregistered address is followed (R06).
    GoOnPage = "go_on.html" { chrome: Chrome, host: String, url: String }
    MyAppsPage = "my_apps.html" {
        chrome: Chrome, user_name: String, sign_in_name: String, organization: String, apps: Vec<AppTile>, sign_out_url: String,
    }
    SignedOutPage = "signed_out.html" { chrome: Chrome, return_url: Option<String> }
    ErrorPage = "error.html" {
        chrome: Chrome, title: String, what_happened: String, what_to_do: String, code: String, correlation_id: String,
        timestamp: String, retry_url: Option<String>,
    }
    MessagePage = "message.html" { chrome: Chrome, title: String, text: String, link: Option<(String, String)> }
    /// Asks before invitation mail is blocked (R07).
    BlockMailPage = "block_mail.html" { chrome: Chrome, action: String }
    /// The OAuth answer that posts itself.
    FormPostPage = "form_post.html" { action: String, fields: Vec<(String, String)> }
    MailboxPage = "mailbox.html" { messages: Vec<MailRow> }
    DevHomePage = "dev_home.html" { base: String, tenants: Vec<DevTenant> }
    /// Makes the first organisation and its administrator.
    FirstAdminPage = "first_admin.html" {
        chrome: Chrome, action_url: String, token: String, error: Option<String>, organization: String, domain: String,
        user_name: String, display_name: String,
    }
}

/// A tenant's colours as a style sheet; the caller checked them.
#[derive(Debug, Template)]
#[template(path = "tenant.css", escape = "none")]
pub struct TenantStyle {
    pub accent: String,
    pub accent_ink: String,
}

#[derive(Clone, Debug)]
pub struct AccountTile {
    pub value: String,
    pub name: String,
    pub sign_in_name: String,
}

#[derive(Clone, Debug)]
pub struct ScopeLine {
    pub title: String,
    pub description: String,
    pub admin: bool,
}

#[derive(Clone, Debug)]
pub struct AppTile {
    pub name: String,
    pub url: Option<String>,
    pub description: String,
}

#[derive(Clone, Debug)]
pub struct MailRow {
    pub id: String,
    pub to: String,
    pub from: String,
    pub subject: String,
    pub sent: String,
    pub text: String,
}

#[derive(Clone, Debug)]
pub struct DevTenant {
    pub name: String,
    pub domain: String,
    pub id: String,
    pub users: Vec<DevUser>,
    pub apps: Vec<DevApp>,
}

#[derive(Clone, Debug)]
pub struct DevUser {
    pub name: String,
    pub password: String,
    pub roles: String,
}

#[derive(Clone, Debug)]
pub struct DevApp {
    pub kind: String,
    pub name: String,
    pub app_id: String,
    pub secret: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVIL: &str = "<script>alert(1)</script>\"'";

    fn chrome() -> Chrome {
        Chrome { tenant_name: EVIL.into(), tenant_style: None, logo: None, lang: "en".into() }
    }
    fn form() -> Form {
        Form { action_url: "https://localhost/t/login".into(), attempt: "a".into(), proof: "p".into() }
    }

    fn sign_in_pages() -> Vec<String> {
        let evil = || EVIL.to_owned();
        let scope = ScopeLine { title: evil(), description: evil(), admin: true };
        let tile = AccountTile { value: evil(), name: evil(), sign_in_name: evil() };
        [
            NamePage { chrome: chrome(), form: form(), login: evil(), error: Some(evil()), app_name: Some(evil()) }.render(),
            AccountPicker { chrome: chrome(), form: form(), accounts: vec![tile], app_name: Some(evil()) }.render(),
            PasswordPage { chrome: chrome(), form: form(), login: evil(), error: Some(evil()) }.render(),
            ChangePasswordPage { chrome: chrome(), form: form(), login: evil(), error: Some(evil()), rules: evil() }.render(),
            StaySignedInPage { chrome: chrome(), form: form(), login: evil() }.render(),
            ConsentPage {
                chrome: chrome(),
                form: form(),
                app_name: evil(),
                publisher: Some(evil()),
                login: evil(),
                scopes: vec![scope],
                on_behalf_possible: true,
            }
            .render(),
            RedemptionConsentPage {
                chrome: chrome(),
                form: form(),
                inviting: evil(),
                inviting_domain: evil(),
                domain_verified: false,
                home_name: Some(evil()),
                login: evil(),
                privacy_url: Some(evil()),
            }
            .render(),
        ]
        .into_iter()
        .map(Result::unwrap)
        .collect()
    }

    #[test]
    fn what_people_write_is_text_and_nothing_else() {
        for page in sign_in_pages() {
            assert!(!page.contains("<script>alert"), "{page}");
            assert!(!page.contains(" style="), "{page}");
            assert!(!page.contains(" onclick"), "{page}");
        }
    }

    #[test]
    fn every_sign_in_form_names_its_attempt_and_carries_its_proof() {
        for page in sign_in_pages() {
            assert!(page.contains(r#"name="attempt" value="a""#) && page.contains(r#"name="proof" value="p""#), "{page}");
        }
    }
}
