//! Spoils what was recorded.

use super::dice::Dice;
use crate::raw::frame;

/// Numbers at which somebody may have been careless.
const NUMBERS: [u64; 14] =
    [0, 1, 2, 3, 127, 128, 255, 256, 65_536, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, u64::MAX >> 1, u64::MAX];

/// Kinds of frames, those of the handshake included, and one that is none.
const KINDS: [u8; 28] = [
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x14,
    0x20, 0x21, 0x22, 0x23, 0x30, 0x31, 0x32, 0x33, 0x7f,
];

/// The bytes of a stream of spoilt frames. The first `sound` are left as they are.
pub(crate) fn spoil(frames: &[Vec<u8>], all: &[Vec<Vec<u8>>], sound: usize, dice: &mut Dice) -> Vec<u8> {
    let mut frames = frames.to_vec();
    for _ in 0..1 + dice.below(4) {
        change(&mut frames, all, sound, dice);
    }
    let mut bytes = Vec::new();
    for frame in &frames {
        let mut length = frame.len() as u32;
        if dice.one_in(200) {
            length = length.wrapping_add([1, u32::MAX, 1 << 16, 1 << 31][dice.below(4)]);
        }
        bytes.extend(length.to_le_bytes());
        bytes.extend(frame);
    }
    if dice.one_in(6) {
        bytes.truncate(dice.below(bytes.len()));
    }
    bytes
}

/// One change.
fn change(frames: &mut Vec<Vec<u8>>, all: &[Vec<Vec<u8>>], sound: usize, dice: &mut Dice) {
    let many = frames.len().saturating_sub(sound);
    if many == 0 {
        return;
    }
    let at = sound + dice.below(many);
    let other = sound + dice.below(many);
    match dice.below(12) {
        0 => drop(frames.remove(at)),
        1 => frames.insert(at, frames[at].clone()),
        2 => frames.swap(at, other),
        // Of another session, or of this one.
        3 => {
            if let Some(foreign) = dice.pick(all).and_then(|frames| dice.clone().pick(frames).cloned()) {
                frames.insert(at, foreign);
            }
        }
        4 => {
            let len = dice.below(frames[at].len());
            frames[at].truncate(len);
        }
        5 => {
            let more = dice.below(20);
            frames[at].extend((0..more).map(|_| dice.next() as u8));
        }
        6 => {
            if let Some(kind) = frames[at].first_mut() {
                *kind = KINDS[dice.below(KINDS.len())];
            }
        }
        7 => {
            // The head of one and the tail of another.
            let half = frames[other].len() / 2;
            let tail = frames[other].split_off(half);
            let head = frames[at].len() / 2;
            frames[at].truncate(head);
            frames[at].extend(tail);
        }
        8 => {
            // Many times: a flood.
            let copy = frames[at].clone();
            let many = 1 + dice.below(300);
            frames.splice(at..at, std::iter::repeat_n(copy, many));
        }
        // A field, most often one of the first: ids and numbers are there.
        _ => set_field(&mut frames[at], dice),
    }
}

fn set_field(bytes: &mut Vec<u8>, dice: &mut Dice) {
    if bytes.len() < 2 {
        return;
    }
    let most = if dice.one_in(3) { bytes.len() } else { bytes.len().min(14) };
    let at = 1 + dice.below(most - 1);
    match dice.below(3) {
        0 => bytes[at] = bytes[at].wrapping_add([1, 2, 255, 254][dice.below(4)]),
        1 => bytes[at] = dice.next() as u8,
        _ => {
            let number = frame(0).var(NUMBERS[dice.below(NUMBERS.len())]).wire();
            bytes.splice(at..=at, number[5..].iter().copied());
        }
    }
}
