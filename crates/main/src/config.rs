//! The configuration file of `hospes serve`.

use crate::cli::LogFormat;
use anyhow::{Context, Result, anyhow, bail};
use domain::tenancy::domain_name::DomainName;
use domain::tenancy::limits::{Limit, Limits};
use domain::tenancy::tenant::OptionalGrants;
use outbound::mail::{SmtpSecurity, SmtpSettings};
use serde::Deserialize;
use service::Settings;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// Everything an operator may set. Secrets are given as files.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// `https://login.contoso.example`: what clients know. Links and issuers are built from it and nothing else.
    pub(crate) base_url: String,
    #[serde(default = "default_listen")]
    pub(crate) listen: SocketAddr,
    pub(crate) data: PathBuf,
    pub(crate) tls: Option<Tls>,
    pub(crate) behind_proxy: Option<BehindProxy>,
    pub(crate) smtp: Option<Smtp>,
    #[serde(default)]
    pub(crate) outgoing: Outgoing,
    #[serde(default)]
    pub(crate) grants: Grants,
    /// People make organisations of their own below this domain: `onhospes.example`. Without it, only the operator does.
    tenants_under: Option<String>,
    /// How much there may be of what, by the limits' names; for tenants that say nothing themselves.
    #[serde(default)]
    limits: BTreeMap<String, u32>,
    /// `text` or `json`; if left out, text on a terminal and JSON elsewhere.
    pub(crate) log_format: Option<LogFormat>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    pub(crate) cert_file: PathBuf,
    pub(crate) key_file: PathBuf,
}

/// Plain HTTP is spoken only to these.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BehindProxy {
    pub(crate) trusted: Vec<IpAddr>,
}

/// What is asked of addresses that tenants name. Only public ones are asked, and those listed here.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Outgoing {
    /// Addresses of the operator's own network that may be asked, too.
    pub(crate) allowed: Vec<IpAddr>,
}

/// Grants that are off unless they are wanted: for tenants that say nothing themselves.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Grants {
    device_code: bool,
    password: bool,
}

impl Grants {
    pub(crate) fn optional(&self) -> OptionalGrants {
        OptionalGrants { device_code: self.device_code, password: self.password }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Smtp {
    host: String,
    port: u16,
    /// `tls`, `starttls`, or `none` for a server on this machine.
    tls: String,
    user: Option<String>,
    password_file: Option<PathBuf>,
    from: String,
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], 8443))
}

const EXAMPLE: &str = "An example:\n  base_url = \"https://login.contoso.example\"\n  data = \"/var/lib/hospes\"\n  [tls]\n  cert_file = \"/etc/hospes/cert.pem\"\n  key_file = \"/etc/hospes/key.pem\"";

impl Config {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration {}\n{EXAMPLE}", path.display()))?;
        Self::parse(&text).with_context(|| format!("the configuration {} is not right", path.display()))
    }

    /// What the service is told of it.
    pub(crate) fn settings(&self) -> Result<Settings> {
        Ok(Settings {
            grants: self.grants.optional(),
            limits: self.limits()?,
            tenants_under: self.tenants_under()?,
            ..Settings::new(&self.base_url)
        })
    }

    fn parse(text: &str) -> Result<Self> {
        let mut config: Self = toml::from_str(text)?;
        config.base_url = config.base_url.trim_end_matches('/').to_owned();
        let url = url::Url::parse(&config.base_url)
            .context("base_url is no address; it looks like https://login.contoso.example")?;
        if url.scheme() != "https" || url.path() != "/" || url.query().is_some() || !url.username().is_empty()
        {
            bail!("base_url must be https, a host, and perhaps a port: every client refuses anything else");
        }
        config.limits()?;
        config.tenants_under()?;
        match (&config.tls, &config.behind_proxy) {
            (None, None) => bail!(
                "say how TLS is done: [tls] with cert_file and key_file, or [behind_proxy] with trusted addresses"
            ),
            (Some(_), Some(_)) => bail!("[tls] and [behind_proxy] exclude each other; remove one"),
            (None, Some(proxy)) if proxy.trusted.is_empty() => {
                bail!("[behind_proxy] needs at least one trusted address")
            }
            (_, _) => Ok(config),
        }
    }

    pub(crate) fn tenants_under(&self) -> Result<Option<DomainName>> {
        let parse = |name: &String| {
            DomainName::parse(name).with_context(|| format!("tenants_under is `{name}`, which is no domain"))
        };
        self.tenants_under.as_ref().map(parse).transpose()
    }

    pub(crate) fn limits(&self) -> Result<Limits> {
        let given = self.limits.iter().map(|(name, most)| (name.as_str(), *most));
        Limits::parse(given).map_err(|name| {
            let known: Vec<_> = Limit::ALL.into_iter().map(Limit::as_str).collect();
            anyhow!("limits.{name} is no limit; there are {}", known.join(", "))
        })
    }
}

impl Smtp {
    pub(crate) fn settings(&self) -> Result<SmtpSettings> {
        let security = match self.tls.as_str() {
            "none" => SmtpSecurity::None,
            "starttls" => SmtpSecurity::StartTls,
            "tls" => SmtpSecurity::Tls,
            other => bail!("smtp.tls is `{other}`; it must be tls, starttls or none"),
        };
        let credentials = match (&self.user, &self.password_file) {
            (None, None) => None,
            (Some(user), Some(file)) => {
                let password = std::fs::read_to_string(file)
                    .with_context(|| format!("cannot read smtp.password_file {}", file.display()))?;
                Some((user.clone(), password.trim_end().to_owned()))
            }
            (Some(_), None) | (None, Some(_)) => bail!("smtp.user and smtp.password_file belong together"),
        };
        Ok(SmtpSettings {
            host: self.host.clone(),
            port: self.port,
            security,
            credentials,
            from: self.from.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_settings_are_named() {
        let tls = "[tls]\ncert_file = \"c\"\nkey_file = \"k\"\n";
        for (text, hint) in [
            ("".to_owned(), "base_url"),
            (format!("base_url = \"http://a.test\"\ndata = \"d\"\n{tls}"), "https"),
            (format!("base_url = \"https://a.test/idp\"\ndata = \"d\"\n{tls}"), "https"),
            ("base_url = \"https://a.test\"\ndata = \"d\"\n".to_owned(), "[tls]"),
            (format!("base_url = \"https://a.test\"\ndata = \"d\"\ncolour = 1\n{tls}"), "colour"),
            (
                format!("base_url = \"https://a.test\"\ndata = \"d\"\n{tls}[limits]\nfun = 1\n"),
                "directoriesOfPerson",
            ),
            (
                "base_url = \"https://a.test\"\ndata = \"d\"\n[behind_proxy]\ntrusted = []\n".to_owned(),
                "trusted",
            ),
        ] {
            let error = format!("{:#}", Config::parse(&text).unwrap_err());
            assert!(error.contains(hint), "{error}");
        }
        let fine = format!("base_url = \"https://a.test/\"\ndata = \"d\"\n{tls}");
        assert_eq!(Config::parse(&fine).unwrap().base_url, "https://a.test");
        // R33: nobody gets one of these grants by saying nothing.
        assert_eq!(Config::parse(&fine).unwrap().grants.optional(), OptionalGrants::default());
        let wanted = Config::parse(&format!("{fine}[grants]\ndevice_code = true\n")).unwrap();
        assert_eq!(wanted.grants.optional(), OptionalGrants { device_code: true, password: false });
    }
}
