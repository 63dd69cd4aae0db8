//! Bytes as text: the standard alphabet of base64, with padding.

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends the text of these bytes.
pub(super) fn put(bytes: &[u8], out: &mut String) {
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, &byte| group << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            match place <= chunk.len() {
                true => out.push(DIGITS[(group >> (18 - 6 * place) & 63) as usize] as char),
                false => out.push('='),
            }
        }
    }
}

/// The bytes of a text, if it is the text of some: with its padding or without, and no bits set beyond the bytes.
pub(super) fn take(text: &str) -> Option<Vec<u8>> {
    let digits = match text.len() % 4 {
        0 => text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text),
        _ => text,
    };
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for chunk in digits.as_bytes().chunks(4) {
        let mut group = 0u32;
        for &digit in chunk {
            group = group << 6 | digit_of(digit)?;
        }
        group <<= 6 * (4 - chunk.len());
        let (whole, len) = (group.to_be_bytes(), (chunk.len() * 6) / 8);
        if chunk.len() == 1 || whole[1 + len..].iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(&whole[1..1 + len]);
    }
    Some(bytes)
}

fn digit_of(digit: u8) -> Option<u32> {
    Some(u32::from(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        let mut out = String::new();
        put(bytes, &mut out);
        out
    }

    #[test]
    fn the_texts_of_the_standard() {
        let known =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")];
        for (bytes, base64) in known {
            assert_eq!(text(bytes.as_bytes()), base64);
            assert_eq!(take(base64).as_deref(), Some(bytes.as_bytes()));
            assert_eq!(take(base64.trim_end_matches('=')).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(text(&[0xfb, 0xff]), "+/8=");
        assert_eq!(take("-_8"), Some(vec![0xfb, 0xff]));
    }

    #[test]
    fn every_length_comes_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        for len in 0..bytes.len() {
            assert_eq!(take(&text(&bytes[..len])).as_deref(), Some(&bytes[..len]));
        }
    }

    #[test]
    fn what_is_no_text_of_bytes_is_refused() {
        for bad in ["Z", "Zg=", "Zh==", "Zm9=", "Zm 9", "====", "Zg==Zg==", "Zg===", "é"] {
            assert_eq!(take(bad), None, "{bad}");
        }
    }
}
