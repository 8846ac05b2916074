pub(crate) fn run(_args: crate::args::Args) -> Result<bool, String> { Err("later".into()) }
