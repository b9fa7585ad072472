//! Rules of groups with dynamic membership: nothing over a limit is read, what is wrong is shown where it stands, and the
//! server believes no rule that the reader refuses.

use crate::odata::nesting;
use domain::directory::membership_rule::MembershipRule;

// The limits as administrators meet them, written down a second time on purpose.
const LONGEST: usize = 3_072;
const DEPTH: usize = 32;

pub(crate) fn rule(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let length = text.chars().count();
    let is_read = match MembershipRule::parse(text) {
        Ok(_) => {
            assert!(length <= LONGEST, "{length} characters were read");
            true
        }
        Err(problem) => {
            assert!(
                problem.position <= length,
                "{} is behind the end: {}",
                problem.position,
                problem.problem
            );
            false
        }
    };
    // A rule may have quotes of both kinds, in which brackets count nothing.
    if is_read && !text.contains(['"', '\'']) {
        assert!(nesting(text) <= DEPTH, "nested {} deep", nesting(text));
    }
    let is_taken = crate::server::takes_rule(text);
    assert!(is_read || !is_taken, "the server took what is no rule");
}
