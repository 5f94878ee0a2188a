//! The messages as types of serde, declared with only the fields that are read, and how they become columns.

use std::borrow::Cow;

use serde::Deserialize;

use super::rows::{Columns, Hash};

/// Borrowed where the text has no escape. (`Option<Cow>` alone would always copy.)
#[derive(Deserialize)]
pub struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A message type that the rivals can decode and that becomes columns.
pub trait Row<'a>: Deserialize<'a> {
    fn push(self, columns: &mut Columns);
    fn hash(columns: &Columns, row: usize, hash: &mut Hash);
}

/// A row type for messages of every lifetime.
pub trait Family {
    type Row<'a>: Row<'a>;
}

pub struct UserFamily;
pub struct TransactionFamily;
pub struct WideFamily;

impl Family for UserFamily {
    type Row<'a> = User<'a>;
}

impl Family for TransactionFamily {
    type Row<'a> = Transaction<'a>;
}

impl Family for WideFamily {
    type Row<'a> = Wide<'a>;
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

    fn hash(columns: &Columns, row: usize, hash: &mut Hash) {
        hash.word(columns.words[0][row]);
        hash.text(columns.texts[0].get(row));
        hash.word(columns.words[1][row]);
        hash.text(columns.texts[1].get(row));
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

    fn hash(columns: &Columns, row: usize, hash: &mut Hash) {
        hash.text(columns.texts[0].get(row));
        hash.word(columns.words[0][row]);
        hash.word(columns.words[1][row]);
        hash.text(columns.texts[1].get(row));
        hash.text(columns.texts[2].get(row));
        hash.word(columns.words[2][row]);
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

    fn hash(columns: &Columns, row: usize, hash: &mut Hash) {
        hash.word(columns.words[0][row]);
        hash.text(columns.texts[0].get(row));
        hash.text(columns.texts[1].get(row));
        hash.word(columns.words[1][row]);
        hash.word(columns.words[2][row]);
        hash.word(columns.words[3][row]);
    }
}
