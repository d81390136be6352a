//! The table: every attack on a record in a segment and in a log, with `HEAD` left as it was and
//! with `HEAD` signed again; then the attacks on whole files.

use std::path::{Path, PathBuf};

use ledgerstone_ledger::check::{Finding, Level, Report};
use ledgerstone_store::Check;
use ledgerstone_store::embedded::testing::{Contents, sign_head_of_files};

use crate::changes::{ATTACKS, Attack};
use crate::deployment::{Deployment, tenant};
use crate::scene::{Home, Scene};

/// Findings that one attack may cause.
const FEW: usize = 12;

fn lines(report: &Report) -> String {
    report.findings.iter().map(Finding::to_line).collect::<Vec<_>>().join("\n")
}

fn is_named(report: &Report, attack: &Attack, scene: &Scene) -> bool {
    report.findings.iter().any(|finding| {
        let tenant = finding.tenant.as_ref().is_some_and(|found| found.as_str() == "acme");
        let record = attack.from_attacked.is_none_or(|from| {
            let in_file = Path::new(&finding.file) == scene.file;
            finding.sequence_number == Some(scene.number + from) && in_file
        });
        finding.check == check_of(attack, scene.home) && tenant && record
    })
}

fn check_of(attack: &Attack, home: Home) -> Check {
    if home == Home::Log { attack.check_in_log } else { attack.check }
}

/// Carries an attack out; answers what verification says with `HEAD` left, and signed again.
fn run(original: &Deployment, attack: &Attack, home: Home) {
    let deployment = original.copy();
    let mut scene = Scene::of(&deployment, home);
    (attack.change)(&mut scene);
    scene.contents.write().unwrap();
    let left = deployment.verified(attack.level).unwrap();
    assert!(!left.holds(), "{} in a {home:?}: nothing is found", attack.name);
    scene.contents.sign_head().unwrap();
    let signed = deployment.verified(attack.level).unwrap();
    let told = lines(&signed);
    assert!(is_named(&signed, attack, &scene), "{} in a {home:?}:\n{told}", attack.name);
    assert!(signed.findings.len() <= FEW, "{} in a {home:?} floods:\n{told}", attack.name);
    let all = deployment.verified(Level::Full).unwrap();
    assert!(is_named(&all, attack, &scene), "{} at level full:\n{}", attack.name, lines(&all));
    let number =
        attack.from_attacked.map_or(String::new(), |from| format!(" {}", scene.number + from));
    let check = check_of(attack, home);
    eprintln!("{:<58} {check} acme{number} {}", attack.name, scene.file.display());
}

#[test]
fn every_attack_on_records_is_found_and_named() {
    let original = Deployment::build("attacks");
    assert!(original.verified(Level::Full).unwrap().holds());
    for attack in ATTACKS {
        for home in [Home::Segment, Home::Log] {
            run(&original, attack, home);
        }
    }
}

#[test]
fn attacks_on_rsa_signatures_are_found_and_named() {
    let original = Deployment::build_with_rsa("rsa-attacks");
    assert!(original.verified(Level::Full).unwrap().holds());
    let on_signatures: Vec<_> =
        ATTACKS.iter().filter(|attack| attack.check == Check::Signature).collect();
    assert!(on_signatures.len() >= 6, "{}", on_signatures.len());
    for attack in on_signatures {
        for home in [Home::Segment, Home::Log] {
            run(&original, attack, home);
        }
    }
}

/// Taking a directory apart and putting it together again changes nothing, so that whatever the
/// table finds comes from the attack.
#[test]
fn putting_together_without_an_attack_is_sound() {
    let deployment = Deployment::build("together");
    let mut contents = Contents::read(&deployment.data()).unwrap();
    for container in 0..contents.count() {
        contents.batches(container).unwrap();
    }
    contents.write().unwrap();
    contents.sign_head().unwrap();
    let report = deployment.verified(Level::Full).unwrap();
    assert!(report.holds(), "{}", lines(&report));
}

/// An attack on whole files, and the check that must name it.
struct FileAttack {
    name: &'static str,
    change: fn(&Path),
    check: Check,
}

fn files(data: &Path, folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(data.join(folder)).unwrap();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

fn replace(from: &Path, to: &Path) {
    let bytes = std::fs::read(from).unwrap();
    std::fs::remove_file(to).unwrap();
    std::fs::write(to, bytes).unwrap();
}

fn remove_derived(data: &Path) {
    for folder in ["ids", "tiles"] {
        drop(std::fs::remove_dir_all(data.join(folder)));
    }
    drop(std::fs::remove_file(data.join("admin.sqlite")));
    for index in files(data, "segments", "idx") {
        std::fs::remove_file(index).unwrap();
    }
}

/// Cuts the last two frames off the last log file that has any.
fn cut_tail(data: &Path) {
    let mut contents = Contents::read(data).unwrap();
    let last = (0..contents.count()).rev().find(|at| {
        contents.file(*at).starts_with("log") && !contents.batches(*at).unwrap().is_empty()
    });
    let mut contents = Contents::read(data).unwrap();
    let batches = contents.batches(last.unwrap()).unwrap();
    batches.truncate(batches.len().saturating_sub(2));
    contents.write().unwrap();
}

const FILE_ATTACKS: &[FileAttack] = &[
    FileAttack { name: "the tail of the log cut off", change: cut_tail, check: Check::Truncated },
    FileAttack {
        name: "the tail of the log cut off, derived files deleted",
        change: |data| {
            cut_tail(data);
            remove_derived(data);
        },
        check: Check::Truncated,
    },
    FileAttack {
        name: "all log files deleted, derived files too",
        change: |data| {
            for log in files(data, "log", "log") {
                std::fs::remove_file(log).unwrap();
            }
            remove_derived(data);
        },
        check: Check::Truncated,
    },
    FileAttack {
        name: "the tail of one ledger cut off, HEAD signed again",
        change: |data| {
            let mut contents = Contents::read(data).unwrap();
            let acme = tenant("acme");
            for container in contents.count() / 2..contents.count() {
                for batch in contents.batches(container).unwrap() {
                    batch.ledgers.retain(|run| run.tenant != acme);
                    batch.checkpoints.retain(|kept| kept.tenant != acme);
                }
            }
            contents.write().unwrap();
            contents.sign_head().unwrap();
        },
        check: Check::Truncated,
    },
    FileAttack {
        name: "an older segment put in the place of a later one",
        change: |data| {
            let segments = files(data, "segments", "seg");
            replace(&segments[0], &segments[2]);
        },
        check: Check::Section,
    },
    FileAttack {
        name: "the same, HEAD signed again",
        change: |data| {
            let segments = files(data, "segments", "seg");
            replace(&segments[0], &segments[2]);
            sign_head_of_files(data).unwrap();
        },
        check: Check::Section,
    },
    FileAttack {
        name: "two segments in each other's place",
        change: |data| {
            let segments = files(data, "segments", "seg");
            let kept = data.join("kept");
            std::fs::rename(&segments[0], &kept).unwrap();
            std::fs::rename(&segments[1], &segments[0]).unwrap();
            std::fs::rename(&kept, &segments[1]).unwrap();
            sign_head_of_files(data).unwrap();
        },
        check: Check::Section,
    },
    FileAttack {
        name: "a segment removed, HEAD signed again",
        change: |data| {
            std::fs::remove_file(&files(data, "segments", "seg")[1]).unwrap();
            sign_head_of_files(data).unwrap();
        },
        check: Check::Section,
    },
];

#[test]
fn every_attack_on_files_is_found_and_named() {
    let original = Deployment::build("file-attacks");
    for attack in FILE_ATTACKS {
        let deployment = original.copy();
        (attack.change)(&deployment.data());
        let report = deployment.verified(Level::Tree).unwrap();
        let told = lines(&report);
        let named = |finding: &&Finding| {
            finding.check == attack.check && (!finding.file.is_empty() || finding.tenant.is_some())
        };
        let found = report.findings.iter().find(named);
        let found = found.unwrap_or_else(|| panic!("{}:\n{told}", attack.name));
        eprintln!("{:<58} {} {}", attack.name, found.check, found.file);
    }
}
