//! Expressions: their types with nullability, as a feature's expression shows them, and what is refused.

mod common;

use chalk_diagnostics::Code;
use common::{accept, analyze, refuse};

/// Features to compute with; an expression is added as the feature `r`.
const CLASS: &str = "
enum Status { pending, failed, ok }
message Address { street: string, zip: int? }
features F {
  id: int
  small: int8
  big: uint64
  ratio: float
  single: float32
  name: string
  raw: bytes
  price: decimal(10, 2)
  rate: decimal(6, 4)
  at: datetime
  day: date
  wait: duration
  status: Status
  tags: [string]
  labels: map<string, int>
  address: Address
  vector: [float32; 4]
  flag: bool
  maybe_id: int?
  maybe_ratio: float?
  maybe_name: string?
  maybe_flag: bool?
  maybe_address: Address?
  maybe_status: Status?
";

fn class(ty: &str, expr: &str) -> String {
    format!("{CLASS}  r: {ty} = {expr}\n}}\n")
}

/// The expression has exactly that type: it fits it, and what is more narrow in nullability does not.
#[track_caller]
fn has_type(expr: &str, ty: &str) {
    accept(&class(ty, expr));
    if let Some(required) = ty.strip_suffix('?') {
        let codes = common::codes(&class(required, expr));
        assert_eq!(codes, [Code::E0202], "`{expr}` should be nullable");
    }
}

#[track_caller]
fn fails(expr: &str, code: Code, part: &str) {
    let text = class("string", expr);
    let analysis = analyze(&text);
    let errors: Vec<Code> =
        analysis.diagnostics.iter().filter(|found| found.is_error()).map(|found| found.code).collect();
    let messages: Vec<String> = analysis.diagnostics.iter().map(|found| format!("{found:?}")).collect();
    assert_eq!(errors, [code], "`{expr}`: {messages:?}");
    assert!(messages.iter().any(|message| message.contains(part)), "`{part}` is not in {messages:?}");
}

#[test]
fn arithmetic_widens_integers_and_divides_to_floats() {
    has_type("id + 1", "int");
    has_type("small + small", "int");
    has_type("big + 1", "uint64");
    has_type("big + big", "uint64");
    has_type("id / 2", "float");
    has_type("id ** 2", "float");
    has_type("id + ratio", "float");
    has_type("single * single", "float");
    has_type("-small", "int");
    has_type("id % 3", "int");
    has_type("id + maybe_id", "int?");
    has_type("-maybe_id", "int?");
    fails("big + id", Code::E0203, "`uint64` and the signed integers");
    fails("-big", Code::E0203, "no `uint64` is below zero");
    fails("id + flag", Code::E0203, "a condition is no number");
    fails("id + none", Code::E0203, "always null");
    fails("name - name", Code::E0203, "`-` is not defined between `string` and `string`");
}

#[test]
fn decimals_keep_every_digit() {
    has_type("price + price", "decimal(11, 2)");
    has_type("price + rate", "decimal(13, 4)");
    has_type("price * rate", "decimal(16, 6)");
    has_type("price * 2", "decimal(11, 2)");
    has_type("price * 1.1", "decimal(12, 3)");
    has_type("price + id", "decimal(22, 2)");
    has_type("price % rate", "decimal(12, 4)");
    has_type("price / rate", "float");
    has_type("price / 3", "float");
    has_type("-price", "decimal(10, 2)");
    fails("price + ratio", Code::E0203, "a decimal is exact and a float is not");
    accept(&class("bool", "price > 1.5 and price == 2"));
    accept(&class("decimal(4, 2)", "1.25"));
    refuse(&class("decimal(4, 2)", "1.255"), &[Code::E0206], &["does not fit `decimal(4, 2)` exactly"]);
    refuse(&class("decimal(4, 2)", "123"), &[Code::E0206], &["does not fit"]);
}

#[test]
fn times_and_durations() {
    has_type("at + 30s", "datetime");
    has_type("30s + at", "datetime");
    has_type("at - at", "duration");
    has_type("at - wait", "datetime");
    has_type("day + 1d", "date");
    has_type("day - wait", "date");
    has_type("day - day", "duration");
    has_type("wait * 2", "duration");
    has_type("2 * wait", "duration");
    has_type("wait / 1s", "float");
    has_type("wait % 1h", "duration");
    fails("at + 30", Code::E0203, "say the unit of the number");
    fails("wait / 2", Code::E0203, "divide by a duration");
    fails("at - day", Code::E0203, "cast one");
    fails("at > \"2024-01-01\"", Code::E0203, "parse_datetime");
}

#[test]
fn text_bytes_and_lists_are_joined_with_plus() {
    has_type("name + \"!\"", "string");
    has_type("raw + b\"!\"", "bytes");
    has_type("tags + [name]", "[string]");
    has_type("name + maybe_name", "string?");
    fails("name + id", Code::E0203, "make the right side text");
    fails("id + name", Code::E0203, "make the left side text");
    fails("tags + [1]", Code::E0203, "not defined between");
}

#[test]
fn equality_is_never_null_and_order_is_null_where_an_operand_is() {
    has_type("id == 1", "bool");
    has_type("maybe_id == 1", "bool");
    has_type("maybe_id != id", "bool");
    has_type("maybe_id == none", "bool");
    has_type("tags == [\"a\"]", "bool");
    has_type("address == address", "bool");
    has_type("status == Status.failed", "bool");
    has_type("maybe_id < 1", "bool?");
    has_type("id < 1.5", "bool");
    has_type("name < \"b\"", "bool");
    fails("status < Status.ok", Code::E0203, "has no order");
    fails("status == \"failed\"", Code::E0203, "name the variant: `Status.failed`");
    fails("status == \"fialed\"", Code::E0203, "name the variant: `Status.failed`");
    fails("status == Status.fail", Code::E0116, "`Status` has no variant `fail`");
    fails("id == name", Code::E0203, "not defined between `int` and `string`");
    fails("id < none", Code::E0203, "ask `is none`");
    fails("tags < tags", Code::E0203, "has no order");
}

#[test]
fn logic_is_three_valued() {
    has_type("flag and flag", "bool");
    has_type("flag and maybe_flag", "bool?");
    has_type("not maybe_flag", "bool?");
    has_type("flag or id > 1", "bool");
    fails("id and flag", Code::E0208, "compare it");
    fails("flag or name", Code::E0208, "`or` joins conditions");
    fails("not name", Code::E0208, "the operand of `not` is `string`");
}

#[test]
fn null_is_dealt_with_explicitly() {
    has_type("maybe_id ?? 0", "int");
    has_type("maybe_id ?? maybe_id", "int?");
    has_type("maybe_id ?? ratio", "float");
    has_type("maybe_name ?? name", "string");
    has_type("maybe_id is none", "bool");
    refuse(&class("int", "maybe_id"), &[Code::E0202], &["fix: `` -> ` ?? 0`", "`int` is declared here"]);
    refuse(&class("int", "none"), &[Code::E0202], &["`none` where the feature `r` is never null"]);
    refuse(&class("int", "id ?? 0"), &[Code::W0202], &["never null"]);
    refuse(&class("bool", "id is none"), &[Code::W0203], &["this is always false"]);
    fails("maybe_name ?? id", Code::E0207, "the two sides of `??`");
    fails("[none][0]", Code::E0217, "not known");
}

#[test]
fn a_test_for_null_is_remembered() {
    has_type("if maybe_id is not none then maybe_id + 1 else 0", "int");
    has_type("if maybe_id is none then 0 else maybe_id", "int");
    has_type("if maybe_id != none and maybe_id > 3 then maybe_id else 0", "int");
    has_type("maybe_id is not none and maybe_id > 3", "bool");
    has_type("maybe_id is none or maybe_id > 3", "bool");
    has_type("if maybe_id > 3 then maybe_id else 0", "int");
    has_type("if not (maybe_id is none) then maybe_id else 0", "int");
    has_type("if maybe_id == 3 then maybe_id else 0", "int");
    has_type("if maybe_address.zip is not none then maybe_address.zip else 0", "int");
    has_type("if maybe_address is not none then maybe_address.street else name", "string");
    has_type("if maybe_address.zip is not none then maybe_address.street else name", "string");
    has_type("if maybe_flag then maybe_flag else flag", "bool");
    has_type("{ let x = maybe_id * 2\n if x is none then 0 else x }", "int");
    has_type("match { maybe_id is none => 0, maybe_id > 3 => 1, else => maybe_id }", "int");
    has_type("match maybe_id { none => 0, else => maybe_id }", "int");
    // Nothing is learnt where the test may not have been made, or been null.
    has_type("if maybe_id is not none or flag then maybe_id else 0", "int?");
    has_type("if maybe_id > 3 then 0 else maybe_id", "int?");
    has_type("maybe_id > 0 and maybe_id < 9", "bool?");
}

#[test]
fn branches_need_a_common_type() {
    has_type("if flag then 1 else 2.5", "float");
    has_type("if flag then id else none", "int?");
    has_type("if maybe_flag then id else 0", "int");
    has_type("if flag then small else id", "int");
    fails("if flag then id else name", Code::E0207, "no common type: `int` and `string`");
    fails("if id then 1 else 2", Code::E0208, "the condition of `if` is `int`");
    fails("if flag then none else none", Code::E0217, "always `none`");
    fails("[1, name]", Code::E0207, "the items have no common type");
}

#[test]
fn a_match_is_closed() {
    has_type("match { ratio > 0.5 => \"high\", else => \"low\" }", "string");
    has_type("match status { pending => 0, failed => 1, ok => 2 }", "int");
    has_type("match status { Status.pending | Status.failed => 0, ok => 2 }", "int");
    has_type("match maybe_status { pending | failed | ok => 1, none => 0 }", "int");
    has_type("match id { 1 => \"one\", 2 | 3 => \"few\", else => \"many\" }", "string");
    has_type("match flag { true => 1, false => 0 }", "int");
    has_type("match { flag => none, else => id }", "int?");
    fails("match { ratio > 0.5 => \"high\" }", Code::E0212, "add a last arm");
    fails("match status { pending => \"a\" }", Code::E0212, "does not say");
    fails("match maybe_status { pending | failed | ok => \"a\" }", Code::E0212, "does not say");
    fails("match { flag => \"a\", else => 1 }", Code::E0207, "the arms have no common type");
    fails("match id { name => \"a\", else => \"b\" }", Code::E0203, "not defined between");
}

#[test]
fn casts() {
    has_type("ratio as int", "int");
    has_type("ratio as int?", "int?");
    has_type("name as int", "int");
    has_type("id as string", "string");
    has_type("maybe_id as int", "int");
    has_type("maybe_name as int", "int");
    has_type("maybe_name as int?", "int?");
    has_type("id as int8", "int8");
    has_type("at as date", "date");
    has_type("day as datetime", "datetime");
    has_type("at as time", "time");
    has_type("status as string", "string");
    has_type("name as Status", "Status");
    has_type("price as float", "float");
    has_type("ratio as decimal(10, 2)", "decimal(10, 2)");
    has_type("flag as int", "int");
    has_type("(vector as [float32])[0]", "float32?");
    fails("id as datetime", Code::E0209, "from_unix_seconds");
    fails("raw as string", Code::E0209, "bytes_to_string");
    fails("tags as string", Code::E0209, "cannot be cast");
    fails("id as User", Code::E0103, "there is no type `User`");
    refuse(&class("int", "id as int"), &[Code::W0201], &["does nothing"]);
}

#[test]
fn elements_and_slices() {
    has_type("tags[0]", "string?");
    has_type("tags[-1]", "string?");
    has_type("vector[0]", "float32?");
    has_type("labels[\"a\"]", "int?");
    has_type("labels[maybe_name]", "int?");
    has_type("name[1..3]", "string");
    has_type("name[..maybe_id]", "string?");
    has_type("raw[6..]", "bytes");
    has_type("tags[..-1]", "[string]");
    has_type("tags[small]", "string?");
    fails("name[0]", Code::E0211, "take a character as a slice");
    fails("vector[1..]", Code::E0211, "make it a list first");
    fails("tags[name]", Code::E0201, "a position wants `int`");
    fails("labels[1]", Code::E0201, "the key of the map wants `string`");
    fails("address[0]", Code::E0211, "take a field");
}

#[test]
fn membership() {
    has_type("id in [1, 2]", "bool");
    has_type("id not in [1, 2]", "bool");
    has_type("small in [1, 300]", "bool");
    has_type("ratio in [1, 2]", "bool");
    has_type("maybe_id in [1, 2]", "bool?");
    has_type("id in [1, maybe_id]", "bool?");
    has_type("name in tags", "bool");
    has_type("status in [Status.ok, Status.failed]", "bool");
    fails("name in name", Code::E0203, "str_contains");
    fails("name in labels", Code::E0203, "map[key] is not none");
    fails("id in tags", Code::E0203, "looks for `int` in a list of `string`");
    fails("status in [\"ok\"]", Code::E0203, "name the variant");
}

#[test]
fn literals_take_the_type_that_is_wanted() {
    has_type("5", "int8");
    has_type("5", "float");
    has_type("1.5", "float32");
    has_type("-128", "int8");
    has_type("18_446_744_073_709_551_615", "uint64");
    has_type("-9223372036854775808", "int");
    has_type("[1, 2]", "[int8]");
    has_type("[]", "[string]");
    has_type("[1, none]", "[int?]");
    has_type("[1.25, 2]", "[decimal(4, 2)]");
    refuse(&class("int8", "200"), &[Code::E0206], &["200 does not fit `int8`, which goes from -128 to 127"]);
    refuse(&class("int", "18446744073709551615"), &[Code::E0206], &["does not fit `int`"]);
    fails("340282366920938463463", Code::E0206, "too large");
    fails("[] == tags[0]", Code::E0217, "not known");
}

#[test]
fn names_are_found_or_suggested() {
    fails("nmae", Code::E0101, "did you mean `name`?");
    fails("null", Code::E0101, "did you mean `none`?");
    fails("Status", Code::E0106, "name one of its variants");
    fails("lower", Code::E0101, "it is a function");
    fails("lenght(name)", Code::E0105, "did you mean `length`?");
    fails("len(name)", Code::E0105, "did you mean `length`?");
    fails("str(id)", Code::E0105, "as string");
    fails("name.lower()", Code::E0105, "write `lower(…)`");
    fails("tags.count()", Code::E0105, "an aggregate is of the rows of a collection");
    fails("address.stret", Code::E0107, "did you mean `street`?");
    fails("name.size", Code::E0210, "has no fields");
    fails("labels.a", Code::E0210, "look the entry up");
    fails("header(\"x\")", Code::E0220, "a feature's expression reads features");
    fails("envelope.topic", Code::E0220, "a feature's expression reads features");
}

#[test]
fn library_calls() {
    has_type("lower(maybe_name)", "string?");
    has_type("abs(maybe_ratio)", "float?");
    has_type("abs(small)", "int");
    has_type("clamp(id, 0, 10)", "int");
    has_type("clamp(maybe_id, 0, 10)", "int?");
    has_type("clamp(id, maybe_id, 10)", "int?");
    has_type("clamp(id, 0, 1.5)", "float");
    has_type("coalesce(maybe_id, 0)", "int");
    has_type("coalesce(maybe_id, maybe_id)", "int?");
    has_type("greatest(id, small)", "int");
    has_type("recover(name as int, 0)", "int");
    has_type("recover(name as int, none)", "int?");
    fails("lower(id)", Code::E0205, "takes `string`, not `int`");
    fails("starts_with(name)", Code::E0204, "takes 2 arguments, not 1");
    fails("regexp_like(name, \"[0-\")", Code::E0215, "cannot use this");
    fails("recover(name)", Code::E0204, "`recover` takes 2 arguments");
}

#[test]
fn blocks_bind_each_name_once() {
    has_type("{ let a = id + 1\n let b = a * 2\n a + b }", "int");
    has_type("{ let a: float = id\n a }", "float");
    has_type("{ let a: int? = none\n a ?? id }", "int");
    fails("{ let a = \"x\"\n let a = \"y\"\n a }", Code::E0214, "has a value already");
    fails("{ let a = none\n name }", Code::E0217, "not known");
    fails("{ let id = 1\n name }", Code::E0214, "first bound here");
    refuse(&class("string", "{ let a = id + 1\n name }"), &[Code::W0104], &["`a` is never used"]);
    accept(&class("string", "{ let _a = id + 1\n name }"));
}

#[test]
fn one_mistake_is_one_diagnostic() {
    // What depends on the wrong part stays silent, and each wrong part is told.
    let text = class("int", "(nmae + 1) * lenght(name) + { let x = zzz\n x + x }");
    refuse(&text, &[Code::E0101, Code::E0105, Code::E0101], &["`nmae`", "`lenght`", "`zzz`"]);
}
