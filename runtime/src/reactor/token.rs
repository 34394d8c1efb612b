//! Keys as the kernel keeps them: 64 bits handed back with each event.

use crate::arena::Key;
use mio::Token;

/// The bell's token, which is no source's: the key of nobody.
pub(super) const BELL: Token = of(Key::NONE);

/// Place in the low half, stamp in the high half.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the token has 64 bits on the platforms that have epoll's fast path"
)]
pub(super) const fn of(key: Key) -> Token {
    Token((key.stamp() as u64 as usize) << 32 | key.index() as usize)
}

#[expect(clippy::cast_possible_truncation, reason = "each half is 32 bits")]
pub(super) const fn key(token: Token) -> Key {
    Key::new(token.0 as u32, (token.0 >> 32) as u32)
}

const _: () = assert!(usize::BITS == 64, "a token holds a place and a stamp of 32 bits each");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_gives_its_key_back() {
        for parts in [(0, 0), (1, u32::MAX), (u32::MAX - 1, 7), (u32::MAX, u32::MAX)] {
            let named = Key::new(parts.0, parts.1);
            assert_eq!(key(of(named)), named);
        }
    }
}
