//! How many objects a tenant and each user who makes some have: counted as they come and go, never by looking at them all.
//!
//! A deleted object weighs a whole one while it can be restored, then a quarter for a while (facts: limits §1). When that
//! happens is written down with the deletion (`object_fades`), so that a count is exact at any moment, whoever sweeps when.

use crate::fault::Fault;
use crate::sql::Value;
use crate::{ReadTx, WriteTx};
use domain::id::TenantId;
use domain::tenancy::limits::{DELETED, FADES, Quarters, Room, WHOLE};
use domain::time::Timestamp;
use uuid::Uuid;

/// The count of a tenant as a whole.
const EVERYBODY: &[u8] = &[];

/// What happens to an object that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// For thirty days it can be restored.
    Binned,
    /// For good, after it lay in the bin since then, if it did.
    Gone {
        binned_at: Option<Timestamp>,
    },
    Restored,
}

impl Fate {
    /// What became of an object that was written with another time of deletion.
    pub(crate) fn of(before: Option<Timestamp>, after: Option<Timestamp>) -> Option<Self> {
        match (before, after) {
            (None, Some(_)) => Some(Self::Binned),
            (Some(_), None) => Some(Self::Restored),
            (None, None) | (Some(_), Some(_)) => None,
        }
    }
}

impl ReadTx<'_> {
    /// What this tenant, and one user of it, have by now.
    pub fn room(&self, creator: Option<Uuid>, now: Timestamp) -> Result<Room, Fault> {
        Ok(Room {
            tenant: self.quarters(EVERYBODY, now)?,
            creator: match creator {
                Some(creator) => self.quarters(creator.as_bytes(), now)?,
                None => Quarters::default(),
            },
        })
    }

    fn quarters(&self, creator: &[u8], now: Timestamp) -> Result<Quarters, Fault> {
        let tenant = self.tenant()?.uuid();
        let whole = self.link().one(
            "SELECT quarters FROM object_counts WHERE tenant = $1 AND creator = $2",
            &[(&tenant).into(), Value::Bytes(creator)],
            |row| row.int(0),
        )?;
        let faded = self.link().one(
            "SELECT COALESCE(SUM(quarters), 0) FROM object_fades WHERE tenant = $1 AND creator = $2 AND due_at < $3",
            &[(&tenant).into(), Value::Bytes(creator), now.into()],
            |row| row.int(0),
        )?;
        Ok(Quarters(whole.unwrap_or(0) - faded.unwrap_or(0)))
    }

    /// Whether a user made an object, whoever owns it now.
    pub fn is_made_by_a_user(&self, object: Uuid) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = "SELECT 1 FROM object_creators WHERE tenant = $1 AND object = $2";
        Ok(self.link().one(sql, &[(&tenant).into(), (&object).into()], |_| Ok(()))?.is_some())
    }

    /// The counts that an object is in.
    fn counts_of(&self, tenant: Uuid, object: Uuid) -> Result<Vec<Vec<u8>>, Fault> {
        let creator = self.link().one(
            "SELECT creator FROM object_creators WHERE tenant = $1 AND object = $2",
            &[(&tenant).into(), (&object).into()],
            |row| row.bytes(0),
        )?;
        Ok(std::iter::once(EVERYBODY.to_vec()).chain(creator).collect())
    }
}

impl WriteTx<'_> {
    /// Counts a new object.
    pub(crate) fn count_object(&self) -> Result<(), Fault> {
        self.add_quarters(self.tenant()?.uuid(), EVERYBODY, WHOLE)
    }

    /// Says which user made an object that was just added.
    pub fn credit(&self, object: Uuid, creator: Uuid) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        let is_new = self.link().insert(
            "INSERT INTO object_creators (tenant, object, creator) VALUES ($1, $2, $3)",
            &[(&tenant).into(), (&object).into(), (&creator).into()],
        )?;
        if is_new { self.add_quarters(tenant, creator.as_bytes(), WHOLE) } else { Ok(()) }
    }

    /// Counts what became of an object of this tenant.
    pub(crate) fn weigh(&self, object: Uuid, fate: Fate, at: Timestamp) -> Result<(), Fault> {
        self.weigh_in(self.tenant()?, object, fate, at)
    }

    /// The same of any tenant: an instance goes with its registration, wherever it is.
    pub(crate) fn weigh_in(
        &self,
        tenant: TenantId,
        object: Uuid,
        fate: Fate,
        at: Timestamp,
    ) -> Result<(), Fault> {
        let tenant = tenant.uuid();
        for creator in self.counts_of(tenant, object)? {
            match fate {
                Fate::Binned => {
                    self.put_fade((tenant, object), &creator, at + FADES, WHOLE - DELETED)?;
                    self.put_fade((tenant, object), &creator, at + FADES + FADES, DELETED)?;
                }
                Fate::Restored => {
                    // What was swept of it meanwhile comes back.
                    let left = self.left_to_fade((tenant, object), &creator)?;
                    self.drop_fades((tenant, object), &creator)?;
                    self.add_quarters(tenant, &creator, WHOLE - left)?;
                }
                // What could not be restored any more fades as it would have.
                Fate::Gone { binned_at: Some(binned_at) } if at > binned_at + FADES => {}
                Fate::Gone { .. } => {
                    self.drop_fades((tenant, object), &creator)?;
                    self.add_quarters(tenant, &creator, DELETED - WHOLE)?;
                    self.put_fade((tenant, object), &creator, at + FADES, DELETED)?;
                }
            }
        }
        if matches!(fate, Fate::Gone { .. }) {
            self.link().run(
                "DELETE FROM object_creators WHERE tenant = $1 AND object = $2",
                &[(&tenant).into(), (&object).into()],
            )?;
        }
        Ok(())
    }

    /// Takes what faded before a time into the counts; answers how many rows went.
    pub(crate) fn settle_fades(&self, before: Timestamp, most: i64) -> Result<usize, Fault> {
        let due = self.link().all(
            "SELECT tenant, creator, due_at, object, quarters FROM object_fades WHERE due_at < $1 ORDER BY due_at LIMIT $2",
            &[before.into(), most.into()],
            |row| Ok((row.uuid(0)?, row.bytes(1)?, row.time(2)?, row.uuid(3)?, row.int(4)?)),
        )?;
        for (tenant, creator, due_at, object, quarters) in &due {
            self.add_quarters(*tenant, creator, -quarters)?;
            self.link().run(
                "DELETE FROM object_fades WHERE tenant = $1 AND creator = $2 AND due_at = $3 AND object = $4",
                &[tenant.into(), Value::Bytes(creator), (*due_at).into(), object.into()],
            )?;
        }
        Ok(due.len())
    }

    fn add_quarters(&self, tenant: Uuid, creator: &[u8], quarters: i64) -> Result<(), Fault> {
        self.link().run(
            "INSERT INTO object_counts (tenant, creator, quarters) VALUES ($1, $2, $3)
             ON CONFLICT (tenant, creator) DO UPDATE SET quarters = object_counts.quarters + excluded.quarters",
            &[(&tenant).into(), Value::Bytes(creator), quarters.into()],
        )?;
        Ok(())
    }

    fn left_to_fade(&self, (tenant, object): (Uuid, Uuid), creator: &[u8]) -> Result<i64, Fault> {
        let left = self.link().one(
            "SELECT COALESCE(SUM(quarters), 0) FROM object_fades WHERE tenant = $1 AND object = $2 AND creator = $3",
            &[(&tenant).into(), (&object).into(), Value::Bytes(creator)],
            |row| row.int(0),
        )?;
        Ok(left.unwrap_or(0))
    }

    fn put_fade(
        &self,
        (tenant, object): (Uuid, Uuid),
        creator: &[u8],
        due_at: Timestamp,
        quarters: i64,
    ) -> Result<(), Fault> {
        self.link().run(
            "INSERT INTO object_fades (tenant, creator, due_at, object, quarters) VALUES ($1, $2, $3, $4, $5)",
            &[(&tenant).into(), Value::Bytes(creator), due_at.into(), (&object).into(), quarters.into()],
        )?;
        Ok(())
    }

    fn drop_fades(&self, (tenant, object): (Uuid, Uuid), creator: &[u8]) -> Result<(), Fault> {
        self.link().run(
            "DELETE FROM object_fades WHERE tenant = $1 AND object = $2 AND creator = $3",
            &[(&tenant).into(), (&object).into(), Value::Bytes(creator)],
        )?;
        Ok(())
    }
}
