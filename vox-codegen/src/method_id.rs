//! The id that a method has on the wire.

/// The id of `method` in `service`: FNV-1a, 64 bits, of `service.method`.
pub(crate) fn method_id(service: &str, method: &str) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let bytes = service.bytes().chain(*b".").chain(method.bytes());
    bytes.fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn method_ids_are_fnv_1a_of_the_dotted_name() {
        assert_eq!(method_id("", ""), 0xaf63_a34c_8601_8bb1);
        assert_eq!(method_id("Bank", "balance"), 0xe3b5_bca8_71d7_b8c9);
        assert_ne!(method_id("Bank", "balance"), method_id("Bank", "transfer"));
        assert_ne!(method_id("Bank", "balance"), method_id("Shop", "balance"));
    }
}
