//! The float that is nearest to a decimal number of up to 19 digits, where one division does not say.
//!
//! D. Lemire, "Number Parsing at a Gigabyte per Second" (2021), after M. Eisel: the digits times a 128-bit power of five are close
//! enough to the number that the nearest float follows from them. Only powers of ten from -27 to 27 are taken here: for those
//! the product is never too close to call, so there is no second opinion to ask.
//!
//! This file must not know text.

/// Greatest power of ten, either way.
pub(super) const GREATEST_POWER: i32 = 27;

/// Powers of five from -27 to 27, shifted so that the highest of the 128 bits is set; those below one are rounded up, as the
/// paper has them.
static POWERS_OF_FIVE: [u128; 2 * GREATEST_POWER as usize + 1] = {
    let mut powers = [0; 2 * GREATEST_POWER as usize + 1];
    let (mut power, mut five) = (0, 1u128);
    while power <= GREATEST_POWER {
        powers[(GREATEST_POWER + power) as usize] = five << five.leading_zeros();
        powers[(GREATEST_POWER - power) as usize] = reciprocal(five);
        five *= 5;
        power += 1;
    }
    powers
};

/// 128 bits of one divided by `divisor`, from the first bit that is set, rounded up: a division by hand, bit by bit.
const fn reciprocal(divisor: u128) -> u128 {
    if divisor == 1 {
        return 1 << 127;
    }
    let (mut quotient, mut rest, mut started) = (0u128, 1u128, 0);
    // The divisor is below 2 to the 63rd, so that a rest never overflows.
    while started < 128 {
        rest <<= 1;
        quotient <<= 1;
        if rest >= divisor {
            rest -= divisor;
            quotient |= 1;
        }
        if quotient != 0 {
            started += 1;
        }
    }
    quotient + 1
}

/// The float nearest to `digits` times ten to the `power`, ties to even; none where the power is beyond `GREATEST_POWER`.
#[inline(always)]
pub(super) fn nearest(digits: u64, power: i32) -> Option<f64> {
    /// Bits of a float's mantissa that are written, and what is added to its exponent.
    const MANTISSA_BITS: u32 = 52;
    const BIAS: i32 = 1023;
    if digits == 0 {
        return Some(0.0);
    }
    if !(-GREATEST_POWER..=GREATEST_POWER).contains(&power) {
        return None;
    }
    let leading = digits.leading_zeros();
    let normal = u128::from(digits << leading);
    let five = POWERS_OF_FIVE[(power + GREATEST_POWER) as usize];
    // The upper 64 bits of the power of five are nearly always enough.
    let mut product = normal * (five >> 64);
    const CLOSE: u128 = 0x1ff << 64;
    if product & CLOSE == CLOSE {
        product += (normal * (five & u128::from(u64::MAX))) >> 64;
    }
    let (high, low) = ((product >> 64) as u64, product as u64);
    let upper = (high >> 63) as u32;
    // One bit more than the mantissa has, to round by.
    let shift = upper + 64 - MANTISSA_BITS - 3;
    let mut mantissa = high >> shift;
    // Where nothing is left behind the middle, the even one of its neighbours is the nearest; it can only be so where the
    // power of five is small.
    if low <= 1 && (-4..=23).contains(&power) && mantissa & 3 == 1 && mantissa << shift == high {
        mantissa &= !1;
    }
    mantissa += mantissa & 1;
    mantissa >>= 1;
    let mut exponent = ((217_706 * power) >> 16) + 63 + upper as i32 - leading as i32 + BIAS;
    if mantissa >= 2 << MANTISSA_BITS {
        mantissa = 1 << MANTISSA_BITS;
        exponent += 1;
    }
    // Numbers of these powers are far from subnormal and from infinite.
    Some(f64::from_bits(mantissa & !(1 << MANTISSA_BITS) | (exponent as u64) << MANTISSA_BITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(digits: u64, power: i32) {
        let text = format!("{digits}e{power}");
        let wants: f64 = text.parse().unwrap();
        assert_eq!(nearest(digits, power).map(f64::to_bits), Some(wants.to_bits()), "{text}");
    }

    #[test]
    fn it_is_what_the_standard_library_reads() {
        let mut state = 1u64;
        let mut next = || {
            // Sebastiano Vigna, splitmix64.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        for _ in 0..400_000 {
            let (digits, power) = (next() >> (next() % 64), (next() % 55) as i32 - GREATEST_POWER);
            check(digits, power);
        }
        for power in -GREATEST_POWER..=GREATEST_POWER {
            for digits in [0, 1, 2, 9, 10, (1 << 53) - 1, 1 << 53, (1 << 53) + 1, (1 << 54) + 2, u64::MAX - 1, u64::MAX]
            {
                check(digits, power);
            }
        }
    }

    #[test]
    fn the_middle_between_two_floats_goes_to_the_even_one() {
        // Every odd number with 54 bits is the middle of two floats; so is it times a power of ten that is taken away again.
        for odd in 0..20_000u64 {
            let middle = (1 << 53) + 2 * odd + 1;
            check(middle, 0);
            for power in 1..=3 {
                check(middle * 10u64.pow(power as u32), -power);
            }
        }
        for power in 1..=23 {
            for odd in 0..500u64 {
                // Divisible by five to the power, so that the product with the power of ten is a middle again.
                let scaled = 5u128.pow(power as u32) * u128::from((1u64 << 53) + 2 * odd + 1);
                if let Ok(digits) = u64::try_from(scaled) {
                    check(digits, -power);
                }
            }
        }
    }

    #[test]
    fn powers_beyond_the_table_are_left_to_others() {
        assert_eq!(nearest(1, GREATEST_POWER + 1), None);
        assert_eq!(nearest(1, -GREATEST_POWER - 1), None);
        assert_eq!(nearest(0, 1_000), Some(0.0));
    }
}
