//! Users, their home identities, passwords and sponsors.

use crate::changes::Operation;
use crate::fault::Fault;
use crate::listing::{Among, Column, Fold, Page, Table};
use crate::people::Person;
use crate::quota::Fate;
use crate::sql::{Link, Row, Value, to_json};
use crate::terms::{self, Object};
use crate::{ReadTx, WriteTx};
use domain::directory::delta;
use domain::directory::property::{Property, Source, USER};
use domain::directory::query::{Plan, Position, Predicate};
use domain::directory::user::{
    CreationType, External, ExternalState, HomeIdentity, SignInUser, User, UserType,
};
use domain::id::{TenantId, UserId};
use domain::tenancy::domain_name::Address;
use domain::tenancy::realm_discovery;
use domain::time::Timestamp;
use std::collections::BTreeMap;

/// A stored password: the hash in PHC form, opened.
#[derive(Debug)]
pub struct Password {
    pub phc: String,
    pub changed_at: Timestamp,
}

/// Failed attempts against one user or from one address lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    pub count: i64,
    pub last_at: Option<Timestamp>,
}

/// Users in lists.
pub(crate) static USERS: Table<User> =
    Table { from: TABLE, columns: COLUMNS, width: 23, read: read_user, kind: terms::Kind::User, column };

/// Where a property of a user is compared.
pub(crate) fn column(property: &Property) -> Option<Column> {
    Some(match property.source {
        Source::AccountEnabled => Column::plain("o.is_enabled", Fold::None),
        Source::Created => Column::indexed("o.created_at", Fold::None),
        Source::CreationType => Column::plain("lower(o.creation_type)", Fold::Full),
        Source::Deleted => Column::plain("o.deleted_at", Fold::None),
        Source::DisplayName => Column::indexed("o.display_name_folded", Fold::Full),
        Source::ExternalState => Column::plain("lower(o.external_state)", Fold::Full),
        Source::ExternalStateChanged => Column::plain("o.external_changed_at", Fold::None),
        Source::Id => Column::plain("o.id", Fold::None),
        Source::Mail => Column::indexed("o.mail_folded", Fold::Ascii),
        Source::ShowInAddressList => Column::plain("o.is_in_address_list", Fold::None),
        Source::SignInName => Column::indexed("o.sign_in_name_folded", Fold::Ascii),
        Source::UserType => Column::plain("lower(o.user_type)", Fold::Full),
        Source::BusinessPhones
        | Source::Identities
        | Source::LastPasswordChange
        | Source::LegalAgeGroup
        | Source::MailNickname
        | Source::Named
        | Source::OtherMails
        | Source::Profile
        | Source::ProxyAddresses
        | Source::SessionsValidFrom => return None,
    })
}

const COLUMNS: &str = "o.id, o.sign_in_name, o.display_name, o.user_type, o.is_enabled, o.mail, o.mail_nickname,
   o.other_mails, o.proxy_addresses, o.business_phones, o.creation_type, o.external_state, o.external_changed_at,
   o.is_in_address_list, o.profile, o.sessions_valid_from, o.password_changed_at, o.created_at, o.deleted_at,
   i.issuer, i.subject, i.home_user, i.home_tenant";
const TABLE: &str = "users o LEFT JOIN identities i ON i.tenant = o.tenant AND i.user = o.id";

fn read_user(row: &Row<'_>) -> Result<User, Fault> {
    let external = match row.opt_text(11)? {
        None => None,
        Some(state) => Some(External {
            state: external_state(&state)?,
            changed_at: row.opt_time(12)?.ok_or(Fault::Bug("a guest's state has no time"))?,
        }),
    };
    Ok(User {
        id: UserId::new(row.uuid(0)?),
        sign_in_name: row.text(1)?,
        display_name: row.text(2)?,
        user_type: user_type(&row.text(3)?)?,
        is_enabled: row.flag(4)?,
        mail: row.opt_text(5)?,
        mail_nickname: row.opt_text(6)?,
        other_mails: row.json(7)?,
        proxy_addresses: row.json(8)?,
        business_phones: row.json(9)?,
        creation: row.opt_text(10)?.map(|_| CreationType::Invitation),
        external,
        identity: read_identity(row, 19)?,
        is_shown_in_address_list: row.flag(13)?,
        profile: row.json::<BTreeMap<String, String>>(14)?,
        sessions_valid_from: row.time(15)?,
        last_password_change_at: row.opt_time(16)?,
        created_at: row.time(17)?,
        deleted_at: row.opt_time(18)?,
    })
}

fn read_identity(row: &Row<'_>, at: usize) -> Result<Option<HomeIdentity>, Fault> {
    let Some(issuer) = row.opt_text(at)? else { return Ok(None) };
    Ok(Some(HomeIdentity {
        issuer,
        subject: row.text(at + 1)?,
        home_user: UserId::new(row.uuid(at + 2)?),
        home_tenant: TenantId::new(row.uuid(at + 3)?),
    }))
}

fn user_type(text: &str) -> Result<UserType, Fault> {
    UserType::parse(text).ok_or(Fault::Bug("a stored user type is unknown"))
}

fn external_state(text: &str) -> Result<ExternalState, Fault> {
    match text {
        "Accepted" => Ok(ExternalState::Accepted),
        "PendingAcceptance" => Ok(ExternalState::PendingAcceptance),
        _ => Err(Fault::Bug("a stored guest state is unknown")),
    }
}

const SIGN_IN_COLUMNS: &str = "o.id, o.sign_in_name, o.display_name, o.mail, o.user_type, o.is_enabled, o.external_state,
   o.home_tenant, o.must_change_password, o.sessions_valid_from, o.profile, i.issuer, i.subject, i.home_user, i.home_tenant,
   i.proved_addresses";

fn read_sign_in_user(row: &Row<'_>) -> Result<SignInUser, Fault> {
    let mut profile: BTreeMap<String, String> = row.json(10)?;
    let identity = read_identity(row, 11)?;
    let known_home = row.opt_uuid(7)?.map(TenantId::new);
    Ok(SignInUser {
        id: UserId::new(row.uuid(0)?),
        sign_in_name: row.text(1)?,
        display_name: row.text(2)?,
        given_name: profile.remove("givenName"),
        surname: profile.remove("surname"),
        preferred_language: profile.remove("preferredLanguage"),
        country: profile.remove("country"),
        mail: row.opt_text(3)?,
        user_type: user_type(&row.text(4)?)?,
        is_enabled: row.flag(5)?,
        external: row.opt_text(6)?.map(|state| external_state(&state)).transpose()?,
        home_tenant: identity.as_ref().map(|identity| identity.home_tenant).or(known_home),
        proved_addresses: match identity {
            None => Vec::new(),
            Some(_) => row.json(15)?,
        },
        identity,
        roles: Vec::new(),
        must_change_password: row.flag(8)?,
        sessions_valid_from: row.time(9)?,
    })
}

impl ReadTx<'_> {
    /// A user of this tenant, deleted ones included; the caller looks at `deleted_at`.
    pub fn find_user(&self, id: UserId) -> Result<Option<User>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!("SELECT {COLUMNS} FROM {TABLE} WHERE o.tenant = $1 AND o.id = $2");
        self.link().one(&sql, &[(&tenant).into(), (&id.uuid()).into()], read_user)
    }

    /// The next users in the order of their ids, deleted ones included.
    pub(crate) fn users_after(&self, after: UserId, limit: usize) -> Result<Vec<User>, Fault> {
        let tenant = self.tenant()?.uuid();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let sql =
            format!("SELECT {COLUMNS} FROM {TABLE} WHERE o.tenant = $1 AND o.id > $2 ORDER BY o.id LIMIT $3");
        self.link().all(&sql, &[(&tenant).into(), (&after.uuid()).into(), limit.into()], read_user)
    }

    /// Users of this tenant that fit the plan, after a position.
    pub fn list_users(
        &self,
        plan: &Plan,
        after: Option<&Position>,
        among: Among,
    ) -> Result<Page<User>, Fault> {
        self.page(&USERS, plan, after, among, None)
    }

    /// How many users fit a filter.
    pub fn count_users(&self, filter: Option<&Predicate>) -> Result<i64, Fault> {
        self.count(&USERS, filter, Among::Living, None)
    }

    /// How many living users the tenant has, counted up to a number.
    pub fn count_users_up_to(&self, most: i64) -> Result<i64, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = "SELECT count(*) FROM
                     (SELECT 1 FROM users WHERE tenant = $1 AND deleted_at IS NULL LIMIT $2) AS counted";
        let count = self.link().one(sql, &[(&tenant).into(), most.into()], |row| row.int(0))?;
        Ok(count.unwrap_or_default())
    }

    /// A user by sign-in name, without case; deleted users have no name.
    pub fn find_user_by_name(&self, name: &str) -> Result<Option<User>, Fault> {
        let tenant = self.tenant()?.uuid();
        let folded = name.to_ascii_lowercase();
        let sql = format!(
            "SELECT {COLUMNS} FROM {TABLE} WHERE o.tenant = $1 AND o.sign_in_name_folded = $2 AND o.deleted_at IS NULL"
        );
        self.link().one(&sql, &[(&tenant).into(), Value::Text(&folded)], read_user)
    }

    /// A user as sign-in needs it, with roles; deleted users are not found.
    pub fn find_sign_in_user(&self, id: UserId) -> Result<Option<SignInUser>, Fault> {
        self.sign_in_user("o.id = $2", (&id.uuid()).into())
    }

    /// The guest bound to exactly this issuer and subject (R02).
    pub fn find_user_by_identity(&self, issuer: &str, subject: &str) -> Result<Option<SignInUser>, Fault> {
        let tenant = self.tenant()?.uuid();
        let user = self.link().one(
            "SELECT user FROM identities WHERE tenant = $1 AND issuer = $2 AND subject = $3",
            &[(&tenant).into(), Value::Text(issuer), Value::Text(subject)],
            |row| Ok(UserId::new(row.uuid(0)?)),
        )?;
        user.map_or(Ok(None), |user| self.find_sign_in_user(user))
    }

    fn sign_in_user(&self, condition: &str, value: Value<'_>) -> Result<Option<SignInUser>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!(
            "SELECT {SIGN_IN_COLUMNS} FROM {TABLE} WHERE o.tenant = $1 AND {condition} AND o.deleted_at IS NULL"
        );
        let Some(mut user) = self.link().one(&sql, &[(&tenant).into(), value], read_sign_in_user)? else {
            return Ok(None);
        };
        user.roles = self.roles_of(user.id.uuid())?;
        Ok(Some(user))
    }

    /// What is known of a typed name: for home-realm discovery.
    pub fn realm_facts(&self, login: &str) -> Result<realm_discovery::Facts, Fault> {
        let folded = login.to_ascii_lowercase();
        let user = self.sign_in_user("o.sign_in_name_folded = $2", Value::Text(&folded))?;
        let guest =
            self.sign_in_user("o.external_state IS NOT NULL AND o.mail_folded = $2", Value::Text(&folded))?;
        let domain_owner = match Address::parse(login) {
            Some(address) => self.find_domain_owner(address.domain())?,
            None => None,
        };
        Ok(realm_discovery::Facts { user, guest, domain_owner })
    }

    /// Who has an address already: as sign-in name, mail, other mail or proxy address (facts: b2b §2). Whoever signs in
    /// with it goes before whoever only keeps it in a list.
    pub fn find_user_by_address(&self, address: &Address) -> Result<Option<User>, Fault> {
        let tenant = self.tenant()?.uuid();
        let (folded, proxy) = (address.folded(), format!("smtp:{}", address.folded()));
        let find = |condition: &str, values: &[Value<'_>]| {
            let sql = format!(
                "SELECT {COLUMNS} FROM {TABLE} WHERE o.tenant = $1 AND o.deleted_at IS NULL AND ({condition})
                  ORDER BY o.row LIMIT 1"
            );
            self.link().one(&sql, values, read_user)
        };
        // Each by its own index: put as one condition, the engine would look through the tenant in the order of rows.
        let own = |column: &str| {
            format!(
                "SELECT u.row FROM users u WHERE u.tenant = $1 AND u.{column} = $2 AND u.deleted_at IS NULL"
            )
        };
        let named = find(
            &format!("o.row IN ({} UNION ALL {})", own("sign_in_name_folded"), own("mail_folded")),
            &[(&tenant).into(), Value::Text(&folded)],
        )?;
        if named.is_some() {
            return Ok(named);
        }
        let listed = |name: &str, at: &str| {
            let code = USER.find(name).map_or(-1, terms::values);
            let kind = terms::Kind::User as i64;
            format!(
                "SELECT t.row FROM terms t WHERE t.tenant = $1 AND t.kind = {kind} AND t.property = {code} AND t.value = {at}"
            )
        };
        let condition =
            format!("o.row IN ({} UNION ALL {})", listed("otherMails", "$2"), listed("proxyAddresses", "$3"));
        find(&condition, &[(&tenant).into(), Value::Text(&folded), Value::Text(&proxy)])
    }

    pub fn sponsors_of(&self, user: UserId) -> Result<Vec<UserId>, Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().all(
            "SELECT sponsor FROM sponsors WHERE tenant = $1 AND user = $2 ORDER BY sponsor",
            &[(&tenant).into(), (&user.uuid()).into()],
            |row| Ok(UserId::new(row.uuid(0)?)),
        )
    }

    pub fn find_password(&self, user: UserId) -> Result<Option<Password>, Fault> {
        let tenant = self.tenant()?;
        let found = self.link().one(
            "SELECT hash, changed_at FROM passwords WHERE tenant = $1 AND user = $2",
            &[(&tenant.uuid()).into(), (&user.uuid()).into()],
            |row| Ok((row.bytes(0)?, row.time(1)?)),
        )?;
        let Some((sealed, changed_at)) = found else { return Ok(None) };
        let phc = self.sealer().open(Some(tenant), &password_place(user), &sealed)?;
        let phc = String::from_utf8(phc).map_err(|_| Fault::Bug("a stored password hash is no text"))?;
        Ok(Some(Password { phc, changed_at }))
    }

    /// Failed attempts counted under `subject` (a user's id or an address).
    pub fn failures(&self, subject: &str) -> Result<Failures, Fault> {
        let tenant = self.tenant()?.uuid();
        let found = self.link().one(
            "SELECT count, last_at FROM failures WHERE tenant = $1 AND subject = $2",
            &[(&tenant).into(), Value::Text(subject)],
            |row| Ok(Failures { count: row.int(0)?, last_at: Some(row.time(1)?) }),
        )?;
        Ok(found.unwrap_or_default())
    }
}

fn password_place(user: UserId) -> String {
    format!("passwords.hash:{user}")
}

/// Writes the terms of all users.
pub(crate) fn write_terms(link: Link<'_>) -> Result<(), Fault> {
    let sql = format!("SELECT {COLUMNS}, o.tenant, o.row FROM {TABLE}");
    let users = link.all(&sql, &[], |row| Ok((read_user(row)?, row.uuid(23)?, row.int(24)?)))?;
    for (user, tenant, row) in users {
        terms::insert(link, tenant, terms::Kind::User, row, &terms::of_user(&user))?;
    }
    Ok(())
}

impl WriteTx<'_> {
    /// Adds a user. `false` when the id was ever used (R22) or the sign-in name is taken.
    pub fn add_user(&self, user: &User, home_tenant: Option<TenantId>) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        if self.is_buried(user.id.uuid())? {
            return Ok(false);
        }
        let is_new = self.link().insert(
            "INSERT INTO users (tenant, id, sign_in_name, sign_in_name_folded, display_name, display_name_folded, user_type,
               is_enabled, mail, mail_folded, mail_nickname, other_mails, proxy_addresses, business_phones, creation_type,
               external_state, external_changed_at, home_tenant, is_in_address_list, profile, sessions_valid_from,
               must_change_password, created_at, version)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, 0, $22, 1)",
            &[
                (&tenant).into(),
                (&user.id.uuid()).into(),
                (&user.sign_in_name).into(),
                Value::Text(&user.sign_in_name.to_ascii_lowercase()),
                (&user.display_name).into(),
                Value::Text(&user.display_name.to_lowercase()),
                user.user_type.as_str().into(),
                user.is_enabled.into(),
                user.mail.as_deref().into(),
                user.mail.as_ref().map(|mail| mail.to_ascii_lowercase()).as_deref().into(),
                user.mail_nickname.as_deref().into(),
                Value::Text(&to_json(&user.other_mails)?),
                Value::Text(&to_json(&user.proxy_addresses)?),
                Value::Text(&to_json(&user.business_phones)?),
                user.creation.map(CreationType::as_str).into(),
                user.external.as_ref().map(|external| external.state.as_str()).into(),
                user.external.as_ref().map(|external| external.changed_at).into(),
                home_tenant.map(TenantId::uuid).as_ref().into(),
                user.is_shown_in_address_list.into(),
                Value::Text(&to_json(&user.profile)?),
                user.sessions_valid_from.into(),
                user.created_at.into(),
            ],
        )?;
        if is_new {
            self.set_user_terms(user.id, None, Some(user))?;
            self.count_object()?;
            self.expect_guest(user, home_tenant)?;
            self.log_change("user", user.id.uuid(), Operation::Created, user.created_at)?;
            self.settle_user(None, user, user.created_at)?;
        }
        Ok(is_new)
    }

    fn set_user_terms(&self, id: UserId, before: Option<&User>, after: Option<&User>) -> Result<(), Fault> {
        let of = |user: Option<&User>| user.map(terms::of_user).unwrap_or_default();
        let object = Object { tenant: self.tenant()?, kind: terms::Kind::User, id: id.uuid() };
        self.set_terms(&object, &of(before), &of(after))
    }

    /// Writes a user's properties as a whole. `false` when the new sign-in name is taken.
    pub fn update_user(&self, user: &User, at: Timestamp) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let before = self.find_user(user.id)?;
        let is_written = self.link().insert(
            "UPDATE users SET sign_in_name = $1, sign_in_name_folded = $2, display_name = $3, display_name_folded = $4,
               user_type = $5, is_enabled = $6, mail = $7, mail_folded = $8, mail_nickname = $9, other_mails = $10,
               proxy_addresses = $11, business_phones = $12, external_state = $13, external_changed_at = $14,
               is_in_address_list = $15, profile = $16, sessions_valid_from = $17, deleted_at = $18, version = version + 1
             WHERE tenant = $19 AND id = $20",
            &[
                (&user.sign_in_name).into(),
                Value::Text(&user.sign_in_name.to_ascii_lowercase()),
                (&user.display_name).into(),
                Value::Text(&user.display_name.to_lowercase()),
                user.user_type.as_str().into(),
                user.is_enabled.into(),
                user.mail.as_deref().into(),
                user.mail.as_ref().map(|mail| mail.to_ascii_lowercase()).as_deref().into(),
                user.mail_nickname.as_deref().into(),
                Value::Text(&to_json(&user.other_mails)?),
                Value::Text(&to_json(&user.proxy_addresses)?),
                Value::Text(&to_json(&user.business_phones)?),
                user.external.as_ref().map(|external| external.state.as_str()).into(),
                user.external.as_ref().map(|external| external.changed_at).into(),
                user.is_shown_in_address_list.into(),
                Value::Text(&to_json(&user.profile)?),
                user.sessions_valid_from.into(),
                user.deleted_at.into(),
                (&tenant).into(),
                (&user.id.uuid()).into(),
            ],
        )?;
        if is_written && let Some(before) = &before {
            self.set_user_terms(user.id, Some(before), Some(user))?;
            if let Some(fate) = Fate::of(before.deleted_at, user.deleted_at) {
                self.weigh(user.id.uuid(), fate, at)?;
                self.count_membership(user.id, fate == Fate::Restored)?;
            }
            self.log_user(before, user, at)?;
            self.settle_user(Some(before), user, at)?;
        }
        Ok(is_written)
    }

    fn log_user(&self, before: &User, after: &User, at: Timestamp) -> Result<(), Fault> {
        let id = after.id.uuid();
        match Operation::between(before.deleted_at, after.deleted_at) {
            Operation::Updated => self.log_parts("user", id, &delta::changed_of_user(before, after), at),
            operation => {
                self.log_change("user", id, operation, at)?;
                self.log_links_of(self.tenant()?, id, at)
            }
        }
    }

    /// Removes a user for good, with everything that refers to it; the id never comes back (R22).
    pub fn purge_user(&self, user: UserId, at: Timestamp) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        let id = user.uuid();
        if let Some(found) = self.find_user(user)? {
            self.set_user_terms(user, Some(&found), None)?;
            self.weigh(id, Fate::Gone { binned_at: found.deleted_at }, at)?;
            if found.deleted_at.is_none() {
                self.count_membership(user, false)?;
            }
        }
        for sql in [
            "DELETE FROM passwords WHERE tenant = $1 AND user = $2",
            "DELETE FROM identities WHERE tenant = $1 AND user = $2",
            "DELETE FROM memberships WHERE tenant = $1 AND user = $2",
            "DELETE FROM sponsors WHERE tenant = $1 AND (user = $2 OR sponsor = $2)",
            "DELETE FROM app_role_assignments WHERE tenant = $1 AND principal = $2",
            "DELETE FROM consent_requests WHERE tenant = $1 AND user = $2",
            "DELETE FROM consents WHERE tenant = $1 AND principal = $2",
            "DELETE FROM invitations WHERE tenant = $1 AND user = $2",
            "DELETE FROM sessions WHERE tenant = $1 AND user = $2",
            "DELETE FROM users WHERE tenant = $1 AND id = $2",
        ] {
            self.link().run(sql, &[(&tenant).into(), (&id).into()])?;
        }
        self.forget_relations(self.tenant()?, id, at)?;
        self.bury(self.tenant()?, "user", id, at)?;
        self.log_change("user", id, Operation::Purged, at)
    }

    /// Binds a guest to a home identity. `false` when that identity is bound to another user already (R02); a deleted one
    /// holds it until its person proves it for another guest.
    pub fn bind_identity(&self, user: UserId, identity: &HomeIdentity, at: Timestamp) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().run(
            "DELETE FROM identities WHERE tenant = $1 AND issuer = $2 AND subject = $3
               AND EXISTS (SELECT 1 FROM users u WHERE u.tenant = $1 AND u.id = identities.user AND u.deleted_at IS NOT NULL)",
            &[(&tenant).into(), (&identity.issuer).into(), (&identity.subject).into()],
        )?;
        let is_bound = self.link().insert(
            "INSERT INTO identities (tenant, issuer, subject, user, home_tenant, home_user, bound_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &[
                (&tenant).into(),
                (&identity.issuer).into(),
                (&identity.subject).into(),
                (&user.uuid()).into(),
                (&identity.home_tenant.uuid()).into(),
                (&identity.home_user.uuid()).into(),
                at.into(),
            ],
        )?;
        if is_bound {
            self.join(user, Person { home: identity.home_tenant, user: identity.home_user })?;
            self.log_parts("user", user.uuid(), &["identities"], at)?;
        }
        Ok(is_bound)
    }

    /// Keeps what the home proved of a guest's addresses when it vouched last.
    pub fn keep_proved_addresses(&self, user: UserId, addresses: &[String]) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().run(
            "UPDATE identities SET proved_addresses = $1 WHERE tenant = $2 AND user = $3",
            &[Value::Text(&to_json(&addresses)?), (&tenant).into(), (&user.uuid()).into()],
        )?;
        Ok(())
    }

    /// Sets a password (its hash in PHC form). Earlier sessions end unless `keeps_sessions`.
    pub fn set_password(
        &self,
        user: UserId,
        phc: &str,
        must_change: bool,
        at: Timestamp,
    ) -> Result<(), Fault> {
        let tenant = self.tenant()?;
        let sealed = self.sealer().seal(Some(tenant), &password_place(user), phc.as_bytes());
        self.link().run(
            "INSERT INTO passwords (tenant, user, hash, changed_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (tenant, user) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at",
            &[(&tenant.uuid()).into(), (&user.uuid()).into(), (&sealed).into(), at.into()],
        )?;
        self.link().run(
            "UPDATE users SET must_change_password = $1, password_changed_at = $2, version = version + 1
              WHERE tenant = $3 AND id = $4",
            &[must_change.into(), at.into(), (&tenant.uuid()).into(), (&user.uuid()).into()],
        )?;
        self.log_parts("user", user.uuid(), &["lastPasswordChangeDateTime"], at)
    }

    pub fn add_sponsor(&self, user: UserId, sponsor: UserId) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().insert(
            "INSERT INTO sponsors (tenant, user, sponsor) VALUES ($1, $2, $3)",
            &[(&tenant).into(), (&user.uuid()).into(), (&sponsor.uuid()).into()],
        )
    }

    /// Counts one more failed attempt; counting starts afresh when the last one is older than `forget_before`.
    pub fn count_failure(&self, subject: &str, at: Timestamp, forget_before: Timestamp) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().run(
            "INSERT INTO failures (tenant, subject, count, last_at) VALUES ($1, $2, 1, $3)
             ON CONFLICT (tenant, subject) DO UPDATE SET
               count = CASE WHEN failures.last_at < $4 THEN 1 ELSE failures.count + 1 END, last_at = excluded.last_at",
            &[(&tenant).into(), Value::Text(subject), at.into(), forget_before.into()],
        )?;
        Ok(())
    }

    pub fn clear_failures(&self, subject: &str) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().run(
            "DELETE FROM failures WHERE tenant = $1 AND subject = $2",
            &[(&tenant).into(), Value::Text(subject)],
        )?;
        Ok(())
    }
}
