//! TOML into [`Config`].
//!
//! Knows: the file's syntax, where each value stands, what to tell whoever wrote it: all errors at
//! once, each with file, line, column, key, value and what was expected. Deliberately does not
//! know: which settings there are (`settings.rs`).

mod values;

use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::settings::{Kind, SETTINGS, Setting, TABLES, Table};
use super::{AnchorRecord, Config, Route, RouteKind, anchors, hints};
pub(super) use values::{PERIODS, SIZES};
use values::{Pipes, Wrong};

/// Octets of the longest file read, configuration, root hints or trust anchors: far more than anyone writes by
/// hand, and little memory.
pub const MAX_FILE: u64 = 1 << 20;
/// Errors told at once; who wrote more has a file of another kind.
pub const MAX_ERRORS: usize = 100;
/// Forward and stub zones together: far more than anyone writes by hand.
pub const MAX_ROUTES: usize = 1_024;
/// Characters of a value that a message repeats.
const SHOWN: usize = 60;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ConfigError {
    pub file: String,
    /// Line and column, counted from 1, the column in characters; `None`: the file as a whole.
    pub position: Option<(usize, usize)>,
    /// As in `resolver.timeout`; empty where no key is concerned.
    pub key: String,
    /// The value as written, cut short; empty where none is concerned.
    pub value: String,
    /// What was expected, and why.
    pub what: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if let Some((line, column)) = self.position {
            write!(f, "{line}:{column}:")?;
        }
        match (self.key.as_str(), self.value.as_str()) {
            ("", _) => write!(f, " {}", self.what),
            (key, "") => write!(f, " {key}: {}", self.what),
            (key, value) => write!(f, " {key} = {value}: {}", self.what),
        }
    }
}
impl std::error::Error for ConfigError {}

/// All that is wrong with a configuration, in the order of the file; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if at == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}
impl std::error::Error for ConfigErrors {}

/// What is wrong with the value of a setting for somebody who knows more than its name and bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Fault {
    pub table: &'static str,
    pub key: &'static str,
    pub what: String,
}

/// Looks for such faults in a configuration that is right otherwise.
pub type Look<'l> = &'l dyn Fn(&Config) -> Vec<Fault>;

impl Config {
    /// The configuration in the file at `path`, and what the files say that it names. Waits for those
    /// that are pipes.
    pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
        Config::read(path, Pipes::Awaited, &|_| Vec::new())
    }

    /// The same while somebody is served: what may have to be waited for is an error.
    pub fn reload(path: &Path) -> Result<Config, ConfigErrors> {
        Config::read(path, Pipes::Refused, &|_| Vec::new())
    }

    /// As [`Config::load`]; what `look` finds is an error like any other.
    pub fn check(path: &Path, look: Look<'_>) -> Result<Config, ConfigErrors> {
        Config::read(path, Pipes::Awaited, look)
    }

    /// As [`Config::parse`]; what `look` finds is an error like any other.
    pub fn check_text(text: &str, path: &Path, look: Look<'_>) -> Result<Config, ConfigErrors> {
        Config::parse_with(text, path, Pipes::Awaited, look)
    }

    /// Judges addresses of the command line as `server.listen` is judged.
    ///
    /// # Errors
    /// Says which are wrong, and what was expected; where they would stand in a file means nothing.
    pub fn check_listen(addresses: &[SocketAddr]) -> Result<(), ConfigErrors> {
        // Of port 0 there are as many as one likes.
        let mut listed: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
        listed.dedup_by(|b, a| a == b && a.ends_with(":0"));
        Config::parse(&format!("[server]\nlisten = {listed:?}\n"), Path::new("")).map(|_| ())
    }

    fn read(path: &Path, pipes: Pipes, look: Look<'_>) -> Result<Config, ConfigErrors> {
        let text = values::read_file(path, pipes).map_err(|what| {
            let file = path.display().to_string();
            let what =
                format!("{what}; name a readable file with --config, or leave that out for the defaults");
            let (key, value) = (String::new(), String::new());
            ConfigErrors(vec![ConfigError { file, position: None, key, value, what }])
        })?;
        Config::parse_with(&text, path, pipes, look)
    }

    /// The configuration in `text`; `path` is for messages, and what relative paths start from.
    pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigErrors> {
        Config::check_text(text, path, &|_| Vec::new())
    }

    fn parse_with(text: &str, path: &Path, pipes: Pipes, look: Look<'_>) -> Result<Config, ConfigErrors> {
        let (table, syntax) = DeTable::parse_recoverable(text);
        let mut reader = Reader {
            text,
            path,
            pipes,
            config: Config::default(),
            seen: Vec::new(),
            anchors: None,
            errors: Vec::new(),
        };
        if syntax.is_empty() {
            reader.file(table.get_ref());
            if let Some(anchors) = reader.anchors.take() {
                reader.config.dnssec.anchors = anchors;
            }
            reader.combinations();
            if reader.errors.is_empty() {
                let found = look(&reader.config);
                reader.faults(found);
            }
        }
        for error in syntax {
            let span = error.span().unwrap_or_default();
            let message = error.message().replace('\n', "; ");
            reader.fault("", span.start, None, format!("not TOML: {message}"));
        }
        let mut errors = reader.errors;
        errors.sort_by_key(|error| error.position);
        if errors.is_empty() { Ok(reader.config) } else { Err(ConfigErrors(errors)) }
    }
}

type Values<'i> = DeTable<'i>;
type Value<'i> = Spanned<DeValue<'i>>;

struct Reader<'t> {
    text: &'t str,
    path: &'t Path,
    pipes: Pipes,
    config: Config,
    /// Settings in the file, and where their values stand.
    seen: Vec<(&'static Setting, Range<usize>)>,
    /// Trust anchors of either key, once one stands in the file.
    anchors: Option<Vec<AnchorRecord>>,
    errors: Vec<ConfigError>,
}

impl Reader<'_> {
    /// Notes an error at an offset, about the value there if one is concerned.
    fn fault(&mut self, key: &str, at: usize, value: Option<Range<usize>>, what: String) {
        if self.errors.len() > MAX_ERRORS {
            return;
        }
        let (key, value, what) = match self.errors.len() {
            MAX_ERRORS => ("", None, "and more errors, not shown".to_owned()),
            _ => (key, value, what),
        };
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        let line = before.matches('\n').count() + 1;
        let shown = value.and_then(|span| self.text.get(span)).unwrap_or_default();
        self.errors.push(ConfigError {
            file: self.path.display().to_string(),
            position: Some((line, column)),
            key: key.to_owned(),
            value: cut(shown),
            what,
        });
    }

    fn file(&mut self, tables: &Values<'_>) {
        for (name, value) in tables {
            let Some(table) = TABLES.iter().find(|t| t.name == name.get_ref().as_ref()) else {
                self.unknown_table(name, value);
                continue;
            };
            match (value.get_ref(), table.repeated) {
                (DeValue::Table(values), false) => self.settings(table, values),
                (DeValue::Array(items), true) => {
                    for item in items.iter() {
                        match item.get_ref() {
                            DeValue::Table(values) => self.route(table, values, item.span()),
                            _ => self.not_a_table(table, item.span()),
                        }
                    }
                }
                _ => self.not_a_table(table, value.span()),
            }
        }
    }

    fn not_a_table(&mut self, table: &Table, span: Range<usize>) {
        let name = table.name;
        let header = if table.repeated { format!("[[{name}]]") } else { format!("[{name}]") };
        self.fault(name, span.start, Some(span), format!("expected a table that begins with `{header}`"));
    }

    fn unknown_table(&mut self, name: &Spanned<impl AsRef<str>>, value: &Value<'_>) {
        let text = name.get_ref().as_ref();
        let is_table = matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_));
        let what = match SETTINGS.iter().find(|s| s.key == text) {
            Some(setting) => format!("`{text}` belongs into [{}]", setting.table),
            None if is_table => {
                let near = nearest(text, TABLES.iter().map(|t| t.name));
                format!("there is no such table; the nearest is [{near}]")
            }
            None => {
                let near = nearest(text, SETTINGS.iter().map(|s| s.key));
                let table = SETTINGS.iter().find(|s| s.key == near).map_or("", |s| s.table);
                format!("there is no such key; the nearest is {near}, in [{table}]")
            }
        };
        self.fault(text, name.span().start, None, what);
    }

    fn unknown_key(&mut self, table: &Table, name: &Spanned<impl AsRef<str>>) {
        let text = name.get_ref().as_ref();
        let elsewhere = SETTINGS.iter().find(|s| s.key == text);
        let what = match elsewhere {
            Some(setting) => {
                format!("there is no such key in [{}]: it belongs into [{}]", table.name, setting.table)
            }
            None => {
                let known = SETTINGS.iter().filter(|s| s.table == table.name).map(|s| s.key);
                format!("there is no such key; the nearest is {}.{}", table.name, nearest(text, known))
            }
        };
        self.fault(&format!("{}.{text}", table.name), name.span().start, None, what);
    }

    /// The keys of a table that stands once.
    fn settings(&mut self, table: &'static Table, values: &Values<'_>) {
        for (name, value) in values {
            let Some(setting) = setting(table.name, name.get_ref()) else {
                self.unknown_key(table, name);
                continue;
            };
            self.seen.push((setting, value.span()));
            if let Err(wrong) = self.set(setting, value) {
                self.wrong(setting, wrong);
            }
        }
    }

    /// Notes what is wrong with the values of a setting.
    fn wrong(&mut self, setting: &Setting, wrong: Vec<Wrong>) {
        let key = format!("{}.{}", setting.table, setting.key);
        for Wrong { span, what } in wrong {
            let what = what.unwrap_or_else(|| format!("expected {}", setting.kind.expected()));
            self.fault(&key, span.start, Some(span), what);
        }
    }

    fn set(&mut self, setting: &Setting, value: &Value<'_>) -> Result<(), Vec<Wrong>> {
        let config = &mut self.config;
        let one = |wrong| vec![wrong];
        match &setting.kind {
            Kind::Flag { field, .. } => *field(config) = values::flag(value).map_err(one)?,
            Kind::Number { bounds, set, .. } => set(config, values::number(value, bounds).map_err(one)?),
            Kind::Size { bounds, field, .. } => *field(config) = values::size(value, bounds).map_err(one)?,
            Kind::Period { bounds, field, .. } => {
                *field(config) = values::period(value, bounds).map_err(one)?
            }
            Kind::Filter { field, .. } => *field(config) = values::filter(value).map_err(one)?,
            Kind::Text { field, .. } => *field(config) = Some(values::text(value).map_err(one)?),
            Kind::Path { field, .. } => {
                *field(config) = Some(values::path(value, self.path).map_err(one)?);
            }
            Kind::Hints { .. } => {
                let path = values::path(value, self.path).map_err(one)?;
                let hints = values::read_file(&path, self.pipes)
                    .and_then(|text| hints::read(&text, &path.display().to_string()));
                config.resolver.hints = hints.map_err(|what| vec![Wrong::because(value, what)])?;
            }
            Kind::Sockets { field, .. } => *field(config) = values::sockets(value)?,
            Kind::Addresses { field } => *field(config) = values::addresses(value)?,
            Kind::Networks { field, .. } => *field(config) = values::networks(value)?,
            Kind::Zones { field, .. } => *field(config) = values::zones(value)?,
            Kind::Either { words, field } => *field(config) = values::either(value, words).map_err(one)?,
            Kind::Anchors { .. } => self.anchors.get_or_insert_default().extend(values::anchors(value)?),
            Kind::AnchorFile { .. } => {
                let path = values::path(value, self.path).map_err(one)?;
                let read = values::read_file(&path, self.pipes)
                    .and_then(|text| anchors::read(&text, &path.display().to_string()))
                    .map_err(|what| vec![Wrong::because(value, what)])?;
                self.anchors.get_or_insert_default().extend(read);
            }
            // Keys of routes: `route` reads them.
            Kind::Zone { .. } | Kind::Servers { .. } => return Err(vec![Wrong::unexpected(value)]),
        }
        Ok(())
    }

    /// One `[[forward]]` or `[[stub]]`.
    fn route(&mut self, table: &'static Table, values: &Values<'_>, span: Range<usize>) {
        let kind = if table.name == "stub" { RouteKind::Stub } else { RouteKind::Forward };
        let (mut zone, mut servers) = (None, None);
        for (name, value) in values {
            let Some(setting) = setting(table.name, name.get_ref()) else {
                self.unknown_key(table, name);
                continue;
            };
            self.seen.push((setting, value.span()));
            let outcome = match setting.kind {
                Kind::Zone { .. } => values::zone(value).map(|read| zone = Some((read, value.span()))),
                _ => values::servers(value).map(|read| servers = Some(read)),
            };
            if let Err(wrong) = outcome {
                self.wrong(setting, wrong);
            }
        }
        for key in ["zone", "servers"] {
            if !values.contains_key(key) {
                let what = format!("the key is missing: [[{}]] needs `zone` and `servers`", table.name);
                self.fault(&format!("{}.{key}", table.name), span.start, None, what);
            }
        }
        let (Some((zone, zone_span)), Some(servers)) = (zone, servers) else { return };
        if self.config.routes.len() >= MAX_ROUTES {
            let what = format!("expected at most {MAX_ROUTES} forward and stub zones");
            return self.fault(table.name, span.start, None, what);
        }
        if self.config.routes.iter().any(|route| route.zone == zone) {
            let what = "expected each zone once, in [[forward]] or in [[stub]]: put all its servers there";
            self.fault(&format!("{}.zone", table.name), zone_span.start, Some(zone_span), what.to_owned());
        }
        self.config.routes.push(Route { zone, kind, servers });
    }

    /// Where the value of a setting stands, if it is in the file.
    fn place(&self, table: &str, key: &str) -> Option<Range<usize>> {
        let found = self.seen.iter().find(|(s, _)| s.table == table && s.key == key);
        found.map(|(_, span)| span.clone())
    }

    /// Values that are right on their own and wrong together.
    fn combinations(&mut self) {
        let mut faults = Vec::new();
        let resolver = &self.config.resolver;
        if !resolver.ipv4 && !resolver.ipv6 {
            let what = "expected ipv4 or ipv6 to be true: else no server is reached".to_owned();
            faults.push(Fault { table: "resolver", key: "ipv6", what });
        }
        if self.config.cache.min_ttl > self.config.cache.max_ttl {
            let what = "expected at most cache.max-ttl".to_owned();
            faults.push(Fault { table: "cache", key: "min-ttl", what });
        }
        self.faults(faults);
    }

    /// Notes what is wrong with values that are right on their own.
    fn faults(&mut self, faults: Vec<Fault>) {
        for Fault { table, key, what } in faults {
            let span = self.place(table, key);
            // Defaults agree with each other and name no files, so these stand in the file.
            let at = span.as_ref().map_or(0, |span| span.start);
            self.fault(&format!("{table}.{key}"), at, span, what);
        }
    }
}

fn setting(table: &str, key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|s| s.table == table && s.key == key)
}

/// The known name that differs least from `text`.
fn nearest<'k>(text: &str, known: impl Iterator<Item = &'k str>) -> &'k str {
    let text = text.to_ascii_lowercase().replace('_', "-");
    known.min_by_key(|name| strsim::damerau_levenshtein(&text, name)).unwrap_or_default()
}

/// The first line of a value, at most [`SHOWN`] characters of it.
fn cut(value: &str) -> String {
    let line = value.lines().next().unwrap_or_default();
    let short: String = line.chars().take(SHOWN).collect();
    if short.len() < value.len() { format!("{short}…") } else { short }
}

#[cfg(test)]
mod tests;
