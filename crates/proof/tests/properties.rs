//! What must hold for any input: random logs, random JSON, random records.

use std::convert::Infallible;
use std::fmt::Write as _;

use ledgerstone_proof::{
    BorrowedHeader, CompactRange, EventId, Hash, Header, IngestedAt, Kind, NodeAddress, ProofFault,
    Salt, SequenceNumber, TenantId, canonicalize, canonicalize_lenient, canonicalize_quoting,
    consistency_proof, empty_root, inclusion_proof, leaf_hash, node_hash, split_content,
    verify_consistency, verify_inclusion, write_content,
};
use proptest::prelude::*;
use serde_json::Value;

/// That many cases; what fails is printed, and nothing is written into the project.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Root over leaves exactly as RFC 6962 §2.1 words it.
fn reference_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let split = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(split);
            node_hash(&reference_root(left), &reference_root(right))
        }
    }
}

fn leaves(count: usize, seed: u64) -> Vec<Hash> {
    let leaf = |index: usize| leaf_hash(format!("{seed} {index}").as_bytes());
    (0..count).map(leaf).collect()
}

/// Complete subtrees of a log of these leaves; nothing else may be asked for.
fn nodes(leaves: &[Hash]) -> impl FnMut(NodeAddress) -> Result<Hash, Infallible> {
    |address| {
        let at = |leaf: u64| usize::try_from(leaf).expect("small");
        let start = at(address.index << address.level);
        let end = at((address.index + 1) << address.level);
        Ok(reference_root(&leaves[start..end]))
    }
}

fn flip(hash: &Hash, bit: usize) -> Hash {
    let mut bytes = *hash.as_bytes();
    bytes[bit / 8 % 32] ^= 1 << (bit % 8);
    Hash::from_bytes(bytes)
}

#[test]
fn all_small_logs() {
    let all = leaves(70, 0);
    let mut range = CompactRange::new();
    assert_eq!(range.root(), empty_root());
    for size in 1..=all.len() {
        range.push(all[size - 1]);
        let (root, new) = (reference_root(&all[..size]), size as u64);
        assert_eq!(range.root(), root, "{size}");
        for index in 0..size {
            let proof = inclusion_proof(index as u64, new, nodes(&all[..size])).expect("proof");
            let leaf = &all[index];
            assert_eq!(verify_inclusion(index as u64, new, leaf, &proof, &root), Ok(()));
            let next = index as u64 + 1;
            verify_inclusion(next, new, leaf, &proof, &root).expect_err("another index");
        }
        for old in 1..=size {
            let proof = consistency_proof(old as u64, new, nodes(&all[..size])).expect("proof");
            let old_root = reference_root(&all[..old]);
            assert_eq!(verify_consistency(old as u64, new, &old_root, &root, &proof), Ok(()));
        }
        inclusion_proof(new, new, nodes(&all[..size])).expect_err("beyond the tree");
        consistency_proof(new + 1, new, nodes(&all[..size])).expect_err("beyond the tree");
        consistency_proof(0, new, nodes(&all[..size])).expect_err("from nothing");
    }
}

/// A proof that would hold in a larger tree does not hold in a tree of the size it names.
#[test]
fn proofs_are_held_to_the_size_they_name() {
    let all = leaves(4, 0);
    let root = |size: usize| reference_root(&all[..size]);
    let inclusion = verify_inclusion(0, 1, &all[1], &all[..1], &root(2));
    assert_eq!(inclusion, Err(ProofFault::WrongLength));
    let inclusion = verify_inclusion(0, 4, &all[0], &all[1..2], &root(2));
    assert_eq!(inclusion, Err(ProofFault::WrongLength));
    let pair = node_hash(&all[2], &all[3]);
    let consistency = verify_consistency(1, 2, &all[0], &root(4), &[all[1], pair]);
    assert_eq!(consistency, Err(ProofFault::WrongLength));
    let consistency = verify_consistency(2, 4, &root(2), &root(2), &[]);
    assert_eq!(consistency, Err(ProofFault::WrongLength));
}

#[test]
fn huge_trees_need_few_nodes() {
    let mut asked = 0;
    let mut node = |address: NodeAddress| -> Result<Hash, Infallible> {
        asked += 1;
        assert!(address.level < 64);
        Ok(leaf_hash(format!("{address:?}").as_bytes()))
    };
    for size in [u64::MAX, 1 << 63, (1 << 63) + 1, (1 << 53) - 1] {
        for index in [0, 1, size / 2, size - 1] {
            let proof = inclusion_proof(index, size, &mut node).expect("proof");
            assert!(proof.len() <= 64);
        }
        for old in [1, 2, size / 2, size - 1] {
            let proof = consistency_proof(old, size, &mut node).expect("proof");
            assert!(proof.len() <= 65);
        }
    }
    assert!(asked < 32 * 130, "{asked}");
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn inclusion_holds_and_any_flipped_bit_fails(
        size in 1_usize..600, place in any::<prop::sample::Index>(), seed in any::<u64>(),
        bit in 0_usize..100_000,
    ) {
        let all = leaves(size, seed);
        let root = reference_root(&all);
        let (index, size) = (place.index(size), size as u64);
        let proof = inclusion_proof(index as u64, size, nodes(&all)).expect("proof");
        let check = |index, size, leaf: &Hash, proof: &[Hash], root: &Hash| {
            verify_inclusion(index, size, leaf, proof, root)
        };
        let (leaf, index) = (&all[index], index as u64);
        prop_assert_eq!(check(index, size, leaf, &proof, &root), Ok(()));
        prop_assert!(check(index, size, &flip(leaf, bit), &proof, &root).is_err());
        prop_assert!(check(index, size, leaf, &proof, &flip(&root, bit)).is_err());
        prop_assert!(check(index ^ 1, size, leaf, &proof, &root).is_err());
        for at in 0..proof.len() {
            let mut altered = proof.clone();
            altered[at] = flip(&altered[at], bit);
            prop_assert!(check(index, size, leaf, &altered, &root).is_err());
            altered.remove(at);
            prop_assert!(check(index, size, leaf, &altered, &root).is_err());
        }
        let mut longer = proof.clone();
        longer.push(root);
        prop_assert!(check(index, size, leaf, &longer, &root).is_err());
    }

    #[test]
    fn consistency_holds_and_any_flipped_bit_fails(
        new in 1_usize..600, place in any::<prop::sample::Index>(), seed in any::<u64>(),
        bit in 0_usize..100_000,
    ) {
        let old = place.index(new) + 1;
        let all = leaves(new, seed);
        let (old_root, new_root) = (reference_root(&all[..old]), reference_root(&all));
        let (old, new) = (old as u64, new as u64);
        let proof = consistency_proof(old, new, nodes(&all)).expect("proof");
        let check = |old_root: &Hash, new_root: &Hash, proof: &[Hash]| {
            verify_consistency(old, new, old_root, new_root, proof)
        };
        prop_assert_eq!(check(&old_root, &new_root, &proof), Ok(()));
        prop_assert!(check(&flip(&old_root, bit), &new_root, &proof).is_err());
        prop_assert!(check(&old_root, &flip(&new_root, bit), &proof).is_err());
        for at in 0..proof.len() {
            let mut altered = proof.clone();
            altered[at] = flip(&altered[at], bit);
            prop_assert!(check(&old_root, &new_root, &altered).is_err());
            altered.remove(at);
            prop_assert!(check(&old_root, &new_root, &altered).is_err());
        }
        let mut longer = proof.clone();
        longer.push(new_root);
        prop_assert!(check(&old_root, &new_root, &longer).is_err());
    }
}

/// A number as some client may spell it, and the double that it means.
fn spelled_number() -> impl Strategy<Value = (String, f64)> {
    let double =
        any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |double| double.is_finite());
    let small = (-999_999_999_i64..1_000_000_000, 0_usize..12);
    prop_oneof![
        double.clone().prop_map(|double| (format!("{double:.16e}"), double)),
        double.prop_map(|double| (format!("{double:e}"), double)),
        any::<i64>().prop_map(|int| {
            let text = int.to_string();
            let double = text.parse().expect("a number");
            (text, double)
        }),
        small.prop_map(|(digits, point)| {
            let digits = format!("{digits:013}");
            let (whole, fraction) = digits.split_at(digits.len() - point);
            let whole = whole.trim_start_matches('-').trim_start_matches('0');
            let sign = if digits.starts_with('-') { "-" } else { "" };
            let whole = if whole.is_empty() { "0" } else { whole };
            let text = match fraction {
                "" => format!("{sign}{whole}"),
                _ => format!("{sign}{whole}.{fraction}"),
            };
            let double = text.parse().expect("a number");
            (text, double)
        }),
    ]
}

/// A string as some client may spell it: any character, each escaped or not.
fn spelled_string() -> impl Strategy<Value = (String, String)> {
    let character = prop_oneof![
        4 => prop::char::range(' ', '~'),
        1 => prop::char::range('\0', '\u{1f}'),
        1 => prop::sample::select(vec!['"', '\\', '/', '\u{7f}', '\u{2028}', 'é', '\u{e000}',
            '\u{fb33}', '\u{ffff}', '\u{10000}', '\u{1f602}', '\u{10ffff}', '\u{d7ff}']),
        1 => any::<char>(),
    ];
    prop::collection::vec((character, 0_u8..4), 0..24).prop_map(|characters| {
        let mut sent = String::from("\"");
        for (character, style) in &characters {
            spell(*character, *style, &mut sent);
        }
        sent.push('"');
        (sent, characters.iter().map(|(character, _)| character).collect())
    })
}

fn spell(character: char, style: u8, out: &mut String) {
    let short = "\"\\/\u{8}\u{c}\n\r\t".find(character).map(|at| b"\"\\/bfnrt"[at..][0]);
    match (style, short) {
        (1, Some(short)) => out.extend(['\\', char::from(short)]),
        (0 | 1, _) if character >= ' ' && character != '"' && character != '\\' => {
            out.push(character);
        }
        (2, _) => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}").expect("a string takes all");
            }
        }
        _ => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04X}").expect("a string takes all");
            }
        }
    }
}

/// JSON as some client may spell it, and its value as the oracle takes it.
fn spelled_json() -> impl Strategy<Value = (String, Value)> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["null", "true", "false"])
            .prop_map(|word| (word.to_owned(), serde_json::from_str(word).expect("a word"))),
        spelled_number().prop_map(|(text, double)| (text, Value::from(double))),
        spelled_string().prop_map(|(sent, value)| (sent, Value::from(value))),
    ];
    leaf.prop_recursive(6, 96, 8, |inner| {
        let space = prop::sample::select(vec!["", "", "", " ", "\n\t", "\r "]);
        let item = (space.clone(), inner, space);
        let array = prop::collection::vec(item.clone(), 0..6).prop_map(|items| {
            let sent: Vec<_> =
                items.iter().map(|(a, (sent, _), b)| format!("{a}{sent}{b}")).collect();
            let values = items.into_iter().map(|(_, (_, value), _)| value).collect();
            (format!("[{}]", sent.join(",")), Value::Array(values))
        });
        let object = prop::collection::vec((spelled_string(), item), 0..8).prop_map(|members| {
            let mut sent = Vec::new();
            let mut values = serde_json::Map::new();
            for ((name_sent, name), (a, (value_sent, value), b)) in members {
                // A name that comes twice is left out on both sides.
                if let serde_json::map::Entry::Vacant(place) = values.entry(name) {
                    place.insert(value);
                    sent.push(format!("{a}{name_sent}{b}:{a}{value_sent}{b}"));
                }
            }
            (sent, values)
        });
        prop_oneof![
            array,
            object.prop_map(|(sent, values)| {
                (format!("{{{}}}", sent.join(",")), Value::Object(values))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(config(600))]

    #[test]
    fn lenient_agrees_with_another_canonicaliser((sent, value) in spelled_json()) {
        let canonical = canonicalize_lenient(sent.as_bytes()).expect("JSON");
        let oracle = serde_json_canonicalizer::to_vec(&value).expect("a value");
        prop_assert_eq!(String::from_utf8_lossy(&canonical), String::from_utf8_lossy(&oracle));
        prop_assert_eq!(canonicalize_lenient(&canonical).expect("canonical"), canonical);
    }

    #[test]
    fn strict_is_lenient_or_a_refusal((sent, _) in spelled_json()) {
        let lenient = canonicalize_lenient(sent.as_bytes()).expect("JSON");
        let (quoting, quoted) = canonicalize_quoting(sent.as_bytes()).expect("JSON");
        match canonicalize(sent.as_bytes()) {
            Ok(strict) => {
                prop_assert_eq!(&strict, &lenient);
                prop_assert_eq!(&strict, &quoting);
                prop_assert!(quoted.is_empty());
            }
            Err(_) => prop_assert!(!quoted.is_empty()),
        }
        prop_assert_eq!(canonicalize(&quoting).expect("all is exact now"), quoting.clone());
        let value: Value = serde_json::from_slice(&quoting).expect("JSON");
        for pointer in quoted {
            let text = value.pointer(&pointer).and_then(Value::as_str).expect("a string");
            prop_assert!(text.parse::<f64>().is_ok(), "{} at {}", text, pointer);
        }
    }

    #[test]
    fn strict_keeps_the_decimal_value((text, double) in spelled_number()) {
        let Ok(canonical) = canonicalize(text.as_bytes()) else {
            return Ok(());
        };
        let canonical = String::from_utf8(canonical).expect("UTF-8");
        let kept: f64 = canonical.parse().expect("a number");
        prop_assert!((kept - double).abs() == 0.0, "{} became {}", text, canonical);
        prop_assert!(double.abs() <= 9_007_199_254_740_991.0);
        if let (Ok(sent), Ok(kept)) = (text.parse::<i64>(), canonical.parse::<i64>()) {
            prop_assert_eq!(sent, kept);
        }
    }

    #[test]
    fn headers_read_back(
        tenant in "[a-z0-9][a-z0-9_-]{0,62}", id in "[A-Za-z0-9.:_-]{1,128}",
        number in 0_u64..1 << 53, kind in 0_usize..3,
        micros in -62_135_596_800_000_000_i64..253_402_300_800_000_000,
        content in any::<[u8; 32]>(), previous in any::<[u8; 32]>(), bit in any::<usize>(),
    ) {
        let header = Header::new(
            TenantId::parse(&tenant).expect("a tenant"),
            SequenceNumber::new(number).expect("a number"),
            EventId::parse_stored(&id).expect("an id"),
            Kind::ALL[kind],
            IngestedAt::from_micros(micros).expect("a time"),
            Hash::from_bytes(content),
            Hash::from_bytes(previous),
        );
        let mut bytes = header.to_canonical();
        prop_assert!(bytes.len() < 1024);
        prop_assert_eq!(&canonicalize(&bytes).expect("JSON"), &bytes);
        let borrowed = BorrowedHeader::parse(&bytes).expect("a header");
        prop_assert_eq!(borrowed.fields(), header.fields());
        prop_assert_eq!(Header::parse(&bytes), Ok(header.clone()));
        // A flipped bit is another header or none.
        let at = bit / 8 % bytes.len();
        bytes[at] ^= 1 << (bit % 8);
        if let Ok(other) = Header::parse(&bytes) {
            prop_assert_ne!(&other, &header);
            prop_assert_eq!(other.to_canonical(), bytes);
        }
    }

    #[test]
    fn contents_split_again((sent, _) in spelled_json(), salt in any::<[u8; 16]>()) {
        let (event, _) = canonicalize_quoting(sent.as_bytes()).expect("JSON");
        let mut content = Vec::new();
        write_content(&event, &Salt::from_bytes(salt), &mut content);
        let (again, salt_again) = split_content(&content).expect("a content");
        prop_assert_eq!(again, &event[..]);
        prop_assert_eq!(salt_again.as_bytes(), &salt);
        prop_assert_eq!(&canonicalize(&content).expect("JSON"), &content);
    }

    #[test]
    fn times_read_back_in_order(
        a in -62_135_596_800_000_000_i64..253_402_300_800_000_000,
        b in -62_135_596_800_000_000_i64..253_402_300_800_000_000,
    ) {
        let time = |micros| IngestedAt::from_micros(micros).expect("a time");
        prop_assert_eq!(IngestedAt::parse(&time(a).to_string()), Ok(time(a)));
        prop_assert_eq!(time(a).to_string().cmp(&time(b).to_string()), a.cmp(&b));
    }
}
