//! placeholder
pub(crate) mod hex;
