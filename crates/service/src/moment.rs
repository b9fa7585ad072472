//! What a request brings besides its words: the time, chance, and where it came from. Taken once at the door.

use domain::audit::Origin;
use domain::entropy::Entropy;
use domain::time::Timestamp;

/// One request's moment.
#[derive(Clone, Debug)]
pub struct Moment {
    pub now: Timestamp,
    pub entropy: Entropy,
    pub origin: Origin,
}
