//! The functions that are called, not inlined, once for each instruction set.
//!
//! An intrinsic is one instruction inside of a function that is compiled for its instruction set, and a call everywhere else. What
//! is inlined into such a function is compiled with it, so nearly everything here is inlined; what is recursive, large or rare cannot
//! be, and has its entrance in this list. The body of an entrance must be `#[inline(always)]`.
//!
//! This file must not know what the functions do.

use super::fixed::{self, Fixed};
use super::lists::{self, MapPlan};
use super::members::End;
use super::numbers;
use super::simd::Indexed;
use super::simd::portable::Portable;
use super::template::{Op, Template};
use super::templates::Templates;
use super::utf8;
use super::values::{self, FastValue};
use super::walker::Walk;
use super::{Fast, FastField};
use crate::columns::{Checkpoint, ColumnId};
use crate::program::ObjectId;
use crate::scalar::Reading;

macro_rules! outlined {
    ($(
        $(#[$doc:meta])*
        fn $name:ident($($argument:ident: $ty:ty),*) -> $out:ty = $module:ident::$body:ident;
    )*) => {
        /// Entrances to code that is compiled for one instruction set.
        pub(crate) trait Outlined {
            $(
                $(#[$doc])*
                ///
                /// # Safety
                /// The processor has the instruction set; as the body demands.
                unsafe fn $name($($argument: $ty),*) -> $out;
            )*
        }

        outlined!(@for Portable, [inline(never)], $($name($($argument: $ty),*) -> $out = $module::$body;)*);
        #[cfg(target_arch = "x86_64")]
        outlined!(
            @for super::simd::avx2::Avx2,
            [target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")],
            $($name($($argument: $ty),*) -> $out = $module::$body;)*
        );
        #[cfg(target_arch = "x86_64")]
        outlined!(
            @for super::simd::avx512::Avx512,
            [target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,avx2,bmi1,bmi2,popcnt,lzcnt")],
            $($name($($argument: $ty),*) -> $out = $module::$body;)*
        );
    };
    (@for $set:ty, $attribute:tt, $($name:ident($($argument:ident: $ty:ty),*) -> $out:ty = $module:ident::$body:ident;)*) => {
        impl Outlined for $set {
            $(
                #$attribute
                unsafe fn $name($($argument: $ty),*) -> $out {
                    // SAFETY: as the caller promises.
                    unsafe { $module::$body::<$set>($($argument),*) }
                }
            )*
        }
    };
}

outlined! {
    /// `Walk::read_object`.
    fn read_object(walk: &mut Walk<'_, '_>, id: ObjectId, at: *const u8, depth: u32) -> Option<*const u8>
        = Walk::read_object;
    /// `Walk::read_escaped`.
    fn read_escaped(walk: &mut Walk<'_, '_>, column: ColumnId, text: *const u8, first: *const u8) -> Option<*const u8>
        = Walk::read_escaped;
    /// `Walk::skip_escaped`.
    fn skip_escaped(walk: &Walk<'_, '_>, at: *const u8) -> Option<*const u8> = Walk::skip_escaped;
    /// `Walk::skip_nested`.
    fn skip_nested(walk: &Walk<'_, '_>, at: *const u8, depth: u32) -> Option<*const u8> = Walk::skip_nested;
    /// `values::read_field`.
    fn read_field(walk: &mut Walk<'_, '_>, field: &FastField, at: *const u8, depth: u32) -> Option<*const u8>
        = values::read_field;
    /// `values::read_as_scalar`.
    fn read_as_scalar(walk: &mut Walk<'_, '_>, value: &FastValue, at: *const u8, depth: u32) -> Option<*const u8>
        = values::read_as_scalar;
    /// `numbers::long_float`.
    fn long_float(at: *const u8) -> Option<(f64, *const u8)> = numbers::long_float;
    /// `utf8::is_utf8`.
    fn is_utf8(start: *const u8, size_bytes: usize) -> bool = utf8::is_utf8;
    /// `Walk::read_members`.
    fn read_members(walk: &mut Walk<'_, '_>, id: Option<ObjectId>, open: usize, quotes: *const u32, depth: u32) -> Option<End>
        = Walk::read_members;
    /// `Walk::read`.
    fn read_value(walk: &mut Walk<'_, '_>, field: &FastField, at: *const u8, depth: u32) -> Option<*const u8> = Walk::read;
    /// `Fast::message`.
    fn message(fast: &mut Fast, reading: &mut Reading<'_>, row: usize, before: Checkpoint, looked_at: Option<Indexed>) -> bool
        = Fast::message;
    /// `Fast::index_in_pieces`.
    fn index_in_pieces(fast: &mut Fast, bytes: &[u8]) -> Indexed = Fast::index_in_pieces;
    /// `Templates::run_others`.
    fn run_others(templates: &mut Templates, walk: &mut Walk<'_, '_>) -> bool = Templates::run_others;
    /// `Template::run_with_care`.
    fn run_with_care(template: &Template, walk: &mut Walk<'_, '_>) -> bool = Template::run_with_care;
    /// `Template::run_step_by_step`.
    fn run_step_by_step(template: &Template, walk: &mut Walk<'_, '_>) -> bool = Template::run_step_by_step;
    /// `Template::value`.
    fn template_value(template: &Template, walk: &mut Walk<'_, '_>, op: &Op, value: *const u8) -> Option<usize>
        = Template::value;
    /// `Fixed::read_others`.
    fn read_others(fixed: &Fixed, template: &Template, walk: &mut Walk<'_, '_>) -> bool = Fixed::read_others;
    /// `fixed::skipped_otherwise`.
    fn skipped_otherwise(at: *const u8, size_bytes: usize) -> bool = fixed::skipped_otherwise;
    /// `lists::list`.
    fn list(walk: &mut Walk<'_, '_>, column: ColumnId, of: &FastValue, at: *const u8, depth: u32) -> Option<*const u8>
        = lists::list;
    /// `lists::vector`.
    fn vector(walk: &mut Walk<'_, '_>, column: ColumnId, of: &FastValue, length: u32, at: *const u8, depth: u32) -> Option<*const u8>
        = lists::vector;
    /// `lists::map`.
    fn map(walk: &mut Walk<'_, '_>, column: ColumnId, plan: &MapPlan, at: *const u8, depth: u32) -> Option<*const u8>
        = lists::map;
}
