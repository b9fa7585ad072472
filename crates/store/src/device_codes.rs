//! Devices that wait for a person. Only hashes of the two codes are kept; a code is answered once and redeemed once (R14).

use crate::fault::Fault;
use crate::sql::{Row, Value, to_json};
use crate::{ReadTx, WriteTx};
use domain::id::{AppId, GrantId, TenantId};
use domain::issuance::decide::{DeviceAnswer, DeviceFacts};
use domain::proof::ProofHash;
use domain::signin::attempt::WaitingDevice;
use domain::time::Timestamp;
use uuid::Uuid;

/// A device code, answered or not.
#[derive(Clone, Debug)]
pub struct DeviceCode {
    /// Where it was asked for; the nil id at `common`.
    pub tenant: TenantId,
    pub device: WaitingDevice,
    pub facts: DeviceFacts,
    /// The tenant in which it was approved, and what that set going there.
    pub approved: Option<(TenantId, GrantId)>,
}

const COLUMNS: &str =
    "tenant, hash, client, scopes, address, expires_at, answered_at, answered_in, grant_id, redeemed_at";

fn read(row: &Row<'_>) -> Result<DeviceCode, Fault> {
    let hash = row.bytes(1)?.try_into().map_err(|_| Fault::Bug("a stored hash has not 32 bytes"))?;
    let client = AppId::new(row.uuid(2)?);
    let approved = row.opt_uuid(7)?.zip(row.opt_uuid(8)?);
    let answer = match (row.opt_time(6)?, approved) {
        (None, _) => DeviceAnswer::Pending,
        (Some(_), None) => DeviceAnswer::Declined,
        (Some(_), Some(_)) => DeviceAnswer::Approved,
    };
    Ok(DeviceCode {
        tenant: TenantId::new(row.uuid(0)?),
        device: WaitingDevice {
            code: ProofHash(hash),
            client,
            scopes: row.json(3)?,
            address: row.opt_text(4)?,
        },
        facts: DeviceFacts { client, expires_at: row.time(5)?, answer, redeemed_at: row.opt_time(9)? },
        approved: approved.map(|(tenant, grant)| (TenantId::new(tenant), GrantId::new(grant))),
    })
}

impl ReadTx<'_> {
    /// A device code by what the device shows; one of `common` is found in the tenant that approved it, too.
    pub fn find_device_code(&self, hash: ProofHash) -> Result<Option<DeviceCode>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!(
            "SELECT {COLUMNS} FROM device_codes WHERE tenant IN ($1, $2) AND hash = $3 AND (tenant = $1 OR answered_in = $1)"
        );
        self.link().one(&sql, &[(&tenant).into(), (&Uuid::nil()).into(), (&hash.0).into()], read)
    }

    /// A device code by what a person typed, of whatever tenant: as long as it waits for an answer, and no longer.
    pub fn find_waiting_device(
        &self,
        user_code: ProofHash,
        now: Timestamp,
    ) -> Result<Option<DeviceCode>, Fault> {
        let sql = format!(
            "SELECT {COLUMNS} FROM device_codes WHERE user_code = $1 AND answered_at IS NULL AND expires_at > $2"
        );
        self.link().one(&sql, &[(&user_code.0).into(), now.into()], read)
    }
}

impl WriteTx<'_> {
    /// Keeps a device code; `false` when the user code is in use.
    pub fn add_device_code(
        &self,
        device: &WaitingDevice,
        user_code: ProofHash,
        expires_at: Timestamp,
    ) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().insert(
            "INSERT INTO device_codes (tenant, hash, user_code, client, scopes, address, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &[
                (&tenant).into(),
                (&device.code.0).into(),
                (&user_code.0).into(),
                (&device.client.uuid()).into(),
                Value::Text(&to_json(&device.scopes)?),
                device.address.as_deref().into(),
                expires_at.into(),
            ],
        )
    }

    /// Lets a device in; `false` when its code was answered already, has expired, or belongs to another tenant.
    pub fn approve_device(&self, code: ProofHash, grant: GrantId, at: Timestamp) -> Result<bool, Fault> {
        self.answer_device(code, Some(grant), at)
    }

    /// Turns a device away; `false` as above.
    pub fn decline_device(&self, code: ProofHash, at: Timestamp) -> Result<bool, Fault> {
        self.answer_device(code, None, at)
    }

    fn answer_device(&self, code: ProofHash, grant: Option<GrantId>, at: Timestamp) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let grant = grant.map(|grant| grant.uuid());
        let answered = self.link().run(
            "UPDATE device_codes SET answered_at = $1, answered_in = $2, grant_id = $3
              WHERE tenant IN ($4, $5) AND hash = $6 AND answered_at IS NULL AND expires_at > $1",
            &[
                at.into(),
                grant.map(|_| &tenant).into(),
                grant.as_ref().into(),
                (&tenant).into(),
                (&Uuid::nil()).into(),
                (&code.0).into(),
            ],
        )?;
        Ok(answered > 0)
    }

    /// Uses an approved code up; `false` when it was used already (R14).
    pub fn consume_device_code(&self, code: ProofHash, at: Timestamp) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let used = self.link().run(
            "UPDATE device_codes SET redeemed_at = $1
              WHERE answered_in = $2 AND tenant IN ($2, $3) AND hash = $4 AND redeemed_at IS NULL",
            &[at.into(), (&tenant).into(), (&Uuid::nil()).into(), (&code.0).into()],
        )?;
        Ok(used > 0)
    }
}
