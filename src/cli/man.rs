//! `bluegreen man`: the man pages, from the definition of the command line.

use std::io::Error;
use std::path::{Path, PathBuf};

use clap::Command;
use clap_mangen::Man;

use super::exit::{Exit, Failed};
use super::output::say;

/// What `man` takes.
#[derive(Clone, Debug, clap::Args)]
#[group(id = "man")]
pub(super) struct Args {
    /// Folder to write the man page of every command into; it must exist
    #[arg(long, value_name = "FOLDER")]
    directory: Option<PathBuf>,
}

impl Args {
    /// Whether what it prints is all that it does.
    pub fn only_prints(&self) -> bool {
        self.directory.is_none()
    }
}

/// Prints or writes the pages of this command line.
pub(super) fn run(args: &Args, definition: Command) -> Result<Exit, Failed> {
    match &args.directory {
        Some(folder) => clap_mangen::generate_to(definition, folder)
            .map_err(|error| unwritten(folder, &error))?,
        None => {
            let mut page = Vec::new();
            let rendered = Man::new(definition).render(&mut page);
            rendered.expect("memory takes what is written to it");
            say(String::from_utf8_lossy(&page).trim_end());
        }
    }
    Ok(Exit::Completed)
}

fn unwritten(folder: &Path, error: &Error) -> Failed {
    let message = format!(
        "the man pages cannot be written into {}: {error}",
        folder.display()
    );
    Failed::new(Exit::Refused, message).hint("create the folder, or name another with --directory")
}
