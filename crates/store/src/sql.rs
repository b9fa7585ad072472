//! The narrow seam to an engine: values in, rows out. Statements are written once, with numbered parameters that
//! first appear in order, which both SQLite and PostgreSQL read the same way.

use crate::engine::sqlite::Lent;
use crate::fault::Fault;
use crate::plans;
use domain::directory::query::Key;
use domain::time::Timestamp;
use rusqlite::CachedStatement;
use rusqlite::types::{ToSqlOutput, ValueRef};
use uuid::Uuid;

/// A parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Bytes(&'a [u8]),
    Int(i64),
    Null,
    Text(&'a str),
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Null => ValueRef::Null,
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

impl<'a> From<&'a Uuid> for Value<'a> {
    fn from(id: &'a Uuid) -> Self {
        Value::Bytes(id.as_bytes())
    }
}
impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(text)
    }
}
impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Value::Text(text)
    }
}
impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Value::Bytes(bytes)
    }
}
impl<'a> From<&'a Vec<u8>> for Value<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Value::Bytes(bytes)
    }
}
impl<'a> From<&'a [u8; 32]> for Value<'a> {
    fn from(bytes: &'a [u8; 32]) -> Self {
        Value::Bytes(bytes)
    }
}
impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}
impl From<bool> for Value<'_> {
    fn from(is: bool) -> Self {
        Value::Int(i64::from(is))
    }
}
impl From<Timestamp> for Value<'_> {
    fn from(at: Timestamp) -> Self {
        Value::Int(at.millis())
    }
}
impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

/// A parameter of a statement that is put together from its parts.
pub(crate) enum Owned {
    Bytes(Vec<u8>),
    Int(i64),
    Text(String),
}

impl Owned {
    pub(crate) fn id(id: Uuid) -> Self {
        Self::Bytes(id.as_bytes().to_vec())
    }
}

pub(crate) fn borrow(values: &[Owned]) -> Vec<Value<'_>> {
    let value = |value| match value {
        &Owned::Int(number) => Value::Int(number),
        Owned::Bytes(bytes) => Value::Bytes(bytes),
        Owned::Text(text) => Value::Text(text),
    };
    values.iter().map(value).collect()
}

/// One row of an answer; columns are counted from zero.
pub(crate) struct Row<'a>(&'a rusqlite::Row<'a>);

impl Row<'_> {
    pub(crate) fn int(&self, column: usize) -> Result<i64, Fault> {
        Ok(self.0.get(column)?)
    }
    pub(crate) fn flag(&self, column: usize) -> Result<bool, Fault> {
        Ok(self.int(column)? != 0)
    }
    pub(crate) fn text(&self, column: usize) -> Result<String, Fault> {
        Ok(self.0.get(column)?)
    }
    pub(crate) fn opt_text(&self, column: usize) -> Result<Option<String>, Fault> {
        Ok(self.0.get(column)?)
    }
    pub(crate) fn bytes(&self, column: usize) -> Result<Vec<u8>, Fault> {
        Ok(self.0.get(column)?)
    }
    pub(crate) fn opt_bytes(&self, column: usize) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.0.get(column)?)
    }
    pub(crate) fn uuid(&self, column: usize) -> Result<Uuid, Fault> {
        self.opt_uuid(column)?.ok_or(Fault::Bug("an id is missing in a row"))
    }
    pub(crate) fn opt_uuid(&self, column: usize) -> Result<Option<Uuid>, Fault> {
        match self.0.get_ref(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Blob(bytes) => {
                Uuid::from_slice(bytes).map(Some).map_err(|_| Fault::Bug("an id in a row has not 16 bytes"))
            }
            ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) => {
                Err(Fault::Bug("an id in a row is no id"))
            }
        }
    }
    pub(crate) fn time(&self, column: usize) -> Result<Timestamp, Fault> {
        Ok(Timestamp::from_millis(self.int(column)?))
    }
    pub(crate) fn opt_time(&self, column: usize) -> Result<Option<Timestamp>, Fault> {
        let millis: Option<i64> = self.0.get(column)?;
        Ok(millis.map(Timestamp::from_millis))
    }
    /// The key of a listing: a number, a text, or none.
    pub(crate) fn key(&self, column: usize) -> Result<Option<Key>, Fault> {
        match self.0.get_ref(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(number) => Ok(Some(Key::Int(number))),
            ValueRef::Text(_) => Ok(Some(Key::Text(self.text(column)?))),
            ValueRef::Blob(_) | ValueRef::Real(_) => Err(Fault::Bug("the key of a listing is no key")),
        }
    }
    /// JSON that this crate wrote.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, column: usize) -> Result<T, Fault> {
        let text =
            self.0.get_ref(column)?.as_str().map_err(|_| Fault::Bug("a document in a row is no text"))?;
        serde_json::from_str(text).map_err(|_| Fault::Bug("a document in a row does not parse"))
    }
}

/// Writes a document column.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|_| Fault::Bug("a document does not serialise"))
}

/// A connection inside a transaction, or about to be in one.
#[derive(Clone, Copy)]
pub(crate) enum Link<'c> {
    /// Of a read: connection and snapshot come with its first statement.
    Lent(&'c Lent<'c>),
    Open(&'c rusqlite::Connection),
}

impl<'c> Link<'c> {
    /// A transaction that is open.
    pub(crate) fn open(connection: &'c rusqlite::Connection) -> Self {
        Self::Open(connection)
    }

    /// A read that may need no connection at all.
    pub(crate) fn lent(lent: &'c Lent<'c>) -> Self {
        Self::Lent(lent)
    }

    fn connection(self) -> Result<&'c rusqlite::Connection, Fault> {
        match self {
            Self::Lent(lent) => lent.connection(),
            Self::Open(connection) => Ok(connection),
        }
    }

    fn prepare(self, sql: &str) -> Result<CachedStatement<'c>, Fault> {
        let connection = self.connection()?;
        if cfg!(debug_assertions) {
            plans::judge(connection, sql)?;
        }
        Ok(connection.prepare_cached(sql)?)
    }

    /// Runs a statement; answers how many rows it changed.
    pub(crate) fn run(self, sql: &str, values: &[Value<'_>]) -> Result<usize, Fault> {
        Ok(self.prepare(sql)?.execute(rusqlite::params_from_iter(values))?)
    }

    /// Runs many statements: a step of the schema.
    pub(crate) fn run_script(self, sql: &str) -> Result<(), Fault> {
        Ok(self.connection()?.execute_batch(sql)?)
    }

    /// Runs an insert; `false` when a unique key is taken already.
    pub(crate) fn insert(self, sql: &str, values: &[Value<'_>]) -> Result<bool, Fault> {
        match self.prepare(sql)?.execute(rusqlite::params_from_iter(values)) {
            Ok(_) => Ok(true),
            Err(rusqlite::Error::SqliteFailure(error, _))
                if error.code == rusqlite::ErrorCode::ConstraintViolation =>
            {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn one<T>(
        self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        let mut statement = self.prepare(sql)?;
        let mut rows = statement.query(rusqlite::params_from_iter(values))?;
        rows.next()?.map(|row| read(&Row(row))).transpose()
    }

    pub(crate) fn all<T>(
        self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let mut statement = self.prepare(sql)?;
        let mut rows = statement.query(rusqlite::params_from_iter(values))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(&Row(row))?);
        }
        Ok(found)
    }
}
