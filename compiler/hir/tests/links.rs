//! Links between classes: how one is declared, and what is read through it.

mod common;

use chalk_diagnostics::Code;
use chalk_hir::program::{ExprKind, RelationKind};
use chalk_types::Type;
use common::{accept, refuse};

/// A class that is linked to, and `User` with these features.
fn package(features: &str) -> String {
    format!(
        "features Login {{ id: int, profile: Profile.id }}
features Company {{ id: int, name: string }}
features Profile {{
  id: int
  name: string
  tags: [string]?
  company_id: Company.id
  company: Company
  upper: string = upper(name)
  logins: [Login]
  recent: int over [10m, 1d] = logins.count()
}}
features User {{ id: int, {features} }}
source s = kafka(topic: \"t\")
message M {{ id: int, profile: int, at: datetime }}
stream r(msg: M) -> Login
  from s
  timestamp msg.at
{{
  id      = msg.id
  profile = msg.profile
}}
"
    )
}

#[test]
fn a_link_is_its_foreign_key() {
    let text = package("profile_id: Profile.id, profile: Profile, name: string? = profile.name");
    let analysis = accept(&text);
    let user = &analysis.program.classes[3];
    let names: Vec<&str> = user.features.iter().map(|feature| feature.name.as_str()).collect();
    assert_eq!(names, ["id", "profile_id", "name"], "a link is no feature");
    assert_eq!(user.relations.len(), 1);
    assert_eq!(user.relations[0].kind, RelationKind::HasOne { foreign_key: 1 });
    assert_eq!((user.relations[0].name.as_str(), user.relations[0].class), ("profile", 2));
    let name = user.features[2].expression.as_ref().expect("it is computed");
    assert!(matches!(name.kind, ExprKind::Linked { foreign_key: 1, class: 2, feature: 1 }));
    assert_eq!(name.ty, Type::STRING.to_optional(), "nothing may be stored there");
}

#[test]
fn what_is_read_through_a_link_may_be_null() {
    let with = |feature: &str| package(&format!("profile_id: Profile.id?, profile: Profile, {feature}"));
    accept(&with("name: string = profile.name ?? \"nobody\""));
    accept(&with("name: string = if profile.name is not none then profile.name else \"nobody\""));
    accept(&with("tag: string? = profile.tags[0]"));
    accept(&with("computed: string? = profile.upper"));
    accept(&with("id_of: int? = profile.id"));
    refuse(&with("name: string = profile.name"), &[Code::E0202], &["?? "]);
    refuse(&with("name: string? = profile.nmae"), &[Code::E0405], &["did you mean `name`?"]);
}

#[test]
fn windows_are_named_or_passed_along() {
    let with = |feature: &str| package(&format!("profile_id: Profile.id, profile: Profile, {feature}"));
    let analysis = accept(&with("n: int? = profile.recent[1d]"));
    let n = analysis.program.classes[3].features[2].expression.as_ref().expect("it is computed");
    assert!(matches!(n.kind, ExprKind::Linked { feature: 6, .. }), "{n:?}");
    let analysis = accept(&with("n: int? over [1d, 10m] = profile.recent"));
    let read: Vec<usize> = analysis.program.classes[3].features[2..]
        .iter()
        .map(|feature| match feature.expression.as_ref().expect("it is computed").kind {
            ExprKind::Linked { feature, .. } => feature,
            ref other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(read, [6, 5]);
    refuse(&with("n: int? = profile.recent"), &[Code::E0433], &["`profile.recent[10m]` or `profile.recent[1d]`"]);
    refuse(&with("n: int? = profile.recent[2d]"), &[Code::E0433], &["has no window `2d`"]);
    refuse(&with("n: string? = profile.name[2d]"), &[Code::E0433], &["write `profile.name`"]);
    refuse(&with("n: int? over [2d] = profile.recent"), &[Code::E0433], &["has no window `2d`"]);
}

#[test]
fn a_link_has_one_foreign_key() {
    refuse(
        &package("profile: Profile"),
        &[Code::E0441],
        &["add a foreign key that a resolver sets: `profile_id: Profile.id`"],
    );
    let two = "a: Profile.id, b: Profile.id";
    refuse(&package(&format!("{two}, profile: Profile")), &[Code::E0441], &["fix: `` -> `@join(a) `"]);
    let analysis = accept(&package(&format!("{two}, @join(b) profile: Profile, name: string? = profile.name")));
    assert_eq!(analysis.program.classes[3].relations[0].kind, RelationKind::HasOne { foreign_key: 2 });
    refuse(&package(&format!("{two}, @join(id) profile: Profile")), &[Code::E0441], &["name `a` or `b`"]);
    let one = "profile_id: Profile.id";
    refuse(&package(&format!("{one}, profile: Profile?")), &[Code::E0441], &["write `profile: Profile`"]);
    refuse(&package(&format!("{one}, profile: Profile = 1")), &[Code::E0441], &["a link has no expression"]);
    refuse(&package(&format!("{one}, profile: Profile over [1d]")), &[Code::E0431], &["a link"]);
    refuse(&package("profile_id: Profile.id = id, profile: Profile"), &[Code::E0441], &["which is computed"]);
    refuse(&package("links: map<string, Profile>"), &[Code::E0441], &["not inside another type"]);
}

#[test]
fn a_link_is_no_value_and_goes_one_step() {
    let with = |feature: &str| package(&format!("profile_id: Profile.id, profile: Profile, {feature}"));
    refuse(&with("p: string? = profile"), &[Code::E0442], &["name one of its features: `profile.name`"]);
    refuse(&with("p: string? = profile.company.name"), &[Code::E0442], &["goes on to a third class"]);
    let of_row = "features Row { id: int, user: User.id, other: User.id, @join(other) peer: User }";
    let text = with("rows: [Row], n: int = rows.where(peer.id > 1).count()")
        .replace("source s", &format!("{of_row}\nsource s"));
    let text = text.replace("rows: [Row]", "@join(user) rows: [Row]");
    refuse(&text, &[Code::E0435], &["a row cannot read another class (`peer`)"]);
}

#[test]
fn a_resolver_sets_the_foreign_key_and_not_the_link() {
    let text = package("").replace(
        "features Login { id: int, profile: Profile.id }",
        "features Login { id: int, profile: Profile.id, of: Profile }",
    );
    accept(&text);
    let text = text.replace("  profile = msg.profile", "  profile = msg.profile\n  of = msg.profile");
    refuse(&text, &[Code::E0439], &["`of` is a link, so it cannot be set", "set the foreign key instead"]);
}

#[test]
fn classes_that_compute_from_one_another_have_an_order() {
    let classes = |a: &str, b: &str| {
        format!(
            "features A {{ id: int, b_id: B.id, b: B, said: int?, x: int? = {a} }}
features B {{ id: int, a_id: A.id, a: A, said: int?, x: int? = {b} }}"
        )
    };
    accept(&classes("b.x", "a.said"));
    accept(&classes("b.said", "a.said"));
    refuse(&classes("b.x", "a.x"), &[Code::E0443], &["A → B → A"]);
    let one = |x: &str| format!("features A {{ id: int, boss_id: A.id?, boss: A, said: int?, x: int? = {x} }}");
    accept(&one("boss.said"));
    refuse(&one("boss.x"), &[Code::E0443], &["A → A"]);
}
