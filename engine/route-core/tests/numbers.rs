//! What core networks send, and what it means.
use proptest::prelude::*;
use route_core::{Digits, DigitsFault, NumberFault, NumberPlan};

fn digits(text: &str) -> Digits {
    Digits::parse(text.as_bytes()).expect("digits")
}

fn germany() -> NumberPlan {
    NumberPlan {
        country_code: digits("49"),
        national_prefix: digits("0"),
        international_prefix: digits("00"),
        porting_prefixes: vec![b"D123".to_vec(), b"D1AB".to_vec()],
    }
}

/// Spain has no national prefix.
fn spain() -> NumberPlan {
    NumberPlan {
        country_code: digits("34"),
        national_prefix: Digits::EMPTY,
        ..germany()
    }
}

const SHORT: fn(&str, bool) -> NumberFault = |code, emergency| NumberFault::ShortCode {
    code: digits(code),
    emergency,
};

#[test]
fn every_form_of_a_number_is_the_same_number() {
    let plan = germany();
    for user in [
        "+493023125010",
        "%2B493023125010",
        "%2b493023125010",
        "00493023125010",
        "493023125010",
        "03023125010",
        "+49-30-23125.010",
        "(030) 23125-010",
        "+493023125010;npdi;rn=+49D123",
        "03023125010;rn=+491234;npdi",
        "23125010;phone-context=+4930",
        "23125010;npdi;Phone-Context=+49-30",
        "03023125010;phone-context=+49",
        "3023125010;phone-context=+49",
        "D1233023125010",
        "d12303023125010",
        "D123+493023125010",
        "D12300493023125010",
        "+49D1AB3023125010",
    ] {
        assert_eq!(
            Ok(digits("493023125010")),
            plan.canonical(user.as_bytes()),
            "{user}"
        );
    }
}

#[test]
fn other_countries_stay_what_they_are() {
    assert_eq!(
        Ok(digits("4312345678")),
        germany().canonical(b"004312345678")
    );
    assert_eq!(
        Ok(digits("4312345678")),
        germany().canonical(b"+4312345678")
    );
    assert_eq!(
        Ok(digits("123456789012345")),
        germany().canonical(b"00123456789012345"),
        "17 digits with the prefix"
    );
}

#[test]
fn without_a_national_prefix_bare_digits_are_national() {
    assert_eq!(Ok(digits("34910000000")), spain().canonical(b"910000000"));
    assert_eq!(Ok(digits("34345000000")), spain().canonical(b"345000000"));
    assert_eq!(
        Ok(digits("34910000000")),
        spain().canonical(b"+34910000000")
    );
}

#[test]
fn short_codes_are_no_numbers_in_any_form() {
    let plan = germany();
    for user in [
        "110",
        "0110",
        "+49110",
        "0049110",
        "49110",
        "+49D123110",
        "D123110",
    ] {
        assert_eq!(
            Err(SHORT("110", true)),
            plan.canonical(user.as_bytes()),
            "{user}"
        );
    }
    assert_eq!(
        Err(SHORT("112", true)),
        plan.canonical(b"112;phone-context=+49")
    );
    for code in ["115", "116117", "11833", "118000"] {
        assert_eq!(
            Err(SHORT(code, false)),
            plan.canonical(code.as_bytes()),
            "{code}"
        );
    }
    assert_eq!(
        Err(NumberFault::Local),
        plan.canonical(b"1101"),
        "longer than a short code"
    );
}

#[test]
fn what_is_no_number_says_so() {
    let plan = germany();
    for (user, fault) in [
        ("", NumberFault::Empty),
        ("+", NumberFault::Empty),
        ("+49", NumberFault::Empty),
        ("0", NumberFault::Empty),
        ("00", NumberFault::Empty),
        ("D123", NumberFault::Empty),
        (";rn=1", NumberFault::Empty),
        ("()", NumberFault::Empty),
        ("alice", NumberFault::NotANumber(0)),
        ("+49alice", NumberFault::NotANumber(3)),
        ("D12330x", NumberFault::NotANumber(6)),
        ("23125010", NumberFault::Local),
        ("23125010;phone-context=example.net", NumberFault::Local),
        ("+0123", NumberFault::NoCountry),
        ("000123", NumberFault::NoCountry),
        ("+1234567890123456", NumberFault::TooLong),
        ("01234567890123456", NumberFault::TooLong),
        ("1111111111111111111111111111111111", NumberFault::TooLong),
    ] {
        assert_eq!(Err(fault), plan.canonical(user.as_bytes()), "{user}");
    }
}

#[test]
fn digits_refuse_what_is_none() {
    assert_eq!(Err(DigitsFault::Empty), Digits::parse(b""));
    assert_eq!(Err(DigitsFault::NotADigit(2)), Digits::parse(b"49x"));
    assert_eq!(
        Err(DigitsFault::TooLong),
        Digits::parse(b"1234567890123456")
    );
    assert_eq!(None, digits("123456789012345").push(1));
    assert_eq!(None, digits("1").push(10));
}

proptest! {
    #[test]
    fn digits_behave_like_their_text(one in "[0-9]{1,15}", two in "[0-9]{1,15}", n in 0_usize..20) {
        let (first, second) = (digits(&one), digits(&two));
        prop_assert_eq!(&one, &first.to_string());
        prop_assert_eq!(one.len(), first.len());
        prop_assert_eq!(one.cmp(&two), first.cmp(&second));
        prop_assert_eq!(&one[..n.min(one.len())], first.prefix(n).to_string());
        prop_assert_eq!(one.starts_with(&two), first.starts_with(second));
        prop_assert_eq!(one.bytes().map(|byte| byte - b'0').collect::<Vec<_>>(), first.iter().collect::<Vec<_>>());
        let mut written = Vec::new();
        first.write(&mut written);
        prop_assert_eq!(one.into_bytes(), written);
    }

    #[test]
    fn no_bytes_break_the_plan(user in proptest::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(number) = germany().canonical(&user) {
            prop_assert_eq!(Ok(number), germany().canonical(format!("+{number}").as_bytes()));
        }
    }
}
