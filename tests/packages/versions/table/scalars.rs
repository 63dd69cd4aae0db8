//! Changes of numbers, texts and bytes. Read by the crates `old` and `new`, each of which takes its own version of each.

use super::*;

pub(crate) fn add(cases: &mut Vec<Case>) {
    change! { cases "U8ToU16", "an integer becomes wider";
        old: u8 [255] {}
        new: u16 [1] {}
        old_reads: []
        new_reads: [Some(255)]
    }
    change! { cases "U16ToU32", "an integer becomes wider";
        old: u16 [65_535] {}
        new: u32 [1] {}
        old_reads: []
        new_reads: [Some(65_535)]
    }
    change! { cases "U32ToU64", "an integer becomes wider";
        old: u32 [4_000_000_000] {}
        new: u64 [1] {}
        old_reads: []
        new_reads: [Some(4_000_000_000)]
    }
    change! { cases "U64ToU128", "an integer becomes wider";
        old: u64 [u64::MAX as _] {}
        new: u128 [1] {}
        old_reads: []
        new_reads: [Some(u64::MAX as _)]
    }
    change! { cases "U8ToI16", "an integer becomes wider";
        old: u8 [255] {}
        new: i16 [1] {}
        old_reads: []
        new_reads: [Some(255)]
    }
    change! { cases "U16ToI32", "an integer becomes wider";
        old: u16 [65_535] {}
        new: i32 [1] {}
        old_reads: []
        new_reads: [Some(65_535)]
    }
    change! { cases "U64ToI128", "an integer becomes wider";
        old: u64 [u64::MAX as _] {}
        new: i128 [1] {}
        old_reads: []
        new_reads: [Some(u64::MAX as _)]
    }
    change! { cases "I8ToI16", "an integer becomes wider";
        old: i8 [-128, 127] {}
        new: i16 [1] {}
        old_reads: []
        new_reads: [Some(-128), Some(127)]
    }
    change! { cases "I16ToI32", "an integer becomes wider";
        old: i16 [-300] {}
        new: i32 [1] {}
        old_reads: []
        new_reads: [Some(-300)]
    }
    change! { cases "I32ToI64", "an integer becomes wider";
        old: i32 [i32::MIN as _] {}
        new: i64 [1] {}
        old_reads: []
        new_reads: [Some(i32::MIN as _)]
    }
    change! { cases "I64ToI128", "an integer becomes wider";
        old: i64 [i64::MIN as _, -1] {}
        new: i128 [1] {}
        old_reads: []
        new_reads: [Some(i64::MIN as _), Some(-1)]
    }
    change! { cases "U64ToU32", "an integer becomes narrower";
        old: u64 [1] {}
        new: u32 [7] {}
        old_reads: [Some(7)]
        new_reads: []
    }
    change! { cases "U16ToU8", "an integer becomes narrower";
        old: u16 [1] {}
        new: u8 [255] {}
        old_reads: [Some(255)]
        new_reads: []
    }
    change! { cases "I64ToI32", "an integer becomes narrower";
        old: i64 [1] {}
        new: i32 [-7] {}
        old_reads: [Some(-7)]
        new_reads: []
    }
    change! { cases "UnsignedToSigned", "a type becomes another";
        old: u64 [7] {}
        new: i64 [7] {}
        old_reads: []
        new_reads: []
    }
    change! { cases "SignedToUnsigned", "a type becomes another";
        old: i32 [7] {}
        new: u32 [7] {}
        old_reads: []
        new_reads: []
    }
    change! { cases "IntegerToFloat", "a type becomes another";
        old: u32 [7] {}
        new: f64 [7.0] {}
        old_reads: []
        new_reads: []
    }
    change! { cases "FloatToDouble", "a type becomes another";
        old: f32 [0.5] {}
        new: f64 [0.5] {}
        old_reads: []
        new_reads: []
    }
    change! { cases "BoolToInteger", "a type becomes another";
        old: bool [true] {}
        new: u8 [1] {}
        old_reads: []
        new_reads: []
    }
    change! { cases "CharToInteger", "a type becomes another";
        old: char ['x'] {}
        new: u32 [7] {}
        old_reads: []
        new_reads: []
    }
    change! { cases "TextToBytes", "a type becomes another";
        old: String ["x".to_owned()] {}
        new: Vec<u8> [vec![1]] {}
        old_reads: []
        new_reads: []
    }
    change! { cases "BytesToWords", "a type becomes another";
        old: Vec<u8> [vec![1]] {}
        new: Vec<u16> [vec![1]] {}
        old_reads: []
        new_reads: []
    }
    change! { cases "DurationToSeconds", "a type becomes another";
        old: std::time::Duration [std::time::Duration::from_secs(7)] {}
        new: u64 [7] {}
        old_reads: []
        new_reads: []
    }
    change! { cases "UsizeToU64", "a type is renamed, boxed, shared, or made another one of the same encoding";
        old: usize [7] {}
        new: u64 [8] {}
        old_reads: [Some(8)]
        new_reads: [Some(7)]
    }
    change! { cases "NonZeroToAWiderOne", "a type becomes another";
        old: std::num::NonZeroU16 [std::num::NonZeroU16::MAX] {}
        new: std::num::NonZeroU32 [std::num::NonZeroU32::MAX] {}
        old_reads: []
        new_reads: []
    }
    change! { cases "TextToBoxedText", "a type is renamed, boxed, shared, or made another one of the same encoding";
        old: String ["x".to_owned()] {}
        new: Box<str> ["x".into()] {}
        old_reads: [Some("x".to_owned())]
        new_reads: [Some("x".into())]
    }
    change! { cases "BytesToBoxedBytes", "a type is renamed, boxed, shared, or made another one of the same encoding";
        old: Vec<u8> [vec![1, 2]] {}
        new: Box<[u8]> [vec![1, 2].into()] {}
        old_reads: [Some(vec![1, 2])]
        new_reads: [Some(vec![1, 2].into())]
    }
    change! { cases "TextToCow", "a type is renamed, boxed, shared, or made another one of the same encoding";
        old: String ["x".to_owned()] {}
        new: std::borrow::Cow<'static, str> ["x".into()] {}
        old_reads: [Some("x".to_owned())]
        new_reads: [Some("x".into())]
    }
    change! { cases "BoxToArc", "a type is renamed, boxed, shared, or made another one of the same encoding";
        old: Box<u32> [Box::new(7)] {}
        new: std::sync::Arc<u32> [std::sync::Arc::new(7)] {}
        old_reads: [Some(Box::new(7))]
        new_reads: [Some(std::sync::Arc::new(7))]
    }
}
