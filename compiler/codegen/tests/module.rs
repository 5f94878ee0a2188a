//! What a module is besides its meaning: its bytes, its names, its targets, its text forms.

mod support;

use chalk_artifact::file::{self, ArtifactError};
use chalk_artifact::manifest::ResolverOutput;
use chalk_codegen::{CompileOptions, Module, Target, disassemble_artifact};
use support::build;

const USERS: &str = include_str!("support/users.chalk");

fn users(target: Target) -> Module {
    build(USERS, CompileOptions::for_target(target))
}

#[test]
fn equal_sources_give_equal_bytes() {
    let bytes = || users(Target::X86_64V3).to_artifact().expect("an artifact is written");
    assert!(bytes() == bytes(), "two builds differ");
}

#[test]
fn an_artifact_reads_back_as_it_was_written() {
    let module = users(Target::host().expect("this machine is a target"));
    let bytes = module.to_artifact().expect("an artifact is written");
    let artifact = file::read(&bytes).expect("it was written for this machine");
    assert_eq!(artifact.manifest, *module.manifest());
    assert_eq!(artifact.text_range.start % file::PAGE_BYTES, 0);
    assert!(!artifact.source_map().expect("it has a source map").is_empty());
    let kernel = &artifact.manifest.kernels[0];
    assert_eq!(kernel.symbol, "get_users_stream::main");
    assert!(bytes.windows(kernel.symbol.len()).filter(|window| *window == kernel.symbol.as_bytes()).count() >= 2);
}

#[test]
fn every_target_can_be_built_for() {
    for target in Target::ALL {
        let bytes = users(target).to_artifact().expect("an artifact is written");
        let artifact = file::read_for_inspection(&bytes).expect("it can be looked at anywhere");
        assert_eq!(artifact.header.target, target.triple());
        let text = disassemble_artifact(&artifact, |_, line| USERS.lines().nth(line as usize - 1).map(str::to_owned))
            .expect("code is disassembled");
        assert!(text.contains("get_users_stream::main"), "{text}");
        assert!(text.contains("test.chalk:32"), "{text}");
        assert!(text.contains("from_unix_seconds(msg.updated_at"), "{text}");
    }
    let other = if cfg!(target_arch = "x86_64") { Target::Aarch64 } else { Target::X86_64V3 };
    let bytes = users(other).to_artifact().expect("an artifact is written");
    assert!(matches!(file::read(&bytes), Err(ArtifactError::Target { .. })));
    assert!(users(other).jit().is_err());
}

#[test]
fn target_names_are_understood() {
    for target in Target::ALL {
        assert_eq!(target.name().parse(), Ok(target));
    }
    assert_eq!("aarch64-unknown-linux-gnu".parse(), Ok(Target::Aarch64));
    assert!("riscv64".parse::<Target>().is_err());
}

#[test]
fn the_ir_of_the_main_example() {
    let module = users(Target::X86_64V3);
    let expected = include_str!("support/users.ir");
    assert_eq!(module.ir_text(), expected, "the IR changed:\n{}", module.ir_text());
}

#[test]
fn sites_name_line_and_source() {
    let module = users(Target::X86_64V3);
    let site = &module.manifest().sites[0];
    assert_eq!((site.line, site.column), (32, 19));
    assert_eq!(site.source, "from_unix_seconds(msg.updated_at / 1_000_000)");
}

#[test]
fn a_resolver_of_thousands_of_features_compiles() {
    let count = 700;
    let mut source = String::from(
        "source e = kafka(topic: \"e\")\nmessage M { id: int, x: float, s: string? }\nfeatures F {\n id: int\n",
    );
    for n in 0..count {
        source.push_str(&format!(" f{n}: float\n g{n}: int\n h{n}: string?\n"));
    }
    source.push_str("}\nstream r(msg: M) -> F from e {\n id = msg.id\n");
    for n in 0..count {
        source
            .push_str(&format!(" f{n} = msg.x * {n}.5 + {n}.0\n g{n} = msg.id * {n} + {n}\n h{n} = msg.s + \"{n}\"\n"));
    }
    source.push_str("}\n");
    for target in Target::ALL {
        let module = build(&source, CompileOptions::for_target(target));
        assert_eq!(module.manifest().resolvers[0].outputs.len(), 3 * count + 1);
    }
}

/// The IR of one resolver body over a message.
fn ir_of(fields: &str, body: &str) -> String {
    let source = format!(
        "source e = kafka(topic: \"e\")\nmessage M {{ {fields} }}\nfeatures F {{ @primary key: int, value: int? }}\nstream r(msg: M) -> F from e {{ key = 1, value = {body} }}\n"
    );
    let text = build(&source, CompileOptions::host()).ir_text();
    // Header, outputs and the key are the same everywhere.
    let lines: Vec<&str> = text.lines().skip(1).filter(|line| !line.starts_with("  out ")).collect();
    format!("\n{}", lines.join("\n"))
}

#[test]
fn null_is_spelled_out_and_cheap_branches_are_selects() {
    assert_eq!(
        ir_of("a: int?, b: int", "if msg.a > 3 then 7 else none"),
        r"
  in  0: int? = msg.a
  %0: int = const 1
  store f.key, %0
  %1: int = load msg.a
  %2: bool = load_valid msg.a
  %3: int = const 3
  %4: bool = int_less %3, %1
  %5: bool = and %2, %4
  %6: int = const 7
  %7: int = zero
  %8: int = select %5, %6, %7
  store f.value, %8 if %5"
    );
}

#[test]
fn equal_computations_are_shared_and_dead_ones_go() {
    assert_eq!(
        ir_of("a: int, b: int", "{ let unused = msg.b == 2\n let x = msg.a * 2\n x + msg.a * 2 }"),
        r"
  in  0: int = msg.a
  %0: int = const 1
  store f.key, %0
  %1: int = const 2
  %2: int = load msg.a
  %3: int = checked_mul %2, %1
  %4: int = checked_add %3, %3
  store f.value, %4"
    );
}

#[test]
fn constants_fold_but_failures_stay() {
    assert_eq!(
        ir_of("a: int", "if 2 * 3 == 6 then 1 + 2 else msg.a"),
        r"
  %0: int = const 1
  store f.key, %0
  %1: int = const 3
  store f.value, %1"
    );
    assert_eq!(
        ir_of("a: int", "1 % 0"),
        r"
  %0: int = const 1
  store f.key, %0
  %1: int = const 0
  %2: int = checked_rem %0, %1
  store f.value, %2"
    );
}

#[test]
fn what_may_fail_stands_behind_the_flags_and_recover_catches_it() {
    assert_eq!(
        ir_of("s: string?", "msg.s as int?"),
        r"
  in  0: string? = msg.s
  %0: int = const 1
  store f.key, %0
  %1: string = load msg.s
  %2: bool = load_valid msg.s
  %3: int, %4: bool = if %2 {
    %5: int, %6: bool = recover {
      %7: int, %8: bool = call cast(string)->int(%1)
      %9: bool = const true
      yield %7, %9
    } on failure {
      %10: int = zero
      %11: bool = const false
      yield %10, %11
    }
    yield %5, %6
  } else {
    %12: int = zero
    %13: bool = const false
    yield %12, %13
  }
  store f.value, %3 if %4"
    );
}

#[test]
fn lists_of_constants_are_made_before_the_first_row() {
    let items: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let text = ir_of("a: int", &format!("if msg.a in [{}] then 1 else 2", items.join(", ")));
    let before = text.split("  before rows {").nth(1).expect("there is work before the rows");
    let (before, rows) = before.split_once("\n  }\n").expect("it ends");
    assert!(before.contains("list [") && !rows.contains("list ["), "{text}");
    assert!(rows.contains("contains"), "{text}");
}

#[test]
fn events_are_made_of_the_outputs_that_are_there_already() {
    let module = build(
        r#"
source payments = kafka(topic: "payments")
message Payment { id: int, user: int, amount: float, at: datetime }
features Transaction { id: int, user: User.id, amount: float, @time at: datetime, is_large: bool = amount > 100.0 }
features User {
  id: int
  transactions: [Transaction]
  spent: float over [10m] = transactions.where(is_large).sum(amount)
  doubled: float over [10m] = transactions.sum(amount * 2.0)
  seen: int = transactions.count()
  all_doubled: float = transactions.sum(amount * 2.0)
}
stream payment_stream(msg: Payment) -> Transaction
  from payments
{
  id     = msg.id
  user   = msg.user
  amount = msg.amount
  at     = msg.at
}
"#,
        CompileOptions::host(),
    );
    let resolver = &module.manifest().resolvers[0];
    let events = resolver.outputs.iter().filter(|output| matches!(output, ResolverOutput::Event)).count();
    assert_eq!(events, 1, "`amount * 2.0` alone is no feature, and two aggregations share it: {:?}", resolver.outputs);
    assert_eq!(resolver.outputs.last(), Some(&ResolverOutput::EventTime));
    let keys: Vec<_> = resolver.feeds.iter().map(|feed| feed.key).collect();
    assert_eq!(keys, [Some(1), Some(1)], "the foreign key, of the windowed aggregation and the other");
    let user = &module.manifest().classes[1];
    let plan = user.expressions.as_ref().expect("aggregates are expressions");
    assert_eq!(plan.reads.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1, 1], "each reads its aggregate: {plan:?}");
}
