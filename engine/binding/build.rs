//! Tells the crate which compiler builds it.

use std::process::Command;

fn main() {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = Command::new(rustc).arg("--version").output().ok();
    let version = version.and_then(|output| String::from_utf8(output.stdout).ok());
    println!(
        "cargo::rustc-env=ENGINE_RUSTC_VERSION={}",
        version.as_deref().unwrap_or("unknown").trim()
    );
    println!("cargo::rerun-if-changed=build.rs");
}
