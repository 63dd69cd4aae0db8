//! Types with an encoding of their own: what each is read to and written from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use super::times::{self, Span, Time};
use super::{Value, base64};
use crate::codec::{DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder, unzigzag, zigzag};

/// A type with an encoding of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    Bool,
    Char,
    Unsigned {
        bits: u32,
        nonzero: bool,
    },
    Signed {
        bits: u32,
        nonzero: bool,
    },
    F32 {
        nan: bool,
    },
    F64 {
        nan: bool,
    },
    Bytes,
    /// Text, of whatever.
    Text,
    Duration,
    TimeDelta,
    Uuid,
    Ipv4,
    Ipv6,
    Ip,
    SocketV4,
    SocketV6,
    Socket,
    /// A date and a time, with an offset or without.
    Time {
        offset: bool,
    },
    /// There is no value of it.
    Never,
}

type Read<T> = Result<T, DecodeError>;

impl Named {
    pub(super) const BYTE: Self = Self::Unsigned { bits: 8, nonzero: false };

    /// What a schema calls so; `None`: this version does not know it.
    pub(super) fn of(name: &str) -> Option<Self> {
        if let Some(number) = name.strip_prefix("NonZero<").and_then(|rest| rest.strip_suffix('>')) {
            return match Self::number(number)? {
                Self::Unsigned { bits, .. } => Some(Self::Unsigned { bits, nonzero: true }),
                Self::Signed { bits, .. } => Some(Self::Signed { bits, nonzero: true }),
                _ => None,
            };
        }
        Some(match name {
            "bool" => Self::Bool,
            "char" => Self::Char,
            "f32" | "OrderedFloat<f32>" => Self::F32 { nan: true },
            "f64" | "OrderedFloat<f64>" => Self::F64 { nan: true },
            "NotNan<f32>" => Self::F32 { nan: false },
            "NotNan<f64>" => Self::F64 { nan: false },
            "bytes" => Self::Bytes,
            "string" | "Decimal" | "Ulid" | "DateTime" | "NaiveDate" | "NaiveDateTime" | "NaiveTime" | "Timestamp"
            | "Zoned" | "civil.DateTime" | "civil.Date" | "civil.Time" | "Version" | "VersionReq" | "Url" => Self::Text,
            "Duration" => Self::Duration,
            "TimeDelta" => Self::TimeDelta,
            "Uuid" => Self::Uuid,
            "Ipv4Addr" => Self::Ipv4,
            "Ipv6Addr" => Self::Ipv6,
            "IpAddr" => Self::Ip,
            "SocketAddrV4" => Self::SocketV4,
            "SocketAddrV6" => Self::SocketV6,
            "SocketAddr" => Self::Socket,
            "time.UtcDateTime" => Self::Time { offset: false },
            "time.OffsetDateTime" => Self::Time { offset: true },
            "Infallible" => Self::Never,
            _ => return Self::number(name),
        })
    }

    fn number(name: &str) -> Option<Self> {
        let (signed, bits) = (name.starts_with('i'), name.strip_prefix(['u', 'i'])?);
        let bits = match bits {
            "8" => 8,
            "16" => 16,
            "32" => 32,
            // As the others are written, whatever the machine.
            "64" | "size" => 64,
            "128" => 128,
            _ => return None,
        };
        Some(match signed {
            true => Self::Signed { bits, nonzero: false },
            false => Self::Unsigned { bits, nonzero: false },
        })
    }

    /// Whether keys of maps of this type stand in a JSON object.
    pub(super) fn is_key(self) -> bool {
        !matches!(self, Self::F32 { .. } | Self::F64 { .. } | Self::Bytes | Self::Never)
    }

    /// What is charged beside the value's own place is charged here.
    pub(super) fn read(self, from: &mut Decoder<'_>) -> Read<Value> {
        Ok(match self {
            Self::Bool => match from.byte()? {
                0 => Value::Bool(false),
                1 => Value::Bool(true),
                _ => return Err(from.error(DecodeErrorKind::BadBool)),
            },
            Self::Char => {
                // As postcard takes it: at most four bytes, of which the first character counts.
                let text = from.str_slice()?;
                match text.chars().next() {
                    Some(c) if text.len() <= 4 => Value::Char(c),
                    _ => return Err(from.error(DecodeErrorKind::BadChar)),
                }
            }
            Self::Unsigned { bits, nonzero } => {
                match if bits == 8 { from.byte()?.into() } else { from.varint_of(bits)? } {
                    0 if nonzero => return Err(bad(from, "NonZero")),
                    number => Value::Unsigned(number),
                }
            }
            Self::Signed { bits, nonzero } => {
                let number = if bits == 8 { i128::from(from.byte()? as i8) } else { unzigzag(from.varint_of(bits)?) };
                match number {
                    0 if nonzero => return Err(bad(from, "NonZero")),
                    number => Value::Signed(number),
                }
            }
            Self::F32 { nan } => match f32::from_le_bytes(from.array()?) {
                float if float.is_nan() && !nan => return Err(bad(from, "NotNan")),
                float => Value::F32(float),
            },
            Self::F64 { nan } => match f64::from_le_bytes(from.array()?) {
                float if float.is_nan() && !nan => return Err(bad(from, "NotNan")),
                float => Value::F64(float),
            },
            Self::Bytes => {
                let range = from.bytes()?;
                Value::Bytes(from.slice(range))
            }
            Self::Never => return Err(bad(from, "Infallible")),
            _ => {
                let text = self.read_text(from)?;
                from.charge(text.len())?;
                Value::Text(text)
            }
        })
    }

    fn read_text(self, from: &mut Decoder<'_>) -> Read<String> {
        Ok(match self {
            Self::Duration => {
                let (seconds, nanos) = (from.varint()?, from.varint_of(32)? as u64);
                let seconds = seconds.checked_add(nanos / times::BILLION);
                let seconds = seconds.ok_or_else(|| bad(from, "Duration"))?;
                Span { negative: false, seconds, nanos: nanos % times::BILLION }.to_string()
            }
            Self::TimeDelta => {
                let seconds = unzigzag(from.varint_of(64)?);
                let nanos = unzigzag(from.varint_of(32)?);
                Span::of(seconds, nanos).ok_or_else(|| bad(from, "TimeDelta"))?.to_string()
            }
            Self::Uuid => {
                let bytes = from.bytes_slice()?;
                let bytes = <[u8; 16]>::try_from(bytes).map_err(|_| bad(from, "Uuid"))?;
                uuid_text(u128::from_be_bytes(bytes))
            }
            Self::Ipv4 => ipv4(from)?.to_string(),
            Self::Ipv6 => ipv6(from)?.to_string(),
            Self::Ip if is_v4(from)? => ipv4(from)?.to_string(),
            Self::Ip => ipv6(from)?.to_string(),
            Self::SocketV4 => socket_v4(from)?,
            Self::SocketV6 => socket_v6(from)?,
            Self::Socket if is_v4(from)? => socket_v4(from)?,
            Self::Socket => socket_v6(from)?,
            Self::Time { offset } => Time::read(from, offset)?.to_string(),
            _ => from.str_slice()?.to_owned(),
        })
    }

    /// Writes a value; `None`: it is none of this type.
    pub(super) fn write(self, value: &Value, to: &mut Encoder<'_>) -> Option<Result<(), EncodeError>> {
        Some(match (self, value) {
            (Self::Bool, Value::Bool(value)) => to.byte((*value).into()),
            (Self::Char, Value::Char(value)) => to.str(value.encode_utf8(&mut [0; 4])),
            (Self::Unsigned { bits, nonzero }, value) => {
                let number = match *value {
                    Value::Unsigned(number) => number,
                    Value::Signed(number) => number.try_into().ok()?,
                    _ => return None,
                };
                if number > u128::MAX >> (128 - bits) || nonzero && number == 0 {
                    return None;
                }
                if bits == 8 { to.byte(number as u8) } else { to.varint128(number) }
            }
            (Self::Signed { bits, nonzero }, value) => {
                let number = match *value {
                    Value::Signed(number) => number,
                    Value::Unsigned(number) => number.try_into().ok()?,
                    _ => return None,
                };
                let most = i128::MAX >> (128 - bits);
                if number > most || number < -most - 1 || nonzero && number == 0 {
                    return None;
                }
                if bits == 8 { to.byte(number as u8) } else { to.varint128(zigzag(number)) }
            }
            (Self::F32 { nan }, Value::F32(value)) if nan || !value.is_nan() => to.raw(&value.to_le_bytes()),
            (Self::F64 { nan }, Value::F64(value)) if nan || !value.is_nan() => to.raw(&value.to_le_bytes()),
            (Self::Bytes, Value::Bytes(bytes)) => to.bytes(bytes),
            (_, Value::Text(text)) => self.write_text(text, to)?,
            _ => return None,
        })
    }

    fn write_text(self, text: &str, to: &mut Encoder<'_>) -> Option<Result<(), EncodeError>> {
        let mut start = |tag| to.byte(tag);
        Some(match self {
            Self::Text => to.str(text),
            Self::Duration => {
                let span: Span = text.parse().ok().filter(|span: &Span| !span.negative)?;
                to.varint(span.seconds).and_then(|()| to.varint(span.nanos))
            }
            Self::TimeDelta => {
                let (seconds, nanos) = text.parse::<Span>().ok()?.floor()?;
                let nanos = zigzag(nanos.into());
                to.varint128(zigzag(seconds.into())).and_then(|()| to.varint128(nanos))
            }
            Self::Uuid => to.bytes(&uuid_of(text)?.to_be_bytes()),
            Self::Ipv4 => to.raw(&text.parse::<Ipv4Addr>().ok()?.octets()),
            Self::Ipv6 => to.raw(&text.parse::<Ipv6Addr>().ok()?.octets()),
            Self::Ip => match text.parse::<IpAddr>().ok()? {
                IpAddr::V4(ip) => start(0).and_then(|()| to.raw(&ip.octets())),
                IpAddr::V6(ip) => start(1).and_then(|()| to.raw(&ip.octets())),
            },
            Self::SocketV4 => put_v4(text.parse().ok()?, to),
            Self::SocketV6 => put_v6(text.parse().ok()?, to)?,
            Self::Socket => match text.parse::<SocketAddr>().ok()? {
                SocketAddr::V4(at) => start(0).and_then(|()| put_v4(at, to)),
                SocketAddr::V6(at) => start(1).and_then(|()| put_v6(at, to).unwrap_or(Ok(()))),
            },
            Self::Time { offset } => text.parse::<Time>().ok()?.write(offset, to)?,
            _ => return None,
        })
    }

    /// The value of a text in quotation marks, which a key of a JSON object is too. `None`: it is none of this type.
    pub(super) fn of_text(self, text: String) -> Option<Value> {
        Some(match self {
            Self::Bool => Value::Bool(text.parse().ok()?),
            Self::Char => {
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(c), None) => Value::Char(c),
                    _ => return None,
                }
            }
            Self::Unsigned { .. } | Self::Signed { .. } => return self.of_number(&text),
            Self::F32 { .. } => match float_bits(&text, 0x7fc0_0000) {
                Some(bits) => Value::F32(f32::from_bits(u32::try_from(bits).ok()?)),
                None => match text.as_str() {
                    "Infinity" => Value::F32(f32::INFINITY),
                    "-Infinity" => Value::F32(f32::NEG_INFINITY),
                    _ => return self.of_number(&text),
                },
            },
            Self::F64 { .. } => match float_bits(&text, 0x7ff8_0000_0000_0000) {
                Some(bits) => Value::F64(f64::from_bits(bits)),
                None => match text.as_str() {
                    "Infinity" => Value::F64(f64::INFINITY),
                    "-Infinity" => Value::F64(f64::NEG_INFINITY),
                    _ => return self.of_number(&text),
                },
            },
            Self::Bytes => Value::Bytes(base64::take(&text)?.into()),
            Self::Never => return None,
            _ => Value::Text(text),
        })
    }

    /// The value of a number, as JSON writes one.
    pub(super) fn of_number(self, text: &str) -> Option<Value> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_number = digits.as_bytes().first().is_some_and(u8::is_ascii_digit);
        match self {
            _ if !is_number => None,
            Self::F32 { .. } => text.parse().ok().filter(|float: &f32| float.is_finite()).map(Value::F32),
            Self::F64 { .. } => text.parse().ok().filter(|float: &f64| float.is_finite()).map(Value::F64),
            // A number is written one way, so that no two keys of an object are one.
            _ if digits.len() > 1 && digits.starts_with('0') || text == "-0" => None,
            Self::Unsigned { .. } => text.parse().ok().map(Value::Unsigned),
            Self::Signed { .. } => text.parse().ok().map(Value::Signed),
            _ => None,
        }
    }
}

/// The bits of a float that is none, of which `usual` is `NaN`.
fn float_bits(text: &str, usual: u64) -> Option<u64> {
    match text.strip_prefix("NaN")? {
        "" => Some(usual),
        bits => {
            let bits = u64::from_str_radix(bits.strip_prefix(":0x")?, 16).ok()?;
            let (exponent, fraction) = match usual > u64::from(u32::MAX) {
                true => (0x7ff0_0000_0000_0000, 0x000f_ffff_ffff_ffff),
                false => (0x7f80_0000, 0x007f_ffff),
            };
            (bits & exponent == exponent && bits & fraction != 0).then_some(bits)
        }
    }
}

fn bad(from: &Decoder<'_>, what: &'static str) -> DecodeError {
    from.error(DecodeErrorKind::BadValue(what))
}

fn ipv4(from: &mut Decoder<'_>) -> Read<Ipv4Addr> {
    from.array::<4>().map(Ipv4Addr::from)
}

fn ipv6(from: &mut Decoder<'_>) -> Read<Ipv6Addr> {
    from.array::<16>().map(Ipv6Addr::from)
}

fn socket_v4(from: &mut Decoder<'_>) -> Read<String> {
    Ok(SocketAddrV4::new(ipv4(from)?, from.varint_of(16)? as u16).to_string())
}

fn socket_v6(from: &mut Decoder<'_>) -> Read<String> {
    Ok(SocketAddrV6::new(ipv6(from)?, from.varint_of(16)? as u16, 0, 0).to_string())
}

fn is_v4(from: &mut Decoder<'_>) -> Read<bool> {
    match from.varint_of(32)? as u32 {
        0 => Ok(true),
        1 => Ok(false),
        other => Err(from.error(DecodeErrorKind::BadVariant(other))),
    }
}

fn put_v4(at: SocketAddrV4, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
    to.raw(&at.ip().octets()).and_then(|()| to.varint(at.port().into()))
}

/// `None`: it has a scope, which does not cross.
fn put_v6(at: SocketAddrV6, to: &mut Encoder<'_>) -> Option<Result<(), EncodeError>> {
    (at.scope_id() == 0).then(|| to.raw(&at.ip().octets()).and_then(|()| to.varint(at.port().into())))
}

fn uuid_text(uuid: u128) -> String {
    let hex = format!("{uuid:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// The number of a UUID, written with its hyphens or without.
fn uuid_of(text: &str) -> Option<u128> {
    let digits: String = match text.len() {
        36 => text
            .char_indices()
            .filter(|&(at, c)| !([8, 13, 18, 23].contains(&at) && c == '-'))
            .map(|(_, c)| c)
            .collect(),
        _ => text.to_owned(),
    };
    let is_hex = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| u128::from_str_radix(&digits, 16).ok())?
}
