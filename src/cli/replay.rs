//! `terrace replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}
pub(super) fn run(_: &Args) -> Result<(), String> { Err("not built yet".into()) }
