//! The table of settings as text: the default file and the reference.
//!
//! Knows: TOML and Markdown. Both texts come from [`super::settings`] alone, so that they cannot
//! say anything else than the program does.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

use super::file::{PERIODS, SIZES};
use super::settings::{Kind, SETTINGS, Setting, TABLES, Table};

/// Columns of comments in the default file.
const WIDTH: usize = 96;

/// `256MiB`: the largest unit that divides.
pub(super) fn size(octets: u64) -> String {
    let unit = SIZES.iter().find(|(_, factor)| octets != 0 && octets.is_multiple_of(*factor));
    unit.map_or_else(|| octets.to_string(), |(name, factor)| format!("{}{name}", octets / factor))
}

/// `5m`: the largest unit that divides.
pub(super) fn period(period: Duration) -> String {
    let millis = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
    let unit = PERIODS.iter().find(|(_, factor)| millis != 0 && millis.is_multiple_of(*factor));
    unit.map_or_else(|| "0s".to_owned(), |(name, factor)| format!("{}{name}", millis / factor))
}

fn list(items: impl Iterator<Item = String>) -> String {
    let quoted: Vec<String> = items.map(|item| format!("\"{item}\"")).collect();
    format!("[{}]", quoted.join(", "))
}

impl Kind {
    /// The default as TOML; `None`: absent.
    fn default_text(&self) -> Option<String> {
        match self {
            Kind::Flag { default, .. } => Some(default.to_string()),
            Kind::Number { default, .. } => Some(default.to_string()),
            Kind::Size { default, .. } => Some(format!("\"{}\"", size(*default))),
            Kind::Period { default, .. } => Some(format!("\"{}\"", period(*default))),
            Kind::Filter { default, .. } => Some(format!("\"{default}\"")),
            Kind::Sockets { default, .. } => Some(list(default.iter().map(SocketAddr::to_string))),
            Kind::Networks { default, .. } => Some(list(default.iter().map(IpNet::to_string))),
            Kind::Addresses { .. } => Some(list(std::iter::empty::<IpAddr>().map(|a| a.to_string()))),
            Kind::Zones { .. } => Some(list(std::iter::empty())),
            Kind::Either { words, .. } => words.first().map(|word| format!("\"{word}\"")),
            Kind::Anchors { .. }
            | Kind::AnchorFile { .. }
            | Kind::Text { .. }
            | Kind::Path { .. }
            | Kind::Hints { .. } => None,
            Kind::Zone { .. } | Kind::Servers { .. } => None,
        }
    }

    /// A value as TOML, for what has no default.
    fn example(&self) -> String {
        match self {
            Kind::Text { example, .. } | Kind::Path { example, .. } => format!("\"{example}\""),
            Kind::Hints { example } | Kind::Zone { example } | Kind::AnchorFile { example } => {
                format!("\"{example}\"")
            }
            Kind::Servers { example } | Kind::Anchors { example } | Kind::Zones { example, .. } => {
                (*example).to_owned()
            }
            _ => self.default_text().unwrap_or_default(),
        }
    }
}

fn header(table: &Table) -> String {
    if table.repeated { format!("[[{}]]", table.name) } else { format!("[{}]", table.name) }
}

fn settings_of(table: &Table) -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().filter(move |s| s.table == table.name)
}

/// The commented default file. Lines that begin with `#` and no blank are keys without a default,
/// with an example.
pub fn default_file() -> String {
    let mut text = String::new();
    comment(
        &mut text,
        "Configuration of cnamed. Every setting stands here with its default; one that is commented out \
         is absent by default and shows an example. Relative paths start at the folder of this file. \
         `cnamed config check FILE` says what is wrong with it.",
    );
    for table in TABLES {
        text.push('\n');
        comment(&mut text, table.help);
        let mark = if table.repeated { "#" } else { "" };
        _ = writeln!(text, "{mark}{}", header(table));
        for setting in settings_of(table) {
            comment(&mut text, setting.help);
            match setting.kind {
                Kind::Flag { .. } => {}
                _ => comment(&mut text, &format!("Takes {}.", setting.kind.expected())),
            }
            _ = match setting.kind.default_text() {
                Some(default) => writeln!(text, "{} = {default}", setting.key),
                None => writeln!(text, "#{} = {}", setting.key, setting.kind.example()),
            };
        }
    }
    text
}

/// Wrapped at [`WIDTH`], each line behind `# `.
fn comment(text: &mut String, comment: &str) {
    let mut line = String::from("#");
    for word in comment.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            _ = writeln!(text, "{line}");
            line = String::from("#");
        }
        _ = write!(line, " {word}");
    }
    _ = writeln!(text, "{line}");
}

/// `docs/configuration.md`.
pub fn reference() -> String {
    let mut text = String::from(
        "# Configuration\n\n\
         <!-- Made from src/config/settings.rs: change it there, then run\n     \
         CNAMED_WRITE_DOCS=1 cargo test --test cnamed-tests the_reference -->\n\n\
         cnamed reads one TOML file, named by `--config`; without it every setting has the default below.\n\
         `cnamed config default` prints a commented file to begin with, `cnamed config check FILE` says\n\
         what is wrong with one: every error with file, line, column, key, value and what was expected.\n\
         Unknown keys are errors. Relative paths start at the folder of the file. SIGHUP makes\n\
         `cnamed serve` read the file again; when anything in it is wrong, the old configuration stays.\n",
    );
    for table in TABLES {
        _ = write!(text, "\n## `{}`\n\n{}\n", header(table), table.help);
        for setting in settings_of(table) {
            let default = setting.kind.default_text().map_or("absent".to_owned(), |d| format!("`{d}`"));
            _ = write!(text, "\n### `{}`\n\n{}\n\n", setting.key, setting.help);
            _ = writeln!(text, "- Default: {default}");
            if setting.kind.default_text().is_none() {
                _ = writeln!(text, "- Example: `{} = {}`", setting.key, setting.kind.example());
            }
            _ = writeln!(text, "- Takes: {}", setting.kind.expected());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    #[test]
    fn the_default_file_says_the_defaults() {
        let text = default_file();
        let config = Config::parse(&text, Path::new("default.toml")).unwrap();
        assert_eq!(config, Config::default());
        for setting in SETTINGS {
            assert!(text.contains(&format!("{} = ", setting.key)), "{}", setting.key);
        }
        assert!(text.lines().all(|line| !line.starts_with('#') || line.chars().count() <= WIDTH));
    }

    #[test]
    fn commented_examples_are_accepted() {
        let lines: Vec<String> = default_file()
            .lines()
            .filter(|line| !["#root-hints", "#trust-anchor-"].iter().any(|key| line.starts_with(key)))
            .map(|line| match line.strip_prefix('#') {
                Some(code) if !code.starts_with(' ') => code.to_owned(),
                _ => line.to_owned(),
            })
            .collect();
        let config = Config::parse(&lines.join("\n"), Path::new("x.toml")).unwrap();
        assert!(config.cache.file.is_some());
    }

    #[test]
    fn every_setting_belongs_to_a_table_and_stands_once() {
        for (at, setting) in SETTINGS.iter().enumerate() {
            assert!(TABLES.iter().any(|t| t.name == setting.table), "{}", setting.key);
            let same = |other: &Setting| (other.table, other.key) == (setting.table, setting.key);
            assert_eq!(SETTINGS.iter().position(same), Some(at), "{} stands twice", setting.key);
        }
    }

    #[test]
    fn sizes_and_periods_show_the_largest_unit() {
        assert_eq!(size(256 << 20), "256MiB");
        assert_eq!(size(1_000), "1000");
        assert_eq!(size(0), "0");
        assert_eq!(period(Duration::from_secs(300)), "5m");
        assert_eq!(period(Duration::from_millis(1_500)), "1500ms");
        assert_eq!(period(Duration::ZERO), "0s");
    }
}
