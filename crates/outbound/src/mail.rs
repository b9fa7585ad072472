//! Mail: what an invitation says, and how a mail leaves. Called by the outbox job, never by a request.

use askama::Template;
use domain::mail::Mail;
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::sync::{Arc, Mutex, PoisonError};

/// Sends mail.
#[derive(Clone)]
pub struct Mailer {
    sender: String,
    transport: Transport,
}

#[derive(Clone)]
enum Transport {
    /// Keeps what was sent: tests, and development without a mail server.
    Memory(Arc<Mutex<Vec<Mail>>>),
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mailer({})", self.sender)
    }
}

/// Why a mail did not leave.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("`{0}` is no mail address")]
    Address(String),
    #[error("the mail server refused or could not be reached: {0}")]
    Server(String),
    #[error("the mail settings are wrong: {0}")]
    Settings(String),
}

/// How the mail server is reached.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    pub host: String,
    pub port: u16,
    pub security: SmtpSecurity,
    /// User name and password.
    pub credentials: Option<(String, String)>,
    /// `Name <address>` or an address.
    pub from: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// Only for a server on this machine.
    None,
    StartTls,
    Tls,
}

impl Mailer {
    /// A mailer that keeps what it is given.
    pub fn in_memory(sender: &str) -> Self {
        Self { sender: sender.to_owned(), transport: Transport::Memory(Arc::default()) }
    }

    /// A mailer that talks to a server.
    pub fn smtp(settings: &SmtpSettings) -> Result<Self, MailError> {
        settings.from.parse::<Mailbox>().map_err(|_| MailError::Address(settings.from.clone()))?;
        let parameters = || {
            TlsParameters::new(settings.host.clone()).map_err(|error| MailError::Settings(error.to_string()))
        };
        let tls = match settings.security {
            SmtpSecurity::None if matches!(settings.host.as_str(), "localhost" | "127.0.0.1" | "::1") => {
                Tls::None
            }
            SmtpSecurity::None => {
                let text =
                    "mail without TLS is only sent to this machine; set tls to \"starttls\" or \"tls\"";
                return Err(MailError::Settings(text.to_owned()));
            }
            SmtpSecurity::StartTls => Tls::Required(parameters()?),
            SmtpSecurity::Tls => Tls::Wrapper(parameters()?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port)
            .tls(tls);
        if let Some((user, password)) = &settings.credentials {
            builder = builder.credentials(Credentials::new(user.clone(), password.clone()));
        }
        Ok(Self { sender: settings.from.clone(), transport: Transport::Smtp(builder.build()) })
    }

    /// Whom mails come from.
    pub fn sender(&self) -> &str {
        &self.sender
    }

    /// What a mailer in memory was given, oldest first; empty for a real one.
    pub fn sent(&self) -> Vec<Mail> {
        match &self.transport {
            Transport::Memory(sent) => sent.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            Transport::Smtp(_) => Vec::new(),
        }
    }

    pub async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        match &self.transport {
            Transport::Memory(sent) => {
                sent.lock().unwrap_or_else(PoisonError::into_inner).push(mail.clone());
                Ok(())
            }
            Transport::Smtp(server) => {
                let message = message(&self.sender, mail)?;
                server.send(message).await.map(|_| ()).map_err(|error| MailError::Server(error.to_string()))
            }
        }
    }
}

fn message(sender: &str, mail: &Mail) -> Result<Message, MailError> {
    let mailbox = |text: &str| text.parse::<Mailbox>().map_err(|_| MailError::Address(text.to_owned()));
    let mut builder = Message::builder().from(mailbox(sender)?).to(mailbox(&mail.to)?).subject(&mail.subject);
    for cc in &mail.cc {
        builder = builder.cc(mailbox(cc)?);
    }
    if let Some(reply_to) = &mail.reply_to {
        builder = builder.reply_to(mailbox(reply_to)?);
    }
    builder
        .multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))
        .map_err(|error| MailError::Settings(error.to_string()))
}

/// What an invitation mail is made of. Names and words are stripped of lures before they come here (R07).
#[derive(Clone, Copy, Debug)]
pub struct InvitationMail<'a> {
    pub to: &'a str,
    pub cc: Option<&'a str>,
    pub reply_to: Option<&'a str>,
    pub organization: &'a str,
    pub domain: &'a str,
    pub is_domain_verified: bool,
    pub inviter: Option<&'a str>,
    pub guest: Option<&'a str>,
    pub message: Option<&'a str>,
    pub redeem_url: &'a str,
    pub block_url: &'a str,
    pub privacy_url: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "invitation.txt", escape = "none")]
struct InvitationText<'a> {
    mail: InvitationMail<'a>,
}

#[derive(Template)]
#[template(path = "invitation.html")]
struct InvitationHtml<'a> {
    mail: InvitationMail<'a>,
}

/// An invitation as a mail. The subject is fixed but for the organisation's name.
pub fn invitation_mail(mail: &InvitationMail<'_>) -> Mail {
    let text = InvitationText { mail: *mail }.render().unwrap_or_default();
    let html = InvitationHtml { mail: *mail }.render().unwrap_or_default();
    Mail {
        to: mail.to.to_owned(),
        cc: mail.cc.map(str::to_owned).into_iter().collect(),
        reply_to: mail.reply_to.map(str::to_owned),
        subject: format!(
            "{} invited you to access applications within their organization",
            mail.organization
        ),
        text,
        html,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: InvitationMail<'_> = InvitationMail {
        to: "bob@fabrikam.test",
        cc: None,
        reply_to: None,
        organization: "Contoso <script>",
        domain: "contoso.test",
        is_domain_verified: true,
        inviter: Some("Alice"),
        guest: None,
        message: Some("Welcome & hello"),
        redeem_url: "https://localhost:8443/redeem?tenant=t&user=u&ticket=x&ver=2.0",
        block_url: "https://localhost:8443/redeem/block?tenant=t",
        privacy_url: None,
    };

    #[test]
    fn the_html_part_escapes_and_the_text_part_has_the_link_whole() {
        let mail = invitation_mail(&MAIL);
        assert!(!mail.html.contains("<script>"));
        assert!(mail.text.contains(MAIL.redeem_url));
        assert!(mail.text.contains("contoso.test"));
    }

    #[tokio::test]
    async fn a_mailer_in_memory_keeps_what_it_was_given() {
        let mailer = Mailer::in_memory("invites@localhost");
        mailer.send(&invitation_mail(&MAIL)).await.unwrap();
        assert_eq!(mailer.sent().len(), 1);
    }

    #[test]
    fn mail_without_tls_leaves_only_for_this_machine() {
        let settings = |host: &str| SmtpSettings {
            host: host.to_owned(),
            port: 25,
            security: SmtpSecurity::None,
            credentials: None,
            from: "invites@contoso.test".to_owned(),
        };
        assert!(Mailer::smtp(&settings("mail.contoso.test")).is_err());
    }
}
