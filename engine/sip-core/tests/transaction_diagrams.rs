//! The committed diagrams are those of the tables.

#[path = "../examples/transaction_diagrams.rs"]
#[allow(dead_code, reason = "its main prints what this test compares")]
mod transaction_diagrams;

#[test]
fn document_is_current() {
    let committed = include_str!("../../../docs/transactions.md");
    assert!(
        transaction_diagrams::document() == committed,
        "docs/transactions.md is not what the tables say; its first lines tell how to make it anew"
    );
}
