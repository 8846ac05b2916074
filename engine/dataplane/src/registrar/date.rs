//! Date (RFC 3261 §20.17): `Sat, 13 Nov 2010 23:29:00 GMT`.

use std::io::Write as _;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Append the SIP-date of a Unix time.
pub(super) fn write(unix_s: u32, out: &mut Vec<u8>) {
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    // Years that begin in March end with the leap day, if they have one; 1968-03-01 begins a cycle of four, and up to 2106
    // only 2100 has no leap day although it is divisible by four.
    let since_march_1968 = days + 671 + u32::from(days >= 47_541);
    let cycle_day = since_march_1968 % 1461;
    let year_of_cycle = (cycle_day / 365).min(3);
    let day_of_year = cycle_day - year_of_cycle * 365;
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = (march_month + 2) % 12;
    let year = 1968 + since_march_1968 / 1461 * 4 + year_of_cycle + u32::from(march_month >= 10);
    // Writing to a vector does not fail.
    let _ = write!(
        out,
        "{}, {day:02} {} {year} {:02}:{:02}:{:02} GMT",
        DAYS[days as usize % 7],
        MONTHS[month as usize],
        second / 3600,
        second / 60 % 60,
        second % 60
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let table = [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (68_255_999, "Tue, 29 Feb 1972 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_289_690_940, "Sat, 13 Nov 2010 23:29:00 GMT"),
            (1_704_067_199, "Sun, 31 Dec 2023 23:59:59 GMT"),
            (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (1_709_251_200, "Fri, 01 Mar 2024 00:00:00 GMT"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (u32::MAX, "Sun, 07 Feb 2106 06:28:15 GMT"),
        ];
        for (unix_s, expected) in table {
            let mut out = Vec::new();
            write(unix_s, &mut out);
            assert_eq!(expected, String::from_utf8(out).unwrap());
        }
    }
}
