//! The messages as types of serde, declared with only the fields that are read, and how they become columns.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{SeqAccess, Visitor};

use super::rows::Columns;

/// Borrowed where the text has no escape. (`Option<Cow>` alone would always copy.)
#[derive(Deserialize)]
pub struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A message type that the rivals can decode and that becomes columns.
pub trait Row<'a>: Deserialize<'a> {
    fn push(self, columns: &mut Columns);
}

/// A column of a row.
#[derive(Clone, Copy)]
pub enum Part {
    /// The position of a column of words.
    Word(usize),
    /// The position of a column of texts.
    Text(usize),
    /// An order's lines.
    Lines,
}

/// Where the lines of orders are: a column of words says where each order's end, the others have an item for each line.
pub struct LineColumns {
    pub ends: usize,
    pub sku: usize,
    pub quantity: usize,
    pub price: usize,
}

pub const LINES: LineColumns = LineColumns { ends: 1, sku: 1, quantity: 2, price: 3 };

/// A row type for messages of every lifetime.
pub trait Family {
    /// The columns in the order of the plan's.
    const PARTS: &'static [Part];
    type Row<'a>: Row<'a>;
}

pub struct UserFamily;
pub struct TransactionFamily;
pub struct MixedFamily;
pub struct WideFamily;
pub struct OrderFamily;

impl Family for UserFamily {
    const PARTS: &'static [Part] = &[Part::Word(0), Part::Text(0), Part::Word(1), Part::Text(1)];
    type Row<'a> = User<'a>;
}

impl Family for TransactionFamily {
    const PARTS: &'static [Part] =
        &[Part::Text(0), Part::Word(0), Part::Word(1), Part::Text(1), Part::Text(2), Part::Word(2)];
    type Row<'a> = Transaction<'a>;
}

impl Family for MixedFamily {
    const PARTS: &'static [Part] = TransactionFamily::PARTS;
    type Row<'a> = Mixed<'a>;
}

impl Family for WideFamily {
    const PARTS: &'static [Part] =
        &[Part::Word(0), Part::Text(0), Part::Text(1), Part::Word(1), Part::Word(2), Part::Word(3)];
    type Row<'a> = Wide<'a>;
}

impl Family for OrderFamily {
    const PARTS: &'static [Part] = &[Part::Text(0), Part::Word(0), Part::Lines, Part::Word(4)];
    type Row<'a> = Order<'a>;
}

#[derive(Deserialize)]
pub struct User<'a> {
    id: i64,
    #[serde(borrow)]
    name: Text<'a>,
    updated_at: i64,
    #[serde(borrow)]
    contact_info: Contact<'a>,
}

#[derive(Deserialize)]
struct Contact<'a> {
    #[serde(borrow)]
    email_address: Option<Text<'a>>,
}

impl<'a> Row<'a> for User<'a> {
    fn push(self, columns: &mut Columns) {
        columns.words[0].push(self.id as u64);
        columns.texts[0].push(Some(self.name.0));
        columns.words[1].push(self.updated_at as u64);
        columns.texts[1].push(self.contact_info.email_address.map(|text| text.0));
    }
}

#[derive(Deserialize)]
pub struct Transaction<'a> {
    #[serde(borrow)]
    transaction_id: Text<'a>,
    user_id: i64,
    amount: f64,
    #[serde(borrow)]
    merchant: Text<'a>,
    #[serde(borrow)]
    location: Location<'a>,
    at: i64,
}

#[derive(Deserialize)]
struct Location<'a> {
    #[serde(borrow)]
    country: Text<'a>,
}

impl<'a> Row<'a> for Transaction<'a> {
    fn push(self, columns: &mut Columns) {
        columns.texts[0].push(Some(self.transaction_id.0));
        columns.words[0].push(self.user_id as u64);
        columns.words[1].push(self.amount.to_bits());
        columns.texts[1].push(Some(self.merchant.0));
        columns.texts[2].push(Some(self.location.country.0));
        columns.words[2].push(self.at as u64);
    }
}

#[derive(Deserialize)]
pub struct Mixed<'a> {
    #[serde(borrow)]
    transaction_id: Option<Text<'a>>,
    user_id: Option<i64>,
    amount: Option<f64>,
    #[serde(borrow)]
    merchant: Option<Text<'a>>,
    #[serde(borrow)]
    location: Option<MixedLocation<'a>>,
    at: Option<i64>,
}

#[derive(Deserialize)]
struct MixedLocation<'a> {
    #[serde(borrow)]
    country: Option<Text<'a>>,
}

impl<'a> Row<'a> for Mixed<'a> {
    fn push(self, columns: &mut Columns) {
        columns.texts[0].push(self.transaction_id.map(|text| text.0));
        columns.words[0].push_optional(self.user_id.map(|value| value as u64));
        columns.words[1].push_optional(self.amount.map(f64::to_bits));
        columns.texts[1].push(self.merchant.map(|text| text.0));
        columns.texts[2].push(self.location.and_then(|location| location.country).map(|text| text.0));
        columns.words[2].push_optional(self.at.map(|value| value as u64));
    }
}

#[derive(Deserialize)]
pub struct Wide<'a> {
    event_id: i64,
    #[serde(borrow)]
    session_id: Text<'a>,
    #[serde(borrow)]
    page_url: Text<'a>,
    cart_value: f64,
    is_member: bool,
    received_at: i64,
}

impl<'a> Row<'a> for Wide<'a> {
    fn push(self, columns: &mut Columns) {
        columns.words[0].push(self.event_id as u64);
        columns.texts[0].push(Some(self.session_id.0));
        columns.texts[1].push(Some(self.page_url.0));
        columns.words[1].push(self.cart_value.to_bits());
        columns.words[2].push(self.is_member.into());
        columns.words[3].push(self.received_at as u64);
    }
}

#[derive(Deserialize)]
pub struct Order<'a> {
    #[serde(borrow)]
    order_id: Text<'a>,
    customer_id: i64,
    #[serde(borrow)]
    lines: Lines<'a>,
    placed_at: i64,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    sku: Text<'a>,
    quantity: i64,
    price: f64,
}

/// Lines in memory that is asked for once: serde's own lists start small and grow.
struct Lines<'a>(Vec<Line<'a>>);

const USUAL_LINES: usize = 16;

impl<'de: 'a, 'a> Deserialize<'de> for Lines<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Vec<Line<'de>>;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("a list of lines")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut lines: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::with_capacity(USUAL_LINES);
                while let Some(line) = lines.next_element()? {
                    all.push(line);
                }
                Ok(all)
            }
        }
        deserializer.deserialize_seq(Visit).map(Lines)
    }
}

impl<'a> Row<'a> for Order<'a> {
    fn push(self, columns: &mut Columns) {
        columns.texts[0].push(Some(self.order_id.0));
        columns.words[0].push(self.customer_id as u64);
        for line in self.lines.0 {
            columns.texts[LINES.sku].push(Some(line.sku.0));
            columns.words[LINES.quantity].push(line.quantity as u64);
            columns.words[LINES.price].push(line.price.to_bits());
        }
        let end = columns.words[LINES.quantity].len() as u64;
        columns.words[LINES.ends].push(end);
        columns.words[4].push(self.placed_at as u64);
    }
}
