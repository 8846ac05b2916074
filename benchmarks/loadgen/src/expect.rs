//! Which target a called number must be diverted to.

use crate::args::Args;

/// Rules by the called number's suffix; the longest suffix wins.
#[derive(Clone)]
pub(crate) struct Expect(Vec<Rule>);

#[derive(Clone)]
struct Rule {
    modulus: u64,
    remainder: u64,
    /// The target's digits as a number plus the kept last digits of the called one.
    base: u64,
    keep: u64,
}

impl Expect {
    pub(crate) fn take(args: &mut Args) -> Result<Self, String> {
        let mut rules = args.all("--expect").iter().map(|text| Rule::parse(text)).collect::<Result<Vec<Rule>, String>>()?;
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.modulus));
        Ok(Self(rules))
    }

    /// The target's digits; `None` when no rule says anything.
    pub(crate) fn target(&self, number: u64) -> Option<u64> {
        let rule = self.0.iter().find(|rule| number % rule.modulus == rule.remainder)?;
        Some(rule.base + number % rule.keep)
    }
}

impl Rule {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("--expect {text}: must be SUFFIX=TARGET, e.g. *=+496990009000 or 00=+493023125{{last:3}}");
        let (suffix, target) = text.split_once('=').ok_or_else(wrong)?;
        let (modulus, remainder) = match suffix {
            "*" => (1, 0),
            digits => (power(digits.len()).ok_or_else(wrong)?, digits.parse().map_err(|_| wrong())?),
        };
        let target = target.strip_prefix('+').unwrap_or(target);
        let (base, keep) = match target.split_once("{last:") {
            None => (target.parse().map_err(|_| wrong())?, 1),
            Some((base, rest)) => {
                let digits = rest.strip_suffix('}').and_then(|digits| digits.parse().ok()).ok_or_else(wrong)?;
                let keep = power(digits).ok_or_else(wrong)?;
                (base.parse::<u64>().ok().and_then(|base| base.checked_mul(keep)).ok_or_else(wrong)?, keep)
            }
        };
        Ok(Self { modulus, remainder, base, keep })
    }
}

fn power(digits: usize) -> Option<u64> {
    10_u64.checked_pow(u32::try_from(digits).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_suffix_wins_and_digits_are_kept() {
        let words = ["--expect", "*=+496990009000", "--expect", "00=+493023125{last:3}"];
        let mut args = Args::parse(words.iter().map(ToString::to_string)).expect("words");
        let expect = Expect::take(&mut args).expect("rules");
        assert_eq!(Some(496_990_009_000), expect.target(493_021_000_001));
        assert_eq!(Some(493_023_125_700), expect.target(493_021_000_700));
    }
}
