//! `retention`: how the dropping of contents stands, what would go, and letting it go now.

use clap::{Args, Subcommand};
use ledgerstone_client::RetentionState;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::retention::{RetentionPreset, RetentionRule};

use super::requests::carried_out;
use super::{Command, parsed};
use crate::arguments::{JsonOption, ServerOptions};
use crate::failure::{Ending, Failure};
use crate::output::Console;
use crate::table::Table;

pub const COMMAND: Command = Command {
    name: "retention",
    about: "Say what expired, and drop it",
    details: "Works through a server, which does it by itself every `retention.every_hours`. How long contents \
              are kept is the policy `retention`: `policies show retention`, `policies set retention FILE`, and \
              `policies approve retention` where that needs a second person. With a credential of `_system` it \
              is about all tenants. docs/retention.md tells more.",
    arguments: Arguments::augment_args,
    run: |matches, console| run(&parsed(matches)?, console),
    is_hidden: false,
};

#[derive(Args, Debug)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Say whether the policy lets anything go, how many holds stand, and which runs are not done
    Show {
        #[command(flatten)]
        options: ServerOptions,
    },
    /// Drop the contents whose time is over, and wait for that
    Run {
        /// Only look, and say what would go
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        options: ServerOptions,
    },
    /// Print the presets of the policy `retention`
    Presets {
        #[command(flatten)]
        output: JsonOption,
    },
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    match &arguments.action {
        Action::Show { options } => {
            let remote = options.on_server("retention", console)?;
            let state = remote.wait(remote.client().retention())?;
            show(&state, options, console)
        }
        Action::Run { dry_run, options } => {
            let remote = options.on_server("retention", console)?;
            let job = remote.wait(remote.client().run_retention(*dry_run))?;
            let job = carried_out(&remote, job)?;
            console.line(job.result().map_or("{}", |result| result.get()))?;
            Ok(Ending::Done)
        }
        Action::Presets { output } => presets(output, console),
    }
}

fn show(
    state: &RetentionState,
    options: &ServerOptions,
    console: &mut Console,
) -> Result<Ending, Failure> {
    if console.is_terminal() && !options.output.json {
        let lets = if state.lets_anything_go { "lets contents go" } else { "lets nothing go" };
        let (version, holds) = (state.policy_version, state.holds);
        console.line(format!("version {version} of the policy {lets}; {holds} holds stand"))?;
        for open in &state.open_runs {
            console.line(format!("run {} is not done: {} contents", open.run, open.contents))?;
        }
        return Ok(Ending::Done);
    }
    let mut line = Vec::with_capacity(256);
    let mut object = ObjectWriter::open(&mut line);
    object.number("holds", state.holds);
    object.boolean("lets_anything_go", state.lets_anything_go);
    object.array("open_runs", &state.open_runs, |open, out| {
        let mut run = ObjectWriter::open(out);
        run.number("contents", open.contents);
        run.text("run", &open.run);
        run.close();
    });
    object.number("policy_version", state.policy_version);
    object.close();
    console.line(line)?;
    Ok(Ending::Done)
}

fn presets(output: &JsonOption, console: &mut Console) -> Result<Ending, Failure> {
    let as_table = console.is_terminal() && !output.json;
    let mut table = Table::new(&["preset", "rule", "minimum", "maximum", "basis"]);
    for preset in RetentionPreset::all() {
        for rule in preset.rules() {
            let [minimum, maximum] = [rule.minimum(), rule.maximum()]
                .map(|period| period.map(|period| period.to_string()));
            if as_table {
                let (minimum, maximum) = (minimum.unwrap_or_default(), maximum.unwrap_or_default());
                let basis = rule.basis().unwrap_or_default();
                table.row([preset.as_str(), rule.name(), &minimum, &maximum, basis]);
            } else {
                console.line(json(preset, &rule, minimum.as_deref(), maximum.as_deref()))?;
            }
        }
    }
    if as_table {
        table.keep_whole(&[0, 1, 2, 3]);
        console.text(&table.to_string())?;
    }
    Ok(Ending::Done)
}

fn json(
    preset: RetentionPreset,
    rule: &RetentionRule,
    minimum: Option<&str>,
    maximum: Option<&str>,
) -> Vec<u8> {
    let mut line = Vec::with_capacity(128);
    let mut object = ObjectWriter::open(&mut line);
    object.optional_text("basis", rule.basis());
    object.optional_text("maximum", maximum);
    object.optional_text("minimum", minimum);
    object.text("preset", preset.as_str());
    object.text("rule", rule.name());
    object.close();
    line
}
