//! The bank of the examples, held against its snapshot.

#[path = "../../examples/bank/service.rs"]
mod service;

#[test]
fn the_bank_goes_with_its_snapshot() {
    vox::assert_compatible!(service::BankClient::SERVICE, "examples/bank/schemas/bank.vox");
}
