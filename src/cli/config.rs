//! `cnamed config check` and `cnamed config default`.

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{ConfigArgs, ConfigCommand, complain, tell};
use crate::config::file::MAX_FILE;
use crate::config::{Config, show};

/// Exit code when the configuration has errors.
const FINDINGS: u8 = 1;
/// What stands for standard input in messages.
const STDIN: &str = "<stdin>";

/// Runs the command.
pub fn run(args: &ConfigArgs) -> ExitCode {
    match &args.command {
        ConfigCommand::Default => {
            tell(&show::default_file());
            ExitCode::SUCCESS
        }
        ConfigCommand::Check { file } => match check(file.as_ref().filter(|file| file.as_os_str() != "-")) {
            Ok(what) => {
                tell(&format!("{what}: no errors"));
                ExitCode::SUCCESS
            }
            Err(errors) => {
                tell(&errors);
                ExitCode::from(FINDINGS)
            }
        },
    }
}

/// Which file was right, or what is wrong.
fn check(file: Option<&PathBuf>) -> Result<String, String> {
    match file {
        Some(path) => {
            Config::load(path).map_err(|errors| errors.to_string())?;
            Ok(path.display().to_string())
        }
        None => {
            let text = read_stdin()?;
            Config::parse(&text, Path::new(STDIN)).map_err(|errors| errors.to_string())?;
            Ok(STDIN.to_owned())
        }
    }
}

fn read_stdin() -> Result<String, String> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        complain("reading a configuration from the terminal; end it with Ctrl-D, or name a FILE");
    }
    let mut text = String::new();
    let read = stdin.take(MAX_FILE + 1).read_to_string(&mut text);
    read.map_err(|e| format!("{STDIN}: cannot read a configuration: {e}"))?;
    if text.len() as u64 > MAX_FILE {
        return Err(format!("{STDIN}: larger than {MAX_FILE} octets"));
    }
    Ok(text)
}
