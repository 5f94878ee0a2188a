//! Adding many rows at once: atoms over one column, in one loop that is compiled for just those.
//!
//! Choosing what to do row by row costs more than doing it, and so does going over the rows once per atom; so there is a loop for each
//! set of a count, a sum, a minimum and a maximum, and which one it is was chosen before the batch. An atom's rows are
//! added in their order, whatever it shares a loop with.
//!
//! This file must not know conditions, or what words of a partial mean to their aggregates.

use crate::fold::{Operation, Source, add_wide};

/// What a row is added to: the address of a partial's first word, or of words before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target(pub(crate) *mut u64);

// SAFETY: an address; who uses it says why it may.
unsafe impl Send for Target {}
// SAFETY: as above.
unsafe impl Sync for Target {}

/// What a column's words are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Words {
    /// Of a count alone there is no column.
    None,
    Float,
    /// Not added up: signed as well as unsigned.
    Int,
    Signed,
    Unsigned,
}

/// The atoms of a group, as bits.
const COUNT: u8 = 1;
const SUM: u8 = 2;
const MIN: u8 = 4;
const MAX: u8 = 8;

type Run = unsafe fn(&Group<'_>, &[Target], usize, usize);

/// Atoms over one column, at most one of each kind.
pub(crate) struct Group<'a> {
    words: &'a [u64],
    kind: Words,
    /// Which there are.
    atoms: u8,
    /// Where they are in a partial: count, sum, minimum, maximum.
    at: [usize; 4],
    run: Run,
}

/// Puts an atom into the group of its column; a count joins any.
pub(crate) fn join<'a>(groups: &mut Vec<Group<'a>>, source: Source<'a>) {
    let (atom, kind) = match source.operation {
        Operation::Count => (COUNT, Words::None),
        Operation::SumFloat => (SUM, Words::Float),
        Operation::SumSigned => (SUM, Words::Signed),
        Operation::SumUnsigned => (SUM, Words::Unsigned),
        Operation::MinInt => (MIN, Words::Int),
        Operation::MaxInt => (MAX, Words::Int),
        Operation::MinFloat => (MIN, Words::Float),
        Operation::MaxFloat => (MAX, Words::Float),
    };
    let fits = |group: &&mut Group<'a>| {
        let is_same_column = std::ptr::eq(group.words, source.words) && is_one(group.kind, kind);
        group.atoms & atom == 0 && (is_same_column || kind == Words::None || group.kind == Words::None)
    };
    let group = match groups.iter_mut().find(fits) {
        Some(group) => group,
        None => {
            groups.push(Group { words: &[], kind: Words::None, atoms: 0, at: [0; 4], run: choose(Words::None, 0) });
            groups.last_mut().expect("one was pushed")
        }
    };
    if kind != Words::None {
        group.words = source.words;
        group.kind = if matches!(group.kind, Words::None | Words::Int) { kind } else { group.kind };
    }
    group.atoms |= atom;
    group.at[atom.trailing_zeros() as usize] = source.at;
    group.run = choose(group.kind, group.atoms);
}

/// Whether words of two kinds may be of one column.
fn is_one(a: Words, b: Words) -> bool {
    let is_int = |words: Words| matches!(words, Words::Int | Words::Signed | Words::Unsigned);
    a == b || is_int(a) && is_int(b) && (a == Words::Int || b == Words::Int)
}

impl Group<'_> {
    /// Adds rows, from `first` on, each to the partial that is so many words behind its target.
    ///
    /// # Safety
    /// There are a partial's words behind every target, that nobody else looks at or changes meanwhile; the group's atoms are among them.
    #[inline]
    pub(crate) unsafe fn add_all(&self, targets: &[Target], behind: usize, first: usize) {
        // SAFETY: as the caller promises.
        unsafe { (self.run)(self, targets, behind, first) }
    }
}

/// The loop for these atoms.
fn choose(kind: Words, atoms: u8) -> Run {
    macro_rules! of {
        ($module:ident: $($atoms:literal)*) => {
            match atoms {
                $($atoms => $module::<$atoms>,)*
                _ => unreachable!("there are four atoms"),
            }
        };
    }
    match kind {
        Words::None => count,
        Words::Float => of!(float: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15),
        Words::Int | Words::Signed => of!(signed: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15),
        Words::Unsigned => of!(unsigned: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15),
    }
}

/// # Safety
/// As `Group::add_all`.
unsafe fn count(group: &Group<'_>, targets: &[Target], behind: usize, _: usize) {
    for target in targets {
        // SAFETY: as the caller promises.
        unsafe { *target.0.add(behind + group.at[0]) += 1 };
    }
}

macro_rules! add_all {
    ($name:ident, $sum:ident, $extremes:ident) => {
        /// # Safety
        /// As `Group::add_all`.
        unsafe fn $name<const ATOMS: u8>(group: &Group<'_>, targets: &[Target], behind: usize, first: usize) {
            let [count, sum, min, max] = group.at.map(|at| behind + at);
            for (target, word) in targets.iter().zip(&group.words[first..]) {
                // SAFETY: as the caller promises.
                unsafe {
                    if ATOMS & COUNT != 0 {
                        *target.0.add(count) += 1;
                    }
                    if ATOMS & SUM != 0 {
                        $sum(target.0.add(sum), *word);
                    }
                    if ATOMS & (MIN | MAX) != 0 {
                        $extremes::<ATOMS>(target.0.add(min), target.0.add(max), *word);
                    }
                }
            }
        }
    };
}

add_all!(float, add_float, float_extremes);
add_all!(signed, add_signed, int_extremes);
add_all!(unsigned, add_unsigned, int_extremes);

/// # Safety
/// The addresses are of a word each, where there is that atom.
#[inline(always)]
unsafe fn int_extremes<const ATOMS: u8>(min: *mut u64, max: *mut u64, word: u64) {
    // SAFETY: as the caller promises.
    unsafe {
        if ATOMS & MIN != 0 {
            Operation::MinInt.join(&mut *min, word);
        }
        if ATOMS & MAX != 0 {
            Operation::MaxInt.join(&mut *max, word);
        }
    }
}

/// Without branches on what is greater, which nothing foretells: a value that is neither zero nor NaN is ordered by one comparison of floats,
/// the held one's being NaN included (the greatest, and what a minimum begins with).
///
/// # Safety
/// As `int_extremes`.
#[inline(always)]
unsafe fn float_extremes<const ATOMS: u8>(min: *mut u64, max: *mut u64, word: u64) {
    let value = f64::from_bits(word);
    let is_ordered = value.abs() > 0.0;
    // SAFETY: as the caller promises; words and floats are alike in size and alignment.
    unsafe {
        if !is_ordered {
            if ATOMS & MIN != 0 {
                Operation::MinFloat.join(&mut *min, word);
            }
            if ATOMS & MAX != 0 {
                Operation::MaxFloat.join(&mut *max, word);
            }
            return;
        }
        if ATOMS & MIN != 0 {
            let held = min.cast::<f64>();
            *held = if *held < value { *held } else { value };
        }
        if ATOMS & MAX != 0 {
            let held = max.cast::<f64>();
            *held = if *held < value { value } else { *held };
        }
    }
}

/// # Safety
/// The address is of a word.
#[inline(always)]
unsafe fn add_float(at: *mut u64, word: u64) {
    // SAFETY: as the caller promises.
    Operation::SumFloat.join(unsafe { &mut *at }, word);
}

/// # Safety
/// The address is of the first of two words.
#[inline(always)]
unsafe fn add_signed(at: *mut u64, word: u64) {
    // SAFETY: as the caller promises.
    add_wide(unsafe { &mut *at.cast::<[u64; 2]>() }, i128::from(word as i64));
}

/// # Safety
/// The address is of the first of two words.
#[inline(always)]
unsafe fn add_unsigned(at: *mut u64, word: u64) {
    // SAFETY: as the caller promises.
    add_wide(unsafe { &mut *at.cast::<[u64; 2]>() }, i128::from(word));
}
