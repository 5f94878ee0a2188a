//! State without a bound: which aggregates need a window, and the word that says that none is needed.

mod common;

use chalk_diagnostics::Code;
use common::{accept, refuse};

/// A class with this feature over a collection.
fn package(feature: &str) -> String {
    format!(
        "features Login {{ id: int, user: User.id, @time at: datetime?, agent: string }}
features User {{ id: int, logins: [Login], {feature} }}
source s = kafka(topic: \"t\")
message M {{ id: int, user: int, at: datetime, agent: string }}
stream r(msg: M) -> Login
  from s
{{
  id    = msg.id
  user  = msg.user
  at    = msg.at
  agent = msg.agent
}}
"
    )
}

#[test]
fn what_keeps_every_different_value_has_a_window() {
    for aggregate in ["count_distinct(agent)", "array_agg(agent)", "set_agg(agent)", "mode(agent)"] {
        let ty = match aggregate.split('(').next() {
            Some("count_distinct") => "int",
            Some("mode") => "string?",
            _ => "[string]?",
        };
        let help = ["give it a window: `x: … over [30d] = …`", "`@unbounded`"];
        refuse(&package(&format!("x: {ty} = logins.{aggregate}")), &[Code::E0421], &help);
        refuse(&package(&format!("x: {ty} over [1d, all] = logins.{aggregate}")), &[Code::E0421], &help);
        accept(&package(&format!("x: {ty} over [1d] = logins.{aggregate}")));
        accept(&package(&format!("@unbounded x: {ty} = logins.{aggregate}")));
    }
}

#[test]
fn what_does_not_grow_needs_no_window() {
    accept(&package("x: int = logins.count()"));
    accept(&package("x: int = logins.approx_count_distinct(agent)"));
    accept(&package("x: string? = logins.max(agent)"));
}

#[test]
fn each_feature_says_for_itself_that_it_may_grow() {
    let two = "@unbounded x: int = logins.count_distinct(agent), y: int = logins.count_distinct(agent) + 1";
    refuse(&package(two), &[Code::E0421], &["`y` keeps all that ever came"]);
    accept(&package("@unbounded x: int = logins.count_distinct(agent), y: int = x + 1"));
}
