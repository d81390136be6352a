//! docs/configuration.md, out of the table.

use super::auth::{CERTIFICATE, ISSUER};
use super::entry::Member;
use super::root_key::services;
use super::sources::SOURCE;
use super::table::{AWS_CREDENTIALS, FILE_VARIABLE, SETTINGS, Setting, UNUSED_NAMES};

const BEGINNING: &str = "\
# Configuration

This page is written by `cargo xtask gen` from the program's own table of settings.

`ledgerstone serve` needs none of it. A setting is taken from the first of these that names it: the command line, the
environment, the file (TOML), the default. In the environment a setting is called `LEDGERSTONE_` and its key in capitals
with `_` for `.`: `limits.headers` is `LEDGERSTONE_LIMITS_HEADERS`. In the file `limits.headers = 64` may stand as it is, or
as `headers = 64` in a table `[limits]`. A key that does not exist is an error.

`ledgerstone config` prints what is in force and who said so, and never a secret; `ledgerstone config --check` ends with
status 0 if a server could start with it and with 2 if not.
";

/// The whole page.
pub fn page() -> String {
    let mut page = BEGINNING.to_owned();
    page.push_str(&format!("\nThe file is named by `--config` or `{FILE_VARIABLE}`.\n\n"));
    page.push_str("| key | flag | default | value | meaning |\n|---|---|---|---|---|\n");
    page.extend(SETTINGS.iter().map(row));
    page.push_str("\n## Issuers of tokens\n\nEach is a table `[[auth.issuers]]` of the file:\n\n");
    page.push_str(&members(ISSUER));
    page.push_str(
        "\n## Client certificates\n\nEach is a table `[[auth.certificates]]` of the file:\n\n",
    );
    page.push_str(&members(CERTIFICATE));
    page.push_str("\n## Senders\n\nEach is a table `[[sources]]` of the file:\n\n");
    page.push_str(&members(SOURCE));
    page.push_str("\n## Services of the root key\n\n");
    page.push_str(
        "How each is set up, and what is lost with it: [sealing-keys.md](sealing-keys.md).\n\n",
    );
    page.push_str(&services());
    page.push_str("\nCommands that write a data directory themselves take `root.…` from the environment, and from the file that\n`LEDGERSTONE_CONFIG` names.\n");
    page.push_str("\n## Names that others have\n\n");
    page.push_str("These names of earlier services and of other programs are understood, so that an environment can stay as it is:\n\n");
    page.push_str("| name | stands for |\n|---|---|\n");
    for setting in SETTINGS {
        for name in setting.other_names {
            page.push_str(&format!("| `{name}` | `{}` |\n", setting.key));
        }
    }
    for (name, what) in UNUSED_NAMES {
        page.push_str(&format!("| `{name}` | {what}; not used by this version, which says so |\n"));
    }
    for name in AWS_CREDENTIALS {
        let what = "credentials for AWS KMS; otherwise not used by this version, which says so";
        page.push_str(&format!("| `{name}` | {what} |\n"));
    }
    page.push_str(CLIENTS);
    page
}

/// What is no setting of the server.
const CLIENTS: &str = "
## Commands that ask a server

Not for `serve`, which passes them over: `LEDGERSTONE_SERVER` (a URL) has the other commands ask a server in place of a data
directory, with `LEDGERSTONE_API_KEY` or `LEDGERSTONE_API_KEY_FILE`, and `LEDGERSTONE_CA` for a certificate authority of your
own. The options `--server`, `--api-key`, `--api-key-file` and `--ca` come before them, and `--data` turns them off.
";

fn row(setting: &Setting) -> String {
    let code = |text: String| format!("`{text}`");
    let flag = setting.flag.map(|flag| code(format!("--{flag}"))).unwrap_or_default();
    let default = setting.default.map(|text| code(text.to_owned())).unwrap_or_default();
    let wanted = setting.kind.wanted();
    let secret = if setting.is_secret { " (secret)" } else { "" };
    format!("| `{}` | {flag} | {default} | {wanted}{secret} | {} |\n", setting.key, setting.meaning)
}

fn members(members: &[Member]) -> String {
    let row = |member: &Member| format!("| `{}` | {} |\n", member.name, member.meaning);
    let rows: String = members.iter().map(row).collect();
    format!("| key | meaning |\n|---|---|\n{rows}")
}
