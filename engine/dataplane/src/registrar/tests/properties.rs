//! Whatever a phone writes: one answer, no more contacts than allowed, and none lost that was not asked for.

use proptest::prelude::*;
use route_core::LineSlot;

use super::phone::{Phone, exchange, open_stage, stage, status};
use crate::slots::Slot;

fn contact() -> impl Strategy<Value = String> {
    let uri = prop_oneof![
        8 => (0..6_u8).prop_map(|user| format!("<sip:{user}@b>")),
        1 => "<[a-z%?;=@:<>\"]{0,12}>?",
        1 => Just("*".to_owned()),
    ];
    let params = prop_oneof![
        4 => Just(String::new()),
        4 => prop_oneof![Just(0_u64), Just(59), Just(60), Just(u64::MAX)].prop_map(|s| format!(";expires={s}")),
        1 => ";(q|expires|x)=[0-9a-z.\"-]{0,6}",
    ];
    (uri, params).prop_map(|(uri, params)| uri + &params)
}

fn headers() -> impl Strategy<Value = String> {
    let contacts = prop::collection::vec(contact(), 0..9).prop_map(|values| {
        if values.is_empty() {
            String::new()
        } else {
            format!("Contact: {}\r\n", values.join(", "))
        }
    });
    let expires = prop::option::of("[0-9x]{1,6}")
        .prop_map(|value| value.map(|v| format!("Expires: {v}\r\n")));
    (contacts, expires).prop_map(|(contacts, expires)| contacts + &expires.unwrap_or_default())
}

proptest! {
    #[test]
    fn requests_in_a_row_keep_the_limit_and_refusals_change_nothing(
        requests in prop::collection::vec((headers(), 0..3_u32), 1..8),
    ) {
        let (mut stage, mut phone) = (open_stage(), Phone::default());
        let bound = |stage: &crate::worker::testing::Stage| -> Vec<(Vec<u8>, u32)> {
            let targets = stage.shared.slots.read(LineSlot(0)).and_then(Slot::targets).unwrap_or_default();
            targets.iter().map(|t| (t.uri.to_vec(), t.binding.as_ref().map_or(0, |b| b.cseq))).collect()
        };
        for (headers, back) in requests {
            let before = bound(&stage);
            phone.cseq = phone.cseq.saturating_sub(back);
            let request = phone.request(&headers);
            let sent = exchange(&mut stage, &request, phone.source);
            prop_assert_eq!(1, sent.len());
            let after = bound(&stage);
            prop_assert!(after.len() <= 3);
            if status(&sent[0]) != 200 {
                prop_assert_eq!(before, after);
            }
        }
    }

    #[test]
    fn credentials_of_any_form_get_one_answer_and_bind_nothing(value in "Digest [ -~]{0,80}|[ -~]{1,40}") {
        let (mut stage, mut phone) = (stage(), Phone { authorization: Some(value), ..Phone::default() });
        let request = phone.request("Contact: <sip:a@b>\r\n");
        let sent = exchange(&mut stage, &request, phone.source);
        prop_assert_eq!(1, sent.len());
        prop_assert!([400, 401].contains(&status(&sent[0])));
        prop_assert!(stage.events().is_empty());
    }
}
