//! Mail: what an invitation says, and how a mail leaves. Called by the outbox job, never by a request.

use askama::Template;
use domain::mail::Mail;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use standards::{b64, crypto};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Sends mail.
#[derive(Clone)]
pub struct Mailer {
    sender: String,
    transport: Transport,
}

#[derive(Clone)]
enum Transport {
    /// No mail server is known: mail waits in the outbox until one is, or until patience ends.
    Absent,
    /// Keeps what was sent: tests, and development without a mail server.
    Memory(Arc<Mutex<VecDeque<Mail>>>),
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mailer({})", self.sender)
    }
}

/// Mails that a mailer in memory keeps; a development server may run for weeks.
const KEPT: usize = 1_000;

/// Why a mail did not leave.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("no mail server is configured")]
    Absent,
    #[error("`{0}` is no mail address")]
    Address(String),
    /// The server will never take this mail (RFC 5321 §4.2.1, 5yz).
    #[error("the mail server refused the mail: {0}")]
    Rejected(String),
    #[error("the mail server could not take the mail now: {0}")]
    Server(String),
    #[error("the mail settings are wrong: {0}")]
    Settings(String),
}

impl MailError {
    /// Whether trying the same mail again can help.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Absent | Self::Server(_) | Self::Settings(_) => false,
            Self::Address(_) | Self::Rejected(_) => true,
        }
    }
}

/// How the mail server is reached.
#[derive(Clone)]
pub struct SmtpSettings {
    pub host: String,
    pub port: u16,
    pub security: SmtpSecurity,
    /// User name and password.
    pub credentials: Option<(String, String)>,
    /// `Name <address>` or an address.
    pub from: String,
}

impl std::fmt::Debug for SmtpSettings {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SmtpSettings({}:{}, {:?})", self.host, self.port, self.security)
    }
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

    /// A mailer of a deployment without a mail server.
    pub fn absent(sender: &str) -> Self {
        Self { sender: sender.to_owned(), transport: Transport::Absent }
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
            Transport::Memory(sent) => {
                sent.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
            }
            Transport::Absent | Transport::Smtp(_) => Vec::new(),
        }
    }

    pub async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        match &self.transport {
            Transport::Absent => Err(MailError::Absent),
            Transport::Memory(sent) => {
                let mut sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
                if sent.len() >= KEPT {
                    sent.pop_front();
                }
                sent.push_back(mail.clone());
                Ok(())
            }
            Transport::Smtp(server) => {
                let message = message(&self.sender, mail)?;
                server.send(message).await.map(|_| ()).map_err(|error| {
                    if error.is_permanent() {
                        MailError::Rejected(error.to_string())
                    } else {
                        MailError::Server(error.to_string())
                    }
                })
            }
        }
    }
}

fn message(sender: &str, mail: &Mail) -> Result<Message, MailError> {
    let wrong = |text: &str| MailError::Address(text.to_owned());
    // A recipient is an address and nothing else: a display name would be somebody else's text.
    let mailbox =
        |text: &str| text.parse::<Address>().map(|to| Mailbox::new(None, to)).map_err(|_| wrong(text));
    let from = sender.parse::<Mailbox>().map_err(|_| wrong(sender))?;
    // The same mail has the same id, so that a recipient's server sees through a repetition after a crash
    // (RFC 5322 §3.6.4). The text holds the ticket, so that no two invitations are the same.
    let digest = crypto::sha256(&[mail.to.as_bytes(), mail.subject.as_bytes(), mail.text.as_bytes()]);
    let id = format!("<{}@{}>", b64::encode(&digest), from.email.domain());
    let mut builder = Message::builder()
        .message_id(Some(id))
        .from(from)
        .to(mailbox(&mail.to)?)
        .subject(&mail.subject)
        .header(AutoSubmitted);
    for cc in &mail.cc {
        builder = builder.cc(mailbox(cc)?);
    }
    // An inviter's own address that mail cannot carry must not keep the invitation from leaving.
    if let Some(Ok(reply_to)) = mail.reply_to.as_deref().map(mailbox) {
        builder = builder.reply_to(reply_to);
    }
    builder
        .multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))
        .map_err(|error| MailError::Settings(error.to_string()))
}

/// Keeps holiday notices from answering (RFC 3834 §5).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }
    fn parse(_text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }
    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
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

/// What a mail about a request for approval is made of. Names and words are stripped of lures before they come here (R07).
#[derive(Clone, Copy, Debug)]
pub struct NoticeMail<'a> {
    pub to: &'a str,
    pub organization: &'a str,
    pub domain: &'a str,
    pub is_domain_verified: bool,
    pub title: &'a str,
    pub says: &'a str,
    pub quoted: &'a str,
    pub quote: &'a [String],
    pub advice: &'a str,
    /// Text and address, a page of ours.
    pub link: Option<(&'a str, &'a str)>,
}

#[derive(Template)]
#[template(path = "notice.txt", escape = "none")]
struct NoticeText<'a> {
    mail: NoticeMail<'a>,
}

#[derive(Template)]
#[template(path = "notice.html")]
struct NoticeHtml<'a> {
    mail: NoticeMail<'a>,
}

/// A notice as a mail. The subject is fixed but for the organisation's name.
pub fn notice_mail(mail: &NoticeMail<'_>) -> Mail {
    Mail {
        to: mail.to.to_owned(),
        cc: Vec::new(),
        reply_to: None,
        subject: format!("{}: {}", mail.organization, mail.title),
        text: NoticeText { mail: *mail }.render().unwrap_or_default(),
        html: NoticeHtml { mail: *mail }.render().unwrap_or_default(),
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

    #[test]
    fn a_notice_quotes_and_escapes() {
        let quote = ["I need <b>it</b>".to_owned(), "today".to_owned()];
        let mail = notice_mail(&NoticeMail {
            to: "bob@contoso.test",
            organization: "Contoso",
            domain: "contoso.test",
            is_domain_verified: true,
            title: "An application waits for approval",
            says: "Carol asks for App.",
            quoted: "They wrote",
            quote: &quote,
            advice: "Look at it.",
            link: Some(("Look at the request", "https://localhost/myapps/requests?tenant=t&request=r")),
        });
        assert_eq!(mail.subject, "Contoso: An application waits for approval");
        assert!(mail.text.contains("They wrote:\n> I need <b>it</b>\n> today\n"), "{}", mail.text);
        assert!(mail.text.contains("https://localhost/myapps/requests?tenant=t&request=r"));
        assert!(!mail.html.contains("<b>it"));
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

    #[test]
    fn a_mail_tried_again_is_the_same_mail() {
        let mail = invitation_mail(&MAIL);
        let raw = |mail: &Mail| {
            let message = message("Hospes <invites@contoso.test>", mail).unwrap();
            message.headers().get_raw("Message-ID").map(str::to_owned)
        };
        assert_eq!(raw(&mail), raw(&mail));
        let other =
            invitation_mail(&InvitationMail { redeem_url: "https://localhost:8443/redeem?ticket=y", ..MAIL });
        assert_ne!(raw(&mail), raw(&other));
    }

    #[test]
    fn addresses_and_subjects_cannot_add_headers() {
        let mut mail = invitation_mail(&MAIL);
        mail.subject = "Hello\r\nBcc: mallory@evil.test".to_owned();
        let sent = message("invites@contoso.test", &mail).unwrap().formatted();
        assert!(!String::from_utf8_lossy(&sent).lines().any(|line| line.starts_with("Bcc:")));
        mail.to = "bob@fabrikam.test>\r\nBcc: mallory@evil.test".to_owned();
        assert!(matches!(message("invites@contoso.test", &mail), Err(MailError::Address(_))));
        mail.to = "Your bank <bob@fabrikam.test>".to_owned();
        assert!(matches!(message("invites@contoso.test", &mail), Err(MailError::Address(_))));
    }

    #[tokio::test]
    async fn without_a_server_mail_waits() {
        let error = Mailer::absent("invites@contoso.test").send(&invitation_mail(&MAIL)).await.unwrap_err();
        assert!(!error.is_final());
    }

    /// A mail server that answers the recipient with `verdict`; hands over what it was sent.
    fn server(verdict: &'static str) -> (u16, std::thread::JoinHandle<String>) {
        use std::io::{BufRead, BufReader, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let session = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let (mut answers, mut lines) = (stream.try_clone().unwrap(), BufReader::new(stream).lines());
            let mut said = String::new();
            write!(answers, "220 ready\r\n").unwrap();
            let mut is_data = false;
            while let Some(Ok(line)) = lines.next() {
                said.push_str(&line);
                said.push('\n');
                is_data &= line != ".";
                if is_data {
                    continue;
                }
                let answer = match line.split([' ', ':']).next().unwrap_or_default() {
                    "RCPT" => verdict,
                    "DATA" => "354 go on",
                    _ => "250 fine",
                };
                is_data = line == "DATA";
                if write!(answers, "{answer}\r\n").is_err() || line == "QUIT" {
                    break;
                }
            }
            said
        });
        (port, session)
    }

    async fn send_to(verdict: &'static str) -> (Result<(), MailError>, String) {
        let (port, session) = server(verdict);
        let settings = SmtpSettings {
            host: "127.0.0.1".to_owned(),
            port,
            security: SmtpSecurity::None,
            credentials: None,
            from: "Hospes <invites@contoso.test>".to_owned(),
        };
        let mailer = Mailer::smtp(&settings).unwrap();
        let outcome = mailer.send(&invitation_mail(&MAIL)).await;
        drop(mailer);
        (outcome, tokio::task::spawn_blocking(move || session.join().unwrap()).await.unwrap())
    }

    #[tokio::test]
    async fn a_server_is_told_sender_and_recipient_and_gets_both_parts() {
        let (outcome, said) = send_to("250 fine").await;
        outcome.unwrap();
        for part in [
            "<invites@contoso.test>",
            "<bob@fabrikam.test>",
            "text/plain",
            "text/html",
            "Auto-Submitted: auto-generated",
            "Message-ID: <",
        ] {
            assert!(said.contains(part), "{part} in {said}");
        }
    }

    #[tokio::test]
    async fn only_a_refusal_for_good_is_final() {
        assert!(send_to("550 nobody here").await.0.unwrap_err().is_final());
        assert!(!send_to("451 come again").await.0.unwrap_err().is_final());
    }
}
