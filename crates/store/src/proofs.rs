//! Codes, grants and refresh tokens. Only hashes are kept; kind and tenant are part of each (R10).

use crate::applications::{platform, platform_name};
use crate::fault::Fault;
use crate::signins::{ProvedDocument, evidence, evidence_document};
use crate::sql::{Row, Value, to_json};
use crate::{ReadTx, WriteTx};
use domain::id::{AppId, GrantId, SessionId, TenantId, UserId};
use domain::issuance::decide::{CodeFacts, GrantFacts, Via};
use domain::proof::ProofHash;
use domain::signin::evidence::Proved;
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use standards::oauth::authorize::{ChallengeMethod, CodeChallenge};
use uuid::Uuid;

/// An authorization code to be kept.
#[derive(Clone, Debug)]
pub struct CodeRow {
    pub hash: ProofHash,
    pub facts: CodeFacts,
}

/// A home's code for a partner: what the home will say when the partner redeems it.
#[derive(Clone, Debug)]
pub struct PartnerCode {
    pub partner: TenantId,
    pub user: UserId,
    pub session: SessionId,
    pub evidence: Vec<Proved>,
    pub nonce: Option<String>,
    pub challenge: CodeChallenge,
    pub expires_at: Timestamp,
    pub redeemed_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct CodeBody {
    redirect_uri: String,
    /// Method and value.
    challenge: Option<(String, String)>,
    nonce: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct PartnerBody {
    partner: String,
    user: String,
    session: String,
    evidence: Vec<ProvedDocument>,
    nonce: Option<String>,
    challenge: (String, String),
}

fn challenge_pair(challenge: &CodeChallenge) -> (String, String) {
    let method = match challenge.method {
        ChallengeMethod::Plain => "plain",
        ChallengeMethod::S256 => "S256",
    };
    (method.to_owned(), challenge.value.clone())
}

fn challenge((method, value): (String, String)) -> Result<CodeChallenge, Fault> {
    let method = match method.as_str() {
        "plain" => ChallengeMethod::Plain,
        "S256" => ChallengeMethod::S256,
        _ => return Err(Fault::Bug("a stored challenge has an unknown method")),
    };
    Ok(CodeChallenge { method, value })
}

const GRANT_COLUMNS: &str =
    "id, client, user, session, evidence, platform, scopes, started_at, used_at, revoked_at, via, parent";

const fn via_text(via: Via) -> &'static str {
    match via {
        Via::Browser => "browser",
        Via::DeviceCode => "device",
        Via::Password => "password",
    }
}

fn via(text: &str) -> Result<Via, Fault> {
    [Via::Browser, Via::DeviceCode, Via::Password]
        .into_iter()
        .find(|via| via_text(*via) == text)
        .ok_or(Fault::Bug("a stored way of a grant is unknown"))
}

fn read_grant(row: &Row<'_>) -> Result<GrantFacts, Fault> {
    Ok(GrantFacts {
        id: GrantId::new(row.uuid(0)?),
        client: AppId::new(row.uuid(1)?),
        user: UserId::new(row.uuid(2)?),
        session: SessionId::new(row.uuid(3)?),
        evidence: evidence(row.json(4)?)?,
        platform: platform(&row.text(5)?)?,
        via: via(&row.text(10)?)?,
        parent: row.opt_uuid(11)?.map(GrantId::new),
        scopes: row.json(6)?,
        started_at: row.time(7)?,
        used_at: row.time(8)?,
        revoked_at: row.opt_time(9)?,
    })
}

impl ReadTx<'_> {
    pub fn find_grant(&self, id: GrantId) -> Result<Option<GrantFacts>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!("SELECT {GRANT_COLUMNS} FROM grants WHERE tenant = $1 AND id = $2");
        self.link().one(&sql, &[(&tenant).into(), (&id.uuid()).into()], read_grant)
    }

    /// The grant that a refresh token belongs to.
    pub fn find_grant_by_refresh_token(&self, hash: ProofHash) -> Result<Option<GrantFacts>, Fault> {
        let tenant = self.tenant()?.uuid();
        let id = self.link().one(
            "SELECT grant_id FROM refresh_tokens WHERE tenant = $1 AND hash = $2",
            &[(&tenant).into(), (&hash.0).into()],
            |row| Ok(GrantId::new(row.uuid(0)?)),
        )?;
        id.map_or(Ok(None), |id| self.find_grant(id))
    }

    /// An authorization code with its grant, used or not.
    pub fn find_code(&self, hash: ProofHash) -> Result<Option<CodeFacts>, Fault> {
        let Some((grant, body, expires_at, redeemed_at)) = self.code_row::<CodeBody>(hash)? else {
            return Ok(None);
        };
        let Some(grant) = self.find_grant(GrantId::new(grant))? else { return Ok(None) };
        Ok(Some(CodeFacts {
            grant,
            redirect_uri: body.redirect_uri,
            challenge: body.challenge.map(challenge).transpose()?,
            nonce: body.nonce,
            expires_at,
            redeemed_at,
        }))
    }

    /// A code that this tenant, as home, gave for a partner.
    pub fn find_partner_code(&self, hash: ProofHash) -> Result<Option<PartnerCode>, Fault> {
        let Some((_, body, expires_at, redeemed_at)) = self.code_row::<PartnerBody>(hash)? else {
            return Ok(None);
        };
        let broken = || Fault::Bug("a stored partner code holds an id that is none");
        Ok(Some(PartnerCode {
            partner: body.partner.parse().map_err(|_| broken())?,
            user: body.user.parse().map_err(|_| broken())?,
            session: body.session.parse().map_err(|_| broken())?,
            evidence: evidence(body.evidence)?,
            nonce: body.nonce,
            challenge: challenge(body.challenge)?,
            expires_at,
            redeemed_at,
        }))
    }

    #[expect(clippy::type_complexity, reason = "a row, taken apart at once by the two callers above")]
    fn code_row<T: serde::de::DeserializeOwned>(
        &self,
        hash: ProofHash,
    ) -> Result<Option<(Uuid, T, Timestamp, Option<Timestamp>)>, Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().one(
            "SELECT grant_id, body, expires_at, redeemed_at FROM codes WHERE tenant = $1 AND hash = $2",
            &[(&tenant).into(), (&hash.0).into()],
            |row| Ok((row.uuid(0)?, row.json(1)?, row.time(2)?, row.opt_time(3)?)),
        )
    }
}

impl WriteTx<'_> {
    /// Keeps a grant.
    pub fn add_grant(&self, grant: &GrantFacts) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().run(
            "INSERT INTO grants (tenant, id, client, user, session, evidence, platform, scopes, started_at, used_at,
               via, parent)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            &[
                (&tenant).into(),
                (&grant.id.uuid()).into(),
                (&grant.client.uuid()).into(),
                (&grant.user.uuid()).into(),
                (&grant.session.uuid()).into(),
                Value::Text(&to_json(&evidence_document(&grant.evidence))?),
                platform_name(grant.platform).into(),
                Value::Text(&to_json(&grant.scopes)?),
                grant.started_at.into(),
                grant.used_at.into(),
                via_text(grant.via).into(),
                grant.parent.map(GrantId::uuid).as_ref().into(),
            ],
        )?;
        Ok(())
    }

    /// Keeps an authorization code and the grant that its redemption will use.
    pub fn put_code(&self, row: &CodeRow) -> Result<(), Fault> {
        let grant = &row.facts.grant;
        self.add_grant(grant)?;
        let body = to_json(&CodeBody {
            redirect_uri: row.facts.redirect_uri.clone(),
            challenge: row.facts.challenge.as_ref().map(challenge_pair),
            nonce: row.facts.nonce.clone(),
        })?;
        self.insert_code(row.hash, grant.id.uuid(), &body, row.facts.expires_at)
    }

    /// Keeps a home's code for a partner.
    pub fn put_partner_code(&self, hash: ProofHash, code: &PartnerCode) -> Result<(), Fault> {
        let body = to_json(&PartnerBody {
            partner: code.partner.to_string(),
            user: code.user.to_string(),
            session: code.session.to_string(),
            evidence: evidence_document(&code.evidence),
            nonce: code.nonce.clone(),
            challenge: challenge_pair(&code.challenge),
        })?;
        self.insert_code(hash, Uuid::nil(), &body, code.expires_at)
    }

    fn insert_code(
        &self,
        hash: ProofHash,
        grant: Uuid,
        body: &str,
        expires_at: Timestamp,
    ) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().run(
            "INSERT INTO codes (tenant, hash, grant_id, body, expires_at) VALUES ($1, $2, $3, $4, $5)",
            &[(&tenant).into(), (&hash.0).into(), (&grant).into(), Value::Text(body), expires_at.into()],
        )?;
        Ok(())
    }

    /// Uses a code up; `false` when it was used already (R14).
    pub fn consume_code(&self, hash: ProofHash, at: Timestamp) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let used = self.link().run(
            "UPDATE codes SET redeemed_at = $1 WHERE tenant = $2 AND hash = $3 AND redeemed_at IS NULL",
            &[at.into(), (&tenant).into(), (&hash.0).into()],
        )?;
        Ok(used > 0)
    }

    pub fn add_refresh_token(&self, hash: ProofHash, grant: GrantId, at: Timestamp) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().run(
            "INSERT INTO refresh_tokens (tenant, hash, grant_id, created_at) VALUES ($1, $2, $3, $4)",
            &[(&tenant).into(), (&hash.0).into(), (&grant.uuid()).into(), at.into()],
        )?;
        Ok(())
    }

    pub fn touch_grant(&self, grant: GrantId, at: Timestamp) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().run(
            "UPDATE grants SET used_at = $1 WHERE tenant = $2 AND id = $3",
            &[at.into(), (&tenant).into(), (&grant.uuid()).into()],
        )?;
        Ok(())
    }

    /// Ends a grant, and those that services got on its strength: all their refresh tokens are void from here on (R14).
    pub fn revoke_grant(&self, grant: GrantId, at: Timestamp) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().run(
            "WITH RECURSIVE fallen(id) AS (
               SELECT g.id FROM grants g WHERE g.tenant = $1 AND g.id = $2
               UNION SELECT g.id FROM fallen f CROSS JOIN grants g WHERE g.tenant = $1 AND g.parent = f.id)
             UPDATE grants SET revoked_at = $3 WHERE tenant = $1 AND id IN (SELECT id FROM fallen) AND revoked_at IS NULL",
            &[(&tenant).into(), (&grant.uuid()).into(), at.into()],
        )?;
        Ok(())
    }
}
