//! The rules of the protocol and the promises of the guide have names, and each has a test that says it proves it.

use std::collections::BTreeMap;

const PROTOCOL: &str = include_str!("../../docs/protocol.md");
const GUIDE: &str = include_str!("../../docs/guide.md");

/// How a test says which rules it proves, in a comment before its attributes.
const PROVES: &str = "// proves: ";

/// Sentences with a *must* that are no rules: they say what the word means, or where the rules are.
const NO_RULES: [&str; 3] = ["what the acceptor must obey", "what the initiator must obey", "| the peer must |"];

#[test]
fn every_rule_has_a_test_and_every_proof_is_of_a_rule() {
    let pages = [PROTOCOL, GUIDE].map(rules);
    assert!(pages[0].len() > 100 && pages[1].len() > 30, "a page has lost its rules");
    let named = pages.concat();
    let mut proved: BTreeMap<&str, usize> = named.iter().map(|rule| (*rule, 0)).collect();
    assert_eq!(proved.len(), named.len(), "a name is given to two rules");
    let mut wrong = Vec::new();
    for (file, text) in super::files("rs") {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(named) = line.strip_prefix(PROVES) else { continue };
            if !is_before_a_test(&lines[at..]) {
                wrong.push(format!("{file}:{}: what proves a rule is a test, and no test follows", at + 1));
            }
            for rule in named.split(", ") {
                match proved.get_mut(rule) {
                    Some(proofs) => *proofs += 1,
                    None => wrong.push(format!("{file}:{}: no rule is called `{rule}`", at + 1)),
                }
            }
        }
    }
    let unproved = proved.iter().filter(|(_, proofs)| **proofs == 0);
    wrong.extend(unproved.map(|(rule, _)| format!("no test says that it proves `{rule}`")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_must_of_the_protocol_is_a_rule_with_a_name() {
    let mut without = Vec::new();
    for block in blocks(PROTOCOL) {
        let is_must = block.split(|c: char| !c.is_alphanumeric()).any(|word| word == "must");
        if is_must && rules(&block).is_empty() && !NO_RULES.iter().any(|other| block.contains(other)) {
            without.push(block);
        }
    }
    assert!(without.is_empty(), "without the name of a rule:\n{}", without.join("\n\n"));
}

/// What stands in backticks and brackets: `[call.reply.once]`.
fn rules(text: &str) -> Vec<&str> {
    let named = text.split("`[").skip(1).filter_map(|rest| rest.split("]`").next());
    named
        .filter(|name| name.contains('.') && name.chars().all(|c| c.is_ascii_lowercase() || ".-".contains(c)))
        .collect()
}

/// Paragraphs, items of lists and rows of tables, each in one line.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in text.lines() {
        let start = line.trim_start();
        if start.is_empty() || start.starts_with(['|', '-']) {
            blocks.push(String::new());
        }
        if let Some(block) = blocks.last_mut() {
            *block += line;
            block.push(' ');
        }
    }
    blocks
}

/// Whether these lines begin with comments and attributes of a test, and then its function.
fn is_before_a_test(lines: &[&str]) -> bool {
    let is_above = |line: &&&str| line.starts_with("//") || line.starts_with("#[");
    let above = lines.iter().take_while(is_above);
    let function = lines.iter().find(|line| !is_above(line));
    above.clone().any(|line| line.starts_with("#[") && line.contains("test"))
        && function.is_some_and(|line| line.contains("fn "))
}
