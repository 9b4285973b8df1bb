//! The lines before `CONFIG_END`.
//!
//! Knows: every key (`docs/testing.md` lists them); one that it does not know is an error. Does not
//! know: what a setting does.

use std::net::IpAddr;

use crate::config::Hint;
use crate::wire::Name;

use super::records::question;
use super::script::Settings;

/// What a root server is called when the file does not say.
const ROOT_SERVER: &str = "k.root-servers.net.";

pub(super) fn parse_settings<'a>(
    file: &str,
    config: impl Iterator<Item = &'a str>,
) -> Result<Settings, String> {
    let mut settings = Settings {
        ipv4: true,
        ipv6: true,
        routed_v4: true,
        routed_v6: true,
        root_servers: Vec::new(),
        root_server_name: ROOT_SERVER.parse().map_err(|e| format!("{ROOT_SERVER}: {e}"))?,
        minimisation: None,
        trust_anchors: Vec::new(),
        negative_trust_anchors: Vec::new(),
        wall: None,
        query_localhost: false,
        forward: Vec::new(),
        min_ttl: None,
        max_ttl: None,
        root_hints: Vec::new(),
        seed: None,
        recording: false,
        toml: String::new(),
        also_warm: false,
        also_warm_by: Vec::new(),
    };
    for (i, line) in config.enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(';') {
            continue;
        }
        let at = |what: String| format!("{file}:{}: {what}", i + 1);
        let Some((key, value)) = line.split_once(':') else {
            return Err(at(format!("expected `key: value`, found `{line}`")));
        };
        settings.set(key.trim(), value).map_err(at)?;
    }
    Ok(settings)
}

/// A value without its trailing comment and quotes.
fn plain(value: &str) -> &str {
    let mut quoted = false;
    let end = value.char_indices().find(|(_, c)| match c {
        '"' => {
            quoted = !quoted;
            false
        }
        ';' | '#' => !quoted,
        _ => false,
    });
    let value = end.and_then(|(i, _)| value.get(..i)).unwrap_or(value);
    value.trim().trim_matches(['"', '\'']).trim()
}

fn yes_or_no(value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Ok(true),
        "no" | "false" | "off" | "0" => Ok(false),
        _ => Err(format!("expected yes or no, found `{value}`")),
    }
}

impl Settings {
    fn set(&mut self, key: &str, raw: &str) -> Result<(), String> {
        let value = plain(raw);
        let address = || value.parse::<IpAddr>().map_err(|_| format!("`{value}` is not an address"));
        match key {
            "do-ip4" => self.ipv4 = yes_or_no(value)?,
            "do-ip6" => self.ipv6 = yes_or_no(value)?,
            "no-route" if value == "ipv4" => self.routed_v4 = false,
            "no-route" if value == "ipv6" => self.routed_v6 = false,
            "stub-addr" => self.root_servers.push(address()?),
            "stub-name" => {
                self.root_server_name = value.parse().map_err(|e| format!("`{value}` is not a name: {e}"))?;
            }
            "root-hint" => self.add_hint(value)?,
            "seed" => self.seed = Some(value.parse().map_err(|_| format!("`{value}` is not a number"))?),
            "recording" => self.recording = yes_or_no(value)?,
            "forward-addr" => self.forward.push(address()?),
            "query-minimization" => self.minimisation = Some(yes_or_no(value)?),
            "trust-anchor" => self.trust_anchors.push(value.to_owned()),
            "domain-insecure" => self.negative_trust_anchors.push(value.to_owned()),
            "val-override-timestamp" => {
                self.wall = Some(value.parse().map_err(|_| format!("`{value}` is not a Unix time"))?);
            }
            "val-override-date" => self.wall = Some(unix_time(value)?),
            "do-not-query-localhost" => self.query_localhost = !yes_or_no(value)?,
            // We accept glue for what it is for whatever this says.
            "harden-glue" => drop(yes_or_no(value)?),
            "features" => self.set_features(raw)?,
            "also-warm" => self.also_warm = yes_or_no(value)?,
            "also-warm-by" => {
                self.also_warm_by.push(value.split(',').map(question).collect::<Result<_, _>>()?);
            }
            _ => match key.strip_prefix("cnamed-") {
                // TOML has its own quotes and comments.
                Some(setting) => self.toml.push_str(&format!("{setting} = {}\n", raw.trim())),
                None => return Err(format!("unknown setting `{key}: {value}`")),
            },
        }
        Ok(())
    }

    /// `NAME ADDRESS`; addresses of one name behind each other are one server's.
    fn add_hint(&mut self, value: &str) -> Result<(), String> {
        let (name, address) = value.split_once(' ').ok_or("expected a name and an address")?;
        let name: Name = name.parse().map_err(|e| format!("`{name}` is not a name: {e}"))?;
        let address = address.trim();
        let address = address.parse().map_err(|_| format!("`{address}` is not an address"))?;
        match self.root_hints.last_mut().filter(|hint| hint.name == name) {
            Some(hint) => hint.addresses.push(address),
            None => self.root_hints.push(Hint { name, addresses: vec![address] }),
        }
        Ok(())
    }

    fn set_features(&mut self, raw: &str) -> Result<(), String> {
        for pair in raw.split('#').next().unwrap_or("").split(';') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let seconds = || value.trim().parse::<u32>().map_err(|_| format!("`{pair}`: expected seconds"));
            match name.trim() {
                "min_ttl" => self.min_ttl = Some(seconds()?),
                "max_ttl" => self.max_ttl = Some(seconds()?),
                _ => return Err(format!("unknown feature `{}`", pair.trim())),
            }
        }
        Ok(())
    }
}

/// Seconds since 1970 of a UTC date `YYYYMMDDHHMMSS`.
fn unix_time(date: &str) -> Result<u64, String> {
    let bad = || format!("`{date}` is not a date as in 20240229120000");
    if date.len() != 14 || !date.is_ascii() {
        return Err(bad());
    }
    let part = |from: usize, to: usize| -> Result<i64, String> {
        date.get(from..to).and_then(|d| d.parse().ok()).ok_or_else(bad)
    };
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    // Days from 1970-01-01 in the Gregorian calendar, years beginning in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    u64::try_from(days * 86_400 + hour * 3_600 + minute * 60 + second).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rrset::RrType;

    #[test]
    fn settings_lose_quotes_and_comments_and_dates_are_utc() {
        let text = "  val-override-date: \"20181130121751\"  # then\n; no\nstub-addr: 1.1.1.1 \t# K.\n\
                    query-minimization: off ; why\ntrust-anchor: \". DS 1 ;{id}\"\n\
                    cnamed-resolver.max-chain-length: 4\nalso-warm-by: a.b A, c. MX\n\
                    ";
        let settings = parse_settings("f", text.lines()).unwrap();
        assert_eq!(settings.wall, Some(1_543_580_271));
        assert_eq!(settings.root_servers, ["1.1.1.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(settings.minimisation, Some(false));
        assert_eq!(settings.trust_anchors, [". DS 1 ;{id}"]);
        assert_eq!(settings.toml, "resolver.max-chain-length = 4\n");
        assert_eq!(settings.also_warm_by.len(), 1);
        assert_eq!(settings.also_warm_by[0][1].rtype, RrType::MX);
    }
}
