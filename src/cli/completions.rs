//! `bluegreen completions`: the completion script of a shell, from the definition of the command
//! line.

use clap::Command;
use clap_complete::Shell;

use super::exit::{Exit, Failed};
use super::output::say;

/// What `completions` takes.
#[derive(Clone, Debug, clap::Args)]
#[group(id = "completions")]
pub(super) struct Args {
    /// Shell that reads the script
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script for this command line.
pub(super) fn run(args: &Args, mut definition: Command) -> Result<Exit, Failed> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut definition, "bluegreen", &mut script);
    say(String::from_utf8_lossy(&script).trim_end());
    Ok(Exit::Completed)
}
