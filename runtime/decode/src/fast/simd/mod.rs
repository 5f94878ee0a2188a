//! The few vector operations that everything fast is made of, one implementation per instruction set.
//!
//! The tiers above are written once over this trait and compiled once per set. All of it reads whole vectors: a message
//! is followed by `PADDING_BYTES` readable bytes, and every load here starts at or before the message's end.
//!
//! This module must not know JSON's grammar.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
pub(crate) mod portable;

/// Writes the positions of the bits that are set one by one: `Simd::positions` without a vector operation for it.
///
/// # Safety
/// As `Simd::positions`.
#[inline(always)]
unsafe fn positions(mut bits: u64, base: u32, into: *mut u32) {
    let count = bits.count_ones() as usize;
    // Eight at a time, whether there are as many or not: what is written too much is written over, and a loop of another length for
    // every word would be a branch that nobody can foresee.
    let mut written = 0;
    loop {
        for index in written..written + 8 {
            // SAFETY: `written` is below `count`, which is at most 64, rounded up to eights.
            unsafe { into.add(index).write(base + bits.trailing_zeros()) };
            bits &= bits.wrapping_sub(1);
        }
        written += 8;
        if written >= count {
            return;
        }
    }
}

/// Bytes that one word of marks stands for.
pub(crate) const MARKED_BYTES: usize = 64;

/// Positions that `Simd::positions` may write beyond those it was asked for.
pub(crate) const SPARE_POSITIONS: usize = 64;

/// What a message looks like from afar.
#[derive(Clone, Copy, Default)]
pub(crate) struct Indexed {
    /// Bytes that are `"`, escaped or not.
    pub(crate) quotes: usize,
    /// Bytes that are `\` or a control character.
    pub(crate) odd: u32,
    /// Whether all bytes are ASCII.
    pub(crate) is_ascii: bool,
}

/// The most bytes of a piece.
pub(crate) const PIECE_BYTES: usize = 32;

/// Bytes that must stand somewhere.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Piece {
    /// The bytes, then zeros.
    pub(crate) bytes: [u8; PIECE_BYTES],
    /// All bits of each of them, then zeros.
    pub(crate) mask: [u8; PIECE_BYTES],
}

/// Where a piece must stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// A quote of the list.
    pub(crate) quote: u32,
    /// From that to the first byte.
    pub(crate) offset: i32,
}

impl Place {
    /// # Safety
    /// The list has that quote.
    #[inline(always)]
    unsafe fn of(self, start: *const u8, quotes: *const u32) -> *const u8 {
        // SAFETY: as the caller promises.
        let quote = unsafe { *quotes.add(self.quote as usize) };
        start.wrapping_add(quote as usize).wrapping_offset(self.offset as isize)
    }
}

/// A distance between neighbours in a list of quotes that are compared by `Simd::same_distances`: `LANES` of them at a time.
pub(crate) const LANES: usize = 16;

/// Vector operations of one instruction set.
pub(crate) trait Simd: super::outlined::Outlined {
    /// Whether finding a byte among 64 costs less than looking at a few of them one by one.
    const FINDS_AT_ONCE: bool;

    /// Whether `quotes[i + 1] - quotes[i]` is `distances[i]` for every `i` whose mask is set (all bits); of the others it may be anything.
    ///
    /// # Safety
    /// The processor has the instruction set; distances and masks are as many, a multiple of `LANES`, and one more quote is readable.
    unsafe fn same_distances(quotes: *const u32, distances: &[u32], masks: &[u32]) -> bool;

    /// Whether every piece stands where it must.
    ///
    /// # Safety
    /// The processor has the instruction set; there are as many places as pieces, their quotes are in the list, and `PIECE_BYTES` are
    /// readable at each.
    unsafe fn same_pieces(start: *const u8, quotes: *const u32, pieces: &[Piece], places: &[Place]) -> bool;

    /// What the first `count` of 16 bytes at `at` are worth; none where one of them is no digit.
    ///
    /// # Safety
    /// The processor has the instruction set; 16 bytes are readable; `count` is 1 to 16.
    unsafe fn digits_of(at: *const u8, count: usize) -> Option<u64>;

    /// What the first `count` of 16 bytes at `at` are worth without the point, and how many digits are behind that; none where they
    /// are not digits with one point between them, or none at all.
    ///
    /// # Safety
    /// As `digits_of`.
    unsafe fn decimal_of(at: *const u8, count: usize) -> Option<(u64, usize)>;

    /// Marks the bytes that are `"`, `\` or a control character: bit `n` of word `n / 64` for byte `n`, none behind the end.
    /// Writes `size_bytes / 64 + 1` words, and the positions of all `"`.
    ///
    /// # Safety
    /// The processor has the instruction set; `size_bytes + PADDING_BYTES` are readable; so many words and
    /// `size_bytes + SPARE_POSITIONS` positions are writable.
    unsafe fn index(at: *const u8, size_bytes: usize, marks: *mut u64, quotes: *mut u32) -> Indexed;

    /// Which of the 64 bytes at `at` are that byte.
    ///
    /// # Safety
    /// The processor has the instruction set; 64 bytes are readable.
    unsafe fn find(at: *const u8, byte: u8) -> u64;

    /// Which of the 64 bytes at `at` are not ASCII.
    ///
    /// # Safety
    /// The processor has the instruction set; 64 bytes are readable.
    unsafe fn find_not_ascii(at: *const u8) -> u64;

    /// Writes the positions of the bits that are set, in order, each with `base` added.
    ///
    /// # Safety
    /// The processor has the instruction set; `SPARE_POSITIONS` positions are writable.
    unsafe fn positions(bits: u64, base: u32, into: *mut u32);

    /// Which of the 32 bytes at `at` are digits.
    ///
    /// # Safety
    /// The processor has the instruction set; 32 bytes are readable.
    unsafe fn find_digits(at: *const u8) -> u32;

    /// How many of the 32 bytes at `at` come before the first that ends a number or word: a comma, a closing bracket, a blank or control character.
    ///
    /// # Safety
    /// The processor has the instruction set; 32 bytes are readable.
    unsafe fn scalar_size(at: *const u8) -> usize;

    /// The first bytes of a word, at most 8, then zeros.
    fn first_bytes(word: u64, size_bytes: usize) -> u64;

    /// Whether the first `size_bytes` of 32 bytes at `a` and `b` are the same.
    ///
    /// # Safety
    /// The processor has the instruction set; 32 bytes are readable at both.
    unsafe fn equal_32(a: *const u8, b: *const u8, size_bytes: usize) -> bool;

    /// Whether the `size_bytes` at `a` and `b` are the same.
    ///
    /// # Safety
    /// The processor has the instruction set; `size_bytes + PADDING_BYTES` are readable at both.
    unsafe fn equal(a: *const u8, b: *const u8, size_bytes: usize) -> bool;

    /// The same value, of which the compiler knows nothing.
    fn opaque(value: usize) -> usize;

    /// How many of the 16 bytes at `at` are digits before the first that is none, and what those are worth.
    ///
    /// # Safety
    /// The processor has the instruction set; 16 bytes are readable.
    unsafe fn digits(at: *const u8) -> (usize, u64);
}
