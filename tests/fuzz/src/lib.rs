//! What the fuzz targets run: see `targets`.

#[allow(dead_code, unused_imports, reason = "the differential tests ask more of it")]
#[path = "../../reference/mod.rs"]
mod reference;
#[allow(dead_code, unused_imports, reason = "the differential tests ask more of it")]
#[path = "../../script/mod.rs"]
mod script;
pub mod targets;
