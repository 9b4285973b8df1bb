//! What the resolver is at, on a terminal, while it is at it.
//!
//! Knows: one line of stderr, which is written over and erased in the end. Does not know: what is
//! shown afterwards. Nothing is written where there is no terminal.

use std::io::{self, IsTerminal, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::Instant;

use crate::render::text;
use crate::rrset::Question;
use crate::wire::Message;
use crate::world::{Accept, Arrival, BoxFuture, ExchangeError, Network, Routes, Transport};

/// Carriage return, then "erase in line" (ECMA-48 §8.3.41).
const ERASE_LINE: &str = "\r\x1b[K";

/// The network, telling whom it asks if somebody looks on.
pub fn watched(network: Arc<dyn Network>) -> Arc<dyn Network> {
    if io::stderr().is_terminal() { Arc::new(Watched(network)) } else { network }
}

/// Takes the line away.
pub fn erase() {
    if io::stderr().is_terminal() {
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
        let question = Message::parse(query).ok().and_then(|message| message.question().cloned());
        if let Some(Question { name, rtype, .. }) = question {
            let line = format!("asking {} for {} {rtype} over {transport}", to.ip(), name.to_lowercase());
            // One line of the terminal, or it could not be erased again.
            let line: String = line.chars().take(text::WIDTH - 1).collect();
            _ = write!(io::stderr(), "{ERASE_LINE}{line}");
        }
        self.0.exchange(to, transport, query, accept, until)
    }

    fn routes(&self) -> Routes {
        self.0.routes()
    }
}
