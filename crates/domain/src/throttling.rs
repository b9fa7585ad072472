//! How much of Graph an application and a tenant may use in a while (facts: limits §7): what a request costs, and whether
//! there is enough left. Every limit is a bucket that fills evenly and is full at first.

use crate::time::{Span, Timestamp};

/// So many units in a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub units: u32,
    pub within: Span,
}

const fn limit(units: u32, seconds: i64) -> Limit {
    Limit { units, within: Span::seconds(seconds) }
}

/// What is limited, for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quota {
    /// Resource units of an application, in all tenants.
    App,
    /// Requests of an application, in all tenants.
    AppRequests,
    /// Resource units of an application in one tenant.
    AppTenant,
    AppTenantWrites,
    AppWrites,
    /// Reads of the logs by an application in one tenant.
    Logs,
    /// Writes of all applications in one tenant.
    TenantWrites,
}

/// How many users a tenant has; larger ones get more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Large,
    Medium,
    Small,
}

impl Size {
    /// Users that need not be counted beyond.
    pub const COUNTED: i64 = 501;

    pub const fn of(users: i64) -> Self {
        match users {
            ..50 => Self::Small,
            50..=500 => Self::Medium,
            _ => Self::Large,
        }
    }
}

impl Quota {
    // DEFAULT: what Graph documents for the identity and access service, in force at 100 percent.
    const fn documented(self, size: Size) -> Limit {
        match (self, size) {
            (Self::App, _) => limit(150_000, 20),
            (Self::AppRequests, _) => limit(2_000, 1),
            (Self::AppTenant, Size::Small) => limit(3_500, 10),
            (Self::AppTenant, Size::Medium) => limit(5_000, 10),
            (Self::AppTenant, Size::Large) => limit(8_000, 10),
            (Self::AppTenantWrites, _) => limit(3_000, 150),
            (Self::AppWrites, _) => limit(70_000, 300),
            (Self::Logs, _) => limit(5, 10),
            (Self::TenantWrites, _) => limit(18_000, 300),
        }
    }

    /// The limit in a tenant of that size, at a percentage of what is documented; never less than the dearest request.
    pub fn limit(self, size: Size, percent: u32) -> Limit {
        let Limit { units, within } = self.documented(size);
        let units = u64::from(units) * u64::from(percent) / 100;
        let least = match self {
            Self::App | Self::AppTenant => DEAREST,
            Self::AppRequests | Self::AppTenantWrites | Self::AppWrites | Self::Logs | Self::TenantWrites => {
                1
            }
        };
        Limit { units: u32::try_from(units).unwrap_or(u32::MAX).max(least), within }
    }
}

/// The highest cost of one request.
const DEAREST: u32 = 6;

/// What a request costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub units: u32,
    pub is_write: bool,
    pub is_of_logs: bool,
}

/// The options that change a cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    pub has_selection: bool,
    pub has_expansion: bool,
    pub top: Option<u32>,
}

impl Cost {
    /// Of a request, by method and template.
    pub fn of(method: &str, template: &str, asked: Asked) -> Self {
        let path = template.strip_prefix("/v1.0/").unwrap_or(template);
        let last = path.rsplit('/').find(|segment| !segment.starts_with("microsoft.graph.")).unwrap_or(path);
        let is_of_logs = path.starts_with("auditLogs/");
        let question = match (last, method) {
            ("checkMemberGroups" | "checkMemberObjects", "POST") => Some(4),
            ("getMemberGroups" | "getMemberObjects", "POST") => Some(2),
            ("getByIds", "POST") => Some(3),
            (_, _) => None,
        };
        if question.is_none() && method != "GET" {
            return Self { units: 1, is_write: true, is_of_logs };
        }
        let base: u32 = question.unwrap_or(match last {
            "applications" | "memberOf" | "oauth2PermissionGrants" | "transitiveMemberOf" | "users" => 2,
            "domainNameReferences" => 4,
            "members" => 3,
            "transitiveMembers" => 5,
            _ => 1,
        });
        let more = u32::from(asked.has_expansion);
        let less = u32::from(asked.has_selection) + u32::from(asked.top.is_some_and(|top| top < 20));
        Self { units: (base + more).saturating_sub(less).max(1), is_write: false, is_of_logs }
    }

    /// What is taken from which quota.
    pub fn charges(self) -> Vec<(Quota, u32)> {
        let mut charges =
            vec![(Quota::AppTenant, self.units), (Quota::App, self.units), (Quota::AppRequests, 1)];
        if self.is_write {
            charges.extend(
                [Quota::AppTenantWrites, Quota::AppWrites, Quota::TenantWrites].map(|quota| (quota, 1)),
            );
        }
        if self.is_of_logs {
            charges.push((Quota::Logs, 1));
        }
        charges
    }
}

/// A bucket, as the moment when it will be full again. In microseconds: one unit of the largest quota is 133 of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    full_at: i64,
}

impl Bucket {
    /// The bucket without some units.
    ///
    /// # Errors
    /// How long to wait until there are enough.
    pub fn take(self, units: u32, limit: Limit, now: Timestamp) -> Result<Self, Span> {
        let now = now.millis().saturating_mul(1_000);
        let within = limit.within.as_millis().saturating_mul(1_000);
        let taken = within.saturating_mul(i64::from(units)) / i64::from(limit.units.max(1));
        let full_at = self.full_at.max(now).saturating_add(taken);
        let missing = full_at.saturating_sub(now).saturating_sub(within);
        match missing {
            ..=0 => Ok(Self { full_at }),
            _ => Err(Span::millis(missing.saturating_add(999) / 1_000)),
        }
    }

    /// A full bucket says nothing and need not be kept.
    pub const fn is_full(self, now: Timestamp) -> bool {
        self.full_at <= now.millis().saturating_mul(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_435_200_000);

    #[test]
    fn requests_cost_what_is_documented() {
        let plain = Asked::default();
        let selected = Asked { has_selection: true, ..plain };
        for (method, template, asked, units) in [
            ("GET", "/v1.0/me", plain, 1),
            ("GET", "/v1.0/users", plain, 2),
            ("GET", "/v1.0/users", selected, 1),
            ("GET", "/v1.0/users", Asked { top: Some(5), ..selected }, 1),
            ("GET", "/v1.0/users", Asked { top: Some(20), ..plain }, 2),
            ("GET", "/v1.0/users", Asked { has_expansion: true, ..plain }, 3),
            ("GET", "/v1.0/groups/{id}/members", plain, 3),
            ("GET", "/v1.0/groups/{id}/members/microsoft.graph.user", plain, 3),
            ("GET", "/v1.0/groups/{id}/transitiveMembers", plain, 5),
            ("GET", "/v1.0/me/transitiveMemberOf", plain, 2),
            ("POST", "/v1.0/me/checkMemberGroups", plain, 4),
            ("POST", "/v1.0/me/getMemberObjects", plain, 2),
            ("POST", "/v1.0/users", plain, 1),
        ] {
            assert_eq!(Cost::of(method, template, asked).units, units, "{method} {template}");
        }
        for (method, template, is_write) in [
            ("GET", "/v1.0/users", false),
            ("POST", "/v1.0/me/checkMemberGroups", false),
            ("POST", "/v1.0/users", true),
            ("PATCH", "/v1.0/me", true),
            ("DELETE", "/v1.0/users/{id}", true),
        ] {
            assert_eq!(
                Cost::of(method, template, Asked::default()).is_write,
                is_write,
                "{method} {template}"
            );
        }
        assert!(Cost::of("GET", "/v1.0/auditLogs/signIns", Asked::default()).is_of_logs);
    }

    #[test]
    fn a_bucket_gives_what_it_holds_and_fills_evenly() {
        let limit = limit(10, 10);
        let mut bucket = Bucket::default();
        for _ in 0..5 {
            bucket = bucket.take(2, limit, NOW).unwrap();
        }
        assert_eq!(bucket.take(1, limit, NOW), Err(Span::seconds(1)));
        assert_eq!(bucket.take(3, limit, NOW), Err(Span::seconds(3)));
        assert!(!bucket.is_full(NOW + Span::millis(9_999)));
        assert!(bucket.is_full(NOW + Span::seconds(10)));
        let later = NOW + Span::seconds(3);
        let bucket = bucket.take(3, limit, later).unwrap();
        assert_eq!(bucket.take(1, limit, later), Err(Span::seconds(1)));
        // A clock that goes back gives nothing away.
        assert!(bucket.take(1, limit, NOW).is_err());
    }

    #[test]
    fn larger_tenants_get_more_and_a_percentage_scales_everything() {
        let units = |users, percent| Quota::AppTenant.limit(Size::of(users), percent).units;
        assert_eq!([0, 49, 50, 500, 501].map(|users| units(users, 100)), [3_500, 3_500, 5_000, 5_000, 8_000]);
        assert_eq!([1, 50, 200].map(|percent| units(0, percent)), [35, 1_750, 7_000]);
        // Every request can be answered some time.
        assert_eq!(Quota::Logs.limit(Size::Small, 100).units, 5);
        assert_eq!(Quota::Logs.limit(Size::Small, 1).units, 1);
        assert_eq!(units(0, 0), DEAREST);
    }
}
