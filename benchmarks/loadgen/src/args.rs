//! The command line: `--name value` pairs and a few switches. Whatever nobody asked for is an error.

use std::str::FromStr;

const SWITCHES: [&str; 5] = ["--unconnected", "--block", "--single", "--histinfo", "--show"];

/// Options not yet taken.
pub(crate) struct Args(Vec<(String, String)>);

impl Args {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut pairs = Vec::new();
        while let Some(name) = words.next() {
            let value = if SWITCHES.contains(&name.as_str()) {
                String::new()
            } else if name.starts_with("--") {
                words.next().ok_or_else(|| format!("{name}: value missing"))?
            } else {
                return Err(format!("{name}: not an option; see `sip-load` without arguments"));
            };
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// All values of a repeatable option, in order.
    pub(crate) fn all(&mut self, name: &str) -> Vec<String> {
        let (taken, left) = std::mem::take(&mut self.0).into_iter().partition(|(given, _)| given == name);
        self.0 = left;
        let taken: Vec<(String, String)> = taken;
        taken.into_iter().map(|(_, value)| value).collect()
    }

    pub(crate) fn switch(&mut self, name: &str) -> bool {
        !self.all(name).is_empty()
    }

    pub(crate) fn optional<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, String> {
        match self.all(name).pop() {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| format!("{name} {text}: not usable")),
        }
    }

    pub(crate) fn or<T: FromStr>(&mut self, name: &str, default: T) -> Result<T, String> {
        Ok(self.optional(name)?.unwrap_or(default))
    }

    pub(crate) fn need<T: FromStr>(&mut self, name: &str) -> Result<T, String> {
        self.optional(name)?.ok_or_else(|| format!("{name}: missing"))
    }

    /// Nothing may be left over: a misspelt option would silently measure something else.
    pub(crate) fn finish(self) -> Result<(), String> {
        self.0.first().map_or(Ok(()), |(name, _)| Err(format!("{name}: unknown here")))
    }
}
