use super::*;

const POINT: &[u8] = b"\x01\x02\x02\x01x\x01\x03u64\x01y\x01\x03u64";

fn judged(written: &[u8], read: &[u8], optional: &[u32], writer: Writer) -> Result<Option<String>, SchemaFault> {
    let (none, optional) = (Optional::default(), Optional::new(optional.to_vec()));
    let written = Known { schema: written, optional: &none };
    refusal("it", written, Known { schema: read, optional: &optional }, writer)
}

/// The end that wrote is the peer.
#[track_caller]
fn refused(written: &[u8], read: &[u8], words: &str) {
    assert_eq!(judged(written, read, &[], Writer::There), Ok(Some(words.to_owned())));
}

#[track_caller]
fn accepted(written: &[u8], read: &[u8]) {
    assert_eq!(judged(written, read, &[], Writer::There), Ok(None));
}

// proves: read.fields, read.common
#[test]
fn fields_go_by_their_names() {
    accepted(POINT, POINT);
    accepted(POINT, b"\x01\x02\x02\x01y\x01\x03u64\x01x\x01\x03u64");
    accepted(POINT, b"\x01\x02\x01\x01y\x01\x03u64");
    let longer = b"\x01\x02\x03\x01x\x01\x03u64\x01z\x01\x02u8\x01y\x01\x03u64";
    let words = "it.z is u8 here and missing there; this end must make it an `Option` or give it a default, `#[facet(default)]`";
    refused(POINT, longer, words);
    assert_eq!(judged(POINT, longer, &[1], Writer::There), Ok(None));
    let words = "it.z is missing here and u8 there; the peer must make it an `Option` or give it a default, `#[facet(default)]`";
    assert_eq!(judged(POINT, longer, &[0, 2], Writer::Here), Ok(Some(words.to_owned())));
    refused(
        POINT,
        b"\x01\x02\x01\x01z\x04\x01\x02u8",
        "it.z is Option<u8> here and missing there; this end must make it an `Option` or give it a default, `#[facet(default)]`",
    );
    let words =
        "it is one of `z` here and a struct of `x`, `y` there; the newer of the two must keep the type of the older";
    assert_eq!(judged(POINT, b"\x01\x02\x01\x01z\x04\x01\x02u8", &[0], Writer::There), Ok(Some(words.to_owned())));
}

const KEEP: &str = "; the newer of the two must keep the type of the older";

// proves: read.kinds
#[test]
fn kinds_of_types_lengths_and_wire_types_stay() {
    let (number, text) = (b"\x01\x01\x03u64", b"\x01\x01\x06string");
    refused(number, text, &format!("it is string here and u64 there{KEEP}"));
    refused(number, b"\x01\x04\x01\x03u64", &format!("it is Option<u64> here and u64 there{KEEP}"));
    refused(POINT, b"\x01\x02\x02\x01x\x01\x03u64\x01y\x01\x03u32", &format!("it.y is u32 here and u64 there{KEEP}"));
    refused(
        b"\x01\x07\x04\x01\x02u8",
        b"\x01\x07\x05\x01\x02u8",
        &format!("it is [u8; 5] here and [u8; 4] there{KEEP}"),
    );
    refused(
        b"\x01\x06\x01\x03u16",
        b"\x01\x09\x01\x03u16",
        &format!("it is a set of u16 here and a list of u16 there{KEEP}"),
    );
    refused(b"\x01\x0a\x01\x02u8", b"\x01\x0b\x01\x02u8", &format!("it is Rx<u8> here and Tx<u8> there{KEEP}"));
    refused(b"\x01\x0a\x01\x02u8", b"\x01\x0a\x01\x03u16", &format!("it's item is u16 here and u8 there{KEEP}"));
}

// proves: read.integers
#[test]
fn integers_become_wider_without_loss() {
    let all = ["u8", "u16", "u32", "u64", "u128", "i8", "i16", "i32", "i64", "i128"];
    let wider = all.iter().map(|from| all.iter().filter(|to| widens(from, to)).count());
    assert_eq!(wider.collect::<Vec<_>>(), [8, 6, 4, 2, 0, 4, 3, 2, 1, 0]);
    assert!(widens("u8", "i16") && widens("u64", "i128") && widens("i8", "i128"));
    assert!(!widens("i8", "u16") && !widens("u8", "i8") && !widens("u16", "u8") && !widens("u64", "i64"));
    assert!(!widens("f32", "f64") && !widens("bool", "u8") && !widens("char", "u32") && !widens("u", "u8"));
}

// proves: read.variants, read.common
#[test]
fn variants_go_by_their_names() {
    let (new_paid, more) =
        (b"\x01\x03\x02\x03New\x00\x04Paid\x00", b"\x01\x03\x03\x04Paid\x00\x07Waiting\x00\x03New\x00");
    accepted(new_paid, more);
    accepted(more, new_paid);
    refused(
        new_paid,
        b"\x01\x03\x01\x04Gone\x00",
        &format!("it is one of `Gone` here and an enum of `New`, `Paid` there{KEEP}"),
    );
    let (with, without) = (b"\x01\x03\x01\x01A\x01\x01x\x01\x02u8", b"\x01\x03\x01\x01A\x00");
    accepted(with, without);
    refused(
        without,
        with,
        "it::A.x is u8 here and missing there; this end must make it an `Option` or give it a default, `#[facet(default)]`",
    );
}

// proves: read.keys
#[test]
fn keys_lose_nothing() {
    let set = |point: &[u8]| [b"\x01\x09", &point[1..]].concat();
    let (point, x) = (set(POINT), set(b"\x01\x02\x01\x01x\x01\x03u64"));
    refused(
        &point,
        &x,
        "it[].y is missing here and u64 there; this end must keep it, for two keys could become one without it",
    );
    let map = |key: &[u8]| [b"\x01\x08", &key[2..], b"\x01\x02u8"].concat();
    refused(
        &map(&point),
        &map(&x),
        "it[key].y is missing here and u64 there; this end must keep it, for two keys could become one without it",
    );
}

#[test]
fn items_are_read_by_the_end_that_does_not_send_them() {
    let (tx, rx) = (|item: &[u8]| [b"\x01\x0a", item].concat(), |item: &[u8]| [b"\x01\x0b", item].concat());
    let (narrow, wide) = (b"\x01\x02u8", b"\x01\x03u16");
    accepted(&rx(narrow), &rx(wide));
    refused(&rx(wide), &rx(narrow), &format!("it's item is u8 here and u16 there{KEEP}"));
    accepted(&tx(wide), &tx(narrow));
    refused(&tx(narrow), &tx(wide), &format!("it's item is u16 here and u8 there{KEEP}"));
    let (without, with) = (b"\x02\x00", b"\x02\x01\x01x\x01\x02u8");
    accepted(&tx(without), &tx(with));
    refused(
        &tx(with),
        &tx(without),
        "it's item.x is missing here and u8 there; the peer must make it an `Option` or give it a default, `#[facet(default)]`",
    );
}

// proves: read.keys
#[test]
fn channels_are_not_left_out() {
    let with = b"\x01\x02\x02\x01x\x01\x03u64\x01y\x04\x0a\x01\x02u8";
    refused(
        with,
        b"\x01\x02\x01\x01x\x01\x03u64",
        "it.y is missing here and Option<a channel> there; this end must keep it, for a channel has two ends",
    );
}

#[test]
fn types_inside_themselves_are_judged_once() {
    let chain = b"\x01\x02\x02\x05value\x01\x02u8\x04next\x04\x0c\x00";
    let other = b"\x01\x02\x02\x05value\x01\x02u8\x04next\x06\x0c\x00";
    accepted(chain, chain);
    refused(
        chain,
        other,
        &format!("it.next is a list of a struct of 2 fields here and Option<a struct of 2 fields> there{KEEP}"),
    );
    // One turn of the chain written out: the same type.
    let unrolled = b"\x01\x02\x02\x05value\x01\x02u8\x04next\x04\x02\x02\x05value\x01\x02u8\x04next\x04\x0c\x02";
    accepted(chain, unrolled);
}

#[test]
fn hostile_bytes_are_refused_and_cost_little() {
    #[track_caller]
    fn refused(theirs: &[u8], why: &str) {
        let fault = judged(theirs, POINT, &[], Writer::There).expect_err("no schema");
        assert!(fault.0.contains(why), "{fault:?}, without {why}");
    }
    refused(b"", "end too early");
    refused(b"\x02\x01\x02u8", "another version");
    refused(b"\x01\x0c\x00", "a type that has not begun");
    refused(b"\x01\x0d", "an unknown kind of type");
    refused(b"\x01\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "a count of more");
    refused(b"\x01\x02\xff\xff\xff\xff\x0f", "a count of more");
    refused(b"\x01\x01\xff\xff\xff\xff\x0fx", "longer than the bytes");
    refused(b"\x01\x01\x02\xff\xfe", "not UTF-8");
    refused(&[POINT, b"\x00"].concat(), "bytes past the end");
    refused(&[b"\x01".as_slice(), &[6; 100_000]].concat(), "types more than 128 deep");
    let named = |n: usize, rest: &[u8]| -> Vec<u8> {
        (0..n).flat_map(|n| [b"\x04".as_slice(), format!("{n:04}").as_bytes(), rest].concat()).collect()
    };
    refused(&[b"\x01\x02\x90\x4e".as_slice(), &named(10_000, b"\x04\x01\x02u8")].concat(), "more than 4096 types");
    refused(
        &[b"\x01\x03\xa0\x9c\x01".as_slice(), &named(20_000, b"\x00")].concat(),
        "more than 16384 fields and variants",
    );
    refused(b"\x01\x02\x02\x01x\x01\x02u8\x01x\x01\x02u8", "two parts of one name");
    refused(b"\x01\x02\x01\x01x\x0c\x00", "a type that stands in itself without end");
    // Through a type that was read before: the cycle is not seen from above.
    let behind = b"\x01\x02\x02\x01a\x04\x02\x01\x01x\x0c\x00\x01b\x0c\x02";
    refused(behind, "a type that stands in itself without end");
}

/// Types inside each other, so many levels.
fn nested(len: usize, last: &[u8]) -> Vec<u8> {
    [b"\x01".as_slice(), &b"\x06".repeat(len), last].concat()
}

#[test]
fn rings_of_types_are_compared_in_each_way_once() {
    // They stand beside each other in each of 16,002 ways before they are known to be equal.
    let ring = |len| nested(len, b"\x0c\x00");
    accepted(&ring(127), &ring(126));
}

#[test]
fn a_place_a_long_way_in_is_named_by_its_ends() {
    let place = format!("it{}…{}", "[]".repeat(15), "[]".repeat(16));
    refused(
        &nested(120, b"\x01\x02u8"),
        &nested(1, b"\x0c\x00"),
        &format!("{place} is a list of a list here and u8 there{KEEP}"),
    );
}

#[test]
fn every_cut_and_every_flipped_byte_is_answered() {
    let chain = b"\x01\x02\x02\x05value\x01\x02u8\x04next\x04\x0c\x00".as_slice();
    for schema in [POINT, chain] {
        for cut in 0..schema.len() {
            assert!(judged(&schema[..cut], POINT, &[], Writer::There).is_err());
        }
        for at in 0..schema.len() {
            for flip in 1..=255 {
                let mut other = schema.to_vec();
                other[at] ^= flip;
                let _ = judged(&other, schema, &[], Writer::There);
                let _ = judged(schema, &other, &[], Writer::Here);
            }
        }
    }
}
