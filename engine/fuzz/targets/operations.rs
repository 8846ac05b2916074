//! Sequences of operations on what keeps state: transactions, verdicts, the route table.
//!
//! Invariants. Transactions: an ended one has no timer and does nothing any more; time alone ends every one that has a timer.
//! Verdicts: down is left only after `hold`; `up` is never reached by faults; the next probe is never further away than the
//! interval. Table: the same answers as a naive list, and a refused delta changes nothing.

#![no_main]

mod table;
mod transactions;
mod verdicts;

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Subject {
    Transaction(transactions::Script),
    Verdict(verdicts::Script),
    Table(table::Script),
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(subject) = Subject::arbitrary(&mut Unstructured::new(bytes)) else {
        return;
    };
    match subject {
        Subject::Transaction(script) => transactions::play(&script),
        Subject::Verdict(script) => verdicts::play(&script),
        Subject::Table(script) => table::play(&script),
    }
});
