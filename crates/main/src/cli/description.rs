//! The file that describes tenants, for `dev --seed`, `plan` and `apply`.

use anyhow::{Context, Result, bail};
use domain::tenancy::branding::LOGO_BYTES;
use service::world::World;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Longest description.
// DEFAULT: 8 MiB: 50,000 people with all their properties fit, and a wrong file is not read whole.
const LONGEST: u64 = 8 * 1024 * 1024;

pub(super) fn read_description(file: &Path) -> Result<World> {
    let cannot = || format!("cannot read the description {}\nGive the name of a YAML file", file.display());
    let mut text = String::new();
    File::open(file)
        .and_then(|open| open.take(LONGEST + 1).read_to_string(&mut text))
        .with_context(cannot)?;
    if text.len() as u64 > LONGEST {
        bail!(
            "{} has more than 8 MiB\nDivide it: each file may describe some of the tenants",
            file.display()
        );
    }
    // Without the lines around it: there may be a password among them.
    let mut world: World = serde_saphyr::from_str(&text)
        .map_err(|error| anyhow::anyhow!("{} is not right\n{}", file.display(), error.without_snippet()))?;
    // Kept whole: a later start may stand in another folder.
    let folder = std::path::absolute(file)?;
    for logo in world.tenants.iter_mut().filter_map(|tenant| tenant.logo.as_mut()) {
        *logo = folder.with_file_name("").join(&*logo);
    }
    Ok(world)
}

/// Reads the pictures that a description names.
pub(super) fn read_logos(world: &mut World) -> Result<()> {
    for tenant in &mut world.tenants {
        let Some(path) = &tenant.logo else { continue };
        let mut bytes = Vec::new();
        // One byte more than a logo may have: what is heavier is refused by whoever decides.
        let read = File::open(path).and_then(|open| open.take(LOGO_BYTES as u64 + 1).read_to_end(&mut bytes));
        read.with_context(|| format!("cannot read {}\nCorrect `logo` of {}", path.display(), tenant.domain))?;
        tenant.logo_bytes = Some(bytes);
    }
    Ok(())
}
