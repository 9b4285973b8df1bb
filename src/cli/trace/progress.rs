//! What the resolver is at, on a terminal, while it is at it.
//!
//! Knows: one line of stderr, which is written over and erased in the end. Does not know: what is
//! shown afterwards. Nothing is written where there is no
//! terminal, or one on which nothing can be erased.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::Instant;

use crate::cli::terminal;
use crate::render::text;
use crate::rrset::Question;
use crate::wire::Message;
use crate::world::{Accept, Arrival, BoxFuture, ExchangeError, Network, Routes, Transport};

/// Carriage return, then "erase in line" (ECMA-48 §8.3.41).
const ERASE_LINE: &str = "\r\x1b[K";

/// The network, telling whom it asks if somebody looks on.
pub fn watched(network: Arc<dyn Network>) -> Arc<dyn Network> {
    if terminal::obeys(&io::stderr()) { Arc::new(Watched(network)) } else { network }
}

/// Takes the line away.
pub fn erase() {
    if terminal::obeys(&io::stderr()) {
        _ = write!(io::stderr(), "{ERASE_LINE}");
    }
}

/// A network that says on the terminal whom it asks.
struct Watched(Arc<dyn Network>);

impl Network for Watched {
    fn exchange<'a>(
        &'a self,
        to: SocketAddr,
        transport: Transport,
        query: &'a [u8],
        accept: &'a Accept<'a>,
        until: Instant,
    ) -> BoxFuture<'a, Result<Arrival, ExchangeError>> {
        if let Some(line) = line(to, transport, query) {
            _ = write!(io::stderr(), "{ERASE_LINE}{line}");
        }
        self.0.exchange(to, transport, query, accept, until)
    }

    fn routes(&self) -> Routes {
        self.0.routes()
    }
}

/// Who is asked what, on one line of the terminal, or it could not be erased again.
fn line(to: SocketAddr, transport: Transport, query: &[u8]) -> Option<String> {
    let message = Message::parse(query).ok()?;
    let Question { name, rtype, .. } = message.question()?;
    let line = format!("asking {} for {} {rtype} over {transport}", to.ip(), name.to_lowercase());
    Some(line.chars().take(text::WIDTH - 1).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rrset::RrType;
    use crate::wire::MessageWriter;

    #[test]
    fn a_line_says_who_is_asked_and_fits_the_terminal() {
        let asked = |name: &str| {
            let mut writer = MessageWriter::new(1, 0, 512);
            writer.question(&Question::new(name.parse().unwrap(), RrType::NS)).unwrap();
            line("192.0.2.1:53".parse().unwrap(), Transport::Udp, &writer.finish()).unwrap()
        };
        assert_eq!(asked("eXAMPLE"), "asking 192.0.2.1 for example. NS over UDP");
        assert_eq!(asked(&"a23456789.".repeat(20)).chars().count(), text::WIDTH - 1);
    }
}
